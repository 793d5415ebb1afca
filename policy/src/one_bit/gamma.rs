//! The squared radius gamma of the confidence region (12).

use fogbit_scenario::contexts::LANES;
use fogbit_scenario::topology::ExplorationWidth;

/// `beta = 1 / (2 (1 + e^R))` with R = 1, below equation (9).
pub(crate) fn beta() -> f64 {
    1.0 / (2.0 * (1.0 + std::f64::consts::E))
}

/// How gamma grows.
#[derive(Debug, Clone)]
pub(crate) enum Gamma {
    /// `c d ln(1 + t)`, the same for all nodes.
    Tuned {
        /// `c d`.
        factor: f64,
    },
    /// Equations (15) and (16).
    Paper {
        /// Z starts as lambda I.
        lambda: f64,
        /// The region may fail with at most this probability.
        delta: f64,
        /// `ln(det Z_{n,t} / det Z_{n,1})` for each node n, in whole groups of nodes.
        log_det_ratio: Vec<f64>,
    },
}

impl Gamma {
    pub(crate) fn new(width: &ExplorationWidth, lambda: f64, nodes: usize, d: usize) -> Gamma {
        match width {
            ExplorationWidth::Tuned(tuned) => Gamma::Tuned { factor: tuned.c * d as f64 },
            ExplorationWidth::PaperEq15(paper) => {
                let log_det_ratio = vec![0.0; nodes.next_multiple_of(LANES)];
                Gamma::Paper { lambda, delta: paper.delta, log_det_ratio }
            }
        }
    }

    /// The part of gamma at `slot` that all nodes share.
    pub(crate) fn shared(&self, slot: u64) -> f64 {
        match self {
            Gamma::Tuned { factor } => factor * libm::log(1.0 + slot as f64),
            Gamma::Paper { lambda, .. } if slot == 1 => *lambda,
            Gamma::Paper { lambda, delta, .. } => {
                let beta = beta();
                lambda + 8.0 + (8.0 / beta + 16.0 / 3.0) * tau(slot - 1, *delta)
            }
        }
    }

    /// The part of gamma at `slot` that is `node`'s own.
    #[inline]
    pub(crate) fn own(&self, slot: u64, node: usize) -> f64 {
        match self {
            Gamma::Paper { log_det_ratio, .. } if slot > 1 => 2.0 / beta() * log_det_ratio[node],
            Gamma::Paper { .. } | Gamma::Tuned { .. } => 0.0,
        }
    }

    /// The part of gamma at `slot` that is their own, for the nodes from `LANES * group` on.
    #[inline]
    pub(crate) fn own_lanes(&self, slot: u64, group: usize) -> [f64; LANES] {
        match self {
            Gamma::Paper { .. } => std::array::from_fn(|lane| self.own(slot, group * LANES + lane)),
            Gamma::Tuned { .. } => [0.0; LANES],
        }
    }

    /// Takes note that `det Z` of `node` has grown by `factor`.
    pub(crate) fn grow(&mut self, node: usize, factor: f64) {
        if let Gamma::Paper { log_det_ratio, .. } = self {
            log_det_ratio[node] += libm::log(factor);
        }
    }
}

/// `tau_t = ln(2 max(1, ceil(2 log2 t)) t^2 / delta)`, equation (16).
fn tau(t: u64, delta: f64) -> f64 {
    let t = t as f64;
    let steps = libm::ceil(2.0 * libm::log2(t)).max(1.0);
    libm::log(2.0 * steps * t * t / delta)
}

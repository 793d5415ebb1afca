//! TOOF, and Greedy as the paper words it: the same rule with a frozen Z.
//!
//! Equation numbers are those of "Online Optimal Task Offloading with One-Bit Feedback" (arXiv
//! 1806.10547). The text at hand has lost its formulas; they were recovered from it, from OL2M
//! (Zhang et al., ICML 2016), which it extends, and from its results (`docs/policies.md`).

use fogbit_scenario::contexts::LANES;
use fogbit_scenario::topology::{Prior, SequentialMle};
use fogbit_scenario::{Bit, Contexts};

use super::argmax;
use super::estimates::{Estimates, Node, Rule};
use super::gamma::{Gamma, beta};
use crate::{Belief, Confidence, Policy};

/// The policies `toof` and `greedy`.
#[derive(Debug, Clone)]
pub struct SequentialMlePolicy {
    nodes: usize,
    d: usize,
    lambda: f64,
    /// `greedy`: Z stays lambda I.
    frozen: bool,
    /// Estimates that start elsewhere than at 0 are outside of what (14) is proven for.
    has_prior: bool,
    gamma: Gamma,
    /// The estimates w and the matrices Z.
    estimates: Estimates,
    /// In whole groups; what lies beyond the last node means nothing.
    scores: Vec<f64>,
}

impl SequentialMlePolicy {
    /// TOOF for `nodes` helper nodes with `features` features.
    pub fn toof(parameters: &SequentialMle, nodes: usize, features: usize) -> SequentialMlePolicy {
        SequentialMlePolicy::new(parameters, nodes, features, false)
    }

    /// Greedy: TOOF with Z frozen.
    pub fn greedy(
        parameters: &SequentialMle,
        nodes: usize,
        features: usize,
    ) -> SequentialMlePolicy {
        SequentialMlePolicy::new(parameters, nodes, features, true)
    }

    fn new(parameters: &SequentialMle, nodes: usize, d: usize, frozen: bool) -> Self {
        let (mean, lambda) = Prior::start(parameters.prior.as_ref(), parameters.lambda);
        SequentialMlePolicy {
            nodes,
            d,
            lambda,
            frozen,
            has_prior: mean.is_some(),
            gamma: Gamma::new(&parameters.gamma, lambda, nodes, d),
            estimates: Estimates::new(nodes, d, mean, lambda),
            scores: vec![0.0; nodes.next_multiple_of(LANES)],
        }
    }
}

/// The update (8)-(9) of one node, or (8) alone where Z is `frozen`. Gives the factor by which
/// `det Z` grows.
pub(super) struct SequentialUpdate {
    pub(super) frozen: bool,
    pub(super) bit: Bit,
}

impl Rule for SequentialUpdate {
    type Output = f64;

    #[inline(always)]
    fn apply(self, node: &mut Node<'_>) -> f64 {
        // (9): Z + (beta/2) x x'.
        let growth = if self.frozen { 1.0 } else { node.grow(0.5 * beta()) };
        // -Z_{t+1}^-1 g with g = -y x / (1 + exp(y x.w)); Z_{t+1}^-1 x = Z_t^-1 x / growth.
        let y = f64::from(self.bit.sign());
        node.shift(y / (1.0 + libm::exp(y * node.product)) * (1.0 / growth));
        node.project();
        growth
    }
}

impl Policy for SequentialMlePolicy {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let (gamma, shared) = (&self.gamma, self.gamma.shared(slot));
        self.estimates.score(contexts, &mut self.scores, |group, sums| {
            sums.optimistic(shared, gamma.own_lanes(slot, group))
        });
        contexts.mask(&mut self.scores[..self.nodes]);
        argmax(self.scores())
    }

    fn learn(&mut self, _slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        let frozen = self.frozen;
        let growth = self.estimates.update(contexts, node, SequentialUpdate { frozen, bit });
        if !frozen {
            self.gamma.grow(node, growth);
        }
    }

    fn scores(&self) -> &[f64] {
        &self.scores[..self.nodes]
    }

    fn belief(&self) -> Option<&dyn Belief> {
        Some(self)
    }
}

impl Belief for SequentialMlePolicy {
    fn estimate(&self, node: usize, estimate: &mut [f64]) {
        self.estimates.read(node, estimate);
    }

    fn confidence(&self) -> Option<&dyn Confidence> {
        if self.frozen || self.has_prior { None } else { Some(self) }
    }
}

impl Confidence for SequentialMlePolicy {
    fn squared_distance(&self, node: usize, truth: &[f64]) -> f64 {
        self.estimates.squared_distance(node, truth)
    }

    fn covered(&self, slot: u64, squared_distances: &[f64]) -> usize {
        let shared = self.gamma.shared(slot);
        squared_distances
            .iter()
            .enumerate()
            .filter(|(node, distance)| **distance <= shared + self.gamma.own(slot, *node))
            .count()
    }

    fn average_regret_bound(&self, slots: u64) -> f64 {
        let shared = self.gamma.shared(slots);
        let gamma = (0..self.nodes).map(|n| shared + self.gamma.own(slots, n)).fold(0.0, f64::max);
        let (n, d, t, beta) = (self.nodes as f64, self.d as f64, slots as f64, beta());
        let log = libm::log(1.0 + beta * t / (2.0 * self.lambda * d));
        4.0 * libm::sqrt(n * d * gamma / (beta * t) * log)
    }
}

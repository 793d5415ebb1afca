//! Curves over slots, at about a thousand logarithmically spaced points, so that memory does not
//! grow with the run.

use std::sync::Arc;

use super::Totals;

/// About how many points a curve has.
const POINTS: u32 = 1000;

/// The slots at which the curves of a trial of `slots` slots have points, ascending: spaced
/// logarithmically, and the slots of `also` that the trial reaches.
pub fn curve_slots(slots: u64, also: &[u64]) -> Arc<[u64]> {
    let ratio = libm::log(slots as f64) / f64::from(POINTS);
    let mut all: Vec<u64> = (0..=POINTS)
        .map(|i| libm::round(libm::exp(f64::from(i) * ratio)) as u64)
        .chain(also.iter().copied())
        .chain([1, slots])
        .filter(|slot| (1..=slots).contains(slot))
        .collect();
    all.sort_unstable();
    all.dedup();
    all.into()
}

/// One trial's sums at the curve slots it has reached.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curves {
    /// Sum of x*.w* - x.w.
    pub regret_linear: Vec<f64>,
    /// Sum of P* - P.
    pub regret_happiness: Vec<f64>,
    /// Sum of rewards.
    pub reward: Vec<f64>,
    /// Sum of 2 P* - 1.
    pub optimal_reward: Vec<f64>,
    /// Mean over the nodes of ||estimate - w||; empty for policies that estimate nothing.
    pub weight_error: Vec<f64>,
    /// Right side of (19); empty for policies without a confidence region.
    pub bound: Vec<f64>,
    /// Share of the nodes and of the slots so far for which (14) held; empty likewise.
    pub covered: Vec<f64>,
}

impl Curves {
    pub(crate) fn with_capacity(points: usize) -> Curves {
        Curves {
            regret_linear: Vec::with_capacity(points),
            regret_happiness: Vec::with_capacity(points),
            reward: Vec::with_capacity(points),
            optimal_reward: Vec::with_capacity(points),
            ..Curves::default()
        }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.regret_linear.len()
    }

    /// Whether there is no point yet.
    pub fn is_empty(&self) -> bool {
        self.regret_linear.is_empty()
    }

    pub(crate) fn push(
        &mut self,
        totals: &Totals,
        weight_error: Option<f64>,
        bound: Option<f64>,
        covered: Option<f64>,
    ) {
        self.regret_linear.push(totals.regret_linear);
        self.regret_happiness.push(totals.regret_happiness);
        self.reward.push(totals.reward as f64);
        self.optimal_reward.push(totals.optimal_reward);
        self.weight_error.extend(weight_error);
        self.bound.extend(bound);
        self.covered.extend(covered);
    }
}

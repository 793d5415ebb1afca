//! Curves over slots, at logarithmically spaced points, so that memory does not
//! grow with the run.

use std::sync::Arc;

use fogbit_scenario::topology::RunLength;

use super::Totals;

/// Curves have this many points for each tenfold of slots; fewer at first, where whole slots lie
/// farther apart than that.
const POINTS_A_DECADE: u32 = 250;
/// No trial has more slots than ten to this power; a point later there is none.
const DECADES: u32 = 12;

/// The slots at which the curves of a trial have points, ascending: spaced logarithmically, in the
/// same places for trials of any length, so that they can be laid over each other; then the slots
/// of `also` and `length`, the last one, as far as the trial reaches.
pub fn curve_slots(length: RunLength, also: &[u64]) -> Arc<[u64]> {
    every_nth_slot(1, length, also)
}

/// As [`curve_slots`], with a fifth of the points: 50 for each tenfold of slots.
pub fn thin_curve_slots(length: RunLength, also: &[u64]) -> Arc<[u64]> {
    every_nth_slot(5, length, also)
}

fn every_nth_slot(nth: usize, length: RunLength, also: &[u64]) -> Arc<[u64]> {
    let ratio = libm::log(10.0) / f64::from(POINTS_A_DECADE);
    let mut all: Vec<u64> = (0..=POINTS_A_DECADE * DECADES)
        .step_by(nth)
        .map(|i| libm::round(libm::exp(f64::from(i) * ratio)) as u64)
        .chain(also.iter().copied())
        .chain(length.slots())
        .filter(|slot| (1..=length.last_slot()).contains(slot))
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
    /// Mean over the nodes of ||estimate - w||; none where the policy estimates nothing yet.
    pub weight_error: Vec<Option<f64>>,
    /// Right side of (19); none for policies without a confidence region.
    pub bound: Vec<Option<f64>>,
    /// Share of the nodes and of the slots so far for which (14) held; none likewise.
    pub covered: Vec<Option<f64>>,
}

impl Curves {
    pub(crate) fn with_capacity(points: usize) -> Curves {
        Curves {
            regret_linear: Vec::with_capacity(points),
            regret_happiness: Vec::with_capacity(points),
            reward: Vec::with_capacity(points),
            optimal_reward: Vec::with_capacity(points),
            weight_error: Vec::with_capacity(points),
            bound: Vec::with_capacity(points),
            covered: Vec::with_capacity(points),
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
        self.weight_error.push(weight_error);
        self.bound.push(bound);
        self.covered.push(covered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_of_any_length_share_their_points() {
        let endless = curve_slots(RunLength::Endless, &[]);
        assert_eq!((endless[0], endless.last().copied()), (1, Some(1_000_000_000_000)));
        for slots in [1, 7, 999, 10_000, 123_456_789] {
            let mut points = curve_slots(RunLength::Slots(slots), &[5]).to_vec();
            assert!(points.is_sorted_by(|a, b| a < b), "ascending, and each once");
            assert_eq!(points.last(), Some(&slots));
            points.pop();
            assert!(points.iter().all(|slot| *slot == 5 || endless.contains(slot)), "{slots}");
            let shared = endless.iter().filter(|slot| **slot < slots).count();
            assert!(points.len() == shared || points.len() == shared + 1, "none is left out");
        }
    }
}

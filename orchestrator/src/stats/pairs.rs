//! Everything that is said of one pair of policies.

use serde::{Deserialize, Serialize};

use super::{Interval, Running, bootstrap, median, p_value, seeds_needed};

/// What the differences `a - b` of two policies under the same seeds come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairStatistics {
    /// Number of seeds.
    pub seeds: u64,
    /// Mean difference.
    pub mean: f64,
    /// Standard deviation of the differences (n - 1 in the denominator); none with one seed.
    pub sd: Option<f64>,
    /// Median difference.
    pub median: f64,
    /// Student's 95 % interval of the mean difference.
    pub t: Interval,
    /// Its 95 % [`bootstrap`] interval (BCa).
    pub bootstrap: Interval,
    /// Two-sided p-value of the paired t test; none with one seed, or without any difference.
    pub p_value: Option<f64>,
    /// Share of the seeds in which `a` is better; equal values count half.
    pub better_share: f64,
    /// With how many seeds [`PairStatistics::t`] would exclude 0 if mean and deviation stayed what
    /// they are ([`seeds_needed`]). None where it does already, with one seed, and where it would
    /// take more than [`MOST_SEEDS`](super::MOST_SEEDS).
    pub seeds_needed: Option<u64>,
}

impl PairStatistics {
    /// Whether the question is open: Student's interval holds 0. None with one seed.
    pub fn open(&self) -> Option<bool> {
        self.t.decided().map(|decided| !decided)
    }
}

/// Compares two policies by `(seed, a, b)`, the value of each under a seed; nothing without seeds.
/// The order does not matter: sums run from the smallest seed to the largest.
pub fn compare_pairs(values: &[(u64, f64, f64)], higher_is_better: bool) -> Option<PairStatistics> {
    if values.is_empty() {
        return None;
    }
    let mut by_seed = values.to_vec();
    by_seed.sort_by_key(|(seed, ..)| *seed);
    let differences: Vec<f64> = by_seed.iter().map(|(_, a, b)| a - b).collect();
    let t = Interval::of(&differences);
    let sd = Running::of(&differences).sd();
    let open = t.decided() == Some(false);
    Some(PairStatistics {
        seeds: differences.len() as u64,
        mean: t.mean,
        sd,
        median: median(&differences),
        t,
        bootstrap: bootstrap::interval(&differences),
        p_value: p_value(&differences),
        better_share: better_share(&differences, higher_is_better),
        seeds_needed: sd.filter(|_| open).and_then(|sd| seeds_needed(t.mean, sd)),
    })
}

fn better_share(differences: &[f64], higher_is_better: bool) -> f64 {
    let better = differences.iter().filter(|d| **d != 0.0 && (**d > 0.0) == higher_is_better);
    let equal = differences.iter().filter(|d| **d == 0.0).count();
    (better.count() as f64 + 0.5 * equal as f64) / differences.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter() {
        let values: Vec<_> = (0..40).map(|s| (s, (s as f64).sqrt(), 0.17 * s as f64)).collect();
        let mut turned = values.clone();
        turned.reverse();
        turned.swap(3, 17);
        let (one, other) = (compare_pairs(&values, true), compare_pairs(&turned, true));
        assert_eq!(one, other);
        assert!(one.is_some());
    }

    #[test]
    fn one_seed_says_little() {
        let pair = compare_pairs(&[(1, 5.0, 3.0)], false).unwrap();
        assert_eq!((pair.mean, pair.median, pair.sd), (2.0, 2.0, None));
        assert_eq!((pair.open(), pair.seeds_needed, pair.p_value), (None, None, None));
        assert_eq!(pair.better_share, 0.0);
        assert_eq!(compare_pairs(&[], false), None);
    }

    #[test]
    fn equal_values_count_half() {
        let values = [(1, 1.0, 2.0), (2, 2.0, 2.0), (3, 4.0, 2.0), (4, 1.0, 2.0)];
        assert_eq!(compare_pairs(&values, false).unwrap().better_share, 0.625);
        assert_eq!(compare_pairs(&values, true).unwrap().better_share, 0.375);
    }

    /// What is asked for is more than there is, wherever the question is open.
    #[test]
    fn an_open_question_wants_more_seeds() {
        let values = [(1, 1.0, 0.0), (2, -0.5, 0.0), (3, 0.7, 0.0), (4, -0.2, 0.0)];
        let pair = compare_pairs(&values, true).unwrap();
        assert_eq!(pair.open(), Some(true));
        assert!(pair.seeds_needed.unwrap() > 4, "{pair:?}");
        let same = [(1, 1.0, 1.0), (2, 2.0, 2.0)];
        assert_eq!(compare_pairs(&same, true).unwrap().seeds_needed, None);
    }
}

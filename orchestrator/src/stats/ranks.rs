//! Who is first, second, ... over seeds.

use serde::{Deserialize, Serialize};

/// Where one policy stands among others, over the same seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rank {
    /// Mean over seeds of its rank within a seed; 1 is best. Policies that are equal share the mean
    /// of the ranks they take up.
    pub mean_rank: f64,
    /// Share of the seeds in which it is best; k policies that are best together count 1/k each, so
    /// that the shares of all add up to 1.
    pub best_share: f64,
}

/// Ranks policies. `values` holds for each policy its value under each seed, the seeds the same and
/// in the same order for all; gives a rank for each policy in the same order, or nothing where there
/// is no seed.
///
/// # Panics
/// If policies have different numbers of values.
pub fn rank_table(values: &[Vec<f64>], higher_is_better: bool) -> Vec<Rank> {
    let seeds = values.first().map_or(0, Vec::len);
    assert!(values.iter().all(|v| v.len() == seeds), "policies are ranked over the same seeds");
    if seeds == 0 {
        return Vec::new();
    }
    let mut ranks = vec![Rank { mean_rank: 0.0, best_share: 0.0 }; values.len()];
    for seed in 0..seeds {
        let of_seed: Vec<f64> = values.iter().map(|policy| policy[seed]).collect();
        for (rank, (own, best)) in ranks.iter_mut().zip(within(&of_seed, higher_is_better)) {
            rank.mean_rank += own;
            rank.best_share += best;
        }
    }
    for rank in &mut ranks {
        rank.mean_rank /= seeds as f64;
        rank.best_share /= seeds as f64;
    }
    ranks
}

/// Rank of each value among all, and its share in being best.
fn within(values: &[f64], higher_is_better: bool) -> Vec<(f64, f64)> {
    let rank = |value: &f64| {
        let better = |other: &&f64| if higher_is_better { *other > value } else { *other < value };
        let better = values.iter().filter(better).count() as f64;
        let equal = values.iter().filter(|other| *other == value).count() as f64;
        // Equal ones take up the places better + 1 to better + equal.
        let best = if better == 0.0 { 1.0 / equal } else { 0.0 };
        (better + (equal + 1.0) / 2.0, best)
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand. Seed 1: a and b share the places 1 and 2; seed 2: c, a, b.
    #[test]
    fn equal_values_share_their_places() {
        let values = [vec![1.0, 2.0], vec![1.0, 3.0], vec![5.0, 0.0]];
        let ranks = rank_table(&values, false);
        assert_eq!(ranks[0], Rank { mean_rank: 1.75, best_share: 0.25 });
        assert_eq!(ranks[1], Rank { mean_rank: 2.25, best_share: 0.25 });
        assert_eq!(ranks[2], Rank { mean_rank: 2.0, best_share: 0.5 });
    }

    #[test]
    fn the_other_way_round() {
        let ranks = rank_table(&[vec![1.0], vec![2.0]], true);
        assert_eq!(ranks[1], Rank { mean_rank: 1.0, best_share: 1.0 });
        assert!(rank_table(&[Vec::new(), Vec::new()], true).is_empty());
        assert!(rank_table(&[], true).is_empty());
    }
}

//! The statistics against vectors that NumPy and SciPy made (`data/stats.py`).

use fogbit::stats::{
    Interval, MeanSd, Running, bootstrap, compare_pairs, quantile, rank_table, seeds_needed,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    pairs: Vec<Pair>,
    ranks: Vec<Ranks>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    a: Vec<f64>,
    b: Vec<f64>,
    mean: f64,
    sd: f64,
    median: f64,
    quantiles: Vec<(f64, f64)>,
    low: f64,
    high: f64,
    p_value: f64,
    higher_share: f64,
    seeds_needed: Option<u64>,
    bootstrap: Bootstrap,
}

#[derive(Deserialize)]
struct Bootstrap {
    /// SciPy's BCa limits from the same resamples.
    low: f64,
    high: f64,
    /// SciPy's BCa limits from 200,000 resamples of its own.
    own_low: f64,
    own_high: f64,
    /// The first resampled means.
    means: Vec<f64>,
}

#[derive(Deserialize)]
struct Ranks {
    name: String,
    values: Vec<Vec<f64>>,
    higher: bool,
    mean_rank: Vec<f64>,
    best_share: Vec<f64>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("data/stats.json")).unwrap()
}

impl Pair {
    fn differences(&self) -> Vec<f64> {
        self.a.iter().zip(&self.b).map(|(a, b)| a - b).collect()
    }

    fn values(&self) -> Vec<(u64, f64, f64)> {
        (1..).zip(self.a.iter().zip(&self.b)).map(|(seed, (a, b))| (seed, *a, *b)).collect()
    }
}

#[track_caller]
fn near(found: f64, right: f64, scale: f64, what: &str) {
    assert!((found - right).abs() <= 1e-9 * scale, "{what}: {found:?} where {right:?} is right");
}

#[test]
fn paired_differences_are_those_of_scipy() {
    for pair in vectors().pairs {
        let (name, scale) = (&pair.name, pair.sd);
        let found = compare_pairs(&pair.values(), true).unwrap();
        assert_eq!(found.seeds, pair.a.len() as u64, "{name}");
        near(found.mean, pair.mean, scale, name);
        near(found.sd.unwrap(), pair.sd, scale, name);
        near(found.median, pair.median, scale, name);
        near(found.t.low.unwrap(), pair.low, scale, name);
        near(found.t.high.unwrap(), pair.high, scale, name);
        near(found.p_value.unwrap(), pair.p_value, pair.p_value, name);
        near(found.better_share, pair.higher_share, 1.0, name);
        let open = pair.low <= 0.0 && pair.high >= 0.0;
        assert_eq!(found.open(), Some(open), "{name}");
        assert_eq!(found.seeds_needed, pair.seeds_needed.filter(|_| open), "{name}");
        assert_eq!(seeds_needed(pair.mean, pair.sd), pair.seeds_needed, "{name}");
        let Interval { low, high, .. } = found.bootstrap;
        near(low.unwrap(), pair.bootstrap.low, scale, name);
        near(high.unwrap(), pair.bootstrap.high, scale, name);
        let lower_is_better = compare_pairs(&pair.values(), false).unwrap();
        near(lower_is_better.better_share, 1.0 - pair.higher_share, 1.0, name);
    }
}

#[test]
fn quantiles_are_those_of_numpy() {
    for pair in vectors().pairs {
        let mut differences = pair.differences();
        differences.sort_by(f64::total_cmp);
        for (p, right) in pair.quantiles {
            near(quantile(&differences, p), right, pair.sd, &format!("{} at {p}", pair.name));
        }
        let MeanSd { mean, sd, median } = MeanSd::of(&differences);
        near(mean, pair.mean, pair.sd, &pair.name);
        near(sd.unwrap(), pair.sd, pair.sd, &pair.name);
        near(median.unwrap(), pair.median, pair.sd, &pair.name);
        let (left, right) = differences.split_at(differences.len() / 3);
        let mut merged = Running::of(left);
        merged.merge(&Running::of(right));
        near(merged.mean, pair.mean, pair.sd, &pair.name);
        near(merged.sd().unwrap(), pair.sd, pair.sd, &pair.name);
    }
}

/// The resamples are those that `docs/determinism.md` describes.
#[test]
fn resamples_are_frozen() {
    for pair in vectors().pairs {
        let found = bootstrap::means(&pair.differences(), pair.bootstrap.means.len());
        for (found, right) in found.iter().zip(&pair.bootstrap.means) {
            near(*found, *right, pair.sd, &pair.name);
        }
    }
}

/// With resamples of SciPy's own the limits differ by no more than the luck of 10,000 draws: 0.04
/// standard errors are one standard deviation of that luck. Of whole numbers or two seeds a limit
/// jumps from one possible mean to the next.
#[test]
fn other_resamples_give_much_the_same_interval() {
    let smooth = ["clear", "open", "skewed"];
    let of_smooth: Vec<Pair> =
        vectors().pairs.into_iter().filter(|pair| smooth.contains(&&*pair.name)).collect();
    assert_eq!(of_smooth.len(), smooth.len());
    for pair in of_smooth {
        let error = pair.sd / (pair.a.len() as f64).sqrt();
        let Interval { low, high, .. } = bootstrap::interval(&pair.differences());
        for (found, right) in [(low, pair.bootstrap.own_low), (high, pair.bootstrap.own_high)] {
            let apart = (found.unwrap() - right).abs() / error;
            assert!(apart < 0.2, "{}: {found:?}, {right}: {apart} standard errors", pair.name);
        }
    }
}

#[test]
fn ranks_are_those_of_scipy() {
    for ranks in vectors().ranks {
        let found = rank_table(&ranks.values, ranks.higher);
        assert_eq!(found.len(), ranks.values.len(), "{}", ranks.name);
        for (index, rank) in found.iter().enumerate() {
            near(rank.mean_rank, ranks.mean_rank[index], 1.0, &ranks.name);
            near(rank.best_share, ranks.best_share[index], 1.0, &ranks.name);
        }
        let all: f64 = found.iter().map(|rank| rank.best_share).sum();
        near(all, 1.0, 1.0, &ranks.name);
    }
}

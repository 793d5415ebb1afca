//! What `summary.json` says of pairs and ranks, against the trials computed anew.
//!
//! Means, deviations, medians, shares and ranks are written again in the plainest way; of the
//! intervals and the p-value it is the differences that are computed anew, and for the number of
//! seeds it is looked whether it is the least that does what it should.

use std::collections::{BTreeMap, BTreeSet};

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::means::Recomputed;
use super::{Compared, close};
use crate::results::pairs::is_ranked;
use crate::results::summary::{Pair, PolicyRank, Summary};
use crate::stats::{Interval, MOST_SEEDS, bootstrap, p_value};

/// The metrics that each pair and each rank is told for since there are any. Later versions may tell
/// more, which are passed over here.
const METRICS: [&str; 4] = ["regret_linear", "regret_happiness", "reward", "average_regret"];

/// Compares pairs and ranks.
pub(super) fn check(summary: &Summary, trials: &[Recomputed], compared: &mut Compared) {
    let with_trials: Vec<&str> =
        summary.policies.iter().filter(|p| p.seeds > 0).map(|p| p.name.as_str()).collect();
    let versus = summary.pairs.first().map(|pair| pair.versus.as_str());
    for policy in with_trials.iter().filter(|p| versus.is_some_and(|v| v != **p)) {
        for metric in METRICS {
            let pairs = summary.pairs.iter();
            let told = pairs.filter(|p| p.policy == *policy && p.metric == metric).count();
            if told != 1 {
                let place = format!("summary.json: pairs of {policy} by {metric}");
                compared.find(place, format!("{told} where one is due"));
            }
        }
    }
    for pair in summary.pairs.iter().filter(|pair| METRICS.contains(&pair.metric.as_str())) {
        check_pair(pair, trials, compared);
    }
    // Earlier versions told neither medians nor ranks.
    if summary.pairs.iter().any(|pair| pair.median.is_some()) {
        check_ranks(summary, trials, compared);
    }
}

fn value(trial: &Recomputed, metric: &str) -> Option<f64> {
    match metric {
        "regret_linear" => Some(trial.regret_linear),
        "regret_happiness" => Some(trial.regret_happiness),
        "reward" => Some(trial.reward),
        "average_regret" => Some(trial.regret_linear / trial.slots as f64),
        _ => None,
    }
}

/// The values of a metric in the complete trials of a policy.
fn values(trials: &[Recomputed], policy: &str, metric: &str) -> BTreeMap<u64, f64> {
    let own = trials.iter().filter(|t| t.policy == policy && t.complete);
    own.filter_map(|trial| Some((trial.seed, value(trial, metric)?))).collect()
}

fn check_pair(pair: &Pair, trials: &[Recomputed], compared: &mut Compared) {
    let of = |policy: &str| values(trials, policy, &pair.metric);
    let (a, b) = (of(&pair.policy), of(&pair.versus));
    let both: Vec<(f64, f64)> =
        a.iter().filter_map(|(seed, a)| Some((*a, *b.get(seed)?))).collect();
    let place = format!("summary.json: {} of {} - {}", pair.metric, pair.policy, pair.versus);
    let Some((first, _)) = both.first() else {
        return compared.find(place, "there is no such pair of trials");
    };
    let differences: Vec<f64> = both.iter().map(|(a, b)| a - b).collect();
    // Ends of an interval are sums and differences of larger numbers.
    let scale = first.abs().max(1e-3);
    let near = |told: Option<f64>, right: Option<f64>| match (told, right) {
        (Some(told), Some(right)) => (told - right).abs() <= 1e-9 * right.abs().max(scale),
        (told, right) => told == right,
    };
    let right = Interval::of(&differences);
    if pair.seeds != both.len() as u64
        || !near(Some(pair.mean), Some(right.mean))
        || !near(pair.low, right.low)
        || !near(pair.high, right.high)
    {
        compared.find(place.clone(), format!("{right:?} over {} seeds is right", both.len()));
    }
    if pair.median.is_none() {
        return; // of an earlier version
    }
    let resampled = bootstrap::interval(&differences);
    let better = differences.iter().map(|d| match pair.metric.as_str() {
        _ if *d == 0.0 => 0.5,
        "reward" => f64::from(u8::from(*d > 0.0)),
        _ => f64::from(u8::from(*d < 0.0)),
    });
    let better_share = better.sum::<f64>() / differences.len() as f64;
    for (name, told, right) in [
        ("sd", pair.sd, deviation(&differences)),
        ("median", pair.median, middle(&differences)),
        ("bootstrap_low", pair.bootstrap_low, resampled.low),
        ("bootstrap_high", pair.bootstrap_high, resampled.high),
        ("better_share", pair.better_share, Some(better_share)),
    ] {
        if !near(told, right) {
            compared.find(place.clone(), format!("{name} {told:?} where {right:?} is right"));
        }
    }
    let p = p_value(&differences);
    // The tails are steep: a p-value of 1e-50 has fewer digits than what it is made of.
    let same = match (pair.p_value, p) {
        (Some(told), Some(right)) => (told - right).abs() <= 1e-6 * right + 1e-300,
        (told, right) => told == right,
    };
    if !same {
        compared.find(place.clone(), format!("p_value {:?} where {p:?} is right", pair.p_value));
    }
    if let Err(why) = seeds_needed_is_least(pair, &right, &differences) {
        compared.find(place, format!("seeds_needed {:?}: {why}", pair.seeds_needed));
    }
}

/// Whether the number of seeds is told where the question is open, is enough, and none too many.
fn seeds_needed_is_least(
    pair: &Pair,
    interval: &Interval,
    differences: &[f64],
) -> Result<(), String> {
    let Some(sd) = deviation(differences) else {
        return pair.seeds_needed.map_or(Ok(()), |_| Err("there is one seed".into()));
    };
    // How far the mean of n seeds would lie from 0, in half widths of its interval.
    let reach = |n: u64| {
        let t = StudentsT::new(0.0, 1.0, (n - 1) as f64).expect("n is 2 or more");
        interval.mean.abs() * (n as f64).sqrt() / (t.inverse_cdf(0.975) * sd)
    };
    let open = interval.decided() == Some(false);
    match pair.seeds_needed {
        Some(_) if !open => Err("the interval excludes 0 already".into()),
        Some(n) if !(2..=MOST_SEEDS).contains(&n) => Err("not a number of seeds".into()),
        Some(n) if reach(n) < 1.0 - 1e-9 => Err("too few".into()),
        Some(n) if n > 2 && reach(n - 1) > 1.0 + 1e-9 => Err("fewer would do".into()),
        None if open && sd > 0.0 && reach(MOST_SEEDS) > 1.0 + 1e-9 => Err("it is missing".into()),
        _ => Ok(()),
    }
}

fn check_ranks(summary: &Summary, trials: &[Recomputed], compared: &mut Compared) {
    let policies: Vec<&str> = summary
        .policies
        .iter()
        .filter(|p| p.seeds > 0 && is_ranked(&p.kind))
        .map(|p| p.name.as_str())
        .collect();
    for metric in METRICS {
        let of_all: Vec<BTreeMap<u64, f64>> =
            policies.iter().map(|policy| values(trials, policy, metric)).collect();
        let told = summary.ranks.iter().filter(|rank| rank.metric == metric);
        for told in told {
            check_rank(told, &policies, &of_all, compared);
        }
    }
    let due = |policies: usize| if policies < 2 { 0 } else { policies * METRICS.len() };
    let common = trials.iter().map(|t| t.seed).collect::<BTreeSet<u64>>().into_iter().any(|seed| {
        let complete = |policy: &&str| {
            trials.iter().any(|t| t.policy == **policy && t.seed == seed && t.complete)
        };
        policies.iter().all(complete)
    });
    let due = if common { due(policies.len()) } else { 0 };
    let told = summary.ranks.iter().filter(|rank| METRICS.contains(&rank.metric.as_str())).count();
    if told != due {
        compared.find("summary.json: ranks", format!("{told} where {due} are due"));
    }
}

fn check_rank(
    told: &PolicyRank,
    policies: &[&str],
    of_all: &[BTreeMap<u64, f64>],
    compared: &mut Compared,
) {
    let place = format!("summary.json: rank of {} by {}", told.policy, told.metric);
    let Some(own) = policies.iter().position(|policy| *policy == told.policy) else {
        return compared.find(place, "no policy to be ranked is called so");
    };
    let (mut ranks, mut best, mut seeds) = (0.0, 0.0, 0);
    for seed in of_all[own].keys() {
        let Some(mut values) =
            of_all.iter().map(|values| values.get(seed).copied()).collect::<Option<Vec<f64>>>()
        else {
            continue;
        };
        let own = values[own];
        values.sort_by(f64::total_cmp);
        if told.metric == "reward" {
            values.reverse();
        }
        let first = values.iter().position(|v| *v == own).map_or(0, |place| place + 1);
        let last = values.iter().rposition(|v| *v == own).map_or(0, |place| place + 1);
        ranks += (first + last) as f64 / 2.0;
        best += if first == 1 { 1.0 / last as f64 } else { 0.0 };
        seeds += 1;
    }
    let (mean_rank, best_share) = (ranks / seeds as f64, best / seeds as f64);
    let near = |told: f64, right: f64| told == right || close(told, right);
    if told.seeds != seeds || !near(told.mean_rank, mean_rank) || !near(told.best_share, best_share)
    {
        let right = format!("mean rank {mean_rank}, best in {best_share}, over {seeds} seeds");
        compared.find(place, format!("{right} is right"));
    }
}

/// Standard deviation in two passes.
pub(super) fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt())
}

/// The value in the middle, or the mean of the two there.
pub(super) fn middle(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = if sorted.len().is_multiple_of(2) { sorted[sorted.len() / 2 - 1] } else { *upper };
    Some((lower + upper) / 2.0)
}

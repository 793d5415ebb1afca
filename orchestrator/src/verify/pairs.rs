//! What `summary.json` says of pairs and ranks, against the trials computed anew.
//!
//! Means, deviations, medians, shares and ranks are written again in the plainest way; of the
//! intervals and the p-value it is the differences that are computed anew, and for the number of
//! seeds it is looked whether it is the least that does what it should.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Compared, close};
use crate::harness::metric::known;
use crate::results::pairs::{Pair, PolicyRank};
use crate::stats::{Interval, MOST_SEEDS, bootstrap, p_value};

/// What a summary says of policies side by side, and what is known of them.
pub(crate) struct Told<'s> {
    pub(crate) pairs: &'s [Pair],
    pub(crate) ranks: &'s [PolicyRank],
    /// Name of each policy, and whether it is ranked.
    pub(crate) policies: Vec<(&'s str, bool)>,
    /// The metrics that each pair and each rank is told for since there are any. Later versions may
    /// tell more, which are passed over here.
    pub(crate) metrics: &'s [&'s str],
}

type Values = BTreeMap<u64, f64>;

/// Compares pairs and ranks with the values of a policy by a metric in its complete trials, by
/// seed, as they were computed anew.
pub(crate) fn check(
    told: &Told<'_>,
    values: &dyn Fn(&str, &str) -> Values,
    compared: &mut Compared,
) {
    let versus = told.pairs.first().map(|pair| pair.versus.as_str());
    if versus.is_none() && told.policies.len() > 1 && all_completed_a_seed(told, values) {
        compared.find("summary.json: pairs", "there are none, and policies could be paired");
    }
    for (policy, _) in told.policies.iter().filter(|(p, _)| versus.is_some_and(|v| v != *p)) {
        for metric in told.metrics {
            let reference = values(versus.unwrap_or_default(), metric);
            let both = values(policy, metric).keys().any(|seed| reference.contains_key(seed));
            let (due, pairs) = (usize::from(both), told.pairs.iter());
            let found = pairs.filter(|p| p.policy == *policy && p.metric == *metric).count();
            if found != due {
                let place = format!("summary.json: pairs of {policy} by {metric}");
                compared.find(place, format!("{found} where {due} is due"));
            }
        }
    }
    for pair in told.pairs.iter().filter(|pair| told.metrics.contains(&pair.metric.as_str())) {
        check_pair(pair, values, compared);
    }
    // Earlier versions told neither medians nor ranks.
    if told.pairs.iter().any(|pair| pair.median.is_some()) {
        for metric in told.metrics {
            check_ranks(told, metric, values, compared);
        }
    }
}

/// Whether there is a seed under which every policy has a value by some metric: whichever the others are
/// compared with, there are pairs then.
fn all_completed_a_seed(told: &Told<'_>, values: &dyn Fn(&str, &str) -> Values) -> bool {
    told.metrics.iter().any(|metric| {
        let mut each = told.policies.iter().map(|(policy, _)| values(policy, metric));
        let Some(first) = each.next() else { return false };
        let others: Vec<Values> = each.collect();
        first.keys().any(|seed| others.iter().all(|values| values.contains_key(seed)))
    })
}

/// Whether more of what a file names is better.
fn higher_is_better(metric: &str) -> bool {
    known(metric).is_some_and(|metric| metric.higher_is_better)
}

fn check_pair(pair: &Pair, values: &dyn Fn(&str, &str) -> Values, compared: &mut Compared) {
    let of = |policy: &str| values(policy, &pair.metric);
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
    let higher = higher_is_better(&pair.metric);
    let better = differences.iter().map(|d| match higher {
        _ if *d == 0.0 => 0.5,
        true => f64::from(u8::from(*d > 0.0)),
        false => f64::from(u8::from(*d < 0.0)),
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

fn check_ranks(
    told: &Told<'_>,
    metric: &str,
    values: &dyn Fn(&str, &str) -> Values,
    compared: &mut Compared,
) {
    let (policies, of_all): (Vec<&str>, Vec<Values>) = (told.policies.iter())
        .filter(|(_, is_ranked)| *is_ranked)
        .map(|(policy, _)| (*policy, values(policy, metric)))
        .filter(|(_, values)| !values.is_empty())
        .unzip();
    let ranks: Vec<&PolicyRank> = told.ranks.iter().filter(|r| r.metric == metric).collect();
    for rank in &ranks {
        check_rank(rank, &policies, &of_all, compared);
    }
    let seeds = of_all.first().into_iter().flat_map(BTreeMap::keys);
    let common =
        seeds.filter(|seed| of_all.iter().all(|values| values.contains_key(*seed))).count();
    let due = if policies.len() < 2 || common == 0 { 0 } else { policies.len() };
    if ranks.len() != due {
        let place = format!("summary.json: ranks by {metric}");
        compared.find(place, format!("{} where {due} are due", ranks.len()));
    }
}

fn check_rank(told: &PolicyRank, policies: &[&str], of_all: &[Values], compared: &mut Compared) {
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
        if higher_is_better(&told.metric) {
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
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt())
}

/// The value in the middle, or the mean of the two there.
pub(crate) fn middle(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = if sorted.len().is_multiple_of(2) { sorted[sorted.len() / 2 - 1] } else { *upper };
    Some((lower + upper) / 2.0)
}

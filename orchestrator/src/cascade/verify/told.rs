//! What `summary.json` says of policies over the seeds.

use std::collections::BTreeMap;
use std::path::Path;

use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::{CascadeMetric, CascadePolicySpec};

use super::super::metric::value;
use super::super::plan::keeps_to_bucket;
use super::super::read;
use super::super::summary::{CascadeSummary, PolicySummary};
use super::super::tally::Kpis;
use super::sums::Sums;
use super::{close, unreadable};
use crate::exit::Failure;
use crate::expect::Expected;
use crate::harness::PolicyKind;
use crate::harness::metric::names;
use crate::plan::Status;
use crate::stats::{Interval, MeanSd};
use crate::verify::{Compared, expect, pairs};

/// What is said of the expectations of the topology.
pub(super) fn check_expectations(
    summary: &CascadeSummary,
    scenario: &CascadeScenario,
    compared: &mut Compared,
) {
    let expected: Vec<Expected<'_, CascadeMetric>> =
        scenario.topology().expectations.iter().map(Into::into).collect();
    let policies: Vec<&str> = summary.policies.iter().map(|p| p.name.as_str()).collect();
    let of = |policy: &str, metric: CascadeMetric, _: Option<u64>| {
        Some(values(summary, policy, |kpis| value(metric, kpis)))
    };
    expect::check(&summary.expectations, &expected, &policies, &of, compared);
}

/// The values of a figure in the complete trials of a policy, by seed.
fn values(
    summary: &CascadeSummary,
    policy: &str,
    value: impl Fn(&Kpis) -> Option<f64>,
) -> BTreeMap<u64, f64> {
    let complete =
        |trial: &&super::TrialSummary| trial.policy == policy && trial.status == Status::Complete;
    let trials = summary.trials.iter().filter(complete);
    trials.filter_map(|trial| Some((trial.seed, value(&trial.whole)?))).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// What is said of each policy over its seeds, of pairs and of ranks.
pub(super) fn check_policies(
    summary: &CascadeSummary,
    scenario: &CascadeScenario,
    pooled: &BTreeMap<&str, Sums>,
    compared: &mut Compared,
) {
    let none = Sums::default();
    for policy in &summary.policies {
        let (name, place) = (policy.name.as_str(), format!("summary.json: {}", policy.name));
        let sums = pooled.get(name).unwrap_or(&none);
        let pays = keeps_to_bucket(&policy.kind);
        sums.check(&place, &policy.whole, &scenario.bucket(), pays, compared);
        let stages = policy.stages_ms;
        sums.check_stages(&place, 0, stages.as_ref().and_then(|s| s.kept.as_ref()), compared);
        sums.check_stages(&place, 1, stages.as_ref().and_then(|s| s.answered.as_ref()), compared);
        let answer = match sums.wanted {
            _ if sums.images == 0 => None,
            0 => Some("keep"),
            wanted if wanted == sums.images => Some("send"),
            _ => None,
        };
        if policy.degenerate.map(|answer| answer.name()) != answer {
            compared.find(&place, format!("degenerate {:?}, not {answer:?}", policy.degenerate));
        }
        let told_more = ["lower-bound", "hidden-state", "clairvoyant"];
        if policy.told_more != told_more.contains(&policy.kind.as_str()) {
            compared.find(&place, "told_more is wrong");
        }
        check_over_seeds(summary, policy, compared);
    }
    check_baseline(summary, compared);
    let told = pairs::Told {
        pairs: &summary.pairs,
        ranks: &summary.ranks,
        policies: (summary.policies.iter())
            .map(|policy| (policy.name.as_str(), CascadePolicySpec::is_ranked(&policy.kind)))
            .collect(),
        metrics: &names::<CascadeMetric>(),
    };
    let of = |policy: &str, name: &str| {
        let metric = CascadeMetric::ALL.into_iter().find(|metric| metric.name() == name);
        metric.map_or_else(BTreeMap::new, |own| values(summary, policy, |kpis| value(own, kpis)))
    };
    pairs::check(&told, &of, compared);
}

/// Means, deviations and medians over the complete trials, and what follows from losses.
fn check_over_seeds(summary: &CascadeSummary, policy: &PolicySummary, compared: &mut Compared) {
    let place = format!("summary.json: {}", policy.name);
    let of = |value: &dyn Fn(&Kpis) -> Option<f64>| -> Vec<f64> {
        values(summary, &policy.name, value).into_values().collect()
    };
    let losses = of(&|kpis| kpis.average_loss);
    let told: [(&str, Option<MeanSd>, Vec<f64>); 3] = [
        ("average_loss", policy.average_loss, losses.clone()),
        ("offloaded_share", policy.offloaded_share, of(&|kpis| kpis.offloaded_share)),
        ("wasted_share", policy.wasted_share, of(&|kpis| kpis.wasted_share)),
    ];
    for (name, told, values) in told {
        let right = match told {
            None => values.is_empty(),
            Some(told) => {
                let sd = pairs::deviation(&values);
                close(told.mean, mean(&values), 1e-3)
                    && match (told.sd, sd) {
                        (Some(told), Some(right)) => close(told, right, 1e-3),
                        (told, right) => told == right,
                    }
                    && told
                        .median
                        .zip(pairs::middle(&values))
                        .is_some_and(|(a, b)| close(a, b, 1e-3))
            }
        };
        if !right {
            compared.find(&place, format!("{name} {told:?} is not that of its trials"));
        }
    }
    let interval = (!losses.is_empty()).then(|| Interval::of(&losses));
    if policy.average_loss_interval.as_ref().map(ends) != interval.as_ref().map(ends) {
        compared.find(&place, format!("average_loss_interval, {interval:?} is right"));
    }
    check_gain(summary, policy, compared);
    check_way(summary, policy, compared);
}

/// An interval to nine digits.
fn ends(of: &Interval) -> [Option<i64>; 3] {
    [Some(of.mean), of.low, of.high].map(|end| end.map(|end| (end * 1e9).round() as i64))
}

fn losses(summary: &CascadeSummary, policy: &str) -> BTreeMap<u64, f64> {
    values(summary, policy, |kpis| kpis.average_loss)
}

fn check_gain(summary: &CascadeSummary, policy: &PolicySummary, compared: &mut Compared) {
    let place = format!("summary.json: {}, gain", policy.name);
    let baseline = summary.run.baseline.as_ref().filter(|name| **name != policy.name);
    let base = baseline.map(|name| losses(summary, name)).unwrap_or_default();
    let own = losses(summary, &policy.name);
    let both: Vec<(f64, f64)> =
        base.iter().filter_map(|(seed, base)| Some((*base, *own.get(seed)?))).collect();
    let Some(told) = &policy.gain else {
        if !both.is_empty() {
            compared.find(place, "there is none");
        }
        return;
    };
    if both.is_empty() {
        return compared.find(place, "there is nothing to gain over");
    }
    let differences: Vec<f64> = both.iter().map(|(base, own)| base - own).collect();
    let all = mean(&both.iter().map(|(base, _)| *base).collect::<Vec<_>>());
    let percent = (all > 0.0).then(|| 100.0 * mean(&differences) / all);
    let same = match (told.percent, percent) {
        (Some(told), Some(right)) => close(told, right, 1e-3),
        (told, right) => told == right,
    };
    let right = Interval::of(&differences);
    if ends(&told.loss) != ends(&right) || !same {
        compared.find(place, format!("{told:?} where {right:?} is right, {percent:?} %"));
    }
}

fn check_way(summary: &CascadeSummary, policy: &PolicySummary, compared: &mut Compared) {
    let first = |kind: &str| summary.policies.iter().find(|policy| policy.kind == kind);
    let right = first("mdp").zip(first("hidden-state")).and_then(|(mdp, hidden)| {
        let [mdp, hidden, own] = [mdp, hidden, policy].map(|policy| losses(summary, &policy.name));
        let common: Vec<u64> =
            own.keys().filter(|s| mdp.contains_key(s) && hidden.contains_key(s)).copied().collect();
        let of = |losses: &BTreeMap<u64, f64>| {
            mean(&common.iter().map(|seed| losses[seed]).collect::<Vec<_>>())
        };
        let (from, to, own) = (of(&mdp), of(&hidden), of(&own));
        (!common.is_empty() && from != to).then(|| (from - own) / (from - to))
    });
    let same = match (policy.way, right) {
        // A quotient of small differences.
        (Some(told), Some(right)) => (told - right).abs() <= 1e-6 * right.abs().max(1.0),
        (told, right) => told.is_some() == right.is_some(),
    };
    if !same {
        let place = format!("summary.json: {}", policy.name);
        compared.find(place, format!("way {:?} where {right:?} is right", policy.way));
    }
}

/// The baseline is the first threshold, or else who loses most of those that see no more than a task
/// node.
fn check_baseline(summary: &CascadeSummary, compared: &mut Compared) {
    let threshold = summary.policies.iter().find(|policy| policy.kind == "threshold");
    let worst = || {
        let told = summary.policies.iter().filter(|policy| !policy.told_more);
        told.filter_map(|policy| Some((policy, policy.average_loss?.mean)))
            .fold(None, |worst: Option<(&PolicySummary, f64)>, next| match worst {
                Some(worst) if worst.1 > next.1 => Some(worst),
                _ => Some(next),
            })
            .map(|(policy, _)| policy)
    };
    let right = threshold.or_else(worst).map(|policy| &policy.name);
    if summary.run.baseline.as_ref() != right {
        compared.find("summary.json: run.baseline", format!("{right:?} is right"));
    }
}

/// How often each level was seen.
pub(super) fn check_levels(
    dir: &Path,
    summary: &CascadeSummary,
    pooled: &BTreeMap<&str, Sums>,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let told = read::levels(dir).map_err(|error| unreadable(&error))?;
    let price = f64::from(summary.run.bucket.levels_per_token);
    for (policy, sums) in pooled {
        let own = told.iter().filter(|row| row.policy == *policy && row.images > 0);
        let found: Vec<(f64, u64)> = own.map(|row| (row.tokens, row.images)).collect();
        let right: Vec<(f64, u64)> =
            sums.levels.iter().map(|(level, images)| (*level as f64 / price, *images)).collect();
        if found != right {
            compared.find(format!("levels.csv: {policy}"), format!("{right:?} is right"));
        }
    }
    Ok(())
}

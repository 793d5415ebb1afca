//! What `summary.json` says of policies over the seeds.

use std::collections::BTreeMap;

use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::PipelineMetric;

use super::close;
use super::sums::{self, Fact};
use crate::expect::Expected;
use crate::harness::metric::names;
use crate::pipeline::metric::value;
use crate::pipeline::summary::{PipelineSummary, PolicySummary, is_ranked};
use crate::pipeline::tally::Kpis;
use crate::plan::Status;
use crate::stats::{Interval, MeanSd};
use crate::verify::{Compared, expect, pairs};

/// What is said of the expectations of the topology.
pub(super) fn check_expectations(
    summary: &PipelineSummary,
    scenario: &PipelineScenario,
    compared: &mut Compared,
) {
    let expected: Vec<Expected<'_, PipelineMetric>> =
        scenario.topology().expectations.iter().map(Into::into).collect();
    let policies: Vec<&str> = summary.policies.iter().map(|p| p.name.as_str()).collect();
    let of = |policy: &str, metric: PipelineMetric, _: Option<u64>| {
        Some(values(summary, policy, |kpis| value(metric, kpis)))
    };
    expect::check(&summary.expectations, &expected, &policies, &of, compared);
}

/// The values of a figure in the complete trials of a policy, by seed.
fn values(
    summary: &PipelineSummary,
    policy: &str,
    value: impl Fn(&Kpis) -> Option<f64>,
) -> BTreeMap<u64, f64> {
    let complete =
        |trial: &&super::TrialSummary| trial.policy == policy && trial.status == Status::Complete;
    let trials = summary.trials.iter().filter(complete);
    trials.filter_map(|trial| Some((trial.seed, value(&trial.whole)?))).collect()
}

/// What is said of each policy over its seeds, of pairs and of ranks.
pub(super) fn check_policies(
    summary: &PipelineSummary,
    pooled: &BTreeMap<&str, Vec<Fact>>,
    compared: &mut Compared,
) {
    let sites = summary.run.nodes.len() + 1;
    for policy in &summary.policies {
        let place = format!("summary.json: {}", policy.name);
        let facts = pooled.get(policy.name.as_str()).map_or(&[][..], Vec::as_slice);
        sums::check(&place, &policy.whole, facts, sites, compared);
        check_over_seeds(summary, policy, compared);
    }
    let told = pairs::Told {
        pairs: &summary.pairs,
        ranks: &summary.ranks,
        policies: (summary.policies.iter())
            .map(|policy| (policy.name.as_str(), is_ranked(&policy.kind)))
            .collect(),
        metrics: &names::<PipelineMetric>(),
    };
    let of = |policy: &str, name: &str| {
        let metric = PipelineMetric::ALL.into_iter().find(|metric| metric.name() == name);
        metric.map_or_else(BTreeMap::new, |own| values(summary, policy, |kpis| value(own, kpis)))
    };
    pairs::check(&told, &of, compared);
    let pairs = summary.pairs.iter().map(|pair| ("pairs", pair.slot));
    let ranks = summary.ranks.iter().map(|rank| ("ranks", rank.slot));
    let last = summary.run.applications;
    for (what, slot) in pairs.chain(ranks).filter(|(_, slot)| *slot != last) {
        let difference = format!("{slot}, where whole trials of {last} are compared");
        compared.find(format!("summary.json: slot of {what}"), difference);
    }
}

/// Means, deviations and medians over the complete trials.
fn check_over_seeds(summary: &PipelineSummary, policy: &PolicySummary, compared: &mut Compared) {
    let place = format!("summary.json: {}", policy.name);
    let of = |value: &dyn Fn(&Kpis) -> Option<f64>| -> Vec<f64> {
        values(summary, &policy.name, value).into_values().collect()
    };
    let ratios = of(&|kpis| kpis.delay_ratio);
    let told: [(&str, Option<MeanSd>, Vec<f64>); 5] = [
        ("delay_ratio", policy.delay_ratio, ratios.clone()),
        ("mean_delay_ms", policy.mean_delay_ms, of(&|kpis| kpis.mean_delay_ms)),
        ("label_accuracy", policy.label_accuracy, of(&|kpis| kpis.label_accuracy)),
        ("exact_match", policy.exact_match, of(&|kpis| kpis.exact_match)),
        ("optimal_share", policy.optimal_share, of(&|kpis| kpis.optimal_share)),
    ];
    for (name, told, values) in told {
        let right = match told {
            None => values.is_empty(),
            Some(told) => is_of(&told, &values),
        };
        if !right {
            compared.find(&place, format!("{name} {told:?} is not that of its trials"));
        }
    }
    let interval = (!ratios.is_empty()).then(|| Interval::of(&ratios));
    if policy.delay_ratio_interval.as_ref().map(ends) != interval.as_ref().map(ends) {
        compared.find(&place, format!("delay_ratio_interval, {interval:?} is right"));
    }
}

fn is_of(told: &MeanSd, values: &[f64]) -> bool {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let sd = match (told.sd, pairs::deviation(values)) {
        // Of equal values it is 0, or nearly.
        (Some(told), Some(right)) => (told - right).abs() <= 1e-9 * right.max(mean.abs()),
        (told, right) => told == right,
    };
    let median = told.median.zip(pairs::middle(values));
    close(told.mean, mean) && sd && median.is_some_and(|(a, b)| close(a, b))
}

/// An interval to nine digits.
fn ends(of: &Interval) -> [Option<i64>; 3] {
    [Some(of.mean), of.low, of.high].map(|end| end.map(|end| (end * 1e9).round() as i64))
}

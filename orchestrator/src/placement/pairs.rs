//! Paired differences and ranks of policies.

use fogbit_scenario::topology::{PlacementMetric, PlacementPolicySpec};

use super::collect::{PlacementCollector, TrialRow};
use super::plan::PlacementPlan;
use super::tally::Kpis;
use crate::results::pairs::BySeed;
use crate::results::summary::{Pair, PolicyRank};
use crate::stats::{compare_pairs, rank_table};

/// What policies are compared by.
pub const METRICS: [PlacementMetric; 4] = [
    PlacementMetric::MeanLatencyMs,
    PlacementMetric::MeanRegretMs,
    PlacementMetric::Accuracy,
    PlacementMetric::AccuracyOutsideBand,
];

/// The name in files and tables.
pub fn metric_name(metric: PlacementMetric) -> &'static str {
    match metric {
        PlacementMetric::MeanLatencyMs => "mean_latency_ms",
        PlacementMetric::MeanRegretMs => "mean_regret_ms",
        PlacementMetric::Accuracy => "accuracy",
        PlacementMetric::AccuracyOutsideBand => "accuracy_outside_band",
    }
}

/// Whether more of it is better.
pub fn higher_is_better(metric: PlacementMetric) -> bool {
    matches!(metric, PlacementMetric::Accuracy | PlacementMetric::AccuracyOutsideBand)
}

/// The value of a metric, where there is one: no task may have come back, or lain outside the band.
pub fn metric_value(metric: PlacementMetric, kpis: &Kpis) -> Option<f64> {
    match metric {
        PlacementMetric::MeanLatencyMs => kpis.mean_latency_ms,
        PlacementMetric::MeanRegretMs => kpis.mean_regret_ms,
        PlacementMetric::Accuracy => kpis.accuracy,
        PlacementMetric::AccuracyOutsideBand => kpis.accuracy_outside_band,
    }
}

/// The values of a metric in the complete trials of a policy, by seed.
pub fn by_seed(collector: &PlacementCollector, policy: usize, metric: PlacementMetric) -> BySeed {
    let value = |row: &TrialRow| Some((row.seed, metric_value(metric, &row.whole)?));
    collector.complete(policy).filter_map(value).collect()
}

/// All pairs of a run, each policy against `plan.versus` by each metric; and the ranks by each
/// metric of the policies that are told no more than a task node can see.
pub fn pairs(plan: &PlacementPlan, collector: &PlacementCollector) -> (Vec<Pair>, Vec<PolicyRank>) {
    let versus = plan.versus;
    let mut pairs = Vec::new();
    for policy in (0..plan.policies.len()).filter(|policy| *policy != versus) {
        for metric in METRICS {
            let (a, b) = (by_seed(collector, policy, metric), by_seed(collector, versus, metric));
            let common = a.iter().filter_map(|(seed, a)| Some((*seed, *a, *b.get(seed)?)));
            let common: Vec<(u64, f64, f64)> = common.collect();
            if let Some(of) = compare_pairs(&common, higher_is_better(metric)) {
                let names = (plan.name(policy), plan.name(versus));
                pairs.push(Pair::named(names, metric_name(metric), plan.scenario.slots(), &of));
            }
        }
    }
    (pairs, METRICS.into_iter().flat_map(|metric| ranks(plan, collector, metric)).collect())
}

/// Whether a policy is ranked: one that is told the truth would always be first.
fn is_ranked(spec: &PlacementPolicySpec) -> bool {
    !matches!(spec, PlacementPolicySpec::Oracle(_))
}

fn ranks(
    plan: &PlacementPlan,
    collector: &PlacementCollector,
    metric: PlacementMetric,
) -> Vec<PolicyRank> {
    let policies: Vec<(usize, BySeed)> = (0..plan.policies.len())
        .filter(|policy| is_ranked(&plan.policies[*policy].spec))
        .map(|policy| (policy, by_seed(collector, policy, metric)))
        .filter(|(_, values)| !values.is_empty())
        .collect();
    let Some((_, first)) = policies.first() else { return Vec::new() };
    let in_all = |seed: &u64| policies.iter().all(|(_, values)| values.contains_key(seed));
    let seeds: Vec<u64> = first.keys().copied().filter(in_all).collect();
    if policies.len() < 2 || seeds.is_empty() {
        return Vec::new();
    }
    let values: Vec<Vec<f64>> =
        policies.iter().map(|(_, v)| seeds.iter().map(|seed| v[seed]).collect()).collect();
    let ranks = rank_table(&values, higher_is_better(metric));
    let row = |((policy, _), rank): (&(usize, BySeed), crate::stats::Rank)| PolicyRank {
        policy: plan.name(*policy).into(),
        metric: metric_name(metric).into(),
        slot: plan.scenario.slots(),
        mean_rank: rank.mean_rank,
        best_share: rank.best_share,
        seeds: seeds.len() as u64,
    };
    policies.iter().zip(ranks).map(row).collect()
}

//! One point: its units put together, and added up.

use fogbit_scenario::topology::Metric;

use super::plan::{PointPlan, SweepPlan};
use super::summary::{Difference, PointSummary, PolicyAtPoint, TrialFailure, paired};
use super::unit::{TrialRecord, UnitResults};
use crate::harness::ProblemMetric;
use crate::stats::{MeanSd, Rank, Running, compare_pairs, rank_table};

/// All trials and curves of a point, its units put together.
#[derive(Debug, Clone, PartialEq)]
pub struct PointResults {
    /// Each policy.
    pub policies: Vec<PolicyResults>,
}

/// All trials and curves of a policy at a point.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PolicyResults {
    /// Its trials, in the order of the seeds.
    pub trials: Vec<TrialRecord>,
    /// Average regret at the curve slots.
    pub average_regret: Vec<Running>,
    /// Cumulative reward at the curve slots.
    pub reward: Vec<Running>,
}

impl PointResults {
    /// Puts units together, in the order of their seeds: it is part of the result.
    pub fn of(point: &PointPlan, units: impl IntoIterator<Item = UnitResults>) -> PointResults {
        let mut policies = vec![PolicyResults::default(); point.policies.len()];
        for unit in units {
            for (all, part) in policies.iter_mut().zip(unit.policies) {
                all.trials.extend(part.trials);
                merge(&mut all.average_regret, &part.average_regret);
                merge(&mut all.reward, &part.reward);
            }
        }
        PointResults { policies }
    }
}

fn merge(all: &mut Vec<Running>, part: &[Running]) {
    all.resize(part.len(), Running::default());
    for (all, part) in all.iter_mut().zip(part) {
        all.merge(part);
    }
}

impl PolicyResults {
    fn complete(&self) -> impl Iterator<Item = &TrialRecord> {
        self.trials.iter().filter(|trial| trial.failure.is_none())
    }

    /// A metric under each seed whose trial is complete.
    pub fn values(&self, metric: Metric) -> Vec<(u64, f64)> {
        self.complete().map(|trial| (trial.seed, metric_of(metric, trial))).collect()
    }

    fn mean_sd(&self, value: impl Fn(&TrialRecord) -> f64) -> Option<MeanSd> {
        let values: Vec<f64> = self.complete().map(value).collect();
        (!values.is_empty()).then(|| MeanSd::of(&values))
    }
}

fn metric_of(metric: Metric, trial: &TrialRecord) -> f64 {
    match metric {
        Metric::AverageRegret => trial.regret_linear / trial.slots as f64,
        Metric::RegretLinear => trial.regret_linear,
        Metric::RegretHappiness => trial.regret_happiness,
        Metric::Reward => trial.reward as f64,
    }
}

/// Adds up one point.
pub fn point_summary(plan: &SweepPlan, point: &PointPlan, results: &PointResults) -> PointSummary {
    let versus = plan.versus.as_deref().and_then(|name| point.policy(name));
    let ranks = ranks(plan.rank_by, point, results);
    let policies = point.policies.iter().zip(&results.policies).enumerate();
    let policies = policies.map(|(index, (policy, own))| {
        let complete = || own.complete();
        let tasks = complete().map(|trial| trial.slots).sum::<u64>() as f64;
        let share = |count: u64| (tasks > 0.0).then(|| count as f64 / tasks);
        let difference = versus.filter(|versus| *versus != index).and_then(|versus| {
            let other = &results.policies[versus];
            let pair = |metric| {
                let values = paired(&own.values(metric), &other.values(metric));
                compare_pairs(&values, metric.higher_is_better())
            };
            Some(Difference {
                versus: point.policies[versus].name.clone(),
                regret_linear: pair(Metric::RegretLinear)?,
                regret_happiness: pair(Metric::RegretHappiness)?,
                reward: pair(Metric::Reward)?,
            })
        });
        let failures = own.trials.iter().filter_map(|trial| {
            Some(TrialFailure { seed: trial.seed, reason: trial.failure.clone()? })
        });
        PolicyAtPoint {
            name: policy.name.clone(),
            kind: policy.kind.clone(),
            seeds: complete().count() as u64,
            failures: failures.collect(),
            regret_linear: own.mean_sd(|t| t.regret_linear),
            average_regret: own.mean_sd(|t| metric_of(Metric::AverageRegret, t)),
            regret_happiness: own.mean_sd(|t| t.regret_happiness),
            reward: own.mean_sd(|t| t.reward as f64),
            optimal_reward: own.mean_sd(|t| t.optimal_reward),
            happy_share: share(complete().map(|t| t.happy).sum()),
            refused_share: share(complete().map(|t| t.refused).sum()),
            rank: ranks[index],
            difference,
        }
    });
    PointSummary {
        point: point.point.clone(),
        settings: point.settings.clone(),
        slots: point.slots,
        nodes: point.nodes,
        own_path: point.own_path,
        policies: policies.collect(),
    }
}

/// The rank of each rival over the seeds that all rivals completed.
fn ranks(metric: Metric, point: &PointPlan, results: &PointResults) -> Vec<Option<Rank>> {
    let rivals: Vec<usize> =
        (0..point.policies.len()).filter(|i| !point.policies[*i].knows_more()).collect();
    let trials = |policy: usize| &results.policies[policy].trials;
    let count = rivals.first().map_or(0, |first| trials(*first).len());
    let all: Vec<usize> = (0..count)
        .filter(|seed| rivals.iter().all(|policy| trials(*policy)[*seed].failure.is_none()))
        .collect();
    let mut out = vec![None; point.policies.len()];
    if all.is_empty() {
        return out;
    }
    let values: Vec<Vec<f64>> = rivals
        .iter()
        .map(|policy| all.iter().map(|s| metric_of(metric, &trials(*policy)[*s])).collect())
        .collect();
    for (policy, rank) in rivals.into_iter().zip(rank_table(&values, metric.higher_is_better())) {
        out[policy] = Some(rank);
    }
    out
}

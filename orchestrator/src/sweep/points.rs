//! One point: its units put together, and added up.

use indexmap::IndexMap;

use super::plan::{PointPlan, SweepPlan};
use super::summary::{Difference, Figure, PointSummary, PolicyAtPoint, TrialFailure, paired};
use super::unit::{PolicyUnit, TrialRecord, UnitResults};
use crate::harness::metric::Known;
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
    /// By the name of each column, its value in each of the trials.
    pub values: IndexMap<String, Vec<Option<f64>>>,
    /// By the name of each curve, its values at the curve slots.
    pub curves: IndexMap<String, Vec<Running>>,
}

impl PointResults {
    /// Puts units together, in the order of their seeds: it is part of the result.
    pub fn of(point: &PointPlan, units: impl IntoIterator<Item = UnitResults>) -> PointResults {
        let mut policies = vec![PolicyResults::default(); point.policies.len()];
        for unit in units {
            for (all, part) in policies.iter_mut().zip(unit.policies) {
                all.add(part);
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
    fn add(&mut self, part: PolicyUnit) {
        self.trials.extend(part.trials);
        for (name, values) in part.values {
            self.values.entry(name).or_default().extend(values);
        }
        for (name, values) in part.curves {
            merge(self.curves.entry(name).or_default(), &values);
        }
    }

    /// The places of complete trials.
    fn complete(&self) -> impl Iterator<Item = usize> {
        (0..self.trials.len()).filter(|place| self.trials[*place].failure.is_none())
    }

    /// A column's value in the trial at `place`.
    fn column(&self, name: &str, place: usize) -> Option<f64> {
        *self.values.get(name)?.get(place)?
    }

    /// A metric's value in the trial at `place`.
    fn value(&self, metric: Known, place: usize) -> Option<f64> {
        match metric.per_slot_of {
            None => self.column(metric.name, place),
            Some(of) => Some(self.column(of, place)? / self.trials[place].slots as f64),
        }
    }

    /// A metric under each seed whose trial is complete and has a value.
    pub fn values(&self, metric: Known) -> Vec<(u64, f64)> {
        let value = |place: usize| Some((self.trials[place].seed, self.value(metric, place)?));
        self.complete().filter_map(value).collect()
    }

    fn mean_sd(&self, value: impl Fn(usize) -> Option<f64>) -> Option<MeanSd> {
        let values: Vec<f64> = self.complete().filter_map(value).collect();
        (!values.is_empty()).then(|| MeanSd::of(&values))
    }

    /// The sum of a count over complete trials as a share of their slots.
    fn share(&self, of: &str) -> Option<f64> {
        let slots = self.complete().map(|place| self.trials[place].slots).sum::<u64>() as f64;
        let count = self.complete().filter_map(|place| self.column(of, place)).sum::<f64>();
        (slots > 0.0).then(|| count / slots)
    }
}

/// Adds up one point.
pub fn point_summary(plan: &SweepPlan, point: &PointPlan, results: &PointResults) -> PointSummary {
    let said = plan.played.said();
    let metrics = said.metrics();
    let versus = plan.versus.as_deref().and_then(|name| point.policy(name));
    let ranks = ranks(plan.rank_by, point, results);
    let policies = point.policies.iter().zip(&results.policies).enumerate();
    let policies = policies.map(|(index, (policy, own))| {
        let mut figures = IndexMap::new();
        for metric in &metrics {
            let mean = own.mean_sd(|place| own.value(*metric, place));
            figures.insert(metric.name.to_owned(), mean.map(Figure::Mean));
        }
        for name in said.further_means() {
            let mean = own.mean_sd(|place| own.column(name, place));
            figures.insert((*name).to_owned(), mean.map(Figure::Mean));
        }
        for share in said.shares() {
            figures.insert(share.name.to_owned(), own.share(share.of).map(Figure::Share));
        }
        let difference = versus.filter(|versus| *versus != index).and_then(|versus| {
            let name = point.policies[versus].name.clone();
            difference(&metrics, name, own, &results.policies[versus])
        });
        let failures = own.trials.iter().filter_map(|trial| {
            Some(TrialFailure { seed: trial.seed, reason: trial.failure.clone()? })
        });
        PolicyAtPoint {
            name: policy.name.clone(),
            kind: policy.kind.clone(),
            seeds: own.complete().count() as u64,
            failures: failures.collect(),
            figures,
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

/// The differences to the policy called `versus` in each metric that is no other one divided by
/// slots; none where there is no seed in common.
fn difference(
    metrics: &[Known],
    versus: String,
    own: &PolicyResults,
    other: &PolicyResults,
) -> Option<Difference> {
    let pairs: IndexMap<_, _> = metrics
        .iter()
        .filter(|metric| metric.per_slot_of.is_none())
        .filter_map(|metric| {
            let values = paired(&own.values(*metric), &other.values(*metric));
            Some((metric.name.to_owned(), compare_pairs(&values, metric.higher_is_better)?))
        })
        .collect();
    (!pairs.is_empty()).then_some(Difference { versus, pairs })
}

/// The rank of each rival over the seeds that all rivals completed.
fn ranks(metric: Known, point: &PointPlan, results: &PointResults) -> Vec<Option<Rank>> {
    let rivals: Vec<usize> =
        (0..point.policies.len()).filter(|i| !point.policies[*i].told_more).collect();
    let value = |policy: usize, place: usize| {
        let own = &results.policies[policy];
        own.trials[place].failure.is_none().then(|| own.value(metric, place))?
    };
    let count = rivals.first().map_or(0, |first| results.policies[*first].trials.len());
    // By trial, and within it by policy.
    let all: Vec<Vec<f64>> = (0..count)
        .filter_map(|place| rivals.iter().map(|policy| value(*policy, place)).collect())
        .collect();
    let mut out = vec![None; point.policies.len()];
    if all.is_empty() {
        return out;
    }
    let values: Vec<Vec<f64>> =
        (0..rivals.len()).map(|rival| all.iter().map(|values| values[rival]).collect()).collect();
    for (policy, rank) in rivals.into_iter().zip(rank_table(&values, metric.higher_is_better)) {
        out[policy] = Some(rank);
    }
    out
}

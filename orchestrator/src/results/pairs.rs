//! Paired differences and ranks, as `summary.json` has them.

use std::collections::BTreeMap;

use fogbit_scenario::topology::{Metric, PolicySpec};
use serde::{Deserialize, Serialize};

use super::summary::metric_value;
use crate::plan::{Collector, Plan, TrialRow};
use crate::stats::{PairStatistics, compare_pairs, rank_table};

/// A paired difference `policy - versus` over seeds with its 95 % confidence intervals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The policy.
    pub policy: String,
    /// What it is compared with.
    pub versus: String,
    /// What is compared.
    pub metric: String,
    /// The slot at which it is compared: the last, or where trials are endless the last power of ten
    /// (100 or more) or slot of an expectation that both have reached.
    #[serde(default)]
    pub slot: u64,
    /// Mean difference.
    pub mean: f64,
    /// Lower end of Student's interval; null with one seed.
    pub low: Option<f64>,
    /// Upper end; null with one seed.
    pub high: Option<f64>,
    /// Number of seeds.
    pub seeds: u64,
    /// Standard deviation of the differences; null with one seed.
    #[serde(default)]
    pub sd: Option<f64>,
    /// Median difference.
    #[serde(default)]
    pub median: Option<f64>,
    /// Lower end of the bootstrap interval (BCa); null with one seed.
    #[serde(default)]
    pub bootstrap_low: Option<f64>,
    /// Upper end; null with one seed.
    #[serde(default)]
    pub bootstrap_high: Option<f64>,
    /// Two-sided p-value of the paired t test; null with one seed, or without any difference.
    #[serde(default)]
    pub p_value: Option<f64>,
    /// Share of the seeds in which the policy is better; equal values count half.
    #[serde(default)]
    pub better_share: Option<f64>,
    /// With how many seeds Student's interval would exclude 0, if mean and deviation stayed what
    /// they are. Null where it does already, with one seed, and above 1,000,000.
    #[serde(default)]
    pub seeds_needed: Option<u64>,
}

/// What a pair says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// One seed says nothing.
    OneSeed,
    /// The two are equal under every seed.
    Same,
    /// The interval excludes 0, to the policy's credit.
    Better,
    /// The interval excludes 0, to the credit of what it is compared with.
    Worse,
    /// The interval holds 0.
    Open,
}

impl Pair {
    /// From its statistics.
    pub fn new(policy: &str, versus: &str, metric: Metric, slot: u64, of: &PairStatistics) -> Pair {
        Pair::named((policy, versus), metric.name(), slot, of)
    }

    /// From its statistics, by a metric of any problem.
    pub fn named(
        (policy, versus): (&str, &str),
        metric: &str,
        slot: u64,
        of: &PairStatistics,
    ) -> Pair {
        Pair {
            policy: policy.into(),
            versus: versus.into(),
            metric: metric.into(),
            slot,
            mean: of.mean,
            low: of.t.low,
            high: of.t.high,
            seeds: of.seeds,
            sd: of.sd,
            median: Some(of.median),
            bootstrap_low: of.bootstrap.low,
            bootstrap_high: of.bootstrap.high,
            p_value: of.p_value,
            better_share: Some(of.better_share),
            seeds_needed: of.seeds_needed,
        }
    }

    /// What it says, by Student's interval.
    pub fn reading(&self) -> Reading {
        // All others are losses or times.
        let higher_is_better =
            ["reward", "accuracy", "accuracy_outside_band"].contains(&self.metric.as_str());
        match (self.low, self.high) {
            (Some(0.0), Some(0.0)) => Reading::Same,
            (Some(low), Some(high)) if low <= 0.0 && high >= 0.0 => Reading::Open,
            (Some(_), Some(_)) if (self.mean > 0.0) == higher_is_better => Reading::Better,
            (Some(_), Some(_)) => Reading::Worse,
            _ => Reading::OneSeed,
        }
    }
}

/// Where one policy stands among the others of a run, over the seeds that all of them completed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyRank {
    /// The policy.
    pub policy: String,
    /// What it is ranked by.
    pub metric: String,
    /// The slot at which it is ranked, as for [`Pair::slot`].
    pub slot: u64,
    /// Mean over seeds of its rank; 1 is best, equal ones share the mean of their ranks.
    pub mean_rank: f64,
    /// Share of the seeds in which it is best; k that are best together count 1/k each.
    pub best_share: f64,
    /// Number of seeds.
    pub seeds: u64,
}

/// What policies are compared by.
pub const PAIR_METRICS: [Metric; 4] =
    [Metric::RegretLinear, Metric::AverageRegret, Metric::RegretHappiness, Metric::Reward];

/// Whether more of it is better.
pub fn higher_is_better(metric: Metric) -> bool {
    metric == Metric::Reward
}

/// Whether policies of this kind are ranked: those that are told more than a task node can see would
/// always be first.
pub fn is_ranked(kind: &str) -> bool {
    !PolicySpec::TOLD_MORE.contains(&kind)
}

/// The policy that all others are compared with unless another is named: the one called `toof`, or
/// else the first.
pub fn default_versus<'n>(names: impl IntoIterator<Item = &'n str>) -> usize {
    names.into_iter().position(|name| name == "toof").unwrap_or(0)
}

/// The values of a policy by seed.
pub type BySeed = BTreeMap<u64, f64>;

/// Compares two policies over the seeds of both; nothing where they have none in common.
pub fn compare(policy: &BySeed, versus: &BySeed, metric: Metric) -> Option<PairStatistics> {
    let common = policy.iter().filter_map(|(seed, a)| Some((*seed, *a, *versus.get(seed)?)));
    compare_pairs(&common.collect::<Vec<_>>(), higher_is_better(metric))
}

/// Ranks policies over the seeds that all of them have, in the order in which they are given.
/// Nothing where there are fewer than two policies, or no such seed.
pub fn rank(policies: &[(&str, BySeed)], metric: Metric, slot: u64) -> Vec<PolicyRank> {
    let Some(((_, first), others)) = policies.split_first() else { return Vec::new() };
    let in_all = |seed: &&u64| others.iter().all(|(_, values)| values.contains_key(*seed));
    let seeds: Vec<u64> = first.keys().filter(in_all).copied().collect();
    if others.is_empty() || seeds.is_empty() {
        return Vec::new();
    }
    let values: Vec<Vec<f64>> = policies
        .iter()
        .map(|(_, values)| seeds.iter().map(|seed| values[seed]).collect())
        .collect();
    let ranks = rank_table(&values, higher_is_better(metric));
    let row = |((name, _), rank): (&(&str, BySeed), crate::stats::Rank)| PolicyRank {
        policy: (*name).into(),
        metric: metric.name().into(),
        slot,
        mean_rank: rank.mean_rank,
        best_share: rank.best_share,
        seeds: seeds.len() as u64,
    };
    policies.iter().zip(ranks).map(row).collect()
}

/// The values of a metric at mark `mark` for two policies, over the seeds that both completed.
pub(crate) fn paired_values(
    collector: &Collector,
    metric: Metric,
    mark: usize,
    policy: usize,
    versus: usize,
) -> (Vec<f64>, Vec<f64>) {
    let others = at_mark(collector, metric, mark, versus);
    at_mark(collector, metric, mark, policy)
        .iter()
        .filter_map(|(seed, value)| Some((*value, *others.get(seed)?)))
        .unzip()
}

/// The values of a metric at mark `mark` in the complete trials of a policy. An endless trial may
/// have been stopped before the mark.
fn at_mark(collector: &Collector, metric: Metric, mark: usize, policy: usize) -> BySeed {
    let value = |row: &TrialRow| Some((row.seed, metric_value(metric, row.marks.get(mark)?)));
    collector.complete(policy).filter_map(value).collect()
}

/// The mark at which policies are compared: the last slot, or where trials are endless the last
/// mark that all of them have reached.
fn last_mark(plan: &Plan, collector: &Collector, policies: &[usize]) -> Option<usize> {
    if plan.scenario.length().slots().is_some() {
        return plan.marks.len().checked_sub(1);
    }
    let rows = policies.iter().flat_map(|policy| collector.complete(*policy));
    rows.map(|row| row.marks.len()).min()?.checked_sub(1)
}

/// All pairs of a run: each policy against `plan.versus`, by each metric.
pub(super) fn pairs(plan: &Plan, collector: &Collector) -> Vec<Pair> {
    let versus = plan.versus;
    let mut pairs = Vec::new();
    for policy in (0..plan.policies.len()).filter(|p| *p != versus) {
        let Some(last) = last_mark(plan, collector, &[policy, versus]) else { continue };
        for metric in PAIR_METRICS {
            let values = |policy| at_mark(collector, metric, last, policy);
            let Some(statistics) = compare(&values(policy), &values(versus), metric) else {
                continue;
            };
            let name = |policy: usize| plan.policies[policy].name.as_str();
            let slot = plan.marks[last];
            pairs.push(Pair::new(name(policy), name(versus), metric, slot, &statistics));
        }
    }
    pairs
}

/// The ranks of a run by each metric, over the policies that have a complete trial.
pub(super) fn ranks(plan: &Plan, collector: &Collector) -> Vec<PolicyRank> {
    let ranked: Vec<usize> = (0..plan.policies.len())
        .filter(|policy| is_ranked(plan.policies[*policy].spec.kind()))
        .filter(|policy| collector.complete(*policy).next().is_some())
        .collect();
    let Some(last) = last_mark(plan, collector, &ranked) else { return Vec::new() };
    let of_metric = |metric: Metric| {
        let values: Vec<(&str, BySeed)> = ranked
            .iter()
            .map(|p| (plan.policies[*p].name.as_str(), at_mark(collector, metric, last, *p)))
            .collect();
        rank(&values, metric, plan.marks[last])
    };
    PAIR_METRICS.into_iter().flat_map(of_metric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(metric: Metric, differences: &[f64]) -> Pair {
        let values: Vec<_> = (1..).zip(differences).map(|(seed, d)| (seed, *d, 0.0)).collect();
        let statistics = compare_pairs(&values, higher_is_better(metric)).unwrap();
        Pair::new("a", "b", metric, 10, &statistics)
    }

    #[test]
    fn what_a_pair_says() {
        let up = [1.0, 1.1, 1.2];
        assert_eq!(pair(Metric::Reward, &up).reading(), Reading::Better);
        assert_eq!(pair(Metric::RegretLinear, &up).reading(), Reading::Worse);
        assert_eq!(pair(Metric::RegretLinear, &[-1.0, -1.0]).reading(), Reading::Better);
        assert_eq!(pair(Metric::Reward, &[0.0, 0.0]).reading(), Reading::Same);
        assert_eq!(pair(Metric::Reward, &[1.0]).reading(), Reading::OneSeed);
        let open = pair(Metric::Reward, &[1.0, -0.5, 0.7, -0.2]);
        assert_eq!(open.reading(), Reading::Open);
    }

    #[test]
    fn ranks_are_over_common_seeds() {
        let a = BySeed::from([(1, 5.0), (2, 1.0), (3, 9.0)]);
        let b = BySeed::from([(2, 2.0), (3, 3.0), (4, 0.0)]);
        let ranks = rank(&[("a", a.clone()), ("b", b)], Metric::RegretLinear, 7);
        assert_eq!(ranks.len(), 2);
        assert_eq!((ranks[0].seeds, ranks[0].mean_rank, ranks[0].best_share), (2, 1.5, 0.5));
        assert!(rank(&[("a", a.clone())], Metric::Reward, 7).is_empty());
        assert!(rank(&[("a", a), ("c", BySeed::from([(9, 1.0)]))], Metric::Reward, 7).is_empty());
    }
}

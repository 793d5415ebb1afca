//! Paired differences and ranks, as `summary.json` has them.

use serde::{Deserialize, Serialize};

use crate::harness::metric::known;
use crate::harness::{BySeed, PolicyKind, ProblemCollector, ProblemMetric, ProblemPlan};
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
    pub fn new(
        (policy, versus): (&str, &str),
        metric: impl ProblemMetric,
        slot: u64,
        of: &PairStatistics,
    ) -> Pair {
        Pair {
            policy: policy.into(),
            versus: versus.into(),
            metric: metric.name().into(),
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
        // Most are losses or times.
        let higher_is_better = known(&self.metric).is_some_and(|metric| metric.higher_is_better);
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

/// The policy that all others are compared with unless another is named: the one called `toof`, or
/// else the first.
pub fn default_versus<'n>(names: impl IntoIterator<Item = &'n str>) -> usize {
    names.into_iter().position(|name| name == "toof").unwrap_or(0)
}

/// Compares two policies over the seeds of both; nothing where they have none in common.
pub fn compare(
    policy: &BySeed,
    versus: &BySeed,
    metric: impl ProblemMetric,
) -> Option<PairStatistics> {
    let common = policy.iter().filter_map(|(seed, a)| Some((*seed, *a, *versus.get(seed)?)));
    compare_pairs(&common.collect::<Vec<_>>(), metric.higher_is_better())
}

/// Ranks policies over the seeds that all of them have, in the order in which they are given.
/// Nothing where there are fewer than two policies, or no such seed.
pub fn rank(policies: &[(&str, BySeed)], metric: impl ProblemMetric, slot: u64) -> Vec<PolicyRank> {
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
    let ranks = rank_table(&values, metric.higher_is_better());
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

/// All pairs of a run: each policy against the one that the others are compared with, by each
/// metric.
pub fn pairs<C: ProblemCollector>(plan: &C::Plan, collector: &C) -> Vec<Pair> {
    let (policies, versus) = (plan.policies(), plan.versus());
    let mut pairs = Vec::new();
    for policy in (0..policies.len()).filter(|policy| *policy != versus) {
        let Some(slot) = collector.compared_at(plan, &[policy, versus]) else { continue };
        for metric in C::Metric::ALL.iter().copied() {
            let values = |policy| collector.by_seed(plan, policy, metric, slot);
            let Some(of) = compare(&values(policy), &values(versus), metric) else { continue };
            let names = (policies[policy].name.as_str(), policies[versus].name.as_str());
            pairs.push(Pair::new(names, metric, slot, &of));
        }
    }
    pairs
}

/// The ranks of a run by each metric, over the policies that are ranked and have a value of it.
pub fn ranks<C: ProblemCollector>(plan: &C::Plan, collector: &C) -> Vec<PolicyRank> {
    let policies = plan.policies();
    let ranked: Vec<usize> = (0..policies.len())
        .filter(|policy| is_ranked(&policies[*policy].spec))
        .filter(|policy| collector.complete(*policy).next().is_some())
        .collect();
    let Some(slot) = collector.compared_at(plan, &ranked) else { return Vec::new() };
    let of_metric = |metric: C::Metric| {
        let values: Vec<(&str, BySeed)> = ranked
            .iter()
            .map(|policy| {
                let values = collector.by_seed(plan, *policy, metric, slot);
                (policies[*policy].name.as_str(), values)
            })
            .filter(|(_, values)| !values.is_empty())
            .collect();
        rank(&values, metric, slot)
    };
    C::Metric::ALL.iter().copied().flat_map(of_metric).collect()
}

fn is_ranked<S: PolicyKind>(spec: &S) -> bool {
    S::is_ranked(spec.kind())
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::topology::{Metric, PlacementMetric};

    use super::*;

    fn pair(metric: impl ProblemMetric, differences: &[f64]) -> Pair {
        let values: Vec<_> = (1..).zip(differences).map(|(seed, d)| (seed, *d, 0.0)).collect();
        let statistics = compare_pairs(&values, metric.higher_is_better()).unwrap();
        Pair::new(("a", "b"), metric, 10, &statistics)
    }

    #[test]
    fn what_a_pair_says() {
        let up = [1.0, 1.1, 1.2];
        assert_eq!(pair(Metric::Reward, &up).reading(), Reading::Better);
        assert_eq!(pair(Metric::RegretLinear, &up).reading(), Reading::Worse);
        assert_eq!(pair(Metric::RegretLinear, &[-1.0, -1.0]).reading(), Reading::Better);
        assert_eq!(pair(PlacementMetric::Accuracy, &up).reading(), Reading::Better);
        assert_eq!(pair(PlacementMetric::MeanLatencyMs, &up).reading(), Reading::Worse);
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

//! What a sweep comes to: `summary.json`, which is also what `--format json` prints.

use std::collections::BTreeMap;

use fogbit_scenario::topology::Problem;
use indexmap::IndexMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::environment::{Environment, environments, label, touches};
use super::plan::{Played, SweepPlan};
pub use super::ranking::{Best, Ranked};
use super::ranking::{best, ranking};
use crate::harness::metric::Known;
use crate::stats::{MeanSd, PairStatistics, Rank};

/// Characters of a setting's key that tables show: its last parts tell it from others.
const LONGEST_KEY: usize = 18;

/// Everything a sweep came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepSummary {
    /// The sweep.
    pub sweep: SweepHead,
    /// The environments: points that differ in the settings of policies alone.
    pub environments: Vec<Environment>,
    /// The best setting of each policy in each environment, environment by environment, the best
    /// policy first.
    pub best: Vec<Best>,
    /// The ranking within each environment, environment by environment, the best first; policies
    /// that know more than a task node can are no rivals and are not ranked.
    pub ranking: Vec<Ranked>,
    /// Each point.
    pub points: Vec<PointSummary>,
}

/// The sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepHead {
    /// What kind of decision it is about.
    pub problem: Problem,
    /// Name of the topology.
    pub topology: String,
    /// What it shows.
    pub about: Option<String>,
    /// The keys that points set.
    pub keys: Vec<String>,
    /// Number of points.
    pub points: u64,
    /// Number of seeds, the same at every point.
    pub seeds: u64,
    /// Number of trials.
    pub trials: u64,
    /// Number of trials that failed.
    pub failed: u64,
    /// With which policy others are compared.
    pub versus: Option<String>,
    /// What is ranked by.
    pub rank_by: Known,
    /// Digest of all that decides a result.
    pub digest: String,
    /// Version of Fogbit.
    pub version: String,
}

/// One point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointSummary {
    /// Its name.
    pub point: String,
    /// What it sets.
    pub settings: IndexMap<String, String>,
    /// Length of each trial in slots: decisions, whatever the problem calls them.
    pub slots: u64,
    /// Number of helper nodes.
    pub nodes: u64,
    /// Whether regret is measured on each policy's own path.
    pub own_path: bool,
    /// Its policies.
    pub policies: Vec<PolicyAtPoint>,
}

/// One policy at one point, over its complete trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyAtPoint {
    /// Its name in the topology.
    pub name: String,
    /// Which policy it is.
    pub kind: String,
    /// Complete trials.
    pub seeds: u64,
    /// Trials that failed, with their reasons.
    pub failures: Vec<TrialFailure>,
    /// Each metric of the problem, and what else it tells of a policy, by name.
    #[serde(flatten)]
    pub figures: IndexMap<String, Option<Figure>>,
    /// Its rank among the policies of the point, seed by seed, by what the sweep ranks by; none for
    /// those that know more than a task node can.
    pub rank: Option<Rank>,
    /// Paired differences to the policy that others are compared with.
    pub difference: Option<Difference>,
}

/// What is told of a policy over its complete trials.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// A mean over trials.
    Mean(MeanSd),
    /// A count of all trials as a share of all their slots.
    Share(f64),
}

/// A trial that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialFailure {
    /// Its seed.
    pub seed: u64,
    /// Why.
    pub reason: String,
}

/// Paired differences `policy - versus` over the seeds that both completed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// What it is compared with.
    pub versus: String,
    /// In each metric that is no other one divided by slots, by name.
    #[serde(flatten)]
    pub pairs: IndexMap<String, PairStatistics>,
}

impl Difference {
    /// The difference by which a metric is compared; that in average regret is that in regret,
    /// divided by the number of slots.
    pub fn of(&self, metric: Known) -> Option<&PairStatistics> {
        self.pairs.get(metric.per_slot_of.unwrap_or(metric.name))
    }
}

/// `(seed, a, b)` for the seeds that both have.
pub(super) fn paired(a: &[(u64, f64)], b: &[(u64, f64)]) -> Vec<(u64, f64, f64)> {
    let others: BTreeMap<u64, f64> = b.iter().copied().collect();
    a.iter().filter_map(|(seed, a)| Some((*seed, *a, *others.get(seed)?))).collect()
}

impl PolicyAtPoint {
    /// Mean and deviation of a metric, or of what else is told as a mean.
    pub fn mean(&self, name: &str) -> Option<MeanSd> {
        match self.figures.get(name)?.as_ref()? {
            Figure::Mean(mean) => Some(*mean),
            Figure::Share(_) => None,
        }
    }

    /// A share of all slots.
    pub fn share(&self, name: &str) -> Option<f64> {
        match self.figures.get(name)?.as_ref()? {
            Figure::Share(share) => Some(*share),
            Figure::Mean(_) => None,
        }
    }

    /// Mean and deviation of a metric.
    pub fn metric(&self, metric: Known) -> Option<MeanSd> {
        self.mean(metric.name)
    }
}

impl SweepSummary {
    /// Adds up all points; `values` are each policy's values of the ranked metric, point by point.
    pub fn new(
        plan: &SweepPlan,
        points: Vec<PointSummary>,
        values: &[Vec<Vec<(u64, f64)>>],
    ) -> SweepSummary {
        let Played { topology, about, keys, seeds, fogbit, .. } = &plan.played;
        let policies = || points.iter().flat_map(|p| &p.policies);
        let found = environments(points.iter().map(|p| (p.point.as_str(), &p.settings)));
        let ranking: Vec<Ranked> = found
            .par_iter()
            .flat_map_iter(|(of, members)| ranking(plan, &points, &of.environment, members, values))
            .collect();
        SweepSummary {
            sweep: SweepHead {
                problem: plan.played.problem,
                topology: topology.clone(),
                about: about.clone(),
                keys: keys.clone(),
                points: points.len() as u64,
                seeds: seeds.len() as u64,
                trials: plan.played.trials() as u64,
                failed: policies().map(|p| p.failures.len() as u64).sum(),
                versus: plan.versus.clone(),
                rank_by: plan.rank_by,
                digest: plan.digest.clone(),
                version: fogbit.clone(),
            },
            environments: found.into_iter().map(|(environment, _)| environment).collect(),
            best: best(&ranking),
            ranking,
            points,
        }
    }

    /// As it is written and printed.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a summary is plain data") + "\n"
    }
}

impl SweepSummary {
    /// The point called `name`.
    pub fn point(&self, name: &str) -> Option<&PointSummary> {
        self.points.iter().find(|point| point.point == name)
    }

    /// The places of an environment's ranking.
    pub fn ranking_of(&self, environment: &Environment) -> impl Iterator<Item = &Ranked> {
        self.ranking.iter().filter(|ranked| ranked.environment == environment.environment)
    }
}

impl PointSummary {
    /// What it sets of the policy called `policy`, in a line; empty where it sets nothing.
    pub fn label_of(&self, policy: &str) -> String {
        label(self.settings.iter().filter(|(key, _)| touches(key, policy)))
    }
}

/// The last parts of a dotted key, as many as are short enough, at least one.
pub fn short_key(key: &str) -> String {
    let short = |from: usize| key[from..].chars().count() <= LONGEST_KEY;
    let starts = || key.match_indices('.').map(|(at, _)| at + 1);
    let from = [0].into_iter().chain(starts()).find(|from| short(*from));
    key[from.or(starts().next_back()).unwrap_or(0)..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::short_key;

    #[test]
    fn keys_keep_what_tells_them_apart() {
        for (key, short) in [
            ("slots", "slots"),
            ("nodes.count", "nodes.count"),
            ("policies.toof.gamma.c", "toof.gamma.c"),
            ("a.averyveryverylongkeyindeed", "averyveryverylongkeyindeed"),
        ] {
            assert_eq!(short_key(key), short);
        }
    }
}

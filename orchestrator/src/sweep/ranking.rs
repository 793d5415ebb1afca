//! The ranking of a sweep: within each environment, and never across them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::environment::{picked, touches};
use super::plan::SweepPlan;
use super::summary::{PointSummary, PolicyAtPoint, paired};
use crate::harness::metric::Known;
use crate::stats::{MeanSd, PairStatistics, compare_pairs};

/// Places of each ranking that are compared with its first: an interval for each of thousands would
/// tell nobody anything.
const COMPARED: usize = 100;

/// The best setting of a policy in an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Name of the environment.
    pub environment: String,
    /// Name of the point, the first where several have this setting.
    pub point: String,
    /// Name of the policy.
    pub policy: String,
    /// What it is ranked by.
    pub value: MeanSd,
}

/// A policy with a setting, and its place in an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Name of the environment.
    pub environment: String,
    /// Its place there, from 1.
    pub place: u64,
    /// Name of the point, the first where several have this setting of the policy.
    pub point: String,
    /// Further points of the environment that set nothing else of the policy, and at which it did
    /// the same under every seed: they differ in the settings of other policies.
    pub also: Vec<String>,
    /// Name of the policy.
    pub policy: String,
    /// What it is ranked by.
    pub value: MeanSd,
    /// The difference to the first place of the environment, paired by seed; none for the first
    /// and for places after the hundredth.
    pub behind: Option<PairStatistics>,
}

impl Ranked {
    /// Its points: `p001, p004, p007`, or `p001 and 5 more`.
    pub fn points(&self) -> String {
        match self.also.as_slice() {
            also if also.len() > 2 => format!("{} and {} more", self.point, also.len()),
            also => [std::slice::from_ref(&self.point), also].concat().join(", "),
        }
    }
}

/// Rivals with a value at a point: index and value.
fn rivals<'p>(
    plan: &'p SweepPlan,
    point: usize,
    summary: &'p PointSummary,
) -> impl Iterator<Item = (usize, MeanSd)> + 'p {
    let kinds = &plan.played.points[point].policies;
    summary.policies.iter().enumerate().filter_map(move |(index, policy)| {
        let value = policy.metric(plan.rank_by)?;
        (!kinds[index].told_more).then_some((index, value))
    })
}

/// What sorts better values to the front.
fn order(metric: Known, a: f64, b: f64) -> std::cmp::Ordering {
    if metric.higher_is_better { b.total_cmp(&a) } else { a.total_cmp(&b) }
}

/// The first of each policy in each environment.
pub(super) fn best(ranking: &[Ranked]) -> Vec<Best> {
    let best = |ranked: &Ranked| Best {
        environment: ranked.environment.clone(),
        point: ranked.point.clone(),
        policy: ranked.policy.clone(),
        value: ranked.value,
    };
    let mut seen = BTreeSet::new();
    let mut first = Vec::new();
    for ranked in ranking {
        if seen.insert((&ranked.environment, &ranked.policy)) {
            first.push(best(ranked));
        }
    }
    first
}

/// A rival before it has a place.
struct Rival {
    point: usize,
    also: Vec<usize>,
    policy: usize,
    value: MeanSd,
}

/// The rivals at the points `members` of an environment; one that several points set alike stands
/// once.
fn distinct(
    plan: &SweepPlan,
    points: &[PointSummary],
    members: &[usize],
    values: &[Vec<Vec<(u64, f64)>>],
) -> Vec<Rival> {
    let mut all: Vec<Rival> = Vec::new();
    let mut known: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for &point in members {
        for (policy, value) in rivals(plan, point, &points[point]) {
            let PolicyAtPoint { name, kind, .. } = &points[point].policies[policy];
            let own = picked(&points[point].settings, |key| touches(key, name));
            let alike = known.entry((name, kind, own)).or_default();
            let same = |rival: &&usize| {
                values[all[**rival].point][all[**rival].policy] == values[point][policy]
            };
            match alike.iter().find(same) {
                Some(&rival) => all[rival].also.push(point),
                None => {
                    alike.push(all.len());
                    all.push(Rival { point, also: Vec::new(), policy, value });
                }
            }
        }
    }
    all
}

/// The ranking of an environment, the points `members`.
pub(super) fn ranking(
    plan: &SweepPlan,
    points: &[PointSummary],
    environment: &str,
    members: &[usize],
    values: &[Vec<Vec<(u64, f64)>>],
) -> Vec<Ranked> {
    let mut all = distinct(plan, points, members, values);
    all.sort_by(|a, b| order(plan.rank_by, a.value.mean, b.value.mean));
    let of = |rival: &Rival| &values[rival.point][rival.policy];
    let name = |point: &usize| points[*point].point.clone();
    let first = all.first().map(of);
    let rank = |(index, rival): (usize, &Rival)| Ranked {
        environment: environment.to_owned(),
        place: index as u64 + 1,
        point: name(&rival.point),
        also: rival.also.iter().map(name).collect(),
        policy: points[rival.point].policies[rival.policy].name.clone(),
        value: rival.value,
        behind: first.filter(|_| (1..COMPARED).contains(&index)).and_then(|first| {
            compare_pairs(&paired(of(rival), first), plan.rank_by.higher_is_better)
        }),
    };
    all.iter().enumerate().map(rank).collect()
}

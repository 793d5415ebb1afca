//! What a sweep will play: `sweep.json`, and the units of work that follow from it.

use std::path::Path;
use std::sync::Arc;

use fogbit_scenario::topology::{Problem, RunLength};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::problem::{self, PointPlay, SweepProblem};
use crate::exit::Failure;
use crate::harness::PolicyKind;
use crate::harness::metric::Known;
use crate::ledger::thin_curve_slots;
use crate::plan::SUMMARY_SLOTS;

/// Version of the layout of a sweep's directory and of its unit files.
pub const LAYOUT: u32 = 2;
/// A unit is to cost about this much, in the measure of [`PointPlan::cost`]: a tenth of a second
/// or so. It is what an interruption loses on each core, and how evenly shards are dealt.
const UNIT_COST: u64 = 5_000_000;
/// Seeds in one unit at most: more would make fewer units than there may be shards.
const MOST_SEEDS: u64 = 16;

/// A sweep as it is written to `sweep.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepPlan {
    /// What decides every result.
    #[serde(flatten)]
    pub played: Played,
    /// SHA-256 of what decides every result, as hexadecimal digits: two sweeps with the same one
    /// are the same.
    pub digest: String,
    /// Name of the policy that others are compared with; none where points have none in common.
    pub versus: Option<String>,
    /// What points and policies are ranked by.
    pub rank_by: Known,
}

/// What decides every result of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// Version of the layout, [`LAYOUT`].
    pub layout: u32,
    /// Version of Fogbit.
    pub fogbit: String,
    /// What kind of decision it is about.
    pub problem: Problem,
    /// Name of the topology.
    pub topology: String,
    /// What the topology shows.
    pub about: Option<String>,
    /// The keys that points set, in the order in which they were given.
    pub keys: Vec<String>,
    /// The seeds, in their order, the same at every point.
    pub seeds: Vec<u64>,
    /// Seeds in one unit; the last one of a point may have fewer.
    pub seeds_in_unit: u64,
    /// The points.
    pub points: Vec<PointPlan>,
}

/// One point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointPlan {
    /// Its name: `p001`, `p002`, ...
    pub point: String,
    /// What it sets, as it was written; keys that it leaves alone are missing.
    pub settings: IndexMap<String, String>,
    /// Length of each trial in slots: decisions, whatever the problem calls them.
    pub slots: u64,
    /// Number of helper nodes.
    pub nodes: u64,
    /// What one slot of one policy costs, roughly, in some 20 ns.
    pub slot_cost: u64,
    /// Whether regret is measured on each policy's own path, because queues depend on it.
    pub own_path: bool,
    /// The policies, in the order of the topology.
    pub policies: Vec<PolicyPlan>,
    /// SHA-256 of the resolved topology, and of each file that it needs beside it, by name.
    pub files: IndexMap<String, String>,
}

/// One policy at one point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPlan {
    /// Its name in the topology.
    pub name: String,
    /// Which policy it is.
    pub kind: String,
    /// Whether it is told what a task node cannot know, and is no rival of the others.
    pub told_more: bool,
}

impl PolicyPlan {
    /// That of a policy of a topology, by its name.
    pub fn of<S: PolicyKind>((name, spec): (&str, &S)) -> PolicyPlan {
        let kind = spec.kind();
        PolicyPlan { name: name.into(), kind: kind.into(), told_more: !S::is_ranked(kind) }
    }
}

/// A unit of work: all policies of one point under some consecutive seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Which point, from 0.
    pub point: usize,
    /// Which block of seeds, from 0.
    pub block: usize,
}

/// One part of a sweep that is played in parts: every `of`-th unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub number: u64,
    /// How many there are.
    pub of: u64,
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            Some(Shard { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        parts
            .filter(|shard| (1..=shard.of).contains(&shard.number))
            .ok_or_else(|| "I/N with I from 1 to N, for example 1/4".into())
    }
}

impl Shard {
    /// The whole sweep.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Whether the unit at `index` of [`Played::units`] is played here.
    pub fn plays(&self, index: usize) -> bool {
        index as u64 % self.of == self.number - 1
    }
}

impl PointPlan {
    /// Name of its resolved topology within the directory.
    pub fn topology_file(&self) -> String {
        format!("topologies/{}.toml", self.point)
    }

    /// What one seed costs, roughly.
    pub fn cost(&self) -> u64 {
        let trials = self.policies.len() as u64;
        self.slot_cost.saturating_mul(self.slots).saturating_mul(trials)
    }

    /// The place of the policy called `name`.
    pub fn policy(&self, name: &str) -> Option<usize> {
        self.policies.iter().position(|policy| policy.name == name)
    }

    /// Where its curves have points.
    pub fn curve_slots(&self) -> Arc<[u64]> {
        thin_curve_slots(RunLength::Slots(self.slots), &SUMMARY_SLOTS)
    }

    /// Its settings in one line; empty where it sets nothing.
    pub fn label(&self) -> String {
        let parts: Vec<String> =
            self.settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        parts.join(", ")
    }
}

impl Played {
    /// What the problem says of itself.
    ///
    /// # Panics
    /// If there are no sweeps of it: nobody makes such a plan, and none is read.
    pub fn said(&self) -> &'static dyn SweepProblem {
        problem::of(self.problem)
    }

    /// The models that are trained for its points, as files of its directory.
    pub fn trainings(&self) -> Vec<String> {
        self.points.iter().flat_map(|point| self.said().trainings(point)).collect()
    }

    /// Reads a point anew from its resolved topology `text`, which lies in the sweep's directory
    /// `dir`.
    ///
    /// # Errors
    /// If the topology or a file that it needs is not what it was.
    pub fn load(
        &self,
        point: usize,
        dir: &Path,
        text: &str,
    ) -> Result<Arc<dyn PointPlay>, Failure> {
        let point = &self.points[point];
        self.said().load(point, &dir.join(point.topology_file()), text)
    }

    /// How many seeds a unit has: the same for all points, whatever the machine.
    pub fn seeds_in_unit(points: &[PointPlan], seeds: usize) -> u64 {
        let dearest = points.iter().map(PointPlan::cost).max().unwrap_or(0).max(1);
        let seeds = seeds.max(1) as u64;
        let most = (UNIT_COST / dearest).clamp(1, MOST_SEEDS);
        // As even as they can be: of 17 seeds not 16 and 1.
        seeds.div_ceil(seeds.div_ceil(most))
    }

    /// Units that one point has.
    pub fn blocks(&self) -> usize {
        (self.seeds.len() as u64).div_ceil(self.seeds_in_unit) as usize
    }

    /// All units, in the order in which they are played and dealt to shards: the dearest points
    /// first, so that all cores are busy until the end.
    pub fn units(&self) -> Vec<Unit> {
        let mut points: Vec<usize> = (0..self.points.len()).collect();
        points.sort_by_key(|point| std::cmp::Reverse(self.points[*point].cost()));
        let blocks = self.blocks();
        points
            .into_iter()
            .flat_map(|point| (0..blocks).map(move |block| Unit { point, block }))
            .collect()
    }

    /// The units of one point, in the order of their seeds.
    pub fn units_of(&self, point: usize) -> impl Iterator<Item = Unit> {
        (0..self.blocks()).map(move |block| Unit { point, block })
    }

    /// The seeds of a unit.
    pub fn seeds_of(&self, unit: Unit) -> &[u64] {
        let size = self.seeds_in_unit as usize;
        let start = unit.block * size;
        &self.seeds[start..(start + size).min(self.seeds.len())]
    }

    /// Name of a unit's file within the directory.
    pub fn unit_file(&self, unit: Unit) -> String {
        format!("units/{}-b{:03}.json", self.points[unit.point].point, unit.block + 1)
    }

    /// Trials of the whole sweep.
    pub fn trials(&self) -> usize {
        self.points.iter().map(|p| p.policies.len()).sum::<usize>() * self.seeds.len()
    }

    /// SHA-256 of all that decides a result.
    pub fn digest(&self) -> String {
        sha256(&serde_json::to_vec(self).expect("a plan is plain data"))
    }

    /// The first thing in which this sweep and `other` differ, in words; none where they are the
    /// same. `a` and `b` are what the user calls them.
    pub fn difference(&self, other: &Played, a: &str, b: &str) -> Option<String> {
        let said = |what: &str, here: String, there: String| {
            (here != there).then(|| format!("{what}: {a} has {here}, {b} has {there}"))
        };
        let names = |p: &PointPlan| {
            p.policies.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let one = |pair: (&PointPlan, &PointPlan)| {
            let (here, there) = pair;
            let name = &here.point;
            said(&format!("settings of point {name}"), here.label(), there.label())
                .or_else(|| said(&format!("policies of point {name}"), names(here), names(there)))
                .or_else(|| {
                    let what = format!("slots of point {name}");
                    said(&what, here.slots.to_string(), there.slots.to_string())
                })
                .or_else(|| {
                    (here != there).then(|| format!("the resolved topology of point {name}"))
                })
        };
        let count = |p: &Played| format!("{} points", p.points.len());
        let seeds = |p: &Played| crate::report::markup::seed_ranges(&p.seeds);
        said("version of the layout", self.layout.to_string(), other.layout.to_string())
            .or_else(|| said("version of Fogbit", self.fogbit.clone(), other.fogbit.clone()))
            .or_else(|| {
                let [here, there] = [self, other].map(|played| played.problem.name().to_owned());
                said("problem", here, there)
            })
            .or_else(|| said("keys", self.keys.join(", "), other.keys.join(", ")))
            .or_else(|| said("points", count(self), count(other)))
            .or_else(|| said("seeds", seeds(self), seeds(other)))
            .or_else(|| self.points.iter().zip(&other.points).find_map(one))
            .or_else(|| (self != other).then(|| "the topology's name or its `about`".into()))
    }
}

/// SHA-256 as hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(number: usize, nodes: u64, slots: u64) -> PointPlan {
        PointPlan {
            point: format!("p{number:03}"),
            settings: IndexMap::new(),
            slots,
            nodes,
            slot_cost: nodes + 10,
            own_path: false,
            policies: vec![PolicyPlan {
                name: "toof".into(),
                kind: "toof".into(),
                told_more: false,
            }],
            files: IndexMap::new(),
        }
    }

    fn played(points: Vec<PointPlan>, seeds: u64) -> Played {
        let seeds_in_unit = Played::seeds_in_unit(&points, seeds as usize);
        Played {
            layout: LAYOUT,
            fogbit: "0".into(),
            problem: Problem::OneBit,
            topology: "t".into(),
            about: None,
            keys: vec![],
            seeds: (1..=seeds).collect(),
            seeds_in_unit,
            points,
        }
    }

    #[test]
    fn units_cover_every_seed_once_and_shards_every_unit() {
        for (nodes, slots, seeds) in [(10, 10_000, 100), (3, 10, 17), (100, 10_000_000, 5)] {
            let played = played(vec![point(1, nodes, slots), point(2, nodes * 2, slots)], seeds);
            let units = played.units();
            assert_eq!(units[0].point, 1, "the dearest first");
            for point in 0..2 {
                let all: Vec<u64> = played
                    .units_of(point)
                    .flat_map(|unit| played.seeds_of(unit).to_vec())
                    .collect();
                assert_eq!(all, played.seeds);
            }
            let of = 3;
            let shards = (1..=of).map(|number| Shard { number, of });
            let dealt: usize =
                shards.map(|s| (0..units.len()).filter(|i| s.plays(*i)).count()).sum();
            assert_eq!(dealt, units.len());
        }
    }

    #[test]
    fn units_are_even_and_of_bounded_cost() {
        assert_eq!(played(vec![point(1, 3, 10)], 17).seeds_in_unit, 9);
        assert_eq!(played(vec![point(1, 3, 10)], 100).seeds_in_unit, 15);
        assert_eq!(played(vec![point(1, 90, 1_000_000)], 100).seeds_in_unit, 1);
    }

    #[test]
    fn differences_are_named() {
        let a = played(vec![point(1, 3, 10), point(2, 3, 10)], 4);
        assert_eq!(a.difference(&a, "a", "b"), None);
        let fewer = played(vec![point(1, 3, 10)], 4);
        let said = a.difference(&fewer, "A", "B").unwrap();
        assert_eq!(said, "points: A has 2 points, B has 1 points");
        let mut other = a.clone();
        other.points[1].settings.insert("k".into(), "9".into());
        let said = a.difference(&other, "A", "B").unwrap();
        assert_eq!(said, "settings of point p002: A has , B has k = 9");
        assert_ne!(a.digest(), other.digest());
    }

    #[test]
    fn shards_are_written_one_based() {
        assert_eq!("2/4".parse(), Ok(Shard { number: 2, of: 4 }));
        for bad in ["0/4", "5/4", "1", "a/b", "1/0", "-1/2"] {
            bad.parse::<Shard>().unwrap_err();
        }
    }
}

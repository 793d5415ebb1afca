//! What a run will do: its trials, and the stretches of slots that are told apart.

use std::sync::Arc;

use fogbit_scenario::link::LinkState;
use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::PlacementPolicySpec;
use serde::{Deserialize, Serialize};

use crate::harness::{self, ProblemPlan};

/// About so many points has a curve over the slots of a trial.
const WINDOWS: u64 = 100;
/// A point is over at least so many slots, unless its segment is shorter.
const LEAST_WINDOW: u64 = 5;

/// One policy of a run.
pub type PlannedPolicy = harness::PlannedPolicy<PlacementPolicySpec>;

/// All trials of one run: each policy with each seed.
#[derive(Debug, Clone)]
pub struct PlacementPlan {
    /// The topology.
    pub scenario: Arc<PlacementScenario>,
    /// The policies, in the order of the file.
    pub policies: Vec<PlannedPolicy>,
    /// Which of the policies the others are compared with.
    pub versus: usize,
    /// The seeds, in the order of the run.
    pub seeds: Vec<u64>,
    /// Between events nothing changes by schedule.
    pub segments: Arc<[Segment]>,
    /// Where curves have points; none reaches over an event.
    pub windows: Arc<[Window]>,
}

impl PlacementPlan {
    /// The plan of a whole topology.
    pub fn new(scenario: PlacementScenario) -> PlacementPlan {
        let policies = PlannedPolicy::all(scenario.policies());
        let segments = segments(&scenario);
        PlacementPlan {
            versus: default_versus(&policies),
            policies,
            seeds: scenario.seeds(),
            windows: windows(&segments, scenario.slots()).into(),
            segments: segments.into(),
            scenario: Arc::new(scenario),
        }
    }

    /// The name of a policy.
    pub fn name(&self, policy: usize) -> &str {
        &self.policies[policy].name
    }
}

impl ProblemPlan for PlacementPlan {
    type Spec = PlacementPolicySpec;

    fn policies(&self) -> &[PlannedPolicy] {
        &self.policies
    }

    fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    fn versus(&self) -> usize {
        self.versus
    }

    fn compare_with(&mut self, policy: usize) {
        self.versus = policy;
    }
}

/// The policy that all others are compared with unless another is named: the first of kind `rule`,
/// or else the first.
fn default_versus(policies: &[PlannedPolicy]) -> usize {
    let is_rule = |p: &PlannedPolicy| matches!(p.spec, PlacementPolicySpec::Rule(_));
    policies.iter().position(is_rule).unwrap_or(0)
}

/// A stretch of slots in which no link changes by schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Name of the links' profile; of several, those of the helper nodes in their order. `drawn`
    /// where round trips are drawn for each task and nothing else is emulated, `none` where
    /// nothing is.
    pub profile: String,
    /// First slot.
    pub from: u64,
    /// Last slot.
    pub to: u64,
}

/// The segments of a trial, at least one.
pub fn segments(scenario: &PlacementScenario) -> Vec<Segment> {
    let slots = scenario.slots();
    let links = scenario.links();
    let states = links.iter().flat_map(|path| path.states().map(|(from, _)| from));
    let mut starts: Vec<u64> = states.filter(|from| *from <= slots).chain([1]).collect();
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([slots]);
    let name = |from: u64| {
        let drawn = scenario.topology().links.drawn_rtt_ms.is_some();
        profile(links.iter().map(|path| path.at(from)), drawn)
    };
    starts
        .iter()
        .zip(ends)
        .map(|(from, to)| Segment { profile: name(*from), from: *from, to })
        .collect()
}

fn profile<'l>(states: impl Iterator<Item = &'l LinkState>, drawn: bool) -> String {
    let names: Vec<&str> = states.map(|state| state.profile.as_str()).collect();
    match names.split_first() {
        None if drawn => "drawn".into(),
        None => "none".into(),
        Some((first, others)) if others.iter().all(|name| name == first) => (*first).to_owned(),
        Some(_) => names.join("+"),
    }
}

/// Slots that make one point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First slot.
    pub from: u64,
    /// Last slot.
    pub to: u64,
}

/// Each segment in windows of about equal length.
fn windows(segments: &[Segment], slots: u64) -> Vec<Window> {
    let width = slots.div_ceil(WINDOWS).max(LEAST_WINDOW);
    let cut = |segment: &Segment| {
        let (from, length) = (segment.from, segment.to - segment.from + 1);
        let count = (length / width).max(1);
        let edge = move |index: u64| {
            from + (u128::from(length) * u128::from(index) / u128::from(count)) as u64
        };
        (0..count).map(move |index| Window { from: edge(index), to: edge(index + 1) - 1 })
    };
    segments.iter().flat_map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: u64, to: u64) -> Segment {
        Segment { profile: "lte".into(), from, to }
    }

    #[test]
    fn windows_cover_every_slot_once_and_cross_no_event() {
        for (segments, count) in [
            (vec![segment(1, 3)], 1),
            (vec![segment(1, 20), segment(21, 21), segment(22, 60)], 4 + 1 + 7),
            (vec![segment(1, 500), segment(501, 1000)], 100),
            (vec![segment(1, i64::MAX as u64)], 99),
        ] {
            let all = windows(&segments, segments.last().unwrap().to);
            assert_eq!(all.len(), count, "{segments:?}");
            assert_eq!(all[0].from, 1);
            assert!(all.windows(2).all(|two| two[0].to + 1 == two[1].from), "{all:?}");
            assert_eq!(all.last().unwrap().to, segments.last().unwrap().to);
            for segment in &segments {
                assert!(all.iter().any(|window| window.from == segment.from));
            }
        }
    }
}

//! What can be wrong with a topology of the problem `placement`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::links::unimpaired;
use super::{Check, LONGEST_SPAN, MOST_SLOTS, below};
use crate::fault::{Faults, Place};
use crate::link::{LinkChange, LinkPath, LinkState};
use crate::placement::{HelperNode, LocalNode, PlacementScenario};
use crate::scenario::trace_path;
use crate::topology::places::{Places, Step, way};
use crate::topology::{
    LearnedPlacement, LinkDefaults, LinkEvent, PlacementClock, PlacementPolicySpec,
    PlacementTopology, PlacementTraining, Range, TimeSpan,
};

/// An answer cannot be given up sooner.
const SHORTEST_TIMEOUT: TimeSpan = TimeSpan(Duration::from_millis(10));
const MOST_CYCLES: f64 = 1e13;
/// A GB: what a computer takes at most.
const MOST_KB: f64 = 1e6;
/// An hour.
const LONGEST_MS: f64 = 3.6e6;
/// Round-trip times beyond this are a slip of the keyboard.
const LONGEST_RTT_MS: f64 = 60_000.0;

/// Checks everything and fills in the defaults.
pub(crate) fn validate_placement(
    topology: PlacementTopology,
    places: &Places<'_>,
    path: &Path,
) -> Result<PlacementScenario, Faults> {
    let mut check = Check { places, faults: Vec::new() };
    check.slots(topology.slots);
    check.seeds(&topology.seeds);
    check.placement_clock(&topology);
    check.placement_task(&topology);
    let task_node = check.local_node(&topology);
    let helpers = check.computers(&topology);
    let links = check.placement_links(&topology, &helpers);
    check.placement_policies(&topology, path);
    check.placement_expectations(&topology);
    if !check.faults.is_empty() {
        return Err(check.into_faults());
    }
    let model_places = model_places(&topology, places);
    let path = path.to_owned();
    Ok(PlacementScenario { topology, task_node, helpers, links, path, model_places })
}

/// Where the file names models. What is wrong with a model is found by whoever reads it.
fn model_places(topology: &PlacementTopology, places: &Places<'_>) -> BTreeMap<String, Place> {
    let named = topology.policies.iter().filter(|(_, spec)| {
        matches!(spec, PlacementPolicySpec::Learned(learned) if learned.model.is_some())
    });
    named.map(|(name, _)| (name.clone(), places.of(&way!["policies", name, "model"]))).collect()
}

impl Check<'_, '_> {
    fn placement_clock(&mut self, topology: &PlacementTopology) {
        let PlacementClock::Wall(wall) = &topology.clock else { return };
        if !(SHORTEST_TIMEOUT..=LONGEST_SPAN).contains(&wall.timeout) {
            self.fail(
                way!["clock", "timeout"],
                format!("timeout = \"{}\" is out of range", wall.timeout),
                format!("from {SHORTEST_TIMEOUT} to {LONGEST_SPAN}, for example \"30s\""),
            );
        }
        if topology.links.drawn_rtt_ms.is_some() {
            self.fail(
                way!["links", "drawn_rtt_ms"],
                "round-trip times are drawn in virtual time only, and clock.kind is \"wall\"",
                "clock.kind = \"slot\", or a profile for the links",
            );
        }
    }

    fn placement_task(&mut self, topology: &PlacementTopology) {
        let task = &topology.task;
        let place = |key| way!["task", key];
        let cycles = place("complexity_cycles");
        self.range_within(&cycles, "complexity_cycles", task.complexity_cycles, 1.0, MOST_CYCLES);
        self.range_within(&place("input_kb"), "input_kb", task.input_kb, 0.0, MOST_KB);
        self.within(place("output_kb"), "output_kb", task.output_kb, 0.0, MOST_KB);
        self.within(place("gap_ms"), "gap_ms", task.gap_ms, 0.0, LONGEST_MS);
        if let Some(deadline) = task.deadline_ms {
            self.within(place("deadline_ms"), "deadline_ms", deadline, 1e-3, LONGEST_MS);
        }
    }

    fn local_node(&mut self, topology: &PlacementTopology) -> LocalNode {
        let computer = &topology.task_node;
        let place = way!["task-node"];
        self.frequency(&place, computer.cpu_frequency_ghz);
        self.load(&place, computer.load);
        LocalNode {
            name: computer.name.clone(),
            frequency_hz: computer.cpu_frequency_ghz * 1e9,
            load: computer.load,
        }
    }

    /// The links over a trial: one for each helper node, or none at all where nothing is emulated.
    fn placement_links(
        &mut self,
        topology: &PlacementTopology,
        helpers: &[HelperNode],
    ) -> Vec<LinkPath> {
        if let Some(drawn) = topology.links.drawn_rtt_ms {
            let place = way!["links", "drawn_rtt_ms"];
            self.range_within(&place, "drawn_rtt_ms", drawn, 0.0, LONGEST_RTT_MS);
        }
        let names: Vec<&str> = helpers.iter().map(|helper| helper.name.as_str()).collect();
        let defaults = LinkDefaults { profile: topology.links.profile.clone() };
        let task = &topology.task_node.name;
        let first = self.links(task, &names, Some(&defaults), &topology.link_list);
        let changes = self.link_events(&topology.events, &names);
        if first.iter().all(Option::is_none) && changes.is_empty() {
            return Vec::new();
        }
        let path = |(node, first): (usize, Option<LinkState>)| LinkPath {
            first: first.unwrap_or_else(unimpaired),
            changes: changes
                .iter()
                .filter(|(concerned, _)| concerned.is_none_or(|concerned| concerned == node))
                .map(|(_, change)| change.clone())
                .collect(),
        };
        first.into_iter().enumerate().map(path).collect()
    }

    /// The changes of links; without a number it is that of all links.
    pub(super) fn link_events(
        &mut self,
        events: &[LinkEvent],
        names: &[&str],
    ) -> Vec<(Option<usize>, LinkChange)> {
        let mut before = 1;
        let mut changes = Vec::new();
        for (index, event) in events.iter().enumerate() {
            let place = way!["event", index];
            self.slot_of(&place, event.at, &mut before);
            let node = self.named(&below(&place, "link"), event.link.as_deref(), names);
            let state = self.link_state(&below(&place, "profile"), &event.profile);
            if let (Some(node), Some(state)) = (node, state) {
                changes.push((node, LinkChange { at: event.at, state }));
            }
        }
        changes
    }

    fn placement_policies(&mut self, topology: &PlacementTopology, path: &Path) {
        self.policy_names(topology.policies.keys(), "rule");
        for (name, spec) in &topology.policies {
            self.placement_parameters(&way!["policies", name], spec, path);
        }
    }

    fn placement_parameters(&mut self, place: &[Step], spec: &PlacementPolicySpec, path: &Path) {
        match spec {
            PlacementPolicySpec::Rule(rule) => {
                let margin = below(place, "margin_ms");
                self.within(margin, "margin_ms", rule.margin_ms, -LONGEST_MS, LONGEST_MS);
            }
            PlacementPolicySpec::Online(online) => {
                self.within(below(place, "discount"), "discount", online.discount, 1e-3, 1.0);
                let exploration = below(place, "exploration");
                self.within(exploration, "exploration", online.exploration, 0.0, 1e9);
                self.within(below(place, "ridge"), "ridge", online.ridge, 1e-12, 1e12);
            }
            PlacementPolicySpec::Learned(learned) => self.learned(place, learned, path),
            PlacementPolicySpec::Oracle(oracle) => {
                let share = below(place, "shadow_share");
                self.within(share, "shadow_share", oracle.shadow_share, 0.0, 1.0);
            }
            PlacementPolicySpec::AlwaysLocal(_) | PlacementPolicySpec::AlwaysOffload(_) => {}
        }
    }

    fn learned(&mut self, place: &[Step], learned: &LearnedPlacement, path: &Path) {
        if let Some(model) = &learned.model {
            let file = trace_path(path, model);
            if !file.is_file() {
                self.fail(
                    below(place, "model"),
                    format!("there is no model {}", file.display()),
                    "what `fogbit train placement` wrote, relative to this file; or leave it out: \
                     the model is then trained at the start of the run",
                );
            }
        }
        self.training(&below(place, "train"), &learned.train);
    }

    fn training(&mut self, place: &[Step], train: &PlacementTraining) {
        let counts = [
            ("samples", train.samples, 100, 10_000_000),
            ("epochs", train.epochs, 1, 10_000),
            ("batch", train.batch, 1, 1_000_000),
        ];
        for (key, value, low, high) in counts {
            self.whole(below(place, key), key, value, low, high);
        }
        let hidden = below(place, "hidden");
        if train.hidden.len() > 16 {
            let message = format!("{} hidden layers", train.hidden.len());
            self.fail(hidden.clone(), message, "16 at most; 2 are enough");
        }
        for (index, size) in train.hidden.iter().enumerate() {
            let place = hidden.iter().cloned().chain([index.into()]).collect();
            self.whole(place, "the size of a hidden layer", *size, 1, 4096);
        }
        let rate = below(place, "learning_rate");
        self.within(rate, "learning_rate", train.learning_rate, 1e-9, 10.0);
    }

    fn placement_expectations(&mut self, topology: &PlacementTopology) {
        let known: Vec<&str> = topology.policies.keys().map(String::as_str).collect();
        for (index, expect) in topology.expectations.iter().enumerate() {
            let bounds = [("below", &expect.below), ("above", &expect.above)];
            self.bounds(index, &expect.policy, bounds, &known);
            if expect.seeds == 0 {
                let place = way!["expect", index, "seeds"];
                self.fail(place, "no seed shows nothing", "20 or more: seeds differ");
            }
        }
    }

    /// Fails unless `low <= min <= max <= high`, all of them finite.
    pub(super) fn range_within(
        &mut self,
        place: &[Step],
        what: &str,
        range: Range,
        low: f64,
        high: f64,
    ) {
        let mut fine = true;
        for (key, value) in [("min", range.min), ("max", range.max)] {
            fine &= self.within(below(place, key), &format!("{what}.{key}"), value, low, high);
        }
        if fine && range.min > range.max {
            self.fail(
                below(place, "min"),
                format!("{what}: min = {} is above max = {}", range.min, range.max),
                "min <= max",
            );
        }
    }

    /// Fails unless the whole number `value` is between `low` and `high`.
    pub(super) fn whole(&mut self, place: Vec<Step>, what: &str, value: u32, low: u32, high: u32) {
        if !(low..=high).contains(&value) {
            let message = format!("{what} = {value} is out of range");
            self.fail(place, message, format!("from {low} to {high}"));
        }
    }

    fn slots(&mut self, slots: u64) {
        if !(1..=MOST_SLOTS).contains(&slots) {
            self.fail(
                way!["slots"],
                format!("a trial cannot have {slots} slots"),
                format!("from 1 to {MOST_SLOTS} slots, for example slots = 1000"),
            );
        }
    }
}

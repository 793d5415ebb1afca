//! What can be wrong with a topology of the problem `placement`.

use std::path::Path;

use super::alike::SHORTEST_TIMEOUT;
use super::links::link_paths;
use super::{Check, below};
use crate::checked::Checked;
use crate::fault::Faults;
use crate::link::LinkPath;
use crate::placement::{HelperNode, LocalNode, PlacementScenario};
use crate::topology::places::{Places, Step, way};
use crate::topology::{
    LearnedPlacement, LinkDefaults, PlacementClock, PlacementPolicySpec, PlacementTopology,
    PlacementTraining,
};

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
    check.length("slots", topology.slots, 1000);
    check.seeds(&topology.seeds);
    check.placement_clock(&topology);
    check.placement_task(&topology);
    let task_node = check.local_node(&topology);
    let helpers = check.computers(&topology);
    let links = check.placement_links(&topology, &helpers);
    check.placement_policies(&topology, path);
    check.plain_expectations(&topology.expectations, topology.policies.keys());
    check.sweep();
    if !check.faults.is_empty() {
        return Err(check.into_faults());
    }
    let checked = Checked::new(topology, places, path);
    Ok(PlacementScenario { checked, task_node, helpers, links })
}

impl Check<'_, '_> {
    fn placement_clock(&mut self, topology: &PlacementTopology) {
        let PlacementClock::Wall(wall) = &topology.clock else { return };
        self.span("timeout", wall.timeout, SHORTEST_TIMEOUT, "30s");
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
        link_paths(first, &changes)
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
        self.model_is_there(place, learned.model.as_ref(), path, "fogbit train placement");
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
        self.hidden_layers(&below(place, "hidden"), &train.hidden, "2 are enough");
        let rate = below(place, "learning_rate");
        self.within(rate, "learning_rate", train.learning_rate, 1e-9, 10.0);
    }
}

//! What can be wrong between the nodes: names, and the norm of what they see.

use std::collections::BTreeSet;

use super::{Check, MODEL_FEATURES};
use crate::scenario::Helper;
use crate::topology::places::{Step, way};
use crate::topology::{Cqi, Frequency, ModelFeatures, Queue, Task, Topology, is_node_name};
use crate::trace::NORM_TOLERANCE;

pub(super) const NAME_HELP: &str =
    "1 to 63 lower-case letters, digits and hyphens, no hyphen at the ends";

impl Check<'_, '_> {
    pub(super) fn names(&mut self, topology: &Topology, helpers: &[Helper]) {
        if topology.task_nodes.len() > 1 {
            self.fail(
                way!["task-node", 1usize],
                format!("{} task nodes", topology.task_nodes.len()),
                "exactly one task node is accepted so far",
            );
        }
        let task = topology.task_node_name();
        let named = !topology.task_nodes.is_empty();
        let task_place = way!["task-node", 0usize, "name"];
        if !is_node_name(task) {
            self.fail(task_place.clone(), bad_name(task), NAME_HELP);
        }
        let mut seen = BTreeSet::new();
        for (index, helper) in helpers.iter().enumerate() {
            if !is_node_name(&helper.name) {
                self.fail(helper_place(topology, index), bad_name(&helper.name), NAME_HELP);
            }
            let first = seen.insert(helper.name.as_str());
            if !first || (helper.name == task && !named) {
                self.two_called(helper_place(topology, index), &helper.name);
            }
        }
        if named && seen.contains(task) {
            self.two_called(task_place, task);
        }
    }

    pub(super) fn two_called(&mut self, place: Vec<Step>, name: &str) {
        self.fail(
            place,
            format!("two nodes are called `{name}`"),
            "every node needs a name of its own; helper nodes of nodes.count are h0, h1, ..., \
             and the task node is `task` where it is not named",
        );
    }

    /// `||x|| <= 1` for the largest values the models can give.
    pub(super) fn norms(
        &mut self,
        topology: &Topology,
        helpers: &[Helper],
        task: &Task,
        model: &ModelFeatures,
    ) {
        let (full, noise) = (&model.full_scale, f64::from(model.noise));
        let mut told = BTreeSet::new();
        for (index, helper) in helpers.iter().enumerate() {
            let (cqi, cpu) = (largest_cqi(&helper.cqi), helper.cpu_frequency_ghz.max);
            let parts = [
                ("length_kb", task.length_kb.max / full.length_kb),
                ("complexity_cycles", task.complexity_cycles.max / full.complexity_cycles),
                ("queue", largest_queue(&helper.queue)),
                ("cpu_frequency_ghz", cpu / full.cpu_frequency_ghz),
                ("cqi", cqi / full.cqi),
            ];
            // Those that say nothing reach 1 as well.
            let all = MODEL_FEATURES as f64 + noise;
            let square = (parts.iter().map(|(_, v)| v * v).sum::<f64>() + noise) / all;
            let norm = square.sqrt();
            if norm <= 1.0 + NORM_TOLERANCE {
                continue;
            }
            let (key, _) = parts.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("5 parts");
            let way = self.largest_value(topology, index, key);
            let place = self.places.of(&way);
            // Nodes that share a value share the fault.
            if told.insert((place.source.name.clone(), place.span.start)) {
                self.fail(
                    way,
                    format!("||x|| of node `{}` can reach {norm:.6}, above 1", helper.name),
                    "raise features.full_scale or lower the largest value: nothing is clipped",
                );
            }
        }
    }

    /// The way to what makes feature `key` of a node as large as it can be: the node's own value,
    /// the one in `[nodes]` or `[task]`, or else (it is a default) the full scale it exceeds.
    fn largest_value(&self, topology: &Topology, index: usize, key: &str) -> Vec<Step> {
        let table = match key {
            "length_kb" | "complexity_cycles" => way!["task", key],
            _ if self.places.has(&way!["node", index, key]) => way!["node", index, key],
            _ => way!["nodes", key],
        };
        if !self.places.has(&table) {
            return way!["features", "full_scale", key];
        }
        let listed = topology.node_list.get(index).and_then(|node| node.cpu_frequency_ghz);
        let frequency = listed.or(topology.nodes.cpu_frequency_ghz);
        match (key, frequency) {
            ("cpu_frequency_ghz", Some(Frequency::Fixed(_))) => table,
            _ => super::below(&table, "max"),
        }
    }
}

fn helper_place(topology: &Topology, index: usize) -> Vec<Step> {
    if topology.node_list.is_empty() { way!["nodes", "count"] } else { way!["node", index, "name"] }
}

pub(super) fn bad_name(name: &str) -> String {
    format!("`{name}` cannot be the name of a node")
}

fn largest_queue(queue: &Queue) -> f64 {
    match queue {
        Queue::Drawn(drawn) => drawn.max,
        Queue::Fifo(_) => 1.0,
    }
}

fn largest_cqi(cqi: &Cqi) -> f64 {
    match cqi {
        Cqi::Iid(iid) => iid.max,
        Cqi::Autoregressive(ar) => ar.max,
    }
}

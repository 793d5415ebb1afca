//! What can be wrong with the computers of the problem `placement`.

use std::collections::BTreeSet;

use super::network::{NAME_HELP, bad_name};
use super::{Check, MOST_NODES, below};
use crate::placement::HelperNode;
use crate::topology::places::{Step, way};
use crate::topology::{HelperComputer, HelperComputers, PlacementTopology, Range, is_node_name};

/// Faster than any computer, for topologies in which computing is to take no time.
const HIGHEST_GHZ: f64 = 1e6;
/// With nothing left, tasks would take for ever.
const HIGHEST_LOAD: f64 = 0.99;
const MOST_WORKERS: u32 = 64;
const MOST_WAITING: u32 = 10_000;
const LONGEST_OVERHEAD_MS: f64 = 60_000.0;

impl Check<'_, '_> {
    /// Every helper node with nothing left to default.
    pub(super) fn computers(&mut self, topology: &PlacementTopology) -> Vec<HelperNode> {
        let defaults = &topology.nodes;
        let Some(count) = self.computer_count(topology) else { return Vec::new() };
        self.computer(&way!["nodes"], &as_listed(defaults));
        let helpers: Vec<HelperNode> = (0..count)
            .map(|index| match topology.node_list.get(index) {
                Some(listed) => {
                    self.computer(&way!["node", index], listed);
                    helper(listed, defaults)
                }
                None => {
                    let name = format!("h{index}");
                    helper(&HelperComputer { name, ..as_listed(defaults) }, defaults)
                }
            })
            .collect();
        self.computer_names(topology, &helpers);
        helpers
    }

    fn computer_count(&mut self, topology: &PlacementTopology) -> Option<usize> {
        let listed = topology.node_list.len();
        let place = if listed > 0 { way!["node", 0usize] } else { way!["nodes", "count"] };
        let count = match (listed, topology.nodes.count) {
            (0, Some(count)) => count as usize,
            (0, None) => {
                self.fail(
                    way!["nodes"],
                    "how many helper nodes there are is not said",
                    "nodes.count = 1, or a [[node]] for each",
                );
                return None;
            }
            (listed, given) => {
                if given.is_some() {
                    self.fail(
                        way!["nodes", "count"],
                        format!("both nodes.count and {listed} [[node]]"),
                        "leave one of them out",
                    );
                }
                listed
            }
        };
        if count == 0 || count > MOST_NODES as usize {
            self.fail(
                place,
                format!("a topology cannot have {count} helper nodes"),
                format!("from 1 to {MOST_NODES} helper nodes"),
            );
            return None;
        }
        Some(count)
    }

    /// The keys that `[nodes]` and each `[[node]]` have in common.
    fn computer(&mut self, place: &[Step], keys: &HelperComputer) {
        if let Some(ghz) = keys.cpu_frequency_ghz {
            self.frequency(place, ghz);
        }
        if let Some(load) = keys.load {
            self.load(place, load);
        }
        if let Some(workers) = keys.workers {
            self.whole(below(place, "workers"), "workers", workers, 1, MOST_WORKERS);
        }
        if let Some(limit) = keys.queue_limit {
            self.whole(below(place, "queue_limit"), "queue_limit", limit, 0, MOST_WAITING);
        }
        if let Some(ms) = keys.service_overhead_ms {
            let key = "service_overhead_ms";
            self.within(below(place, key), key, ms, 0.0, LONGEST_OVERHEAD_MS);
        }
    }

    pub(super) fn frequency(&mut self, place: &[Step], ghz: f64) {
        let key = "cpu_frequency_ghz";
        self.within(below(place, key), key, ghz, 1e-3, HIGHEST_GHZ);
    }

    pub(super) fn load(&mut self, place: &[Step], load: Range) {
        self.range_within(&below(place, "load"), "load", load, 0.0, HIGHEST_LOAD);
    }

    fn computer_names(&mut self, topology: &PlacementTopology, helpers: &[HelperNode]) {
        let task = &topology.task_node.name;
        let task_place = way!["task-node", "name"];
        if !is_node_name(task) {
            self.fail(task_place.clone(), bad_name(task), NAME_HELP);
        }
        let mut seen = BTreeSet::new();
        for (index, helper) in helpers.iter().enumerate() {
            let place = match topology.node_list.is_empty() {
                true => task_place.clone(),
                false => way!["node", index, "name"],
            };
            if !is_node_name(&helper.name) {
                self.fail(place.clone(), bad_name(&helper.name), NAME_HELP);
            }
            if !seen.insert(helper.name.as_str()) || helper.name == *task {
                self.two_called(place, &helper.name);
            }
        }
    }
}

fn as_listed(defaults: &HelperComputers) -> HelperComputer {
    HelperComputer {
        name: String::new(),
        cpu_frequency_ghz: Some(defaults.cpu_frequency_ghz),
        load: Some(defaults.load),
        workers: Some(defaults.workers),
        queue_limit: Some(defaults.queue_limit),
        service_overhead_ms: Some(defaults.service_overhead_ms),
    }
}

fn helper(own: &HelperComputer, defaults: &HelperComputers) -> HelperNode {
    let overhead_ms = own.service_overhead_ms.unwrap_or(defaults.service_overhead_ms);
    HelperNode {
        name: own.name.clone(),
        frequency_hz: own.cpu_frequency_ghz.unwrap_or(defaults.cpu_frequency_ghz) * 1e9,
        load: own.load.unwrap_or(defaults.load),
        workers: own.workers.unwrap_or(defaults.workers),
        queue_limit: own.queue_limit.unwrap_or(defaults.queue_limit),
        overhead_ns: (overhead_ms * 1e6).round() as u64,
    }
}

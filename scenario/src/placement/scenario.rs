//! A topology of the problem `placement` that has been checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cost::CostModel;
use super::instance::PlacementInstance;
use crate::fault::{Fault, Faults, Place};
use crate::link::LinkPath;
use crate::scenario::trace_path;
use crate::topology::document::TopologyFile;
use crate::topology::expect::Naming;
use crate::topology::{
    PlacementClock, PlacementPolicySpec, PlacementTopology, Problem, Range, TransferModel,
};
use crate::validate::validate_placement;
use crate::work::{ComputeSpec, Execution};

/// A validated topology of the problem `placement`. Reading the same file gives the same scenario.
#[derive(Debug, Clone)]
pub struct PlacementScenario {
    pub(crate) topology: PlacementTopology,
    pub(crate) task_node: LocalNode,
    pub(crate) helpers: Vec<HelperNode>,
    pub(crate) links: Vec<LinkPath>,
    pub(crate) path: PathBuf,
    /// Where the topology file names the models of policies, by policy.
    pub(crate) model_places: BTreeMap<String, Place>,
}

/// The task node's own computer, with nothing left to default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalNode {
    /// Its name.
    pub name: String,
    /// CPU frequency in cycles a second.
    pub frequency_hz: f64,
    /// Share of the CPU that other work takes, drawn for each task.
    pub load: Range,
}

/// A helper node, with nothing left to default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HelperNode {
    /// Its name.
    pub name: String,
    /// CPU frequency in cycles a second.
    pub frequency_hz: f64,
    /// Share of the CPU that other work takes, drawn for each task.
    pub load: Range,
    /// Tasks that it works on at once.
    pub workers: u32,
    /// Tasks that may wait.
    pub queue_limit: u32,
    /// What the service costs for each task beside the work, in nanoseconds.
    pub overhead_ns: u64,
}

/// Bytes of input, and of output, that a computer takes at most.
pub const PAYLOAD_LIMIT: u64 = 1 << 30;

/// Where a results directory keeps the model of the policy called `policy`.
pub fn kept_model(policy: &str) -> String {
    format!("models/{policy}.safetensors")
}

impl LocalNode {
    /// The computer as a compute service: one task at a time, and none waits.
    pub fn compute(&self, load: f64, execution: Execution) -> ComputeSpec {
        ComputeSpec {
            frequency_ghz: self.frequency_hz / 1e9,
            load,
            service_overhead_ns: 0,
            workers: 1,
            queue_limit: 0,
            payload_limit: PAYLOAD_LIMIT,
            execution,
        }
    }
}

impl HelperNode {
    /// The computer as a compute service.
    pub fn compute(&self, load: f64, execution: Execution) -> ComputeSpec {
        ComputeSpec {
            frequency_ghz: self.frequency_hz / 1e9,
            load,
            service_overhead_ns: self.overhead_ns,
            workers: self.workers,
            queue_limit: self.queue_limit,
            payload_limit: PAYLOAD_LIMIT,
            execution,
        }
    }
}

impl PlacementScenario {
    /// Checks a topology file of the problem `placement`.
    ///
    /// # Errors
    /// Everything that is wrong, with places.
    pub fn from_file(file: &TopologyFile) -> Result<PlacementScenario, Faults> {
        let (topology, places) = file.parse_as(Problem::Placement)?;
        validate_placement(topology, &places, file.path())
    }

    /// As [`from_file`](Self::from_file), for somebody who is about to train models: those that the
    /// file names need not be there, and the scenario names none.
    ///
    /// # Errors
    /// Everything else that is wrong, with places.
    pub fn for_training(file: &TopologyFile) -> Result<PlacementScenario, Faults> {
        let (mut topology, places): (PlacementTopology, _) = file.parse_as(Problem::Placement)?;
        for spec in topology.policies.values_mut() {
            if let PlacementPolicySpec::Learned(learned) = spec {
                learned.model = None;
            }
        }
        validate_placement(topology, &places, file.path())
    }

    /// A fault of the model of the policy called `policy`, underlined where the file names it.
    pub fn model_fault(&self, policy: &str, fault: Fault) -> Fault {
        let place = self.model_places.get(policy).cloned().map(Box::new);
        Fault { place, ..fault }
    }

    /// Checks a topology that was made by a program; `path` names it and is what relative paths
    /// within it start from. Places in faults are those of its text.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn from_topology(
        topology: &PlacementTopology,
        path: &Path,
    ) -> Result<PlacementScenario, Faults> {
        let text = toml::to_string_pretty(topology).expect("a topology can be written as TOML");
        PlacementScenario::from_file(&TopologyFile::from_text(path, text))
    }

    /// The topology with every default filled in.
    pub fn topology(&self) -> &PlacementTopology {
        &self.topology
    }

    /// The topology with every default filled in, as TOML. A model is named as it is kept in a
    /// results directory, beside this text ([`kept_model`]). Expectations about policies that were not kept are left
    /// out: with them the text could not be read again.
    pub fn resolved_toml(&self) -> String {
        let mut topology = self.topology.clone();
        let known = |name: &str| self.topology.policies.contains_key(name);
        topology.expectations.retain(|expect| expect.names_only(known));
        for (name, spec) in &mut topology.policies {
            if let PlacementPolicySpec::Learned(learned) = spec
                && let Some(model) = &mut learned.model
            {
                *model = kept_model(name);
            }
        }
        toml::to_string_pretty(&topology).expect("a topology can be written as TOML")
    }

    /// The model files that policies name: name of the policy, and path.
    pub fn model_files(&self) -> Vec<(&str, PathBuf)> {
        self.policies()
            .filter_map(|(name, spec)| match spec {
                PlacementPolicySpec::Learned(learned) => {
                    learned.model.as_ref().map(|model| (name, trace_path(&self.path, model)))
                }
                _ => None,
            })
            .collect()
    }

    /// The folder of the topology file, from which the paths within it start.
    pub fn folder(&self) -> PathBuf {
        trace_path(&self.path, "")
    }

    /// A short name for the run: the file name of the topology without its ending.
    pub fn name(&self) -> String {
        self.path.file_stem().map_or("run".into(), |stem| stem.to_string_lossy().into_owned())
    }

    /// Length of each trial in slots, one task a slot.
    pub fn slots(&self) -> u64 {
        self.topology.slots
    }

    /// The seeds of the run, in the order in which they are run.
    pub fn seeds(&self) -> Vec<u64> {
        self.topology.seeds.to_vec()
    }

    /// The task node's computer.
    pub fn task_node(&self) -> &LocalNode {
        &self.task_node
    }

    /// The helper nodes, in the order of their numbers.
    pub fn helpers(&self) -> &[HelperNode] {
        &self.helpers
    }

    /// Names of all sites in the order of [`Site::index`](super::Site::index): the task node, then
    /// the helper nodes.
    pub fn site_names(&self) -> Vec<&str> {
        let helpers = self.helpers.iter().map(|helper| helper.name.as_str());
        std::iter::once(self.task_node.name.as_str()).chain(helpers).collect()
    }

    /// The links to the helper nodes over a trial; empty where nothing is emulated.
    pub fn links(&self) -> &[LinkPath] {
        &self.links
    }

    /// The policies that are compared, by name.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &PlacementPolicySpec)> {
        self.topology.policies.iter().map(|(name, spec)| (name.as_str(), spec))
    }

    /// Keeps only the policies whose name `wanted` accepts. Expectations about others stay, and are
    /// reported as not evaluated.
    pub fn keep_policies(&mut self, wanted: impl Fn(&str) -> bool) {
        self.topology.policies.retain(|name, _| wanted(name));
    }

    /// Whether time is real.
    pub fn is_wall(&self) -> bool {
        matches!(self.topology.clock, PlacementClock::Wall(_))
    }

    /// After which time an answer is given up, in nanoseconds; none in virtual time.
    pub fn timeout_ns(&self) -> Option<u64> {
        match &self.topology.clock {
            PlacementClock::Wall(wall) => Some(wall.timeout.0.as_nanos() as u64),
            PlacementClock::Slot(_) => None,
        }
    }

    /// A task that takes longer has missed its deadline, in nanoseconds.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.topology.task.deadline_ms.map(|ms| (ms * 1e6).round() as u64)
    }

    /// Pause between the end of a task and the next one, in nanoseconds.
    pub fn gap_ns(&self) -> u64 {
        (self.topology.task.gap_ms * 1e6).round() as u64
    }

    /// How payloads travel in virtual time.
    pub fn transfer(&self) -> TransferModel {
        self.topology.links.transfer
    }

    /// The model by which latencies are expected: a warm connection and nobody before in the queue.
    pub fn cost_model(&self) -> CostModel {
        CostModel::warm(self.transfer())
    }

    /// Derives all keys under `seed`.
    pub fn instance(&self, seed: u64) -> PlacementInstance {
        PlacementInstance::new(self, seed)
    }
}

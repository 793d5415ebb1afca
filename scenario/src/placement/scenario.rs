//! A topology of the problem `placement` that has been checked.

use serde::{Deserialize, Serialize};

use super::cost::CostModel;
use super::instance::PlacementInstance;
use crate::checked::{Checked, NamesModel, kept_model, scenario_of, toml_of};
use crate::link::LinkPath;
use crate::topology::{
    PlacementClock, PlacementExpect, PlacementPolicySpec, PlacementTopology, Problem, Range,
    TransferModel,
};
use crate::validate::validate_placement;
use crate::work::{ComputeSpec, Execution};

/// A validated topology of the problem `placement`; what all of them have is in [`Checked`]. Reading the same file gives the same scenario.
#[derive(Debug, Clone)]
pub struct PlacementScenario {
    pub(crate) checked: Checked<PlacementTopology>,
    pub(crate) task_node: LocalNode,
    pub(crate) helpers: Vec<HelperNode>,
    pub(crate) links: Vec<LinkPath>,
}

scenario_of!(
    PlacementScenario,
    PlacementTopology,
    PlacementPolicySpec,
    PlacementExpect,
    Problem::Placement,
    validate_placement
);

impl NamesModel for PlacementPolicySpec {
    fn model(&self) -> Option<&String> {
        match self {
            PlacementPolicySpec::Learned(learned) => learned.model.as_ref(),
            _ => None,
        }
    }

    fn model_mut(&mut self) -> Option<&mut Option<String>> {
        match self {
            PlacementPolicySpec::Learned(learned) => Some(&mut learned.model),
            _ => None,
        }
    }
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
    /// The topology with every default filled in, as TOML, as a results directory keeps it: models are
    /// named as they are kept beside it ([`kept_model`]). Expectations about
    /// policies that were not kept are left out: with them the text could not be read again. So is
    /// `[sweep]`, which is not played.
    pub fn resolved_toml(&self) -> String {
        self.resolved_toml_with(kept_model)
    }

    /// The same; `model` gives the name under which the model of a policy is kept beside the text.
    pub fn resolved_toml_with(&self, model: impl Fn(&str) -> String) -> String {
        toml_of(&PlacementTopology { sweep: None, ..self.checked.resolved(model) })
    }

    /// Length of each trial in slots, one task a slot.
    pub fn slots(&self) -> u64 {
        self.topology.slots
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

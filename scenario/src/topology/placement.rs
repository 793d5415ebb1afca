//! The topology file of the problem `placement`: each task runs on the task node or on a helper
//! node.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Bound, Link, LinkEvent, LinkProfile, NoParameters, Problem, Range, Seeds, Sweep, TimeSpan,
};
use crate::tagged::tagged_enum;
use crate::work::{Execution, WorkKind};

/// A topology file of the problem `placement`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlacementTopology {
    /// One sentence that says what the topology shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// `"placement"`.
    pub problem: Problem,
    /// Length of each trial in slots, one task and one decision a slot.
    pub slots: u64,
    /// Seeds of the run: a count (`50` means seeds 1 to 50), a list (`[3, 7]`), or
    /// `{ first = 101, count = 50 }`.
    #[serde(default)]
    pub seeds: Seeds,
    /// How time passes.
    #[serde(default)]
    pub clock: PlacementClock,
    /// The task of each slot.
    #[serde(default)]
    pub task: PlacementTask,
    /// The task node's own computer.
    #[serde(default)]
    pub task_node: Computer,
    /// What all helper nodes have in common, and how many there are.
    #[serde(default)]
    pub nodes: HelperComputers,
    /// Helper nodes one by one, instead of `nodes.count`; each key overrides `[nodes]`.
    #[serde(default, rename = "node", skip_serializing_if = "Vec::is_empty")]
    pub node_list: Vec<HelperComputer>,
    /// What all links have in common.
    #[serde(default)]
    pub links: PlacementLinks,
    /// Links one by one; a helper node that has none here has one as `[links]` says.
    #[serde(default, rename = "link", skip_serializing_if = "Vec::is_empty")]
    pub link_list: Vec<Link>,
    /// What changes while a trial goes on, in the order of the slots.
    #[serde(default, rename = "event", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<LinkEvent>,
    /// The policies that are compared, by name; the name is yours, `kind` says which policy it is.
    pub policies: IndexMap<String, PlacementPolicySpec>,
    /// What the run is expected to show; a run that fails one ends with exit code 1.
    #[serde(default, rename = "expect", skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<PlacementExpect>,
    /// The points at which `fogbit sweep` plays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}

tagged_enum! {
    /// How time passes.
    #[schemars(transform = crate::tagged::first_kind_is_default)]
    pub enum PlacementClock {
        /// Virtual time: how long everything takes comes from the models of computers and links.
        Slot(NoParameters) = "slot",
        /// Real time over processes: how long everything takes is measured. With the backend `sim`
        /// it is modelled all the same.
        Wall(PlacementWall) = "wall",
    }
}

impl Default for PlacementClock {
    fn default() -> PlacementClock {
        PlacementClock::Slot(NoParameters {})
    }
}

/// Real time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlacementWall {
    /// An offloaded task without an answer for this long has timed out (10 ms to 1 h).
    pub timeout: TimeSpan,
}

impl Default for PlacementWall {
    fn default() -> PlacementWall {
        PlacementWall { timeout: TimeSpan(std::time::Duration::from_secs(30)) }
    }
}

/// The task of each slot. The next one comes when the one before is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlacementTask {
    /// What is computed.
    pub work: WorkKind,
    /// Whether it is really computed.
    pub execution: Execution,
    /// CPU cycles it takes, drawn uniformly (1 to 10^13).
    pub complexity_cycles: Range,
    /// Input in KB (1,000 bytes), drawn uniformly; it travels to a helper node.
    pub input_kb: Range,
    /// Output in KB (1,000 bytes); it travels back.
    pub output_kb: f64,
    /// A task that takes longer than this has missed its deadline, in milliseconds; it is not
    /// broken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<f64>,
    /// Pause between the end of a task and the next one, in milliseconds.
    pub gap_ms: f64,
}

impl Default for PlacementTask {
    fn default() -> PlacementTask {
        PlacementTask {
            work: WorkKind::MatrixProduct,
            execution: Execution::Timed,
            complexity_cycles: Range { min: 1e8, max: 1e9 },
            input_kb: Range { min: 10.0, max: 200.0 },
            output_kb: 1.0,
            deadline_ms: None,
            gap_ms: 0.0,
        }
    }
}

/// The task node's own computer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Computer {
    /// Its name (lower-case letters, digits and hyphens).
    pub name: String,
    /// CPU frequency in GHz (0.001 to 1,000,000).
    pub cpu_frequency_ghz: f64,
    /// Share of the CPU that other work takes, drawn uniformly for each task (0 to 0.99).
    pub load: Range,
}

impl Default for Computer {
    fn default() -> Computer {
        Computer { name: super::DEFAULT_TASK_NODE.into(), cpu_frequency_ghz: 1.5, load: NO_LOAD }
    }
}

const NO_LOAD: Range = Range { min: 0.0, max: 0.0 };

/// What all helper nodes have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HelperComputers {
    /// How many helper nodes there are; they are called `h0`, `h1`, ... Leave it out where the
    /// file lists them as `[[node]]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// CPU frequency in GHz (0.001 to 1,000,000).
    pub cpu_frequency_ghz: f64,
    /// Share of the CPU that other work takes, drawn uniformly for each task (0 to 0.99).
    pub load: Range,
    /// Tasks that it works on at once (1 to 64).
    pub workers: u32,
    /// Tasks that may wait (0 to 10,000); a helper node refuses what finds no room.
    pub queue_limit: u32,
    /// What the service costs for each task beside the work, in milliseconds.
    pub service_overhead_ms: f64,
}

impl Default for HelperComputers {
    fn default() -> HelperComputers {
        HelperComputers {
            count: None,
            cpu_frequency_ghz: 15.0,
            load: NO_LOAD,
            workers: 1,
            queue_limit: 64,
            service_overhead_ms: 0.0,
        }
    }
}

/// One helper node; each key left out is taken from `[nodes]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HelperComputer {
    /// Its name (lower-case letters, digits and hyphens).
    pub name: String,
    /// CPU frequency in GHz (0.001 to 1,000,000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_frequency_ghz: Option<f64>,
    /// Share of the CPU that other work takes, drawn uniformly for each task (0 to 0.99).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Range>,
    /// Tasks that it works on at once (1 to 64).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Tasks that may wait (0 to 10,000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_limit: Option<u32>,
    /// What the service costs for each task beside the work, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_overhead_ms: Option<f64>,
}

/// What all links have in common.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlacementLinks {
    /// What they do to packets; left out, nothing is emulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<LinkProfile>,
    /// In virtual time: the round-trip time of every link is drawn anew for each task, uniformly,
    /// in milliseconds, whatever the profile says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn_rtt_ms: Option<Range>,
    /// In virtual time: how the payload of a task travels.
    pub transfer: TransferModel,
}

/// How a payload travels in virtual time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransferModel {
    /// Packet by packet through the link's elements, as over a warm QUIC connection.
    #[default]
    Packets,
    /// Size over rate, and one round trip for both ways: the arithmetic of seed formulas, without
    /// headers, loss or jitter.
    Fluid,
}

tagged_enum! {
    /// A policy of the problem `placement`, and its parameters.
    pub enum PlacementPolicySpec {
        /// Every task runs on the task node.
        AlwaysLocal(NoParameters) = "always-local",
        /// Every task goes to a helper node: the one with the shortest measured round-trip time.
        AlwaysOffload(NoParameters) = "always-offload",
        /// The analytic break-even from measured link and load: the site with the least predicted
        /// latency.
        Rule(RulePlacement) = "rule",
        /// The decision network of a trained model.
        Learned(LearnedPlacement) = "learned",
        /// A contextual bandit on observed latency: discounted linear regression for each site.
        Online(OnlinePlacement) = "online",
        /// The model with the links' true state: what regret is measured against.
        Oracle(OraclePlacement) = "oracle",
    }
}

/// Parameters of `rule`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RulePlacement {
    /// A task is offloaded only if that is predicted to be faster by this many milliseconds.
    pub margin_ms: f64,
}

/// Parameters of `learned`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearnedPlacement {
    /// The model (safetensors), relative to the topology file, as `fogbit train placement` writes
    /// it. Left out, it is trained at the start of the run, on tasks of this topology.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How it is trained.
    pub train: PlacementTraining,
}

/// How a decision network is trained. Shape and learning rate are those of the notebook of seed 000; it
/// had raw features, 5,000 tasks, 10 epochs and batches of 64.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlacementTraining {
    /// Seed of data and network; apart from the seeds of the run.
    pub seed: u64,
    /// Number of tasks that are drawn (100 to 10,000,000), of which a fifth is held out.
    pub samples: u32,
    /// How often all of them are gone through (1 to 10,000).
    pub epochs: u32,
    /// Sizes of the hidden layers (1 to 4096 each).
    pub hidden: Vec<u32>,
    /// What the network sees.
    pub features: PlacementFeatures,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Tasks in a batch.
    pub batch: u32,
    /// Units of the transfer time behind the labels.
    pub units: PlacementUnits,
}

impl Default for PlacementTraining {
    fn default() -> PlacementTraining {
        PlacementTraining {
            seed: 1,
            samples: 50_000,
            epochs: 80,
            hidden: vec![32, 16],
            features: PlacementFeatures::Logarithmic,
            learning_rate: 1e-3,
            batch: 128,
            units: PlacementUnits::Fixed,
        }
    }
}

/// What the decision network sees of a task: input size in KB, cycles, round-trip time in seconds,
/// load of the task node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlacementFeatures {
    /// As they are: the notebook's, from which a network learns nothing.
    Raw,
    /// Standardised: mean 0 and deviation 1.
    Standardised,
    /// The logarithms of cycles and of `1 - load`, and all standardised.
    #[default]
    Logarithmic,
}

impl PlacementFeatures {
    /// All kinds.
    pub const ALL: [PlacementFeatures; 3] =
        [PlacementFeatures::Raw, PlacementFeatures::Standardised, PlacementFeatures::Logarithmic];

    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            PlacementFeatures::Raw => "raw",
            PlacementFeatures::Standardised => "standardised",
            PlacementFeatures::Logarithmic => "logarithmic",
        }
    }
}

/// Units of the transfer time behind the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlacementUnits {
    /// KB times 8,000 bits over the link's rate.
    #[default]
    Fixed,
    /// KB over the rate in bytes a second, as in the notebook of seed 000: a thousand times too
    /// fast. For comparison only.
    Notebook,
}

impl PlacementUnits {
    /// Both kinds.
    pub const ALL: [PlacementUnits; 2] = [PlacementUnits::Fixed, PlacementUnits::Notebook];

    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            PlacementUnits::Fixed => "fixed",
            PlacementUnits::Notebook => "notebook",
        }
    }
}

/// Parameters of `online`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OnlinePlacement {
    /// Weight of each observation against the next one at the same site (above 0, at most 1).
    pub discount: f64,
    /// Width of the confidence bound in standard deviations (0 or above).
    pub exploration: f64,
    /// Regulariser of the regression (above 0).
    pub ridge: f64,
}

impl Default for OnlinePlacement {
    fn default() -> OnlinePlacement {
        OnlinePlacement { discount: 0.98, exploration: 0.3, ridge: 1e-3 }
    }
}

/// Parameters of `oracle`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OraclePlacement {
    /// Whether a sample of the tasks is executed at all other sites too, one after the other, so
    /// that the break-even is measured.
    pub shadow: bool,
    /// The share of the tasks that are in this sample (0 to 1).
    pub shadow_share: f64,
}

impl Default for OraclePlacement {
    fn default() -> OraclePlacement {
        OraclePlacement { shadow: false, shadow_share: 0.1 }
    }
}

/// Something the run is expected to show. `below` another policy means that the 95 % confidence
/// interval of the paired difference lies below 0; against a number it is the mean that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlacementExpect {
    /// Name of the policy.
    pub policy: String,
    /// What is compared, over all slots of the trial.
    pub metric: PlacementMetric,
    /// The policy or number it is expected to lie below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Bound>,
    /// The policy or number it is expected to lie above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Bound>,
    /// The least number of seeds it holds for. A run with fewer reports it as not evaluated.
    pub seeds: u64,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlacementMetric {
    /// Mean latency of the tasks in milliseconds.
    MeanLatencyMs,
    /// Mean regret in milliseconds: expected latency of the choice minus that of the best one.
    MeanRegretMs,
    /// Share of decisions that are the best one by the model.
    Accuracy,
    /// The same, of tasks whose local and best offloaded latency differ by more than 10 %.
    AccuracyOutsideBand,
}

impl PlacementTopology {
    /// The JSON schema of a topology file of this problem.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(PlacementTopology).to_value()
    }
}

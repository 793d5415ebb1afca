//! The types of the topology file, as written by the user; `docs/topology.md` explains them.
//!
//! The doc comments of the fields feed the JSON schema (`fogbit schema`).

mod cascade;
mod clock;
pub mod document;
mod event;
pub(crate) mod expect;
mod external;
mod feedback;
mod interval;
mod length;
mod link;
mod message;
mod node;
mod overrides;
mod pipeline;
mod placement;
pub(crate) mod places;
mod policy;
mod problem;
mod rivals;
mod seeds;
mod sweep;
mod tokens;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cascade::*;
pub use clock::{Clock, SlotClock, TimeSpan, WallClock};
pub use event::{Action, Event, LinkEvent};
pub use expect::{Bound, Expect, Metric, Naming};
pub use external::{ExternalProgram, KeptFile};
pub use feedback::{DeadlineFeedback, Feedback, FeedbackChannel, ThresholdFeedback};
pub use interval::{Counts, Range};
pub use length::RunLength;
pub use link::{
    BurstSettings, Link, LinkDefaults, LinkFault, LinkProfile, LinkSettings, LossSettings,
};
pub use node::{
    AutoregressiveCqi, Cqi, DrawnQueue, Drift, FifoQueue, Frequency, GivenWeights, HelperNode,
    IidCqi, LinkCqi, NodeDefaults, Queue, RotatingWeights, SignedWeights, SphereWeights,
    TraceWeights, Weights, is_node_name,
};
pub use overrides::{keys_overlap, same_key, same_value};
pub use pipeline::*;
pub use placement::*;
pub use policy::{
    ExplorationWidth, NoParameters, PaperWidth, PolicySpec, Prior, SequentialMle, TunedWidth,
};
pub use problem::Problem;
pub use rivals::{
    DiscountedToof, EpsilonGreedy, FullInformation, LinUcb, MleUcb, OfuEcolog, Thompson,
};
pub use seeds::{SeedBlock, Seeds};
pub use sweep::{Axis, AxisValue, Sweep, SweepGrid};
pub(crate) use tokens::gcd;
pub use tokens::{Ratio, Tokens};

use crate::tagged::tagged_enum;

/// A topology file: nodes, links, workload, policies and run length of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Topology {
    /// One sentence that says what the topology shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What kind of decision it is about; here `"one-bit"`, which may be left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub problem: Problem,
    /// Length of each trial in slots, one task and one decision a slot; or `"endless"`, until the
    /// run is stopped.
    pub slots: RunLength,
    /// Seeds of the run: a count (`50` means seeds 1 to 50), a list (`[3, 7]`), or
    /// `{ first = 101, count = 50 }`.
    #[serde(default)]
    pub seeds: Seeds,
    /// How time passes.
    #[serde(default)]
    pub clock: Clock,
    /// Where the features come from and how they are scaled to `||x|| <= 1`.
    #[serde(default)]
    pub features: Features,
    /// The task of each slot. Not allowed with features from a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// How a helper node turns its happiness into one bit.
    #[serde(default)]
    pub feedback: Feedback,
    /// What all helper nodes have in common, and how many there are.
    #[serde(default)]
    pub nodes: NodeDefaults,
    /// Helper nodes one by one, instead of `nodes.count`; each key overrides `[nodes]`.
    #[serde(default, rename = "node", skip_serializing_if = "Vec::is_empty")]
    pub node_list: Vec<HelperNode>,
    /// Task nodes. Reserved: exactly one is accepted, and it may be left out.
    #[serde(default, rename = "task-node", skip_serializing_if = "Vec::is_empty")]
    pub task_nodes: Vec<TaskNode>,
    /// What the links between the task node and the helper nodes do to packets.
    #[serde(default, rename = "links", skip_serializing_if = "Option::is_none")]
    pub link_defaults: Option<LinkDefaults>,
    /// Links one by one; a helper node that has none here has one as `[links]` says.
    #[serde(default, rename = "link", skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// The policies that are compared, by name; the name is yours, `kind` says which policy it is.
    pub policies: IndexMap<String, PolicySpec>,
    /// What changes while a trial goes on, in the order of the slots: nodes that leave and join,
    /// weights that are other ones from then on.
    #[serde(default, rename = "event", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// What the run is expected to show; a run that fails one ends with exit code 1.
    #[serde(default, rename = "expect", skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<Expect>,
    /// The points at which `fogbit sweep` plays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

tagged_enum! {
    /// Where the features come from.
    #[schemars(transform = crate::tagged::first_kind_is_default)]
    pub enum Features {
        /// Drawn from the models of `[task]` and `[nodes]`; in this order: task length, task
        /// complexity, queue length, CPU frequency, CQI.
        Model(ModelFeatures) = "model",
        /// Read from a file.
        Trace(TraceFeatures) = "trace",
    }
}

impl Default for Features {
    fn default() -> Features {
        Features::Model(ModelFeatures::default())
    }
}

/// Features drawn from models.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelFeatures {
    /// The raw value that counts as 1. A feature is `raw / full_scale / sqrt(d)`, where d = 5 plus
    /// those that say nothing.
    pub full_scale: FullScale,
    /// Number of further features that say nothing: drawn uniformly between 0 and 1 in each slot
    /// at each node, and of weight 0 (0 to 100).
    pub noise: u32,
}

/// The raw values that count as 1; a queue's full scale is its own capacity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FullScale {
    /// Task length in KB.
    pub length_kb: f64,
    /// Task complexity in CPU cycles.
    pub complexity_cycles: f64,
    /// CPU frequency in GHz.
    pub cpu_frequency_ghz: f64,
    /// Channel quality indicator (15 is the best index of LTE and 5G).
    pub cqi: f64,
}

impl Default for FullScale {
    fn default() -> FullScale {
        FullScale { length_kb: 1000.0, complexity_cycles: 1e9, cpu_frequency_ghz: 4.0, cqi: 15.0 }
    }
}

/// Features from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceFeatures {
    /// The file, relative to the topology file: `.csv` or `.jsonl`, either of them also with `.gz`.
    pub path: String,
}

/// The task of each slot, drawn uniformly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Task {
    /// Length in KB.
    pub length_kb: Range,
    /// Complexity in CPU cycles.
    pub complexity_cycles: Range,
}

impl Default for Task {
    fn default() -> Task {
        Task {
            length_kb: Range { min: 0.0, max: 1000.0 },
            complexity_cycles: Range { min: 0.0, max: 1e9 },
        }
    }
}

/// A task node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskNode {
    /// Its name (lower-case letters, digits and hyphens).
    pub name: String,
}

/// Name of the task node where the file gives none.
pub const DEFAULT_TASK_NODE: &str = "task";

impl Topology {
    /// Name of the task node.
    pub fn task_node_name(&self) -> &str {
        self.task_nodes.first().map_or(DEFAULT_TASK_NODE, |node| node.name.as_str())
    }

    /// The JSON schema of the topology file, as committed in `docs/topology.schema.json`.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Topology).to_value()
    }
}

//! The topology file of the problem `pipeline`: applications of many sub-tasks, each of which runs on
//! the task node or on a helper node.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bound, Counts, NoParameters, Problem, Range, Seeds, Sweep, TimeSpan};
use crate::pipeline::Shape;
use crate::tagged::tagged_enum;

/// A topology file of the problem `pipeline`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PipelineTopology {
    /// One sentence that says what the topology shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// `"pipeline"`.
    pub problem: Problem,
    /// Length of each trial in applications, one after the other.
    pub applications: u64,
    /// Seeds of the run: a count (`50` means seeds 1 to 50), a list (`[3, 7]`), or
    /// `{ first = 101, count = 50 }`.
    #[serde(default)]
    pub seeds: Seeds,
    /// A CSV file that `fogbit train pipeline --label-sweep` wrote, relative to the topology file: the
    /// report then shows accuracy against the number of labels.
    #[serde(default, rename = "label_sweep", skip_serializing_if = "Option::is_none")]
    pub label_sweep: Option<String>,
    /// How time passes.
    #[serde(default)]
    pub clock: PipelineClock,
    /// How applications are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationMix>,
    /// Applications one by one, instead of `[application]`; they take turns.
    #[serde(default, rename = "graph", skip_serializing_if = "Vec::is_empty")]
    pub graphs: Vec<Graph>,
    /// The task node: the device, site 0.
    pub task_node: PipelineSite,
    /// The helper nodes: sites 1, 2, ... in this order.
    #[serde(rename = "node")]
    pub nodes: Vec<PipelineSite>,
    /// A link for each two sites.
    #[serde(rename = "link")]
    pub links: Vec<SiteLink>,
    /// The policies that are compared, by name; the name is yours, `kind` says which policy it is.
    pub policies: IndexMap<String, PipelinePolicySpec>,
    /// What the run is expected to show; a run that fails one ends with exit code 1.
    #[serde(default, rename = "expect", skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<PipelineExpect>,
    /// The points at which `fogbit sweep` plays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}

tagged_enum! {
    /// How time passes.
    #[schemars(transform = crate::tagged::first_kind_is_default)]
    pub enum PipelineClock {
        /// Virtual time: delays come from the model. Over processes the sub-tasks run where they are
        /// placed, in the order of the graph, but take no time, and links are not emulated.
        Slot(NoParameters) = "slot",
        /// Real time over processes: sub-tasks take their time, links are emulated, delays are
        /// measured. With the backend `sim` they are modelled all the same.
        Wall(PipelineWall) = "wall",
    }
}

impl Default for PipelineClock {
    fn default() -> PipelineClock {
        PipelineClock::Slot(NoParameters {})
    }
}

/// Real time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineWall {
    /// An application that is not done after this long has timed out (10 ms to 1 h).
    pub timeout: TimeSpan,
}

impl Default for PipelineWall {
    fn default() -> PipelineWall {
        PipelineWall { timeout: TimeSpan(std::time::Duration::from_secs(30)) }
    }
}

/// How applications are drawn. Input is on the device when an application arrives, and output is to
/// come to the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApplicationMix {
    /// Shapes of the graphs, all equally likely.
    pub shapes: Vec<Shape>,
    /// Number of sub-tasks, drawn uniformly (2 to 12).
    pub sub_tasks: Counts,
    /// CPU cycles of each sub-task, drawn log-uniformly (1 to 10^13).
    pub cycles: Range,
    /// What flows into the application, from sub-task to sub-task and out of it, each drawn
    /// log-uniformly, in KB (1,000 bytes).
    pub data_kb: Range,
}

impl Default for ApplicationMix {
    fn default() -> ApplicationMix {
        ApplicationMix {
            shapes: Shape::ALL.to_vec(),
            sub_tasks: Counts { min: 8, max: 8 },
            cycles: Range { min: 1e8, max: 1e9 },
            data_kb: Range { min: 10.0, max: 200.0 },
        }
    }
}

/// An application that is given: its sub-tasks, and what flows between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// Its sub-tasks, in any order (1 to 16).
    #[serde(rename = "sub-task")]
    pub sub_tasks: Vec<GraphTask>,
    /// What flows from one to another.
    #[serde(default, rename = "flow", skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<GraphFlow>,
}

/// A sub-task of a given application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphTask {
    /// Its name.
    pub name: String,
    /// CPU cycles it takes (1 to 10^13).
    pub cycles: f64,
    /// Names of the sites where it may run. Left out, it may run anywhere; but a source without
    /// `input_kb`, which reads the sensors of the device, only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sites: Option<Vec<String>>,
    /// Input that is on the device when the application arrives, in KB (1,000 bytes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_kb: Option<f64>,
    /// Output that is to come to the device, in KB (1,000 bytes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_kb: Option<f64>,
}

/// What flows from a sub-task of a given application to another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphFlow {
    /// Name of the sub-task that gives it.
    pub from: String,
    /// Name of the sub-task that needs it.
    pub to: String,
    /// How much it is, in KB (1,000 bytes).
    pub kb: f64,
}

/// A site: one computer that does one sub-task at a time, first come, first served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineSite {
    /// Its name (lower-case letters, digits and hyphens).
    pub name: String,
    /// CPU frequency in GHz (0.001 to 1,000,000).
    pub cpu_frequency_ghz: f64,
    /// Share of the CPU that other work takes, drawn uniformly for each application (0 to 0.99).
    #[serde(default = "nothing")]
    pub load: Range,
    /// How long it is still busy with the work of others when an application arrives, drawn uniformly,
    /// in milliseconds.
    #[serde(default = "nothing")]
    pub busy_ms: Range,
    /// What the service costs for each sub-task beside its cycles, in milliseconds.
    #[serde(default)]
    pub service_overhead_ms: f64,
}

fn nothing() -> Range {
    Range { min: 0.0, max: 0.0 }
}

/// The link between two sites. Data takes it straight, in both directions at once and one flow at a
/// time in each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteLink {
    /// Names of its two sites.
    pub between: Vec<String>,
    /// Mbit of payload a second in each direction, drawn log-uniformly for each application.
    pub mbit_s: Range,
    /// Round-trip time in milliseconds, drawn log-uniformly for each application.
    pub rtt_ms: Range,
}

tagged_enum! {
    /// A policy of the problem `pipeline`, and its parameters.
    pub enum PipelinePolicySpec {
        /// Every sub-task runs at one site; one that may not, at the first site where it may.
        Fixed(FixedPipeline) = "fixed",
        /// Each sub-task runs at a site that is drawn.
        Random(NoParameters) = "random",
        /// Each sub-task, one after the other, runs where it is done first.
        Greedy(NoParameters) = "greedy",
        /// The placement with the least delay, found by search.
        Search(SearchPipeline) = "search",
        /// A network that was trained on optimal placements.
        Imitation(ImitationPipeline) = "imitation",
        /// A small network that was trained on optimal placements and on what a larger one says.
        Distilled(DistilledPipeline) = "distilled",
    }
}

/// Parameters of `fixed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedPipeline {
    /// Name of the site.
    pub site: String,
}

/// Parameters of `search`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SearchPipeline {
    /// How the best placement is found; both ways find the same.
    pub method: SearchMethod,
}

/// How the best placement is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SearchMethod {
    /// Partial placements that cannot become better than the best known one are given up.
    #[default]
    BranchAndBound,
    /// All placements are tried.
    Exhaustive,
}

/// Parameters of `imitation`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImitationPipeline {
    /// The model (safetensors), relative to the topology file, as `fogbit train pipeline` writes it.
    /// Left out, it is trained at the start of the run, on applications of this topology.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How it is trained.
    pub train: PipelineTraining,
}

/// Parameters of `distilled`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DistilledPipeline {
    /// The model (safetensors), relative to the topology file, as `fogbit train pipeline` writes it.
    /// Left out, it is trained at the start of the run, and its teacher before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How it is trained.
    pub train: PipelineTraining,
    /// How its teacher is trained.
    pub teacher: PipelineTraining,
    /// Temperature of the softmax of both, by which the teacher's answers become softer (0.1 to 100).
    pub temperature: f64,
    /// Weight of the teacher's answers against the labels (0 to 1).
    pub alpha: f64,
}

impl Default for DistilledPipeline {
    fn default() -> DistilledPipeline {
        DistilledPipeline {
            model: None,
            train: PipelineTraining::default(),
            teacher: PipelineTraining::default(),
            temperature: 3.0,
            alpha: 0.7,
        }
    }
}

/// How a network is trained on optimal placements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineTraining {
    /// Seed of applications and network; apart from the seeds of the run.
    pub seed: u64,
    /// Number of applications whose best placements are found and learned (100 to 100,000,000).
    pub labels: u32,
    /// How often all of them are gone through (1 to 10,000).
    pub epochs: u32,
    /// Applications in a batch (1 to 1,000,000).
    pub batch: u32,
    /// Sizes of the hidden layers (1 to 4096 each). Left out, a teacher has three of 256, whoever
    /// learns from one 64 and 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Vec<u32>>,
    /// Learning rate of Adam at the start.
    pub learning_rate: f64,
    /// Weight of what a wrong site costs against the label itself (0 to 1,000).
    pub cost_weight: f64,
}

impl Default for PipelineTraining {
    fn default() -> PipelineTraining {
        PipelineTraining {
            seed: 1,
            labels: 200_000,
            epochs: 20,
            batch: 128,
            hidden: None,
            learning_rate: 1e-3,
            cost_weight: 5.0,
        }
    }
}

/// Something the run is expected to show, over its seeds: `below` another policy means that the 95 %
/// confidence interval of the paired difference lies below 0 (above 0 for `above`); against a number
/// it is the mean that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineExpect {
    /// Name of the policy.
    pub policy: String,
    /// What is compared.
    pub metric: PipelineMetric,
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
pub enum PipelineMetric {
    /// Modelled delay of all applications of a trial over their least possible delay.
    DelayRatio,
    /// Mean modelled delay of an application, in milliseconds.
    MeanDelayMs,
    /// Share of sub-tasks that were placed as in the label: the best placement.
    LabelAccuracy,
    /// Share of applications of which all sub-tasks were placed as in the label.
    ExactMatch,
    /// Share of applications with the least possible delay, whatever the placement.
    OptimalShare,
}

impl PipelineMetric {
    /// All of them.
    pub const ALL: [PipelineMetric; 5] = [
        PipelineMetric::DelayRatio,
        PipelineMetric::MeanDelayMs,
        PipelineMetric::LabelAccuracy,
        PipelineMetric::ExactMatch,
        PipelineMetric::OptimalShare,
    ];

    /// The name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            PipelineMetric::DelayRatio => "delay_ratio",
            PipelineMetric::MeanDelayMs => "mean_delay_ms",
            PipelineMetric::LabelAccuracy => "label_accuracy",
            PipelineMetric::ExactMatch => "exact_match",
            PipelineMetric::OptimalShare => "optimal_share",
        }
    }
}

impl PipelineTopology {
    /// The JSON schema of a topology file of this problem.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(PipelineTopology).to_value()
    }
}

//! The topology file of the problem `cascade`: a weak classifier on the task node, a strong one on a
//! helper node, and a token bucket between them.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bound, LinkEvent, LinkProfile, NoParameters, Problem, Seeds, Sweep, TimeSpan, Tokens};
use crate::tagged::tagged_enum;

/// A topology file of the problem `cascade`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CascadeTopology {
    /// One sentence that says what the topology shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// `"cascade"`.
    pub problem: Problem,
    /// Length of each trial in images, one decision an image.
    pub images: u64,
    /// Seeds of the run: a count (`50` means seeds 1 to 50), a list (`[3, 7]`), or
    /// `{ first = 101, count = 50 }`.
    #[serde(default)]
    pub seeds: Seeds,
    /// How time passes.
    #[serde(default)]
    pub clock: CascadeClock,
    /// What the classifiers say of each image.
    pub trace: ImageTrace,
    /// Which image comes next.
    #[serde(default)]
    pub stream: ImageStream,
    /// When it comes.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// The token bucket: sending an image takes one token.
    pub bucket: Bucket,
    /// The images themselves, for runs over processes in which they are really classified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<Pictures>,
    /// The task node: a camera with the weak classifier.
    #[serde(default)]
    pub task_node: Camera,
    /// The helper node: the strong classifier.
    #[serde(default)]
    pub edge: Edge,
    /// The link between them, emulated over processes in real time.
    #[serde(default)]
    pub links: CascadeLinks,
    /// Changes of the link, in the order of the slots.
    #[serde(default, rename = "event", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<LinkEvent>,
    /// The policies that are compared, by name; the name is yours, `kind` says which policy it is.
    pub policies: IndexMap<String, CascadePolicySpec>,
    /// What the run is expected to show; a run that fails one ends with exit code 1.
    #[serde(default, rename = "expect", skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<CascadeExpect>,
    /// The points at which `fogbit sweep` plays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}

tagged_enum! {
    /// How time passes.
    #[schemars(transform = crate::tagged::first_kind_is_default)]
    pub enum CascadeClock {
        /// Virtual time, as fast as possible. Over processes images travel all the same, and their
        /// stages are timed; links are not emulated.
        Slot(NoParameters) = "slot",
        /// Real time over processes: slots take their time, and links are emulated. With the backend
        /// `sim` time is virtual all the same.
        Wall(CascadeWall) = "wall",
    }
}

impl Default for CascadeClock {
    fn default() -> CascadeClock {
        CascadeClock::Slot(NoParameters {})
    }
}

/// Real time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CascadeWall {
    /// Length of a slot (1 ms to 1 h).
    pub slot: TimeSpan,
    /// An image without an answer for this long counts as classified by the task node (10 ms to
    /// 1 h).
    pub timeout: TimeSpan,
}

impl Default for CascadeWall {
    fn default() -> CascadeWall {
        let ms = |ms| TimeSpan(std::time::Duration::from_millis(ms));
        CascadeWall { slot: ms(200), timeout: ms(5000) }
    }
}

/// What the classifiers say of each image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageTrace {
    /// The file, relative to the topology file: CSV, or CSV.gz (docs/cascade.md).
    pub file: String,
    /// What sending an image gains.
    #[serde(default)]
    pub score: Score,
    /// Mean loss of the weak classifier, where the trace holds no losses of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weak_loss: Option<f64>,
}

/// What sending an image gains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// Its own reward: loss of the weak minus loss of the strong classifier.
    #[default]
    Reward,
    /// The reward that its metric leads to expect: the same mean, without the noise of the outcomes.
    Metric,
}

/// Which image comes next. All images, sorted by metric, are a ring; each comes from a window of it,
/// which now and then jumps to another place. The default has no memory at all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageStream {
    /// Width of the window as a share of all images (0 to 1).
    pub spread: f64,
    /// Probability at each image that the window jumps (0 to 1).
    pub reset: f64,
}

impl Default for ImageStream {
    fn default() -> ImageStream {
        ImageStream { spread: 1.0, reset: 1.0 }
    }
}

tagged_enum! {
    /// When the next image comes.
    #[schemars(transform = crate::tagged::first_kind_is_default)]
    pub enum Arrivals {
        /// One image every so many slots.
        Constant(ConstantArrivals) = "constant",
        /// Two states that alternate, each with a gap of its own (a Markov-modulated process).
        Markov(MarkovArrivals) = "markov",
    }
}

impl Default for Arrivals {
    fn default() -> Arrivals {
        Arrivals::Constant(ConstantArrivals::default())
    }
}

/// One image every so many slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConstantArrivals {
    /// Slots from one image to the next (1 to 1,000).
    pub gap: u32,
}

impl Default for ConstantArrivals {
    fn default() -> ConstantArrivals {
        ConstantArrivals { gap: 1 }
    }
}

/// Two states that alternate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkovArrivals {
    /// Slots from one image to the next in each state (1 to 1,000).
    #[serde(deserialize_with = "both")]
    pub gaps: [u32; 2],
    /// Probability in each slot of leaving each state (above 0, at most 1).
    #[serde(deserialize_with = "both")]
    pub leave: [f64; 2],
}

/// Two values, and not one more: those beyond an array's end would be passed over.
fn both<'de, T, D>(deserializer: D) -> Result<[T; 2], D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    let values = Vec::<T>::deserialize(deserializer)?;
    let count = values.len();
    <[T; 2]>::try_from(values).map_err(|_| {
        serde::de::Error::custom(format!("{count} values where there are two states: one for each"))
    })
}

/// The token bucket. It is full at the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Tokens that come in each slot (above 0, at most 1), exactly: `0.1` or `"1/3"`.
    pub rate: Tokens,
    /// Tokens that it holds (1 or more), exactly.
    pub depth: Tokens,
}

/// The images themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pictures {
    /// Folder with the idx files of Fashion-MNIST, relative to the topology file.
    pub from: String,
    /// Folder with `weak.safetensors` and `strong.safetensors`, as `fogbit train classifiers` writes
    /// them, relative to the topology file.
    pub classifiers: String,
}

/// The task node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Camera {
    /// Its name (lower-case letters, digits and hyphens).
    pub name: String,
}

impl Default for Camera {
    fn default() -> Camera {
        Camera { name: super::DEFAULT_TASK_NODE.into() }
    }
}

/// The helper node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Edge {
    /// Its name (lower-case letters, digits and hyphens).
    pub name: String,
    /// Images that it classifies at once (1 to 64).
    pub workers: u32,
    /// Images that may wait (0 to 10,000); it refuses what finds no room.
    pub queue_limit: u32,
    /// What travels for each image without `[pictures]`, in KB (1,000 bytes).
    pub image_kb: f64,
    /// How long it takes for an image without `[pictures]`, in milliseconds.
    pub service_ms: f64,
}

impl Default for Edge {
    fn default() -> Edge {
        Edge { name: "edge".into(), workers: 1, queue_limit: 64, image_kb: 0.784, service_ms: 0.0 }
    }
}

/// The link.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CascadeLinks {
    /// What it does to packets; left out, nothing is emulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<LinkProfile>,
}

tagged_enum! {
    /// A policy of the problem `cascade`, and its parameters.
    pub enum CascadePolicySpec {
        /// Sends an image if its metric is at least a fixed threshold, and there is a token.
        Threshold(ThresholdCascade) = "threshold",
        /// A threshold for each number of tokens, optimal where images come independently.
        Mdp(MdpCascade) = "mdp",
        /// A deep Q-network over the last metrics and gaps.
        Dqn(DqnCascade) = "dqn",
        /// Infers where the stream is, and weighs the thresholds that were optimal if it knew.
        Belief(BeliefCascade) = "belief",
        /// The threshold without the bucket: what no policy without foresight goes below on average.
        LowerBound(ThresholdCascade) = "lower-bound",
        /// Optimal for somebody who is told the hidden state of the stream.
        HiddenState(BeliefCascade) = "hidden-state",
        /// Optimal for somebody who is told all images of the trial in advance.
        Clairvoyant(NoParameters) = "clairvoyant",
    }
}

impl CascadePolicySpec {
    /// Kinds that are told more than a task node can see.
    pub const TOLD_MORE: [&'static str; 3] = ["lower-bound", "hidden-state", "clairvoyant"];
}

/// Parameters of `threshold` and `lower-bound`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ThresholdCascade {
    /// The threshold on the metric; left out, the quantile of the trace's metrics by which as many
    /// images are sent as tokens come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// Parameters of `mdp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MdpCascade {
    /// Weight of the next image against this one (above 0, below 1).
    pub discount: f64,
    /// Whether thresholds are searched among all metrics with their mean rewards, which needs no
    /// calibrated metric, instead of being computed from the values.
    pub search: bool,
}

impl Default for MdpCascade {
    fn default() -> MdpCascade {
        MdpCascade { discount: 0.9999, search: false }
    }
}

/// Parameters of `belief` and `hidden-state`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BeliefCascade {
    /// Weight of the next image against this one (above 0, below 1).
    pub discount: f64,
    /// Into how many places the ring of images is cut (8 to 4,096).
    pub places: u32,
}

impl Default for BeliefCascade {
    fn default() -> BeliefCascade {
        BeliefCascade { discount: 0.9999, places: 400 }
    }
}

/// Parameters of `dqn`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DqnCascade {
    /// The model (safetensors), relative to the topology file, as `fogbit train dqn` writes it. Left
    /// out, it is trained at the start of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Use the model even though it was trained for another setting. Bucket and shape must be the
    /// same in any case.
    pub other_setting: bool,
    /// How it is trained.
    pub train: DqnTraining,
}

/// How a deep Q-network is trained (section VI-A3 of arXiv 2208.00485).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DqnTraining {
    /// Seed of images and network; apart from the seeds of the run.
    pub seed: u64,
    /// How often the target network is brought up to date (1 to 1,000,000).
    pub iterations: u32,
    /// Updates in an iteration (1 to 100,000).
    pub updates: u32,
    /// Segments of the stream in an update (1 to 100,000).
    pub batch: u32,
    /// Images in a segment (2 to 1,000): the network sees one less.
    pub history: u32,
    /// Sizes of the hidden layers (1 to 4096 each).
    pub hidden: Vec<u32>,
    /// Images that are drawn to train on (1,000 to 1,000,000,000).
    pub images: u64,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Learning rate in the last quarter of the iterations.
    pub last_learning_rate: f64,
    /// Weight of the next image against this one (above 0, below 1).
    pub discount: f64,
}

impl Default for DqnTraining {
    fn default() -> DqnTraining {
        DqnTraining {
            seed: 1,
            iterations: 4000,
            updates: 128,
            batch: 128,
            history: 97,
            hidden: vec![64; 5],
            images: 10_000_000,
            learning_rate: 1e-3,
            last_learning_rate: 1e-4,
            discount: 0.9999,
        }
    }
}

/// Something the run is expected to show, over its seeds: `below` another policy means that the 95 %
/// confidence interval of the paired difference lies below 0 (above 0 for `above`); against a number
/// it is the mean that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CascadeExpect {
    /// Name of the policy.
    pub policy: String,
    /// What is compared.
    pub metric: CascadeMetric,
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
pub enum CascadeMetric {
    /// Average loss over the images of a trial.
    AverageLoss,
    /// Share of images that were sent.
    OffloadedShare,
    /// Share of the tokens that came and found the bucket full.
    WastedShare,
}

impl CascadeMetric {
    /// All of them.
    pub const ALL: [CascadeMetric; 3] =
        [CascadeMetric::AverageLoss, CascadeMetric::OffloadedShare, CascadeMetric::WastedShare];

    /// The name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            CascadeMetric::AverageLoss => "average_loss",
            CascadeMetric::OffloadedShare => "offloaded_share",
            CascadeMetric::WastedShare => "wasted_share",
        }
    }
}

impl CascadeTopology {
    /// The JSON schema of a topology file of this problem.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(CascadeTopology).to_value()
    }
}

//! One seed of a scenario: the hidden truth and the keys, cut into the parts that each process is
//! given and nothing more.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::deadline::InTime;
use crate::draw::{Key, Purpose, Stream};
use crate::event::Change;
use crate::feedback::FeedbackModel;
use crate::link::LinkPath;
use crate::rules::TrialRules;
use crate::scenario::Scenario;
use crate::topology::{Cqi, Drift, Features, PolicySpec, Queue, Range, Weights};
use crate::weights::{Turn, WeightChange, WeightMotion};

/// A scenario under one seed. Only the orchestrator holds all of it.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The seed.
    pub seed: u64,
    /// Number of features d.
    pub features: usize,
    /// Each helper node's own part.
    pub helpers: Vec<HelperSpec>,
    /// The task node's part.
    pub tasks: TaskSpec,
    /// Who is there in which slot, and when bits are learnt.
    pub rules: TrialRules,
}

/// What one helper node knows: its hidden weights, its model and its own keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HelperSpec {
    /// Its number, from 0.
    pub node: u32,
    /// Its name in the topology.
    pub name: String,
    /// Hidden weights w in slot 1, one for each feature: the task's features first, then the node's.
    /// All are 0 where it has none, as with a deadline.
    pub weights: Vec<f64>,
    /// How they change.
    pub motion: WeightMotion,
    /// The node's own features, slot after slot.
    pub state: StateSpec,
    /// The draw behind the bit of each slot.
    pub feedback: FeedbackDraws,
    /// How it turns what a task is worth into that bit.
    pub model: FeedbackModel,
    /// The link that leads to it; none where nothing is emulated.
    pub link: Option<LinkPath>,
}

impl HelperSpec {
    /// When the node answers in time, where that is what counts.
    pub fn in_time(&self) -> Option<InTime> {
        let deadline = self.model.deadline()?;
        Some(InTime::new(*deadline, self.link.as_ref()))
    }
}

/// Where the features of a helper node come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StateSpec {
    /// Queue length, CPU frequency and CQI by their models.
    Model {
        /// The queue.
        queue: QueueSpec,
        /// CPU frequency as a feature.
        cpu_frequency: f64,
        /// Channel quality.
        cqi: CqiSpec,
        /// Features that say nothing, which come last.
        noise: Vec<UniformFeature>,
    },
    /// Rows of a trace, `width` values a slot.
    Trace {
        /// Values a slot.
        width: u32,
        /// Slot after slot.
        values: Arc<[f64]>,
    },
}

/// A number that is drawn uniformly each slot, as a feature: `low + u * span`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UniformFeature {
    /// Key of the draws.
    pub key: Key,
    /// Smallest value.
    pub low: f64,
    /// Largest minus smallest value.
    pub span: f64,
}

impl UniformFeature {
    /// The feature for a raw interval and the factor that scales raw values.
    fn new(key: Key, range: Range, scale: f64) -> UniformFeature {
        UniformFeature { key, low: range.min * scale, span: (range.max - range.min) * scale }
    }
}

/// A helper node's queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum QueueSpec {
    /// Drawn anew each slot.
    Drawn(UniformFeature),
    /// First in, first out.
    Fifo {
        /// Tasks it holds.
        capacity: u32,
        /// Service in millionths of a task a slot.
        service_micro: u64,
        /// Mean number of own tasks a slot.
        own_rate: f64,
        /// Key of the numbers of own tasks.
        own_key: Key,
        /// The feature of a full queue.
        scale: f64,
    },
}

/// A helper node's channel quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CqiSpec {
    /// Independent from slot to slot.
    Iid(UniformFeature),
    /// `z_t = correlation z_(t-1) + sqrt(1 - correlation^2) e_t`, mapped to uniform values.
    Autoregressive {
        /// Range and key of the innovations e.
        feature: UniformFeature,
        /// Correlation of one slot with the next.
        correlation: f64,
    },
    /// What the rate to the node amounts to.
    Link {
        /// MHz of the channel.
        bandwidth_mhz: f64,
        /// The feature of index 1.
        scale: f64,
    },
}

/// Where the uniform draw behind each bit comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FeedbackDraws {
    /// From the node's own key.
    Keyed(Key),
    /// From a trace, one a slot.
    Trace(Arc<[f64]>),
}

/// What the task node knows of its tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TaskSpec {
    /// Each feature drawn uniformly each slot.
    Drawn(Vec<UniformFeature>),
    /// Rows of a trace.
    Trace {
        /// Values a slot.
        width: u32,
        /// Slot after slot.
        values: Arc<[f64]>,
    },
}

/// The features of the task of each slot.
#[derive(Debug, Clone)]
pub enum TaskSource {
    /// Drawn.
    Drawn(Vec<(Stream, f64, f64)>),
    /// From a trace.
    Trace(usize, Arc<[f64]>),
}

impl TaskSource {
    /// The tasks that `spec` describes.
    pub fn new(spec: &TaskSpec) -> TaskSource {
        match spec {
            TaskSpec::Drawn(features) => TaskSource::Drawn(
                features.iter().map(|f| (Stream::new(&f.key), f.low, f.span)).collect(),
            ),
            TaskSpec::Trace { width, values } => {
                TaskSource::Trace(*width as usize, Arc::clone(values))
            }
        }
    }

    /// How many features a task has.
    pub fn width(&self) -> usize {
        match self {
            TaskSource::Drawn(features) => features.len(),
            TaskSource::Trace(width, _) => *width,
        }
    }

    /// Writes the features of the task of `slot` into `task`, of length [`width`](Self::width).
    #[inline]
    pub fn read(&mut self, slot: u64, task: &mut [f64]) {
        match self {
            TaskSource::Drawn(features) => {
                for ((stream, low, span), value) in features.iter_mut().zip(task) {
                    *value = *low + stream.uniform(slot) * *span;
                }
            }
            TaskSource::Trace(width, values) => {
                let first = (slot as usize - 1) * *width;
                task.copy_from_slice(&values[first..first + *width]);
            }
        }
    }
}

impl Instance {
    /// Draws the hidden truth of `seed` and derives all keys.
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Instance {
        let features = scenario.features();
        let helpers = (0..scenario.nodes()).map(|node| helper(scenario, seed, node)).collect();
        Instance { seed, features, helpers, tasks: tasks(scenario, seed), rules: scenario.rules() }
    }

    /// Hidden weights in slot 1, node after node; [`Truth`](crate::Truth) has those of any slot.
    pub fn weights(&self) -> Vec<Vec<f64>> {
        self.helpers.iter().map(|helper| helper.weights.clone()).collect()
    }
}

/// The key of the private randomness of the policy called `name`.
pub fn policy_key(seed: u64, name: &str) -> Key {
    Key::derive(seed, Purpose::Policy(name), 0)
}

/// Whether this policy is told more than a task node can see, so that its choices come from an
/// oracle.
pub fn asks_an_oracle(policy: &PolicySpec) -> bool {
    PolicySpec::TOLD_MORE.contains(&policy.kind())
}

fn helper(scenario: &Scenario, seed: u64, node: usize) -> HelperSpec {
    let spec = &scenario.helpers()[node];
    let key = |purpose| Key::derive(seed, purpose, node);
    let state = match (&scenario.topology().features, scenario.trace()) {
        (Features::Trace(_), Some(trace)) => StateSpec::Trace {
            width: trace.node_width() as u32,
            values: trace.node_values(node, scenario.last_slot()),
        },
        (Features::Model(model), _) => {
            let full = &model.full_scale;
            let unit = scenario.unit();
            let cpu_frequency = {
                let range = spec.cpu_frequency_ghz;
                let drawn = Stream::new(&key(Purpose::CpuFrequency)).uniform(1);
                (range.min + drawn * (range.max - range.min)) * (unit / full.cpu_frequency_ghz)
            };
            StateSpec::Model {
                queue: queue(&spec.queue, unit, &key),
                cpu_frequency,
                cqi: cqi(&spec.cqi, unit / full.cqi, key(Purpose::Cqi)),
                noise: (0..model.noise)
                    .map(|index| {
                        let range = Range { min: 0.0, max: 1.0 };
                        UniformFeature::new(key(Purpose::Noise(index)), range, unit)
                    })
                    .collect(),
            }
        }
        (Features::Trace(_), None) => unreachable!("a scenario with trace features has its trace"),
    };
    let feedback = match scenario.trace().and_then(|t| t.draws(node, scenario.last_slot())) {
        Some(draws) => FeedbackDraws::Trace(draws),
        None => FeedbackDraws::Keyed(key(Purpose::Feedback)),
    };
    HelperSpec {
        node: node as u32,
        name: spec.name.clone(),
        weights: weights(scenario, &spec.weights, seed, node, 0),
        motion: motion(scenario, seed, node),
        state,
        feedback,
        model: scenario.feedback(),
        link: scenario.links().get(node).cloned(),
    }
}

fn queue(queue: &Queue, unit: f64, key: &impl Fn(Purpose<'static>) -> Key) -> QueueSpec {
    match queue {
        Queue::Drawn(drawn) => QueueSpec::Drawn(UniformFeature::new(
            key(Purpose::Queue),
            Range { min: drawn.min, max: drawn.max },
            unit,
        )),
        Queue::Fifo(fifo) => QueueSpec::Fifo {
            capacity: fifo.capacity,
            service_micro: (fifo.service_rate * 1e6).round() as u64,
            own_rate: fifo.own_rate,
            own_key: key(Purpose::OwnTasks),
            scale: unit,
        },
    }
}

fn cqi(cqi: &Cqi, scale: f64, key: Key) -> CqiSpec {
    match cqi {
        Cqi::Iid(iid) => {
            CqiSpec::Iid(UniformFeature::new(key, Range { min: iid.min, max: iid.max }, scale))
        }
        Cqi::Autoregressive(ar) => CqiSpec::Autoregressive {
            feature: UniformFeature::new(key, Range { min: ar.min, max: ar.max }, scale),
            correlation: ar.correlation,
        },
        Cqi::Link(link) => CqiSpec::Link { bandwidth_mhz: link.bandwidth_mhz, scale },
    }
}

fn tasks(scenario: &Scenario, seed: u64) -> TaskSpec {
    match (&scenario.topology().features, scenario.trace()) {
        (Features::Model(model), _) => {
            let task = scenario.topology().task.clone().unwrap_or_default();
            let (full, unit) = (&model.full_scale, scenario.unit());
            let key = |purpose| Key::derive(seed, purpose, 0);
            TaskSpec::Drawn(vec![
                UniformFeature::new(
                    key(Purpose::TaskLength),
                    task.length_kb,
                    unit / full.length_kb,
                ),
                UniformFeature::new(
                    key(Purpose::TaskComplexity),
                    task.complexity_cycles,
                    unit / full.complexity_cycles,
                ),
            ])
        }
        (Features::Trace(_), Some(trace)) => TaskSpec::Trace {
            width: trace.task_width() as u32,
            values: trace.task_values(scenario.last_slot()),
        },
        (Features::Trace(_), None) => unreachable!("a scenario with trace features has its trace"),
    }
}

/// The weights of `node` from its n-th change on, where n = `change`; at first, 0.
fn weights(
    scenario: &Scenario,
    weights: &Weights,
    seed: u64,
    node: usize,
    change: u32,
) -> Vec<f64> {
    let purpose = if change == 0 { Purpose::Weights } else { Purpose::ChangedWeights(change) };
    let mut stream = Stream::new(&Key::derive(seed, purpose, node));
    let weighted = scenario.features() - scenario.noise_features();
    let mut weights = match weights {
        Weights::Given(given) => given.values.clone(),
        Weights::Trace(_) => {
            scenario.trace().and_then(|t| t.weights(node)).expect("checked with the trace").to_vec()
        }
        Weights::Signs(signs) => {
            let raw: Vec<f64> = (1u64..)
                .zip(&signs.signs)
                .map(|(i, sign)| stream.normal(i).abs() * f64::from(*sign))
                .collect();
            scaled_to(raw, signs.norm)
        }
        Weights::Sphere(sphere) => {
            let raw = (1..=weighted as u64).map(|i| stream.normal(i)).collect();
            scaled_to(raw, sphere.norm)
        }
    };
    weights.resize(scenario.features(), 0.0);
    weights
}

/// How the weights of `node` change after slot 1.
fn motion(scenario: &Scenario, seed: u64, node: usize) -> WeightMotion {
    let helper = &scenario.helpers()[node];
    let first = weights(scenario, &helper.weights, seed, node, 0);
    let turn = |weights: &[f64], change| turn(scenario, weights, seed, node, change);
    let own = scenario.events().iter().filter(|event| event.change.concerns(node));
    let changes = own.filter_map(|event| match &event.change {
        Change::Weights { weights, .. } => Some((event.at, weights)),
        Change::Presence { .. } | Change::Link { .. } => None,
    });
    WeightMotion {
        turn: turn(&first, 0),
        changes: (1..)
            .zip(changes)
            .map(|(change, (from, spec))| {
                let weights = weights(scenario, spec, seed, node, change);
                WeightChange { from, turn: turn(&weights, change), weights }
            })
            .collect(),
    }
}

/// How the weights turn that come with the n-th change of `node`, where n = `change`.
fn turn(scenario: &Scenario, weights: &[f64], seed: u64, node: usize, change: u32) -> Option<Turn> {
    let Drift::Rotate(rotate) = &scenario.helpers()[node].drift else { return None };
    if scenario.features() - scenario.noise_features() < 2 {
        return None; // a single weight has nowhere to turn to
    }
    let mut stream = Stream::new(&Key::derive(seed, Purpose::Drift(change), node));
    let weighted = scenario.features() - scenario.noise_features();
    let mut toward: Vec<f64> = (1..=weighted as u64).map(|i| stream.normal(i)).collect();
    toward.resize(weights.len(), 0.0);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).fold(0.0, |sum, (x, y)| sum + x * y);
    let square = dot(weights, weights);
    if square > 0.0 {
        let along = dot(&toward, weights) / square;
        for (value, w) in toward.iter_mut().zip(weights) {
            *value -= along * w;
        }
    }
    Some(Turn { toward: scaled_to(toward, libm::sqrt(square)), period: rotate.period_slots })
}

fn scaled_to(mut vector: Vec<f64>, norm: f64) -> Vec<f64> {
    let length = libm::sqrt(vector.iter().fold(0.0, |sum, v| sum + v * v));
    for value in &mut vector {
        *value *= norm / length;
    }
    vector
}

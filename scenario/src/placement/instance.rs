//! One seed of a placement scenario: the keys, cut into the parts that each process is given.

use serde::{Deserialize, Serialize};

use super::cost::{CostModel, expected_latency_s};
use super::scenario::{HelperNode, LocalNode, PlacementScenario};
use super::step::{Site, SiteSight, Task};
use crate::draw::{Key, Purpose, Stream};
use crate::link::{LinkKeys, LinkPath, LinkSpec};
use crate::topology::{PlacementPolicySpec, PlacementTask, Range};
use crate::work::{Execution, WorkKind};

/// A uniform number in each slot. Reading slots in order is cheap.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "UniformSpec", into = "UniformSpec")]
pub struct Uniform {
    spec: UniformSpec,
    stream: Stream,
}

/// What a [`Uniform`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UniformSpec {
    /// The key of its draws.
    pub key: Key,
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
}

impl From<UniformSpec> for Uniform {
    fn from(spec: UniformSpec) -> Uniform {
        Uniform { spec, stream: Stream::new(&spec.key) }
    }
}

impl From<Uniform> for UniformSpec {
    fn from(uniform: Uniform) -> UniformSpec {
        uniform.spec
    }
}

impl Uniform {
    pub(super) fn new(key: Key, range: Range) -> Uniform {
        UniformSpec { key, low: range.min, high: range.max }.into()
    }

    /// The number of `slot`: `low + u (high - low)`.
    pub fn at(&mut self, slot: u64) -> f64 {
        let UniformSpec { low, high, .. } = self.spec;
        if low == high { low } else { low + self.stream.uniform(slot) * (high - low) }
    }

    /// The share `p` of slots, by draw: whether `slot` is one of them.
    pub fn happens(&mut self, slot: u64, p: f64) -> bool {
        self.stream.uniform(slot) < p
    }
}

/// The tasks of a trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskDraws {
    cycles: Uniform,
    input_kb: Uniform,
    output_bytes: u64,
}

impl TaskDraws {
    /// Tasks as `task` describes them, with the keys of their cycles and of their input.
    pub(super) fn new(task: &PlacementTask, cycles: Key, input: Key) -> TaskDraws {
        TaskDraws {
            cycles: Uniform::new(cycles, task.complexity_cycles),
            input_kb: Uniform::new(input, task.input_kb),
            output_bytes: (task.output_kb * 1e3).round() as u64,
        }
    }

    /// The task of `slot`, at least one cycle; numbers are rounded to whole cycles and bytes.
    pub fn task(&mut self, slot: u64) -> Task {
        Task {
            cycles: (self.cycles.at(slot).round() as u64).max(1),
            input_bytes: (self.input_kb.at(slot) * 1e3).round() as u64,
            output_bytes: self.output_bytes,
        }
    }
}

/// What a task node is told of a trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskNodePart {
    /// Its computer.
    pub computer: LocalNode,
    /// Its load in each slot.
    pub load: Uniform,
    /// Its tasks.
    pub tasks: TaskDraws,
    /// Names of the helper nodes, in the order of their numbers.
    pub helpers: Vec<String>,
    /// Number of slots.
    pub slots: u64,
    /// What is computed.
    pub work: WorkKind,
    /// Whether it is really computed.
    pub execution: Execution,
    /// After which time an answer is given up, in nanoseconds; none in virtual time.
    pub timeout_ns: Option<u64>,
    /// Pause between the end of a task and the next one, in nanoseconds.
    pub gap_ns: u64,
    /// The slots whose tasks are tried at all sites, where the policy is an oracle that does so.
    pub shadow: Uniform,
}

/// What a helper node is told of a trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HelperPart {
    /// Its number, from 0.
    pub node: u32,
    /// Its computer.
    pub computer: HelperNode,
    /// Its load in each slot.
    pub load: Uniform,
    /// Whether tasks are really computed.
    pub execution: Execution,
}

/// A placement scenario under one seed. It reads draws through caches, so its methods take it
/// mutably; they give the same answers in any order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlacementInstance {
    /// The seed; it does not travel.
    #[serde(skip)]
    pub seed: u64,
    /// The task node's part.
    pub task_node: TaskNodePart,
    /// Each helper node's part.
    pub helpers: Vec<HelperPart>,
    /// The links over the trial; empty where nothing is emulated.
    pub links: Vec<LinkPath>,
    /// The keys of the links, for each helper node.
    pub link_keys: Vec<LinkKeys>,
    /// Round-trip times in milliseconds for each helper node, where they are drawn.
    drawn_rtt_ms: Vec<Uniform>,
    cost: CostModel,
}

/// The slots whose tasks are tried at all sites.
#[derive(Debug, Clone)]
pub struct Shadows {
    draws: Uniform,
    share: f64,
}

impl Shadows {
    /// Whether the task of `slot` is tried at all sites.
    pub fn include(&mut self, slot: u64) -> bool {
        self.draws.happens(slot, self.share)
    }
}

impl PlacementInstance {
    pub(super) fn new(scenario: &PlacementScenario, seed: u64) -> PlacementInstance {
        let topology = scenario.topology();
        let task = &topology.task;
        let draw = |purpose, range| Uniform::new(Key::derive(seed, purpose, 0), range);
        let nodes = 0..scenario.helpers().len();
        let of_node = |purpose, node, range| Uniform::new(Key::derive(seed, purpose, node), range);
        let task_node = TaskNodePart {
            computer: scenario.task_node().clone(),
            load: draw(Purpose::TaskNodeLoad, scenario.task_node().load),
            tasks: TaskDraws::new(
                task,
                Key::derive(seed, Purpose::TaskCycles, 0),
                Key::derive(seed, Purpose::TaskInput, 0),
            ),
            helpers: scenario.helpers().iter().map(|helper| helper.name.clone()).collect(),
            slots: scenario.slots(),
            work: task.work,
            execution: task.execution,
            timeout_ns: scenario.timeout_ns(),
            gap_ns: scenario.gap_ns(),
            shadow: draw(Purpose::Shadow, Range { min: 0.0, max: 1.0 }),
        };
        let helper = |(node, computer): (usize, &HelperNode)| HelperPart {
            node: node as u32,
            computer: computer.clone(),
            load: of_node(Purpose::HelperLoad, node, computer.load),
            execution: task.execution,
        };
        let drawn = topology.links.drawn_rtt_ms.iter().flat_map(|range| {
            nodes.clone().map(|node| of_node(Purpose::LinkRoundTrip, node, *range))
        });
        PlacementInstance {
            seed,
            task_node,
            helpers: scenario.helpers().iter().enumerate().map(helper).collect(),
            links: scenario.links().to_vec(),
            link_keys: nodes.clone().map(|node| LinkKeys::derive(seed, node)).collect(),
            drawn_rtt_ms: drawn.collect(),
            cost: scenario.cost_model(),
        }
    }

    /// The number of sites: the task node and the helper nodes.
    pub fn sites(&self) -> usize {
        1 + self.helpers.len()
    }

    /// The task of `slot`.
    pub fn task(&mut self, slot: u64) -> Task {
        self.task_node.tasks.task(slot)
    }

    /// Load of the task node in `slot`.
    pub fn local_load(&mut self, slot: u64) -> f64 {
        self.task_node.load.at(slot)
    }

    /// Load of the helper node of number `node` in `slot`.
    pub fn helper_load(&mut self, node: usize, slot: u64) -> f64 {
        self.helpers[node].load.at(slot)
    }

    /// The round-trip time of the link to `node` in `slot` in nanoseconds, where it is drawn.
    pub fn drawn_rtt_ns(&mut self, node: usize, slot: u64) -> Option<u64> {
        self.drawn_rtt_ms.get_mut(node).map(|rtt| (rtt.at(slot) * 1e6).round() as u64)
    }

    /// What the link to `node` does in `slot`, with its drawn round-trip time where it has one.
    pub fn link(&mut self, node: usize, slot: u64) -> LinkSpec {
        let spec = self.links.get(node).map_or(LinkSpec::UNIMPAIRED, |path| path.at(slot).spec);
        match self.drawn_rtt_ns(node, slot) {
            Some(rtt) => spec.with_round_trip(rtt),
            None => spec,
        }
    }

    /// What `site` truly is in `slot`: what a task node would see that measured without error.
    pub fn truth(&mut self, slot: u64, site: Site) -> SiteSight {
        match site {
            Site::Local => {
                let load = self.local_load(slot);
                SiteSight::local(self.task_node.computer.frequency_hz, load)
            }
            Site::Helper(node) => {
                let node = node as usize;
                let (load, link) = (self.helper_load(node, slot), self.link(node, slot));
                SiteSight::remote(&self.helpers[node].computer, load, &link)
            }
        }
    }

    /// How long `task` is expected to take at each site in `slot`, in seconds, by the model with the
    /// true state of computers and links.
    pub fn expected_s(&mut self, slot: u64, task: &Task) -> Vec<f64> {
        let mut expected = Vec::with_capacity(self.sites());
        self.expected_into(slot, task, &mut expected);
        expected
    }

    /// As [`expected_s`](Self::expected_s), into `expected`, whose contents are replaced.
    pub fn expected_into(&mut self, slot: u64, task: &Task, expected: &mut Vec<f64>) {
        expected.clear();
        for index in 0..self.sites() {
            let truth = self.truth(slot, Site::at(index));
            expected.push(expected_latency_s(task, &truth, &self.cost));
        }
    }

    /// The model by which latencies are expected.
    pub fn cost(&self) -> &CostModel {
        &self.cost
    }

    /// Private randomness of the policy called `name`.
    pub fn policy_key(&self, name: &str) -> Key {
        Key::derive(self.seed, Purpose::Policy(name), 0)
    }

    /// The slots whose tasks the policy that `spec` describes has tried at all sites; none where it
    /// has no task tried twice.
    pub fn shadows(&self, spec: &PlacementPolicySpec) -> Option<Shadows> {
        let PlacementPolicySpec::Oracle(oracle) = spec else { return None };
        let draws = || self.task_node.shadow.clone();
        oracle.shadow.then(|| Shadows { draws: draws(), share: oracle.shadow_share })
    }
}

//! Applications and conditions that are drawn.

use serde::{Deserialize, Serialize};

use super::application::{Application, Flow, SiteSet, SubTask};
use super::cost::{Conditions, SiteState, Way};
use crate::draw::{Key, Stream};
use crate::topology::Range;
use crate::work::{ComputeSpec, Execution};

/// A shape of graphs that are drawn. Each has one source and one sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One sub-task after the other.
    Chain,
    /// The source gives to branches side by side, each a chain, and the sink takes from all of them.
    ForkJoin,
    /// Layers of one to three sub-tasks; each takes from one or more of the layer before.
    Layered,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 3] = [Shape::Chain, Shape::ForkJoin, Shape::Layered];

    /// The name in topology files.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Chain => "chain",
            Shape::ForkJoin => "fork-join",
            Shape::Layered => "layered",
        }
    }
}

/// Draws in a row.
struct Draws {
    stream: Stream,
    next: u64,
}

impl Draws {
    fn new(key: &Key) -> Draws {
        Draws { stream: Stream::new(key), next: 1 }
    }

    fn uniform(&mut self) -> f64 {
        self.next += 1;
        self.stream.uniform(self.next - 1)
    }

    /// A whole number from `low` to `high`.
    fn whole(&mut self, low: usize, high: usize) -> usize {
        low + (self.uniform() * (high - low + 1) as f64) as usize
    }

    fn within(&mut self, range: Range) -> f64 {
        range.min + self.uniform() * (range.max - range.min)
    }

    /// A number whose logarithm is uniform.
    fn logarithmic(&mut self, range: Range) -> f64 {
        let (low, high) = (libm::log(range.min), libm::log(range.max));
        libm::exp(low + self.uniform() * (high - low)).clamp(range.min, range.max)
    }
}

/// How applications are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplicationDraws {
    /// Shapes, all equally likely.
    pub shapes: Vec<Shape>,
    /// The least and the largest number of sub-tasks, all equally likely.
    pub sub_tasks: [u32; 2],
    /// CPU cycles of each sub-task, log-uniform.
    pub cycles: Range,
    /// Bytes of each flow, log-uniform.
    pub bytes: Range,
    /// How many sites there are.
    pub sites: u32,
}

impl ApplicationDraws {
    /// Application `number`, from 1.
    pub fn application(&self, key: &Key, number: u64) -> Application {
        let mut draws = Draws::new(&key.child(number));
        let shape = self.shapes[draws.whole(0, self.shapes.len() - 1)];
        let count = draws.whole(self.sub_tasks[0] as usize, self.sub_tasks[1] as usize);
        let pairs = match shape {
            Shape::Chain => (1..count).map(|to| (to - 1, to)).collect(),
            Shape::ForkJoin => fork_join(count, &mut draws),
            Shape::Layered => layered(count, &mut draws),
        };
        let sub_tasks: Vec<SubTask> = (0..count)
            .map(|_| SubTask {
                cycles: draws.logarithmic(self.cycles).round() as u64,
                sites: SiteSet::all(self.sites as usize),
            })
            .collect();
        let end = |number: usize| Some(number as u32);
        let ends = std::iter::once((None, end(0)))
            .chain(pairs.into_iter().map(|(from, to)| (end(from), end(to))))
            .chain([(end(count - 1), None)]);
        let flow =
            |(from, to)| Flow { from, to, bytes: draws.logarithmic(self.bytes).round() as u64 };
        let flows = ends.map(flow).collect();
        Application::new(sub_tasks, flows)
    }
}

/// Two to four branches, as far as there are sub-tasks; they are numbered across the branches.
fn fork_join(count: usize, draws: &mut Draws) -> Vec<(usize, usize)> {
    let inner = count - 2;
    if inner == 0 {
        return vec![(0, 1)];
    }
    let width = draws.whole(2, 4).min(inner);
    let mut pairs = Vec::new();
    for number in 1..=inner {
        pairs.push((number.saturating_sub(width), number));
        if number + width > inner {
            pairs.push((number, count - 1));
        }
    }
    pairs
}

/// Layers of one to three sub-tasks. Each sub-task takes from one of the layer before, and from each
/// other one with probability 1/4; whoever gives to nobody gives to the sink.
fn layered(count: usize, draws: &mut Draws) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let mut before = 0..1;
    while before.end < count - 1 {
        let width = draws.whole(1, 3).min(count - 1 - before.end);
        let layer = before.end..before.end + width;
        for to in layer.clone() {
            let sure = draws.whole(before.start, before.end - 1);
            for from in before.clone() {
                if draws.uniform() < 0.25 || from == sure {
                    pairs.push((from, to));
                }
            }
        }
        before = layer;
    }
    for from in 0..count - 1 {
        if !pairs.iter().any(|(giver, _)| *giver == from) {
            pairs.push((from, count - 1));
        }
    }
    pairs
}

/// How a site is drawn for each application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteDraws {
    /// Cycles of the site in thousand millions a second.
    pub frequency_ghz: f64,
    /// Share that others take, uniform.
    pub load: Range,
    /// How long it is still busy with others, uniform, in milliseconds.
    pub busy_ms: Range,
    /// What the service costs for each sub-task, in nanoseconds.
    pub overhead_ns: u64,
}

/// How the link between two sites is drawn for each application; both ways are alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WayDraws {
    /// Its two sites, the smaller number first.
    pub between: [u32; 2],
    /// Mbit of payload a second, log-uniform.
    pub mbit_s: Range,
    /// Round-trip time in milliseconds, log-uniform.
    pub rtt_ms: Range,
}

/// How conditions are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionDraws {
    /// The sites; the device first.
    pub sites: Vec<SiteDraws>,
    /// A link for each two of them.
    pub ways: Vec<WayDraws>,
}

impl ConditionDraws {
    /// The conditions that application `number` meets.
    pub fn conditions(&self, key: &Key, number: u64) -> Conditions {
        let mut draws = Draws::new(&key.child(number));
        let sites = self.sites.iter().map(|own| SiteState {
            compute: ComputeSpec {
                frequency_ghz: own.frequency_ghz,
                load: draws.within(own.load),
                service_overhead_ns: own.overhead_ns,
                workers: 1,
                queue_limit: 0,
                payload_limit: 0,
                execution: Execution::Timed,
            },
            busy_ns: (draws.within(own.busy_ms) * 1e6).round() as u64,
        });
        let sites: Vec<SiteState> = sites.collect();
        let ways: Vec<([u32; 2], Way)> = self
            .ways
            .iter()
            .map(|own| {
                let rate_bits_s = (draws.logarithmic(own.mbit_s) * 1e6).round() as u64;
                let delay_ns = (draws.logarithmic(own.rtt_ms) * 0.5e6).round() as u64;
                (own.between, Way { rate_bits_s, delay_ns })
            })
            .collect();
        Conditions::new(sites, |from, to| {
            let between = [from.min(to) as u32, from.max(to) as u32];
            let found = ways.iter().find(|(own, _)| *own == between);
            found.expect("a link between each two sites").1
        })
    }
}

//! The three tasks on which the notebook of seed 000 tries its network.

use fogbit_policy::placement::DecisionModel;
use fogbit_scenario::link::LinkSpec;
use fogbit_scenario::placement::{Example, PlacementScenario, SiteSight, Task};
use fogbit_scenario::topology::Range;
use serde::Serialize;

use super::evaluation::answer;

/// Input in KB, cycles, round-trip time in seconds, load.
const TASKS: [[f64; 4]; 3] =
    [[2000.0, 1e8, 0.05, 0.2], [100.0, 5e6, 0.15, 0.8], [4000.0, 5e8, 0.02, 0.4]];

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// Input in KB.
    pub input_kb: f64,
    /// CPU cycles.
    pub cycles: f64,
    /// Round-trip time in seconds.
    pub rtt_s: f64,
    /// Load of the task node.
    pub load: f64,
    /// How long it takes on the task node, in seconds.
    pub local_s: f64,
    /// How long it takes offloaded, in seconds.
    pub offload_s: f64,
    /// What is best.
    pub best: &'static str,
    /// What the network says.
    pub answer: &'static str,
}

impl Probe {
    /// All of them, if the topology has the ranges of the notebook; else none, as they would lie
    /// outside of everything that was learnt.
    pub fn all(model: &DecisionModel, scenario: &PlacementScenario) -> Vec<Probe> {
        if !is_like_the_notebook(scenario) {
            return Vec::new();
        }
        TASKS.iter().map(|task| Probe::new(*task, model, scenario)).collect()
    }

    fn new(task: [f64; 4], model: &DecisionModel, scenario: &PlacementScenario) -> Probe {
        let [input_kb, cycles, rtt_s, load] = task;
        let edge = &scenario.helpers()[0];
        let path = scenario.links().first();
        let link = path.map_or(LinkSpec::UNIMPAIRED, |path| path.at(1).spec);
        let link = link.with_round_trip((rtt_s * 1e9).round() as u64);
        let example = Example {
            task: Task {
                cycles: cycles as u64,
                input_bytes: (input_kb * 1e3) as u64,
                output_bytes: (scenario.topology().task.output_kb * 1e3).round() as u64,
            },
            local: SiteSight::local(scenario.task_node().frequency_hz, load),
            remote: SiteSight::remote(edge, edge.load.min, &link),
        };
        let [local_s, offload_s] = example.expected_s(&scenario.cost_model(), model.units());
        let mut scratch = model.network().scratch();
        let margin = model.margin(&example.task, &example.local, &example.remote, &mut scratch);
        let best = answer(offload_s < local_s);
        let answer = answer(margin > 0.0);
        Probe { input_kb, cycles, rtt_s, load, local_s, offload_s, best, answer }
    }
}

fn is_like_the_notebook(scenario: &PlacementScenario) -> bool {
    let topology = scenario.topology();
    let range = |min, max| Range { min, max };
    topology.task.complexity_cycles == range(1e6, 1e9)
        && topology.task.input_kb == range(100.0, 5000.0)
        && scenario.task_node().load == range(0.1, 0.9)
        && scenario.task_node().frequency_hz == 1e8
        && topology.links.drawn_rtt_ms == Some(range(10.0, 200.0))
        && scenario.helpers().len() == 1
}

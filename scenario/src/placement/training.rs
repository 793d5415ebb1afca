//! Tasks to train a decision network on: drawn as those of a trial are, from keys of their own.

use super::cost::{CostModel, expected_latency_s};
use super::instance::{TaskDraws, Uniform};
use super::scenario::PlacementScenario;
use super::step::{SiteSight, Task};
use crate::draw::{Key, Purpose, Stream};
use crate::link::LinkSpec;
use crate::topology::{PlacementUnits, Range};

/// How many times too fast a transfer is where KB are divided by a rate in bytes a second.
const NOTEBOOK_SLIP: f64 = 1000.0;

/// A task, and the choice between the task node and one helper node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Example {
    /// The task.
    pub task: Task,
    /// The task node as it truly is.
    pub local: SiteSight,
    /// The helper node, and the link to it, as they truly are.
    pub remote: SiteSight,
}

impl Example {
    /// How long the task is expected to take on the task node and on the helper node, in seconds,
    /// by the analytic model. What its service costs beside the work is part of the helper node's
    /// latency: it is the margin by which offloading has to be better in the notebook of seed 000.
    pub fn expected_s(&self, model: &CostModel, units: PlacementUnits) -> [f64; 2] {
        let mut remote = self.remote;
        if units == PlacementUnits::Notebook {
            remote.up_bits_s *= NOTEBOOK_SLIP;
            remote.down_bits_s *= NOTEBOOK_SLIP;
        }
        [&self.local, &remote].map(|site| expected_latency_s(&self.task, site, model))
    }
}

/// Examples of a topology. Any order of reading gives the same ones.
#[derive(Debug, Clone)]
pub struct Examples<'s> {
    scenario: &'s PlacementScenario,
    tasks: TaskDraws,
    local_load: Uniform,
    /// Uniform between 0 and 1: helper nodes have ranges of their own.
    helper_load: Uniform,
    drawn_rtt_ms: Option<Uniform>,
    slots: Stream,
}

impl PlacementScenario {
    /// Tasks of this topology to train on, drawn with `seed`, whose draws no trial uses: with the
    /// same ranges of tasks, loads and drawn round-trip times as its trials. Each example meets
    /// the links as they are in a slot of its own, drawn uniformly: the states of links weigh as
    /// much as the slots that they hold. Several helper nodes take turns.
    pub fn examples(&self, seed: u64) -> Examples<'_> {
        let key = Key::derive(seed, Purpose::TrainingTasks, 0);
        let topology = self.topology();
        let unit = Range { min: 0.0, max: 1.0 };
        let rtt = |range: Range| Uniform::new(key.child(4), range);
        Examples {
            scenario: self,
            tasks: TaskDraws::new(&topology.task, key.child(0), key.child(1)),
            local_load: Uniform::new(key.child(2), self.task_node().load),
            helper_load: Uniform::new(key.child(3), unit),
            drawn_rtt_ms: topology.links.drawn_rtt_ms.map(rtt),
            slots: Stream::new(&key.child(5)),
        }
    }
}

impl Examples<'_> {
    /// The example of this number, from 1.
    pub fn example(&mut self, number: u64) -> Example {
        let helpers = self.scenario.helpers();
        let node = ((number - 1) % helpers.len() as u64) as usize;
        let computer = &helpers[node];
        let Range { min, max } = computer.load;
        let load = min + self.helper_load.at(number) * (max - min);
        let link = self.link(node, number);
        let own = self.scenario.task_node();
        Example {
            task: self.tasks.task(number),
            local: SiteSight::local(own.frequency_hz, self.local_load.at(number)),
            remote: SiteSight::remote(computer, load, &link),
        }
    }

    /// The link to helper node `node`, as example `number` meets it.
    fn link(&mut self, node: usize, number: u64) -> LinkSpec {
        let slot =
            1 + ((u128::from(self.slots.at(number)) * u128::from(self.scenario.slots())) >> 64);
        let path = self.scenario.links().get(node);
        let spec = path.map_or(LinkSpec::UNIMPAIRED, |path| path.at(slot as u64).spec);
        match &mut self.drawn_rtt_ms {
            Some(rtt) => spec.with_round_trip((rtt.at(number) * 1e6).round() as u64),
            None => spec,
        }
    }
}

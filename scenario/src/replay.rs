//! A topology of one seed whose features come from a full-information log of it.

use crate::event::Change;
use crate::scenario::Scenario;
use crate::topology::{
    Clock, Drift, Features, HelperNode, NoParameters, NodeDefaults, Seeds, TraceFeatures, Weights,
};

impl Scenario {
    /// Whether every node has the same weights in all slots.
    pub fn weights_stay(&self) -> bool {
        self.helpers().iter().all(|helper| matches!(helper.drift, Drift::None(_)))
            && !self.events().iter().any(|event| matches!(event.change, Change::Weights { .. }))
    }

    /// The same topology under `seed` alone, with its features from the trace called `trace`, which
    /// is to lie beside this text: as TOML. Played in the slot clock it gives the same decisions,
    /// bits and regret, if the trace holds the features and draws of that seed, and where weights
    /// stay the same, the weights. Where they move, they are drawn again by the keys of the seed.
    pub fn replay_toml(&self, seed: u64, trace: &str) -> String {
        let mut topology = self.topology().clone();
        topology.seeds = Seeds::List(vec![seed]);
        if matches!(topology.clock, Clock::Wall(_)) {
            topology.clock = Clock::default();
        }
        topology.features = Features::Trace(TraceFeatures { path: trace.to_owned() });
        topology.task = None;
        let NodeDefaults { cpu_frequency_ghz, cqi, queue, .. } = &mut topology.nodes;
        (*cpu_frequency_ghz, *cqi, *queue) = (None, None, None);
        for HelperNode { cpu_frequency_ghz, cqi, queue, .. } in &mut topology.node_list {
            (*cpu_frequency_ghz, *cqi, *queue) = (None, None, None);
        }
        if self.weights_stay() {
            topology.nodes.weights = Some(Weights::Trace(NoParameters {}));
            topology.node_list.iter_mut().for_each(|node| node.weights = None);
        }
        toml::to_string_pretty(&topology).expect("a topology can be written as TOML")
    }
}

//! All sites in virtual time.

use fogbit_scenario::placement::{
    Channel, Execution, Fate, PlacementInstance, Site, SiteSight, Task,
};

use super::trial::PlacementFog;
use crate::trial::TrialError;

/// The task node, the helper nodes and the links between them in virtual time.
#[derive(Debug, Clone)]
pub struct SimFog {
    instance: PlacementInstance,
    channels: Vec<Channel>,
}

impl SimFog {
    /// All nodes before slot 1.
    pub fn new(instance: &PlacementInstance) -> SimFog {
        let mut instance = instance.clone();
        let nodes = instance.helpers.len();
        let channel = |node| Channel::new(&instance.link(node, 1), &instance.link_keys[node]);
        SimFog { channels: (0..nodes).map(channel).collect(), instance }
    }
}

impl PlacementFog for SimFog {
    async fn begin(&mut self, _slot: u64) -> Result<(), TrialError> {
        Ok(())
    }

    async fn observe(&mut self, slot: u64, sights: &mut [SiteSight]) -> Result<(), TrialError> {
        for (index, sight) in sights.iter_mut().enumerate() {
            *sight = self.instance.truth(slot, Site::at(index));
        }
        Ok(())
    }

    async fn run(&mut self, slot: u64, task: &Task, site: Site) -> Result<Execution, TrialError> {
        let expected = self.instance.expected_s(slot, task)[site.index()];
        let ns = (expected * 1e9).round() as u64;
        Ok(Execution { site, fate: Fate::Done, latency_ns: ns, queued_ns: 0, executed_ns: ns })
    }

    async fn rest(&mut self, _slot: u64) -> Result<(), TrialError> {
        Ok(())
    }
}

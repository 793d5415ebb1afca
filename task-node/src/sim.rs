//! The fog in this process: the helper nodes' state machines, called directly.

use fogbit_node::Helper;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::{Contexts, Instance};

use crate::trial::{Fog, TrialError};

/// All helper nodes of one instance in virtual time.
#[derive(Debug, Clone)]
pub struct SimFog {
    helpers: Vec<Helper>,
}

impl SimFog {
    /// The nodes before slot 1.
    pub fn new(instance: &Instance) -> SimFog {
        SimFog { helpers: instance.helpers.iter().map(Helper::new).collect() }
    }

    /// Steps all nodes to `slot` and writes their states into `contexts`.
    #[inline]
    pub fn observe_now(&mut self, slot: u64, contexts: &mut Contexts) {
        for (node, helper) in self.helpers.iter_mut().enumerate() {
            while helper.slot() < slot {
                helper.advance();
            }
            contexts.set_state(node, helper.state());
        }
    }

    /// Sends a task to a node in the current slot.
    #[inline]
    pub fn offload_now(&mut self, node: usize, task: &[f64]) -> Outcome {
        self.helpers[node].offload(task)
    }
}

impl Fog for SimFog {
    async fn observe(&mut self, slot: u64, contexts: &mut Contexts) -> Result<(), TrialError> {
        self.observe_now(slot, contexts);
        Ok(())
    }

    async fn offload(
        &mut self,
        _slot: u64,
        node: usize,
        task: &[f64],
    ) -> Result<Option<Outcome>, TrialError> {
        Ok(Some(self.offload_now(node, task)))
    }
}

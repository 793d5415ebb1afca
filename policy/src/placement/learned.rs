//! `learned`: the decision network of a trained model.

use std::sync::Arc;

use fogbit_neural::Scratch;
use fogbit_scenario::placement::{Execution, Site, SiteSight, Task};

use super::{DecisionModel, PlacementPolicy, least};

/// Asks the network about each helper node and takes the one that it is most for; if it is for
/// none, the task runs on the task node. It learns nothing more.
#[derive(Debug, Clone)]
pub struct LearnedPolicy {
    model: Arc<DecisionModel>,
    scratch: Scratch,
    /// 0 for the task node, and minus the margin for each helper node.
    against: Vec<f64>,
}

impl LearnedPolicy {
    /// The policy of a model, for `sites` sites.
    pub fn new(model: Arc<DecisionModel>, sites: usize) -> LearnedPolicy {
        let scratch = model.network().scratch();
        LearnedPolicy { model, scratch, against: Vec::with_capacity(sites) }
    }
}

impl PlacementPolicy for LearnedPolicy {
    fn decide(&mut self, _slot: u64, task: &Task, sights: &[SiteSight]) -> Site {
        let (local, remotes) = sights.split_first().expect("the task node is a site");
        self.against.clear();
        self.against.push(0.0);
        for remote in remotes {
            let margin = self.model.margin(task, local, remote, &mut self.scratch);
            self.against.push(-margin);
        }
        // Of equal ones the first: a network that cannot tell leaves the task where it is.
        least(&self.against)
    }

    fn learn(&mut self, _slot: u64, _task: &Task, _sights: &[SiteSight], _done: &Execution) {}

    fn predictions(&self) -> &[f64] {
        &self.against
    }
}

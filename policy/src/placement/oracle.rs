//! `oracle`: the analytic model with the true state of computers and links.

use fogbit_scenario::placement::Site;

use super::least;

/// The site with the least true expected latency. It is no
/// [`PlacementPolicy`](super::PlacementPolicy): what it is told no task node sees.
#[derive(Debug, Clone, Copy, Default)]
pub struct OraclePolicy;

impl OraclePolicy {
    /// The site with the least of the true expected latencies, which are given for all sites; of
    /// equal ones the first, so the task node before all.
    pub fn choose(expected_s: &[f64]) -> Site {
        least(expected_s)
    }
}

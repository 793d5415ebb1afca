//! What loss does to tasks that are offloaded.

use fogbit_scenario::link::verdict::clopper_pearson;
use fogbit_scenario::placement::Step;
use serde::{Deserialize, Serialize};

use super::design::Experiment;
use super::observe::{Observed, median_of, quantile_of, steps_of};

/// Of fewer tasks than this the 99th percentile says nothing but the slowest one.
const ENOUGH_FOR_P99: usize = 100;
/// And of fewer than this the 95th.
const ENOUGH_FOR_P95: usize = 20;

/// One share of packets lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossRow {
    /// The profile that the loss was added to.
    pub profile: String,
    /// Share of packets lost in each direction, as configured.
    pub loss: f64,
    /// Tasks that were offloaded.
    pub tasks: u64,
    /// Those that came back within the deadline.
    pub successes: u64,
    /// The deadline in milliseconds.
    pub deadline_ms: f64,
    /// Share of the tasks that came back within it.
    pub success: Option<f64>,
    /// Lower end of its 99.9 % interval (exact, Clopper and Pearson).
    pub success_low: Option<f64>,
    /// Upper end.
    pub success_high: Option<f64>,
    /// Median latency in milliseconds.
    pub p50_ms: Option<f64>,
    /// 5 % took longer; of at least 20 tasks.
    pub p95_ms: Option<f64>,
    /// 1 % took longer; of at least 100 tasks.
    pub p99_ms: Option<f64>,
}

/// All of an experiment.
pub fn rows(experiment: &Experiment, steps: &[Step]) -> Vec<LossRow> {
    let row = |state| {
        let away = Observed::of(steps_of(steps, state)).offloaded_ms;
        let deadline_ms = experiment.deadline_ms;
        let tasks = away.len() as u64;
        let successes = away.iter().filter(|ms| **ms <= deadline_ms).count() as u64;
        let ends = (tasks > 0).then(|| clopper_pearson(successes as f64, tasks as f64));
        let of_enough = |least, p| quantile_of(&away, p).filter(|_| away.len() >= least);
        LossRow {
            profile: experiment.base.clone(),
            loss: state.loss,
            tasks,
            successes,
            deadline_ms,
            success: (tasks > 0).then(|| successes as f64 / tasks as f64),
            success_low: ends.map(|(low, _)| low),
            success_high: ends.map(|(_, high)| high),
            p50_ms: median_of(&away),
            p95_ms: of_enough(ENOUGH_FOR_P95, 0.95),
            p99_ms: of_enough(ENOUGH_FOR_P99, 0.99),
        }
    };
    experiment.states.iter().map(row).filter(|row: &LossRow| row.tasks > 0).collect()
}

//! The least rate of a link that sustains a stream of payloads.
//!
//! A payload every `T` milliseconds keeps up in one of two ways. A task node that sends each payload
//! when it comes, whatever became of the one before, needs a link that a payload occupies for no
//! more than `T`: the latency of such a stream grows without end if it is occupied for longer. A
//! task node that waits for each output before it sends the next payload needs a latency of no more
//! than `T`. Both come from the same measurement: payloads one after another over a ladder of rates.
//! The line of the median latency over `1 / rate` rises by the bits that a payload costs on the link.

use fogbit_scenario::placement::cost::expected_latency_s;
use fogbit_scenario::placement::{PlacementScenario, SiteSight, Step};
use serde::{Deserialize, Serialize};

use super::design::Experiment;
use super::observe::{Observed, line_through, median_of, quantile_of, steps_of};
use crate::placement::summary::{mean_local, mean_remote, mean_task};

/// What is asked of a link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Payload in bytes.
    pub payload_bytes: u64,
    /// A payload comes every so many milliseconds: as often as the task node could do the task
    /// itself.
    pub period_ms: f64,
    /// Payload bits over the period, in Mbit/s.
    pub arithmetic_mbit_s: f64,
    /// With headers: what a stream needs that waits for nothing.
    pub pipelined_mbit_s: f64,
    /// What one needs in which each payload waits for the output before; none where the helper node
    /// and the round trip alone take longer than the period.
    pub sequential_mbit_s: Option<f64>,
}

impl Demand {
    /// Of the file's work, over the link as it is in slot 1.
    pub fn new(scenario: &PlacementScenario) -> Demand {
        let (task, local) = (mean_task(scenario), mean_local(scenario));
        let cost = scenario.cost_model();
        let period_s = expected_latency_s(&task, &local, &cost);
        let edge = SiteSight { up_bits_s: f64::INFINITY, ..mean_remote(scenario, 0, 1) };
        let fixed_s = expected_latency_s(&task, &edge, &cost);
        let bits = task.input_bytes as f64 * 8.0;
        let wire = bits / cost.payload_bits_s(1.0);
        let left_s = period_s - fixed_s;
        Demand {
            payload_bytes: task.input_bytes,
            period_ms: period_s * 1e3,
            arithmetic_mbit_s: bits / period_s / 1e6,
            pipelined_mbit_s: wire / period_s / 1e6,
            sequential_mbit_s: (left_s > 0.0).then(|| wire / left_s / 1e6),
        }
    }

    /// The rate that a ladder of rates is laid around, in Mbit/s.
    pub fn around(&self) -> f64 {
        self.sequential_mbit_s.unwrap_or(self.pipelined_mbit_s)
    }
}

/// What was found for one payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateRow {
    /// The profile whose round trip the link has; it loses nothing and does not jitter.
    pub profile: String,
    /// Payload in bytes.
    pub payload_bytes: u64,
    /// A payload comes every so many milliseconds.
    pub period_ms: f64,
    /// Payload bits over the period, in Mbit/s.
    pub arithmetic_mbit_s: f64,
    /// By the model, with headers, where payloads wait for nothing.
    pub pipelined_formula_mbit_s: f64,
    /// Measured: the bits that a payload costs on the link, over the period.
    pub pipelined_mbit_s: Option<f64>,
    /// By the model, where each payload waits for the output of the one before.
    pub sequential_formula_mbit_s: Option<f64>,
    /// Measured: the rate at which the median latency is the period, between two rates of the
    /// ladder. Null where the ladder does not reach it.
    pub sequential_mbit_s: Option<f64>,
    /// Bits on the link for each bit of payload, measured.
    pub wire_bits_per_bit: Option<f64>,
    /// The ladder.
    pub points: Vec<RatePoint>,
}

/// One rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatePoint {
    /// Rate to the helper node in Mbit/s.
    pub up_mbit_s: f64,
    /// Tasks.
    pub tasks: u64,
    /// Median latency in milliseconds.
    pub p50_ms: Option<f64>,
    /// A tenth took longer.
    pub p90_ms: Option<f64>,
}

impl RateRow {
    /// What was measured in `experiment`.
    pub fn of(experiment: &Experiment, demand: &Demand, steps: &[Step]) -> RateRow {
        let point = |state: &super::design::State| {
            let away = Observed::of(steps_of(steps, state)).offloaded_ms;
            Some(RatePoint {
                up_mbit_s: state.up_mbit_s?,
                tasks: away.len() as u64,
                p50_ms: median_of(&away),
                p90_ms: quantile_of(&away, 0.9),
            })
        };
        let points: Vec<RatePoint> = experiment.states.iter().filter_map(point).collect();
        // Milliseconds over the milliseconds that a Mbit takes.
        let medians: Vec<(f64, f64)> =
            points.iter().filter_map(|p| Some((1e3 / p.up_mbit_s, p.p50_ms?))).collect();
        let wire_mbit = line_through(&medians).map(|line| line.slope).filter(|slope| *slope > 0.0);
        let payload_mbit = demand.payload_bytes as f64 * 8.0 / 1e6;
        RateRow {
            profile: experiment.base.clone(),
            payload_bytes: demand.payload_bytes,
            period_ms: demand.period_ms,
            arithmetic_mbit_s: demand.arithmetic_mbit_s,
            pipelined_formula_mbit_s: demand.pipelined_mbit_s,
            pipelined_mbit_s: wire_mbit.map(|mbit| mbit / demand.period_ms * 1e3),
            sequential_formula_mbit_s: demand.sequential_mbit_s,
            sequential_mbit_s: reached(&medians, demand.period_ms).map(|at| 1e3 / at),
            wire_bits_per_bit: wire_mbit.map(|mbit| mbit / payload_mbit),
            points,
        }
    }
}

/// Where the chain of `points`, ascending in x, first reaches `y` from below.
fn reached(points: &[(f64, f64)], y: f64) -> Option<f64> {
    let mut chain = points.to_vec();
    chain.sort_by(|a, b| a.0.total_cmp(&b.0));
    chain.windows(2).find_map(|two| {
        let [(x0, y0), (x1, y1)] = [two[0], two[1]];
        (y0 <= y && y < y1).then(|| x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_reached_between_two_points() {
        let chain = [(4.0, 90.0), (1.0, 30.0), (2.0, 50.0)];
        assert_eq!(reached(&chain, 70.0), Some(3.0));
        assert_eq!(reached(&chain, 20.0), None);
        assert_eq!(reached(&chain, 100.0), None);
    }
}

//! Profiles, loads and payloads: what tasks took on both sides, and who would have decided well.

use fogbit_policy::placement::PlacementPolicy;
use fogbit_scenario::placement::{Site, Step};
use serde::{Deserialize, Serialize};

use super::design::Experiment;
use super::observe::{Observed, execution, latency_ms, median_of, quantile_of, steps_of};

/// A profile with a load and a payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Name of the profile.
    pub profile: String,
    /// Load of the task node.
    pub load: f64,
    /// Payload (input) in bytes.
    pub payload_bytes: u64,
    /// Tasks, each executed on both sides.
    pub tasks: u64,
    /// Median of the round trips that the task node measured, in milliseconds.
    pub rtt_p50_ms: Option<f64>,
    /// 5 % of them are longer.
    pub rtt_p95_ms: Option<f64>,
    /// Median latency on the task node.
    pub local_p50_ms: Option<f64>,
    /// Median latency on the helper node.
    pub offloaded_p50_ms: Option<f64>,
    /// 5 % of the offloaded tasks took longer.
    pub offloaded_p95_ms: Option<f64>,
    /// Input and output over the latency of offloaded tasks that came back, in 10^6 bits a second.
    pub throughput_mbit_s: Option<f64>,
    /// Share of the tasks that were faster on the helper node.
    pub offload_faster: Option<f64>,
    /// The break-even round trip by the formula, in milliseconds.
    pub break_even_ms: f64,
    /// How well each policy decides.
    pub decisions: Vec<Decisions>,
}

/// The decisions of a policy for tasks that were executed on both sides.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Decisions {
    /// Name of the policy.
    pub policy: String,
    /// Tasks it decided on.
    pub tasks: u64,
    /// Decisions for the side that was not slower.
    pub right: u64,
    /// Tasks whose two latencies differ by more than a tenth of the lesser one.
    pub outside_band: u64,
    /// Decisions for the faster side among those.
    pub right_outside: u64,
    /// Sum of what the decisions lost against the faster side, of tasks that came back on the
    /// chosen side, in milliseconds.
    pub lost_ms: f64,
}

impl Decisions {
    /// Share of the decisions that are right.
    pub fn accuracy(&self) -> Option<f64> {
        (self.tasks > 0).then(|| self.right as f64 / self.tasks as f64)
    }

    /// The same outside the band.
    pub fn accuracy_outside_band(&self) -> Option<f64> {
        (self.outside_band > 0).then(|| self.right_outside as f64 / self.outside_band as f64)
    }

    fn add(&mut self, chosen_ms: f64, other_ms: f64) {
        let right = u64::from(chosen_ms <= other_ms);
        self.tasks += 1;
        self.right += right;
        let least = chosen_ms.min(other_ms);
        if (chosen_ms - other_ms).abs() > crate::placement::tally::BAND * least {
            self.outside_band += 1;
            self.right_outside += right;
        }
        if chosen_ms.is_finite() {
            self.lost_ms += chosen_ms - least;
        }
    }

    /// Those of another cell too.
    pub fn merge(&mut self, other: &Decisions) {
        self.tasks += other.tasks;
        self.right += other.right;
        self.outside_band += other.outside_band;
        self.right_outside += other.right_outside;
        self.lost_ms += other.lost_ms;
    }
}

/// A policy that decides on what was measured.
pub type Player = (String, Box<dyn PlacementPolicy>);

/// The cells of `experiment`. `players` decide task after task, and learn what their choice took:
/// since every task was executed on both sides, it is known.
pub fn cells(experiment: &Experiment, steps: &[Step], mut players: Vec<Player>) -> Vec<Cell> {
    let task = experiment.task();
    let mut all = Vec::new();
    for (index, state) in experiment.states.iter().enumerate() {
        let own: Vec<&Step> = steps_of(steps, state).collect();
        if own.is_empty() {
            continue;
        }
        let observed = Observed::of(own.iter().copied());
        let Observed { local_ms, offloaded_ms, rtt_ms } = &observed;
        let back: Vec<f64> = offloaded_ms.iter().copied().filter(|ms| ms.is_finite()).collect();
        let bits = (task.input_bytes + task.output_bytes) as f64 * 8.0 * back.len() as f64;
        let faster = local_ms.iter().zip(offloaded_ms).filter(|(here, there)| there < here);
        let decisions = players.iter_mut().map(|player| decide(player, &own)).collect();
        all.push(Cell {
            profile: state.profile.clone(),
            load: experiment.load,
            payload_bytes: task.input_bytes,
            tasks: own.len() as u64,
            rtt_p50_ms: median_of(rtt_ms),
            rtt_p95_ms: quantile_of(rtt_ms, 0.95),
            local_p50_ms: median_of(local_ms),
            offloaded_p50_ms: median_of(offloaded_ms),
            offloaded_p95_ms: quantile_of(offloaded_ms, 0.95),
            throughput_mbit_s: (!back.is_empty()).then(|| bits / back.iter().sum::<f64>() / 1e3),
            offload_faster: Some(faster.count() as f64 / own.len() as f64),
            break_even_ms: experiment.break_even_ms[index],
            decisions,
        });
    }
    all
}

fn decide((name, policy): &mut Player, steps: &[&Step]) -> Decisions {
    let mut decisions = Decisions { policy: name.clone(), ..Decisions::default() };
    for step in steps {
        let sides = [Site::Local, Site::Helper(0)].map(|site| execution(step, site));
        let [Some(local), Some(remote)] = sides else { continue };
        let site = policy.decide(step.slot, &step.task, &step.sights);
        let (chosen, other) = if site == Site::Local { (local, remote) } else { (remote, local) };
        policy.learn(step.slot, &step.task, &step.sights, chosen);
        decisions.add(latency_ms(chosen), latency_ms(other));
    }
    decisions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 100 chosen of 100 and 105 is right within the band; 90 of 90 and 60 wrong beyond it.
    #[test]
    fn decisions_are_judged_by_what_was_measured() {
        let mut decisions = Decisions::default();
        decisions.add(100.0, 105.0);
        decisions.add(90.0, 60.0);
        decisions.add(f64::INFINITY, 60.0);
        assert_eq!(decisions.accuracy(), Some(1.0 / 3.0));
        assert_eq!((decisions.outside_band, decisions.accuracy_outside_band()), (2, Some(0.0)));
        assert_eq!(decisions.lost_ms, 30.0);
    }
}

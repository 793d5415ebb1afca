//! What the tasks of a stretch of slots come to.

use fogbit_scenario::placement::{Execution, Fate, Site, Step};
use serde::{Deserialize, Serialize};

use super::pairing::TaskPair;
use super::scores::{Confusion, Scores, auc};
use crate::stats::sample::{Distribution, Sample};
use crate::stats::{Interval, Running};

/// Local and the best offloaded latency are near each other when they differ by no more than this
/// share of the lesser one.
pub const BAND: f64 = 0.1;

const MS: f64 = 1e3;

/// A latency in milliseconds.
pub fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// What became of tasks: `tasks = done + deadline_missed + timed_out + refused`, and
/// `tasks = local + offloaded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskCounts {
    /// All tasks.
    pub tasks: u64,
    /// Those that ran on the task node.
    pub local: u64,
    /// Those that went to a helper node.
    pub offloaded: u64,
    /// The output came back, in time where there is a deadline.
    pub done: u64,
    /// The output came back after the deadline.
    pub deadline_missed: u64,
    /// No answer within the time that the topology allows.
    pub timed_out: u64,
    /// A helper node refused the task or gave it up.
    pub refused: u64,
}

impl TaskCounts {
    fn merge(&mut self, other: &TaskCounts) {
        self.tasks += other.tasks;
        self.local += other.local;
        self.offloaded += other.offloaded;
        self.done += other.done;
        self.deadline_missed += other.deadline_missed;
        self.timed_out += other.timed_out;
        self.refused += other.refused;
    }
}

/// A decision and what the model says of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Priced {
    /// The site with the least expected latency; of equal ones the chosen one, or else the first.
    pub best: Site,
    /// Expected latency of the choice minus the least, in milliseconds.
    pub regret_ms: f64,
    /// Whether offloading to the best helper node is expected to be faster than running here.
    pub best_offloaded: bool,
    /// Whether the two differ by more than [`BAND`].
    pub outside: bool,
}

impl Priced {
    /// Prices the choice of `chosen` by the expected latencies of all sites, in milliseconds, with
    /// the link's true state. At least the task node is among them, and `chosen`.
    pub fn new(chosen: Site, expected_ms: &[f64]) -> Priced {
        let least = expected_ms.iter().copied().fold(f64::INFINITY, f64::min);
        let own = expected_ms[chosen.index()];
        let first = expected_ms.iter().position(|value| *value <= least).unwrap_or(0);
        let local = expected_ms[0];
        let away = expected_ms[1..].iter().copied().fold(f64::INFINITY, f64::min);
        Priced {
            best: if own <= least { chosen } else { Site::at(first) },
            regret_ms: own - least,
            best_offloaded: away < local,
            outside: (local - away).abs() > BAND * local.min(away),
        }
    }
}

/// The tasks of some stretch of slots.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// What became of them.
    pub counts: TaskCounts,
    /// Latency of all whose output came back, in milliseconds.
    pub latency: Running,
    /// The same of those that ran on the task node.
    pub local: Sample,
    /// The same of those that were offloaded.
    pub offloaded: Sample,
    /// Round-trip times that were measured, of all helper nodes, in milliseconds.
    pub rtt: Sample,
    /// Expected latency of the choice minus the least, in milliseconds.
    pub regret: Running,
    /// The largest of those.
    pub worst_regret_ms: f64,
    /// Decisions that are the best by the model.
    pub right: u64,
    /// Tasks outside the band around break-even.
    pub outside: u64,
    /// Decisions for those that are the best.
    pub right_outside: u64,
    /// Whether local or offloaded, against what would have been best.
    pub confusion: Confusion,
    /// What the policy thought of offloading.
    pub scores: Scores,
    /// Input and output of offloaded tasks that came back, in bits.
    pub payload_bits: u64,
    /// How long those took, in nanoseconds.
    pub payload_ns: u64,
    /// For each helper node, tasks that were executed there and on the task node.
    pub pairs: Vec<PairTally>,
}

/// Tasks that were executed on the task node and on one helper node.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairTally {
    /// The round trip at which both would have taken the same time, in milliseconds, from what was
    /// measured ([`pairing`](super::pairing)).
    pub measured: Running,
    /// The same by the formula, with the link's true state.
    pub formula: Running,
    /// The first minus the second.
    pub apart: Running,
}

/// What the ledger knows of a step beside the step itself.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'t> {
    /// Its break-even round trips; empty where the task was executed on one side alone.
    pub pairs: &'t [TaskPair],
    /// Deadline in nanoseconds.
    pub deadline_ns: Option<u64>,
}

/// Whether the output came back.
pub fn came_back(execution: &Execution) -> bool {
    execution.fate == Fate::Done
}

impl Tally {
    /// One more task.
    pub fn add(&mut self, step: &Step, priced: &Priced, truth: &Truth<'_>) {
        let execution = &step.execution;
        let offloaded = execution.site != Site::Local;
        self.count(execution, truth.deadline_ns);
        if came_back(execution) {
            let latency = milliseconds(execution.latency_ns);
            self.latency.add(latency);
            if offloaded {
                self.offloaded.add(latency);
                let bytes = step.task.input_bytes.saturating_add(step.task.output_bytes);
                self.payload_bits = self.payload_bits.saturating_add(bytes.saturating_mul(8));
                self.payload_ns = self.payload_ns.saturating_add(execution.latency_ns);
            } else {
                self.local.add(latency);
            }
        }
        for sight in step.sights.get(1..).unwrap_or_default() {
            self.rtt.add(sight.rtt_s * MS);
        }
        self.regret.add(priced.regret_ms);
        self.worst_regret_ms = self.worst_regret_ms.max(priced.regret_ms);
        let right = u64::from(priced.best == execution.site);
        self.right += right;
        if priced.outside {
            self.outside += 1;
            self.right_outside += right;
        }
        self.confusion.add(priced.best_offloaded, offloaded);
        if let Some(score) = score(&step.predicted_s) {
            self.scores.add((score, priced.best_offloaded));
        }
        self.pair(truth.pairs);
    }

    fn count(&mut self, execution: &Execution, deadline_ns: Option<u64>) {
        let counts = &mut self.counts;
        counts.tasks += 1;
        match execution.site {
            Site::Local => counts.local += 1,
            Site::Helper(_) => counts.offloaded += 1,
        }
        let late = deadline_ns.is_some_and(|deadline| execution.latency_ns > deadline);
        match execution.fate {
            Fate::Done if late => counts.deadline_missed += 1,
            Fate::Done => counts.done += 1,
            Fate::TimedOut => counts.timed_out += 1,
            Fate::Refused(_) => counts.refused += 1,
        }
    }

    /// Tasks that were executed on both sides.
    fn pair(&mut self, pairs: &[TaskPair]) {
        for TaskPair { node, measured_ms, formula_ms } in pairs {
            self.pairs.resize(self.pairs.len().max(node + 1), PairTally::default());
            let pair = &mut self.pairs[*node];
            pair.measured.add(*measured_ms);
            pair.formula.add(*formula_ms);
            pair.apart.add(measured_ms - formula_ms);
        }
    }

    /// The tasks of another stretch too.
    pub fn merge(&mut self, other: &Tally) {
        self.counts.merge(&other.counts);
        self.latency.merge(&other.latency);
        self.local.merge(&other.local);
        self.offloaded.merge(&other.offloaded);
        self.rtt.merge(&other.rtt);
        self.regret.merge(&other.regret);
        self.worst_regret_ms = self.worst_regret_ms.max(other.worst_regret_ms);
        self.right += other.right;
        self.outside += other.outside;
        self.right_outside += other.right_outside;
        self.confusion.merge(&other.confusion);
        self.scores.merge(&other.scores);
        self.payload_bits = self.payload_bits.saturating_add(other.payload_bits);
        self.payload_ns = self.payload_ns.saturating_add(other.payload_ns);
        self.pairs.resize(self.pairs.len().max(other.pairs.len()), PairTally::default());
        for (pair, more) in self.pairs.iter_mut().zip(&other.pairs) {
            pair.merge(more);
        }
    }

    /// The figures that are told of it.
    pub fn kpis(&self) -> Kpis {
        let TaskCounts { tasks, offloaded, .. } = self.counts;
        let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
        let mean = |running: &Running| (running.n > 0).then_some(running.mean);
        Kpis {
            counts: self.counts,
            offloaded_share: share(offloaded, tasks),
            mean_latency_ms: mean(&self.latency),
            latency_local_ms: self.local.distribution(),
            latency_offloaded_ms: self.offloaded.distribution(),
            rtt_ms: self.rtt.distribution(),
            throughput_mbit_s: (self.payload_ns > 0)
                .then(|| self.payload_bits as f64 * 1e3 / self.payload_ns as f64),
            mean_regret_ms: mean(&self.regret),
            worst_regret_ms: (tasks > 0).then_some(self.worst_regret_ms),
            accuracy: share(self.right, tasks),
            outside_band: self.outside,
            accuracy_outside_band: share(self.right_outside, self.outside),
            confusion: self.confusion,
            balanced_accuracy: self.confusion.balanced_accuracy(),
            auc: auc(&self.scores),
        }
    }
}

/// How much a policy thinks of offloading, by its own predictions: local latency minus the least
/// offloaded one, in milliseconds. None without predictions, or where they say nothing.
pub fn score(predicted_s: &[f64]) -> Option<f64> {
    let (local, away) = predicted_s.split_first()?;
    let away = away.iter().copied().fold(f64::INFINITY, f64::min);
    let score = local * MS - away * MS;
    (!score.is_nan()).then_some(score)
}

/// The figures of some stretch of slots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kpis {
    /// What became of the tasks.
    #[serde(flatten)]
    pub counts: TaskCounts,
    /// Share of the tasks that went to a helper node.
    pub offloaded_share: Option<f64>,
    /// Mean latency of the tasks whose output came back, in milliseconds.
    pub mean_latency_ms: Option<f64>,
    /// Latency of those that ran on the task node.
    pub latency_local_ms: Option<Distribution>,
    /// Latency of those that were offloaded.
    pub latency_offloaded_ms: Option<Distribution>,
    /// Round-trip times that the task node measured, of all helper nodes.
    pub rtt_ms: Option<Distribution>,
    /// Payload (input and output) of offloaded tasks over the time that they took, in 10^6 bits a
    /// second.
    pub throughput_mbit_s: Option<f64>,
    /// Mean of the expected latency of the choice minus the least, in milliseconds.
    pub mean_regret_ms: Option<f64>,
    /// The largest of those.
    pub worst_regret_ms: Option<f64>,
    /// Share of the decisions that are the best by the model.
    pub accuracy: Option<f64>,
    /// Tasks whose local and best offloaded latency differ by more than 10 % of the lesser.
    pub outside_band: u64,
    /// Share of the decisions for those that are the best.
    pub accuracy_outside_band: Option<f64>,
    /// Local or offloaded, against what would have been best.
    pub confusion: Confusion,
    /// Mean of the shares that are right where local is best and where offloading is.
    pub balanced_accuracy: Option<f64>,
    /// Area under the ROC curve of the policy's own predictions.
    pub auc: Option<f64>,
}

/// The break-even round trip to one helper node, from tasks that were executed on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeasuredBreakEven {
    /// Number of tasks.
    pub pairs: u64,
    /// Mean over them of the break-even from what was measured ([`pairing`](super::pairing)).
    pub measured_ms: f64,
    /// Lower end of its 95 % interval for these very tasks: the formula's mean plus Student's
    /// interval of the differences to it, task by task. Null with one task.
    pub low_ms: Option<f64>,
    /// Upper end.
    pub high_ms: Option<f64>,
    /// The formula's mean over the same tasks.
    pub formula_ms: f64,
}

impl PairTally {
    /// The tasks of another one too.
    pub fn merge(&mut self, other: &PairTally) {
        self.measured.merge(&other.measured);
        self.formula.merge(&other.formula);
        self.apart.merge(&other.apart);
    }

    /// The break-even; none without pairs.
    pub fn break_even(&self) -> Option<MeasuredBreakEven> {
        if self.measured.n == 0 {
            return None;
        }
        let Interval { low, high, .. } = Interval::of_running(&self.apart);
        let formula_ms = self.formula.mean;
        Some(MeasuredBreakEven {
            pairs: self.measured.n,
            measured_ms: self.measured.mean,
            low_ms: low.map(|low| formula_ms + low),
            high_ms: high.map(|high| formula_ms + high),
            formula_ms,
        })
    }
}

#[cfg(test)]
mod tests;

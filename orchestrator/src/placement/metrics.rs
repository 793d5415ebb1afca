//! What Prometheus is told of a trial of `placement` (`docs/metrics.md`).

use crate::harness::{Label, Metric};

pub(super) const LOCAL: Metric =
    Metric::counter("fogbit_tasks_local_total", "Tasks that ran on the task node");
pub(super) const OFFLOADED: Metric =
    Metric::counter("fogbit_tasks_offloaded_total", "Tasks sent to a node").by(Label::Node);
pub(super) const REFUSED: Metric =
    Metric::counter("fogbit_tasks_refused_total", "Tasks that a node refused or gave up")
        .by(Label::Node);
pub(super) const TIMED_OUT: Metric =
    Metric::counter("fogbit_tasks_timed_out_total", "Tasks without an answer in time (wall clock)")
        .by(Label::Node);
pub(super) const DONE: Metric =
    Metric::counter("fogbit_tasks_done_total", "Tasks whose output came back");
pub(super) const DEADLINES_MISSED: Metric = Metric::counter(
    "fogbit_deadlines_missed_total",
    "Tasks whose output came back after the deadline",
);
pub(super) const LATENCY: Metric = Metric::counter(
    "fogbit_latency_seconds_total",
    "Sum of the latencies of tasks whose output came back",
);
pub(super) const REGRET: Metric = Metric::counter(
    "fogbit_regret_seconds_total",
    "Sum of the expected latency of the choice minus the least one",
);
pub(super) const BEST: Metric = Metric::counter(
    "fogbit_best_decisions_total",
    "Decisions that are the best by the model with the true state of the links",
);

/// All of them.
pub(super) const ALL: &[Metric] =
    &[LOCAL, OFFLOADED, REFUSED, TIMED_OUT, DONE, DEADLINES_MISSED, LATENCY, REGRET, BEST];

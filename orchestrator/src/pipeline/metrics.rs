//! What Prometheus is told of a trial of `pipeline` (`docs/metrics.md`).

use crate::harness::{Label, Metric};

/// What becomes of applications.
pub(super) const FATES: [&str; 3] = ["done", "timed-out", "refused"];

pub(super) const APPLICATIONS: Metric =
    Metric::counter("fogbit_applications_total", "Applications by what became of them")
        .by(Label::Fate(&FATES));
pub(super) const OPTIMAL: Metric = Metric::counter(
    "fogbit_applications_optimal_total",
    "Applications whose modelled delay is the least one",
);
pub(super) const SUB_TASKS: Metric =
    Metric::counter("fogbit_sub_tasks_total", "Sub-tasks by the site of their placement")
        .by(Label::Site);
pub(super) const AS_LABEL: Metric = Metric::counter(
    "fogbit_sub_tasks_as_label_total",
    "Sub-tasks that are placed as in the best placement",
);
pub(super) const DELAY: Metric =
    Metric::counter("fogbit_delay_seconds_total", "Sum of the modelled delays");
pub(super) const LEAST_DELAY: Metric = Metric::counter(
    "fogbit_least_delay_seconds_total",
    "Sum of the least delays of the same applications",
);
pub(super) const MEASURED: Metric = Metric::counter(
    "fogbit_measured_delay_seconds_total",
    "Sum of the measured delays of applications that were done (wall clock)",
)
.from_first_value();
pub(super) const MEASURED_MODELLED: Metric = Metric::counter(
    "fogbit_measured_modelled_delay_seconds_total",
    "Sum of the modelled delays of applications that were done and measured (wall clock)",
)
.from_first_value();
pub(super) const HELD_UP: Metric = Metric::counter(
    "fogbit_held_up_applications_total",
    "Applications that the host held up by a twentieth of their delay (wall clock)",
)
.from_first_value();

/// All of them.
pub(super) const ALL: &[Metric] = &[
    APPLICATIONS,
    OPTIMAL,
    SUB_TASKS,
    AS_LABEL,
    DELAY,
    LEAST_DELAY,
    MEASURED,
    MEASURED_MODELLED,
    HELD_UP,
];

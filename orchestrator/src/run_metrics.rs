//! The metrics that the orchestrator has of every run, whatever the problem (`docs/metrics.md`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fogbit_scenario::topology::Problem;
use fogbit_transport::Role;
use prometheus::core::Collector;
use prometheus::{
    CounterVec, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::validity::{Begun, Validity};

/// Makes metrics and registers them.
pub struct Maker<'r>(pub &'r Registry);

impl Maker<'_> {
    /// Registers `collector`, and gives it back.
    ///
    /// # Errors
    /// If the registry has a metric of its name already.
    pub fn register<C: Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    /// A counter of whole things.
    ///
    /// # Errors
    /// If the registry has a metric of its name already.
    pub fn int_counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    /// A counter of what need not be whole.
    ///
    /// # Errors
    /// If the registry has a metric of its name already.
    pub fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<CounterVec> {
        self.register(CounterVec::new(Opts::new(name, help), labels)?)
    }

    /// A gauge of whole things.
    ///
    /// # Errors
    /// If the registry has a metric of its name already.
    pub fn int_gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// A gauge.
    ///
    /// # Errors
    /// If the registry has a metric of its name already.
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }
}

/// What is run, as the metrics say it.
#[derive(Debug, Clone, Copy)]
pub struct RunLabels<'r> {
    /// Name of the run.
    pub topology: &'r str,
    /// The problem.
    pub problem: Problem,
    /// The backend.
    pub backend: &'r str,
    /// The clock.
    pub clock: &'r str,
    /// Length of a trial in slots; none where it is endless.
    pub slots: Option<u64>,
}

/// The metrics that a run of any problem has. What `fogbit_slot` counts is what there
/// is one decision for: a slot, a task, an image, an application.
#[derive(Debug)]
pub struct RunMetrics {
    policies: Vec<PolicyMetrics>,
    valid: IntGauge,
    node_present: IntGaugeVec,
    members: IntGaugeVec,
    began: Instant,
    validity: Mutex<Validity>,
}

#[derive(Debug)]
struct PolicyMetrics {
    slots: IntCounter,
    late_slots: IntCounter,
    seed: IntGauge,
    slot: IntGauge,
}

impl RunMetrics {
    /// Of a run that has not begun, with policies of these names.
    ///
    /// # Errors
    /// If the registry has metrics of these names already.
    pub fn new<'n>(
        make: &Maker<'_>,
        run: RunLabels<'_>,
        policies: impl Iterator<Item = &'n str>,
    ) -> prometheus::Result<RunMetrics> {
        let labels = &["topology", "problem", "backend", "clock"];
        let info = make.int_gauge("fogbit_run_info", "Always 1; says what is run", labels)?;
        let RunLabels { topology, problem, backend, clock, slots } = run;
        info.with_label_values(&[topology, problem.name(), backend, clock]).set(1);
        let planned = make.register(IntGauge::new(
            "fogbit_planned_slots",
            "Length of each trial in slots; 0 where it is endless",
        )?)?;
        planned.set(whole(slots.unwrap_or(0)));
        let valid = make.register(IntGauge::new(
            "fogbit_run_valid",
            "Whether the run is to be believed so far (0 or 1)",
        )?)?;
        valid.set(1);
        let policy = &["policy"];
        let counted = make.int_counter("fogbit_slots_total", "Slots accounted for", policy)?;
        let late_slots = make.int_counter(
            "fogbit_late_slots_total",
            "Slots that began later than a tenth of a slot (wall clock)",
            policy,
        )?;
        let seed = make.int_gauge("fogbit_seed", "The seed that is being played", policy)?;
        let slot = make.int_gauge("fogbit_slot", "The slot last accounted for", policy)?;
        let policies = policies.map(|name| PolicyMetrics {
            slots: counted.with_label_values(&[name]),
            late_slots: late_slots.with_label_values(&[name]),
            seed: seed.with_label_values(&[name]),
            slot: slot.with_label_values(&[name]),
        });
        Ok(RunMetrics {
            policies: policies.collect(),
            valid,
            node_present: make.int_gauge(
                "fogbit_node_present",
                "Whether the helper node belongs to the run now (0 or 1)",
                &["node"],
            )?,
            members: make.int_gauge("fogbit_members", "Members of the run", &["role"])?,
            began: Instant::now(),
            validity: Mutex::new(Validity::new(slots.is_none())),
        })
    }

    /// The trial of a policy under `seed` is at `slot` now; `more` of its slots were not counted yet.
    pub fn at(&self, policy: usize, seed: u64, slot: u64, more: u64) {
        let shown = &self.policies[policy];
        shown.slots.inc_by(more);
        shown.seed.set(whole(seed));
        shown.slot.set(whole(slot));
    }

    /// Slots of a policy that were accounted for, over all seeds.
    pub fn slots(&self, policy: usize) -> u64 {
        self.policies[policy].slots.get()
    }

    /// Takes note of slots that began in real time.
    pub fn begun(&self, policy: usize, begun: Begun) {
        self.policies[policy].late_slots.inc_by(begun.late);
        self.judge(begun);
    }

    /// Judges the run by these too.
    pub fn judge(&self, begun: Begun) {
        let now = self.began.elapsed();
        let mut validity = lock(&self.validity);
        validity.note(now, begun);
        self.valid.set(validity.counted(now).valid().into());
    }

    /// The run is over, and this is what is to be thought of it.
    pub fn judged(&self, valid: bool) {
        self.valid.set(valid.into());
    }

    /// The slots by which the run is judged now.
    pub fn counted(&self) -> Begun {
        lock(&self.validity).counted(self.began.elapsed())
    }

    /// The helper node belongs to the run, or does not any more.
    pub fn node_present(&self, name: &str, present: bool) {
        self.node_present.with_label_values(&[name]).set(present.into());
    }

    /// How many processes of a role belong to the run.
    pub fn members(&self, role: Role, count: usize) {
        self.members.with_label_values(&[role.label()]).set(count as i64);
    }
}

/// A whole number as gauges take it.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

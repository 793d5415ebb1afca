//! What is known of a run while it goes on: the backends and ledgers write it, the progress display
//! and Prometheus read it (`docs/metrics.md`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fogbit_policy::Policy;
use fogbit_transport::Role;
use prometheus::core::Collector;
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::ledger::{Ledger, NodeTotals, Totals};
use crate::plan::Plan;
use crate::validity::{Begun, Validity};

/// The board of one run.
#[derive(Debug)]
pub struct Board {
    policies: Vec<PolicyBoard>,
    nodes: Vec<String>,
    /// Length of a trial; 0 where it is endless.
    slots: u64,
    seeds: u64,
    weight_error: GaugeVec,
    valid: IntGauge,
    node_present: IntGaugeVec,
    node_losses: IntCounterVec,
    members: IntGaugeVec,
    /// What is being done before the first slot.
    stage: Mutex<String>,
    began: Instant,
    validity: Mutex<Validity>,
}

/// What is known of one policy.
#[derive(Debug)]
struct PolicyBoard {
    name: String,
    slots: IntCounter,
    late_slots: IntCounter,
    idle_slots: IntCounter,
    regret_linear: Counter,
    regret_happiness: Counter,
    nodes: Vec<NodeCounters>,
    seed: IntGauge,
    slot: IntGauge,
    cumulative_regret_linear: Gauge,
    cumulative_regret_happiness: Gauge,
    average_regret_linear: Gauge,
    average_regret_happiness: Gauge,
    cumulative_reward: Gauge,
    cumulative_optimal_reward: Gauge,
}

/// The tasks that one policy sent to one node.
#[derive(Debug)]
struct NodeCounters {
    offloaded: IntCounter,
    happy: IntCounter,
    unhappy: IntCounter,
    refused: IntCounter,
    timed_out: IntCounter,
}

/// What a trial has told of itself already, so that counters go on from seed to seed.
#[derive(Debug, Clone)]
pub struct Told {
    seed: u64,
    totals: Totals,
    nodes: Vec<NodeTotals>,
}

impl Told {
    /// Nothing yet of the trial under `seed`.
    pub fn nothing(seed: u64) -> Told {
        Told { seed, totals: Totals::default(), nodes: Vec::new() }
    }

    /// How many slots the trial has played since it was last told of; `slots` are those so far.
    pub fn advance(&mut self, slots: u64) -> u64 {
        slots - std::mem::replace(&mut self.totals.slots, slots)
    }
}

/// How far a policy has got, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing<'l> {
    /// Its name.
    pub name: &'l str,
    /// Slots played.
    pub slots: u64,
    /// Linear regret divided by these; none before the first.
    pub average_regret: Option<f64>,
}

/// Makes metrics and registers them.
struct Maker<'r>(&'r Registry);

impl Maker<'_> {
    fn register<C: Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn int_counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<CounterVec> {
        self.register(CounterVec::new(Opts::new(name, help), &["policy"])?)
    }

    fn int_gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }
}

impl Board {
    /// Of a run of `plan` that has not begun; its metrics go to `registry`.
    ///
    /// # Errors
    /// If the registry has metrics of these names already.
    pub fn new(plan: &Plan, backend: &str, registry: &Registry) -> prometheus::Result<Board> {
        let make = Maker(registry);
        let scenario = &plan.scenario;
        let info = make.int_gauge(
            "fogbit_run_info",
            "Always 1; says what is run",
            &["topology", "backend", "clock"],
        )?;
        let clock = scenario.clock().kind();
        info.with_label_values(&[scenario.name().as_str(), backend, clock]).set(1);
        let planned = make.register(IntGauge::new(
            "fogbit_planned_slots",
            "Length of each trial in slots; 0 where it is endless",
        )?)?;
        let slots = scenario.length().slots().unwrap_or(0);
        planned.set(i64::try_from(slots).unwrap_or(i64::MAX));
        let valid = make.register(IntGauge::new(
            "fogbit_run_valid",
            "Whether the run is to be believed so far (0 or 1)",
        )?)?;
        valid.set(1);
        let nodes: Vec<String> = scenario.helpers().iter().map(|h| h.name.clone()).collect();
        let endless = scenario.length().slots().is_none();
        Ok(Board {
            policies: policies(&make, plan, &nodes)?,
            slots,
            seeds: plan.seeds.len() as u64,
            weight_error: make.gauge(
                "fogbit_weight_error",
                "Distance of estimated and hidden weights",
                &["policy", "node"],
            )?,
            valid,
            node_present: make.int_gauge(
                "fogbit_node_present",
                "Whether the helper node belongs to the run now (0 or 1)",
                &["node"],
            )?,
            node_losses: make.int_counter(
                "fogbit_node_losses_total",
                "How often the helper node was lost while the run went on",
                &["node"],
            )?,
            members: make.int_gauge("fogbit_members", "Members of the run", &["role"])?,
            nodes,
            stage: Mutex::new(String::new()),
            began: Instant::now(),
            validity: Mutex::new(Validity::new(endless)),
        })
    }

    /// Shows what the ledger of a trial holds; `told` is what it has shown before. `playing` is the
    /// policy where that is at hand.
    pub fn publish(
        &self,
        policy: usize,
        ledger: &mut Ledger,
        playing: Option<&dyn Policy>,
        told: &mut Told,
    ) {
        let shown = &self.policies[policy];
        let totals = *ledger.totals();
        shown.count(&told.totals, &totals);
        told.nodes.resize(self.nodes.len(), NodeTotals::default());
        for ((counters, before), now) in shown.nodes.iter().zip(&mut told.nodes).zip(ledger.nodes())
        {
            counters.count(before, now);
            *before = *now;
        }
        told.totals = totals;
        shown.show(told.seed, &totals);
        ledger.weight_errors(playing, |node, error| {
            self.weight_error.with_label_values(&[&shown.name, &self.nodes[node]]).set(error);
        });
    }

    /// Takes note of slots that began in real time.
    pub fn begun(&self, policy: usize, begun: Begun) {
        self.policies[policy].late_slots.inc_by(begun.late);
        let now = self.began.elapsed();
        let mut validity = lock(&self.validity);
        validity.note(now, begun);
        self.valid.set(validity.counted(now).valid().into());
    }

    /// The slots by which the run is judged now.
    pub fn counted(&self) -> Begun {
        lock(&self.validity).counted(self.began.elapsed())
    }

    /// The helper node belongs to the run, or does not any more.
    pub fn node_present(&self, name: &str, present: bool) {
        self.node_present.with_label_values(&[name]).set(present.into());
        // The series is there from the start, at 0.
        self.node_losses.with_label_values(&[name]);
    }

    /// The helper node was lost while the run went on.
    pub fn node_lost(&self, name: &str) {
        self.node_losses.with_label_values(&[name]).inc();
    }

    /// How often helper nodes were lost while the run went on.
    pub fn losses(&self) -> u64 {
        let of = |node: &String| self.node_losses.with_label_values(&[node]).get();
        self.nodes.iter().map(of).sum()
    }

    /// How many processes of a role belong to the run.
    pub fn members(&self, role: Role, count: usize) {
        self.members.with_label_values(&[role.label()]).set(count as i64);
    }

    /// The time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Says what is being done.
    pub fn stage(&self, text: impl Into<String>) {
        *lock(&self.stage) = text.into();
    }

    /// What is being done.
    pub fn stage_text(&self) -> String {
        lock(&self.stage).clone()
    }

    /// Slots of all trials of one policy; none where trials are endless.
    pub fn planned(&self) -> Option<u64> {
        (self.slots > 0).then(|| self.slots.saturating_mul(self.seeds))
    }

    /// How far each policy has got, in the order of the plan.
    pub fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        self.policies.iter().map(|policy| {
            let slots = policy.slots.get();
            let average_regret = (slots > 0).then(|| policy.regret_linear.get() / slots as f64);
            Standing { name: &policy.name, slots, average_regret }
        })
    }
}

fn policies(
    make: &Maker<'_>,
    plan: &Plan,
    nodes: &[String],
) -> prometheus::Result<Vec<PolicyBoard>> {
    let policy = &["policy"];
    let slots = make.int_counter("fogbit_slots_total", "Slots accounted for", policy)?;
    let late = make.int_counter(
        "fogbit_late_slots_total",
        "Slots that began later than a tenth of a slot (wall clock)",
        policy,
    )?;
    let idle = make.int_counter(
        "fogbit_idle_slots_total",
        "Slots in which no helper node was there (wall clock)",
        policy,
    )?;
    let linear = make.counter("fogbit_regret_linear_total", "Linear regret over all seeds")?;
    let happiness =
        make.counter("fogbit_regret_happiness_total", "Lost happiness over all seeds")?;
    let both = &["policy", "node"];
    let offloaded =
        make.int_counter("fogbit_tasks_offloaded_total", "Tasks sent to a node", both)?;
    let feedback =
        make.int_counter("fogbit_feedback_total", "Answers by bit", &["policy", "node", "bit"])?;
    let refused =
        make.int_counter("fogbit_tasks_refused_total", "Tasks that a full queue refused", both)?;
    let timed_out = make.int_counter(
        "fogbit_tasks_timed_out_total",
        "Tasks without an answer in time (wall clock)",
        both,
    )?;
    let seed = make.int_gauge("fogbit_seed", "The seed that is being played", policy)?;
    let slot = make.int_gauge("fogbit_slot", "The slot last accounted for", policy)?;
    let gauge = |name: &str, help: &str| make.gauge(name, help, policy);
    let cumulative_linear =
        gauge("fogbit_cumulative_regret_linear", "Sum of x*.w* - x.w under this seed")?;
    let cumulative_happiness =
        gauge("fogbit_cumulative_regret_happiness", "Sum of P* - P under this seed")?;
    let average_linear = gauge("fogbit_average_regret_linear", "Linear regret a slot")?;
    let average_happiness = gauge("fogbit_average_regret_happiness", "Lost happiness a slot")?;
    let reward = gauge("fogbit_cumulative_reward", "Sum of rewards under this seed")?;
    let optimal = gauge(
        "fogbit_cumulative_optimal_reward",
        "Sum of 2 P* - 1 under this seed: the expected reward of the best choices",
    )?;
    let boards = plan.policies.iter().map(|planned| {
        let name = [planned.name.as_str()];
        let counters = |node: &String| {
            let both = [planned.name.as_str(), node.as_str()];
            let bit = |bit| feedback.with_label_values(&[both[0], both[1], bit]);
            NodeCounters {
                offloaded: offloaded.with_label_values(&both),
                happy: bit("happy"),
                unhappy: bit("unhappy"),
                refused: refused.with_label_values(&both),
                timed_out: timed_out.with_label_values(&both),
            }
        };
        PolicyBoard {
            name: planned.name.clone(),
            slots: slots.with_label_values(&name),
            late_slots: late.with_label_values(&name),
            idle_slots: idle.with_label_values(&name),
            regret_linear: linear.with_label_values(&name),
            regret_happiness: happiness.with_label_values(&name),
            nodes: nodes.iter().map(counters).collect(),
            seed: seed.with_label_values(&name),
            slot: slot.with_label_values(&name),
            cumulative_regret_linear: cumulative_linear.with_label_values(&name),
            cumulative_regret_happiness: cumulative_happiness.with_label_values(&name),
            average_regret_linear: average_linear.with_label_values(&name),
            average_regret_happiness: average_happiness.with_label_values(&name),
            cumulative_reward: reward.with_label_values(&name),
            cumulative_optimal_reward: optimal.with_label_values(&name),
        }
    });
    Ok(boards.collect())
}

impl PolicyBoard {
    /// Counts what has come since `before`.
    fn count(&self, before: &Totals, now: &Totals) {
        self.slots.inc_by(now.slots - before.slots);
        self.idle_slots.inc_by(now.idle - before.idle);
        // No slot has a regret below 0, but rounding may give such a sum of very small ones.
        self.regret_linear.inc_by((now.regret_linear - before.regret_linear).max(0.0));
        self.regret_happiness.inc_by((now.regret_happiness - before.regret_happiness).max(0.0));
    }

    /// Shows where the trial under `seed` is.
    fn show(&self, seed: u64, totals: &Totals) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.seed.set(whole(seed));
        self.slot.set(whole(totals.slots));
        self.cumulative_regret_linear.set(totals.regret_linear);
        self.cumulative_regret_happiness.set(totals.regret_happiness);
        if totals.slots > 0 {
            let slots = totals.slots as f64;
            self.average_regret_linear.set(totals.regret_linear / slots);
            self.average_regret_happiness.set(totals.regret_happiness / slots);
        }
        self.cumulative_reward.set(totals.reward as f64);
        self.cumulative_optimal_reward.set(totals.optimal_reward);
    }
}

impl NodeCounters {
    fn count(&self, before: &NodeTotals, now: &NodeTotals) {
        self.offloaded.inc_by(now.offloaded() - before.offloaded());
        self.happy.inc_by(now.happy - before.happy);
        self.unhappy.inc_by(now.unhappy - before.unhappy);
        self.refused.inc_by(now.refused - before.refused);
        self.timed_out.inc_by(now.timed_out - before.timed_out);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What is known of a run of `one-bit` while it goes on: the backends and ledgers write it, the progress display
//! and Prometheus read it (`docs/metrics.md`).

use std::sync::{Mutex, PoisonError};

use fogbit_policy::Policy;
use fogbit_scenario::topology::Problem;
use prometheus::{Counter, Gauge, GaugeVec, IntCounter, IntCounterVec, Registry};

use crate::ledger::{Ledger, NodeTotals, Totals};
use crate::plan::Plan;
use crate::run_metrics::{Maker, RunLabels, RunMetrics};

/// The board of one run.
#[derive(Debug)]
pub struct Board {
    policies: Vec<PolicyBoard>,
    nodes: Vec<String>,
    /// Length of a trial; 0 where it is endless.
    slots: u64,
    seeds: u64,
    weight_error: GaugeVec,
    node_losses: IntCounterVec,
    /// What is being done before the first slot.
    stage: Mutex<String>,
    run: RunMetrics,
}

/// What is known of one policy.
#[derive(Debug)]
struct PolicyBoard {
    name: String,
    idle_slots: IntCounter,
    regret_linear: Counter,
    regret_happiness: Counter,
    nodes: Vec<NodeCounters>,
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

impl Board {
    /// Of a run of `plan` that has not begun; its metrics go to `registry`.
    ///
    /// # Errors
    /// If the registry has metrics of these names already.
    pub fn new(plan: &Plan, backend: &str, registry: &Registry) -> prometheus::Result<Board> {
        let make = Maker(registry);
        let scenario = &plan.scenario;
        let slots = scenario.length().slots();
        let labels = RunLabels {
            topology: &scenario.name(),
            problem: Problem::OneBit,
            backend,
            clock: scenario.clock().kind(),
            slots,
        };
        let names = plan.policies.iter().map(|policy| policy.name.as_str());
        let run = RunMetrics::new(&make, labels, names)?;
        let nodes: Vec<String> = scenario.helpers().iter().map(|h| h.name.clone()).collect();
        Ok(Board {
            policies: policies(&make, plan, &nodes)?,
            slots: slots.unwrap_or(0),
            seeds: plan.seeds.len() as u64,
            weight_error: make.gauge(
                "fogbit_weight_error",
                "Distance of estimated and hidden weights",
                &["policy", "node"],
            )?,
            node_losses: make.int_counter(
                "fogbit_node_losses_total",
                "How often the helper node was lost while the run went on",
                &["node"],
            )?,
            nodes,
            stage: Mutex::new(String::new()),
            run,
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
        self.run.at(policy, told.seed, totals.slots, totals.slots - told.totals.slots);
        shown.count(&told.totals, &totals);
        told.nodes.resize(self.nodes.len(), NodeTotals::default());
        for ((counters, before), now) in shown.nodes.iter().zip(&mut told.nodes).zip(ledger.nodes())
        {
            counters.count(before, now);
            *before = *now;
        }
        told.totals = totals;
        shown.show(&totals);
        ledger.weight_errors(playing, |node, error| {
            self.weight_error.with_label_values(&[&shown.name, &self.nodes[node]]).set(error);
        });
    }

    /// The metrics that every run has.
    pub fn run(&self) -> &RunMetrics {
        &self.run
    }

    /// The helper node belongs to the run, or does not any more.
    pub fn node_present(&self, name: &str, present: bool) {
        self.run.node_present(name, present);
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

    /// Says what is being done.
    pub fn stage(&self, text: impl Into<String>) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    /// What is being done.
    pub fn stage_text(&self) -> String {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Slots of all trials of one policy; none where trials are endless.
    pub fn planned(&self) -> Option<u64> {
        (self.slots > 0).then(|| self.slots.saturating_mul(self.seeds))
    }

    /// How far each policy has got, in the order of the plan.
    pub fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        self.policies.iter().enumerate().map(|(number, policy)| {
            let slots = self.run.slots(number);
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
    let idle = make.int_counter(
        "fogbit_idle_slots_total",
        "Slots in which no helper node was there (wall clock)",
        policy,
    )?;
    let linear =
        make.counter("fogbit_regret_linear_total", "Linear regret over all seeds", policy)?;
    let happiness =
        make.counter("fogbit_regret_happiness_total", "Lost happiness over all seeds", policy)?;
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
            idle_slots: idle.with_label_values(&name),
            regret_linear: linear.with_label_values(&name),
            regret_happiness: happiness.with_label_values(&name),
            nodes: nodes.iter().map(counters).collect(),
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
        self.idle_slots.inc_by(now.idle - before.idle);
        // No slot has a regret below 0, but rounding may give such a sum of very small ones.
        self.regret_linear.inc_by((now.regret_linear - before.regret_linear).max(0.0));
        self.regret_happiness.inc_by((now.regret_happiness - before.regret_happiness).max(0.0));
    }

    /// Shows where the trial is.
    fn show(&self, totals: &Totals) {
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

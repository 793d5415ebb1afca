//! `summary.json`, which is also what `--format json` prints. `docs/results.md` documents it; it
//! only ever grows.

use fogbit_scenario::topology::{Metric, RunLength};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::manifest::RunStatus;
pub use super::pairs::{Pair, PolicyRank, Reading};
use super::pairs::{pairs, ranks};
use crate::expect::{Verdict, evaluate};
use crate::harness::{
    self, ProblemCollector, ProblemSummary, RunFacts, RunHead, parameters, trials,
};
use crate::ledger::Totals;
use crate::links::LinksSummary;
use crate::plan::{Collector, Curve, Plan, SUMMARY_SLOTS, TrialFigures};
use crate::stats::MeanSd;
use crate::validity::Begun;

/// Everything a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The run.
    pub run: RunSummary,
    /// Each policy over the seeds; complete trials only.
    pub policies: Vec<PolicySummary>,
    /// Paired differences over the seeds that both policies completed.
    pub pairs: Vec<Pair>,
    /// Where each policy stands among the others, by each metric, over the seeds that all completed.
    #[serde(default)]
    pub ranks: Vec<PolicyRank>,
    /// The expectations of the topology file.
    pub expectations: Vec<Verdict>,
    /// Each trial.
    pub trials: Vec<TrialSummary>,
}

/// The run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Name of the topology.
    pub topology: String,
    /// What it shows.
    pub about: Option<String>,
    /// `sim`, `process` or `join`.
    pub backend: String,
    /// Length of each trial in slots; none where trials are endless.
    pub slots: Option<u64>,
    /// `slot` or `wall`.
    #[serde(default = "slot_clock")]
    pub clock: String,
    /// Whether the run is to be believed: in real time it is not where the host did not keep up.
    pub valid: bool,
    /// In real time the share of slots that began later than a tenth of a slot: of all slots, or of
    /// those of the last minute where trials are endless.
    #[serde(default)]
    pub late_share: Option<f64>,
    /// In real time how often a helper node was lost while the run went on.
    #[serde(default)]
    pub node_losses: Option<u64>,
    /// In real time over emulated links, what was measured of these.
    #[serde(default)]
    pub links: Option<LinksSummary>,
    /// How far it got.
    pub status: RunStatus,
    /// Number of seeds.
    pub seeds: u64,
    /// Names of the helper nodes, in the order of their numbers.
    pub nodes: Vec<String>,
    /// Number of features.
    pub features: usize,
    /// Whether regret is measured on each policy's own path, because queues depend on it.
    pub own_path: bool,
    /// Wall time of the whole run in seconds.
    pub seconds: f64,
    /// Version of Fogbit.
    pub version: String,
}

/// One policy over the seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicySummary {
    /// Its name in the topology file.
    pub name: String,
    /// Which policy it is.
    pub kind: String,
    /// Its parameters in the form of the topology file, without `kind`.
    pub parameters: serde_json::Value,
    /// Number of complete trials.
    pub seeds: u64,
    /// Slots a second of trial time; trials that ran side by side share the machine.
    pub slots_per_second: Option<f64>,
    /// Cumulative linear regret.
    pub regret_linear: Option<MeanSd>,
    /// Cumulative regret as lost happiness.
    pub regret_happiness: Option<MeanSd>,
    /// Mean average linear regret at three slots; null where the run is shorter.
    pub average_regret: IndexMap<String, Option<f64>>,
    /// Cumulative reward.
    pub reward: Option<MeanSd>,
    /// Expected reward of the best choices on the policy's own path.
    pub optimal_reward: Option<MeanSd>,
    /// Mean reward divided by mean optimal reward; null where the latter is not above 0.
    pub share_of_optimal_reward: Option<f64>,
    /// Happy bits as a share of all tasks.
    pub happy_share: Option<f64>,
    /// What became of the tasks, over all complete trials.
    pub tasks: TaskCounts,
    /// Slots of all complete trials in which no helper node was there (wall clock).
    #[serde(default)]
    pub idle_slots: u64,
    /// Share of the tasks that each node got, in the order of their numbers.
    pub chosen_share: Vec<f64>,
    /// Right side of (19) at the last slot, for policies with a confidence region.
    pub average_regret_bound: Option<f64>,
    /// Share of nodes and slots for which (14) held, for the same policies.
    pub covered_share: Option<f64>,
}

fn slot_clock() -> String {
    "slot".into()
}

/// What became of tasks: `offloaded = answered + timed_out + refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskCounts {
    /// Sent to a helper node.
    pub offloaded: u64,
    /// Answered with a bit.
    pub answered: u64,
    /// Not answered in time.
    pub timed_out: u64,
    /// Refused by a full queue.
    pub refused: u64,
}

impl TaskCounts {
    fn of(totals: &Totals) -> TaskCounts {
        TaskCounts {
            offloaded: totals.offloaded(),
            answered: totals.happy + totals.unhappy,
            timed_out: totals.timed_out,
            refused: totals.refused,
        }
    }

    fn plus(self, other: TaskCounts) -> TaskCounts {
        TaskCounts {
            offloaded: self.offloaded + other.offloaded,
            answered: self.answered + other.answered,
            timed_out: self.timed_out + other.timed_out,
            refused: self.refused + other.refused,
        }
    }
}

/// One trial.
pub type TrialSummary = harness::TrialSummary<TrialSums>;

/// The sums of one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialSums {
    /// Cumulative linear regret.
    pub regret_linear: f64,
    /// Cumulative regret as lost happiness.
    pub regret_happiness: f64,
    /// Cumulative reward.
    pub reward: i64,
    /// Expected reward of the best choices on this path.
    pub optimal_reward: f64,
    /// What became of the tasks.
    #[serde(flatten)]
    pub tasks: TaskCounts,
}

impl TrialSums {
    fn of(TrialFigures { totals, .. }: &TrialFigures) -> TrialSums {
        TrialSums {
            regret_linear: totals.regret_linear,
            regret_happiness: totals.regret_happiness,
            reward: totals.reward,
            optimal_reward: totals.optimal_reward,
            tasks: TaskCounts::of(totals),
        }
    }
}

/// The value of a metric for one trial's sums.
pub fn metric_value(metric: Metric, totals: &Totals) -> f64 {
    match metric {
        Metric::AverageRegret => totals.regret_linear / totals.slots as f64,
        Metric::RegretLinear => totals.regret_linear,
        Metric::RegretHappiness => totals.regret_happiness,
        Metric::Reward => totals.reward as f64,
    }
}

/// What there is to say of a run in real time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RealTime {
    /// The slots by which it is judged.
    pub begun: Begun,
    /// How often helper nodes were lost.
    pub losses: u64,
}

impl Summary {
    /// Adds up a run.
    pub fn new(
        plan: &Plan,
        collector: &Collector,
        facts: RunFacts<'_>,
        real_time: Option<RealTime>,
    ) -> Summary {
        let scenario = &plan.scenario;
        let slots_in_time = real_time.is_none_or(|real_time| real_time.begun.valid());
        let run = RunSummary {
            topology: scenario.name(),
            about: scenario.topology().about.clone(),
            backend: facts.backend.into(),
            slots: scenario.length().slots(),
            clock: scenario.clock().kind().into(),
            valid: slots_in_time && facts.links_are_in_time(),
            late_share: real_time.map(|real_time| real_time.begun.late_share()),
            node_losses: real_time.map(|real_time| real_time.losses),
            links: facts.links,
            status: facts.status,
            seeds: plan.seeds.len() as u64,
            nodes: scenario.helpers().iter().map(|h| h.name.clone()).collect(),
            features: scenario.features(),
            own_path: scenario.depends_on_choices(),
            seconds: facts.seconds,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let expectations = &scenario.topology().expectations;
        let reached = |slot: u64| match plan.marks.contains(&slot) {
            true => Ok(()),
            false => Err(format!("trials are shorter: {}", scenario.length())),
        };
        Summary {
            run,
            policies: (0..plan.policies.len()).map(|i| policy(plan, collector, i)).collect(),
            pairs: pairs(plan, collector),
            ranks: ranks(plan, collector),
            expectations: evaluate(plan, collector, expectations, reached),
            trials: trials(plan, collector, TrialSums::of),
        }
    }
}

impl ProblemSummary for Summary {
    fn head(&self) -> RunHead<'_> {
        let run = &self.run;
        RunHead {
            topology: &run.topology,
            about: run.about.as_deref(),
            backend: &run.backend,
            slots: run.slots,
            counted: "slot",
            clock: &run.clock,
            valid: run.valid,
            status: run.status,
            seeds: run.seeds,
            nodes: &run.nodes,
            links: run.links,
            seconds: run.seconds,
        }
    }

    fn expectations(&self) -> &[Verdict] {
        &self.expectations
    }
}

fn policy(plan: &Plan, collector: &Collector, index: usize) -> PolicySummary {
    let rows: Vec<_> = collector.complete(index).collect();
    let mean_sd = |value: &dyn Fn(&Totals) -> f64| {
        let values: Vec<f64> = rows.iter().map(|row| value(&row.figures.totals)).collect();
        (!values.is_empty()).then(|| MeanSd::of(&values))
    };
    let tasks = rows
        .iter()
        .map(|r| TaskCounts::of(&r.figures.totals))
        .fold(TaskCounts::default(), TaskCounts::plus);
    let happy: u64 = rows.iter().map(|row| row.figures.totals.happy).sum();
    let seconds: f64 = rows.iter().map(|row| row.seconds).sum();
    let offloaded = tasks.offloaded as f64;
    let slots = rows.iter().map(|row| row.slots).sum::<u64>() as f64;
    let mut chosen_share = vec![0.0; plan.scenario.nodes()];
    for row in &rows {
        for (share, count) in chosen_share.iter_mut().zip(&row.figures.chosen) {
            *share += *count as f64 / offloaded.max(1.0);
        }
    }
    let last = |curve: Curve| {
        let (slot, value) = collector.curve(index, curve).filter(|(_, v)| v.n > 0).last()?;
        let whole = plan.scenario.length().slots().is_none_or(|slots| slot == slots);
        whole.then_some(value.mean)
    };
    let (reward, optimal_reward) = (mean_sd(&|t| t.reward as f64), mean_sd(&|t| t.optimal_reward));
    let planned = &plan.policies[index];
    PolicySummary {
        name: planned.name.clone(),
        kind: planned.spec.kind().into(),
        parameters: parameters(&planned.spec),
        seeds: rows.len() as u64,
        slots_per_second: (seconds > 0.0).then(|| slots / seconds),
        regret_linear: mean_sd(&|t| t.regret_linear),
        regret_happiness: mean_sd(&|t| t.regret_happiness),
        average_regret: summary_slots(plan.scenario.length())
            .map(|slot| (slot.to_string(), average_regret(plan, collector, index, slot)))
            .collect(),
        share_of_optimal_reward: reward
            .zip(optimal_reward)
            .filter(|(_, optimal)| optimal.mean > 0.0)
            .map(|(reward, optimal)| reward.mean / optimal.mean),
        reward,
        optimal_reward,
        idle_slots: rows.iter().map(|row| row.figures.totals.idle).sum(),
        happy_share: (offloaded > 0.0).then(|| happy as f64 / offloaded),
        tasks,
        chosen_share,
        average_regret_bound: last(Curve::Bound),
        covered_share: last(Curve::Covered),
    }
}

/// The slots at which the average regret is told: the same for all runs, and the last.
pub(crate) fn summary_slots(length: RunLength) -> impl Iterator<Item = u64> {
    let last = length.slots().filter(|last| !SUMMARY_SLOTS.contains(last));
    SUMMARY_SLOTS.into_iter().chain(last)
}

/// Mean over the complete trials of the average regret at `slot`, if trials are that long.
fn average_regret(plan: &Plan, collector: &Collector, index: usize, slot: u64) -> Option<f64> {
    let value = |row| Collector::value(plan, row, Metric::AverageRegret, slot);
    let values: Vec<f64> = collector.complete(index).filter_map(value).collect();
    (!values.is_empty()).then(|| MeanSd::of(&values).mean)
}

//! `summary.json` of the problem `placement`, which is also what `--format json` prints.
//! `docs/results.md` documents it; it only ever grows.

use fogbit_scenario::placement::cost::{break_even_rtt_s, expected_latency_s};
use fogbit_scenario::placement::{PlacementScenario, SiteSight, Task};
use fogbit_scenario::topology::Range;
use serde::{Deserialize, Serialize};

use super::collect::PlacementCollector;
use super::plan::{PlacementPlan, Segment};
use super::scores::Answer;
use super::tally::{Kpis, MeasuredBreakEven, Tally};
use crate::expect::{Verdict, evaluate};
use crate::harness::{self, OverSeeds, ProblemSummary, RunFacts, RunHead, parameters, trials};
use crate::links::LinksSummary;
use crate::results::RunStatus;
use crate::results::pairs::{Pair, PolicyRank, pairs, ranks};
use crate::stats::MeanSd;

/// Everything a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlacementSummary {
    /// The run.
    pub run: PlacementRun,
    /// Each policy over the seeds; complete trials only.
    pub policies: Vec<PolicySummary>,
    /// The break-even round trip of each segment and helper node.
    pub break_even: Vec<BreakEven>,
    /// Paired differences over the seeds that both policies completed.
    pub pairs: Vec<Pair>,
    /// Where each policy stands among the others, over the seeds that all completed.
    pub ranks: Vec<PolicyRank>,
    /// The expectations of the topology file.
    pub expectations: Vec<Verdict>,
    /// Each trial.
    pub trials: Vec<TrialSummary>,
}

/// The run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlacementRun {
    /// `placement`.
    pub problem: String,
    /// Name of the topology.
    pub topology: String,
    /// What it shows.
    pub about: Option<String>,
    /// `sim`, `process` or `join`.
    pub backend: String,
    /// Length of each trial in slots.
    pub slots: u64,
    /// `slot` or `wall`.
    pub clock: String,
    /// Whether the run is to be believed.
    pub valid: bool,
    /// How far it got.
    pub status: RunStatus,
    /// Number of seeds.
    pub seeds: u64,
    /// Name of the task node.
    pub task_node: String,
    /// Names of the helper nodes, in the order of their numbers.
    pub nodes: Vec<String>,
    /// Between events nothing changes by schedule.
    pub segments: Vec<Segment>,
    /// What was measured of the links in real time.
    #[serde(default)]
    pub links: Option<LinksSummary>,
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
    /// The one answer that it gave to every task, if it only ever gave one.
    pub degenerate: Option<Answer>,
    /// Trials' mean latencies in milliseconds.
    pub mean_latency_ms: Option<MeanSd>,
    /// Trials' mean regrets in milliseconds.
    pub mean_regret_ms: Option<MeanSd>,
    /// Trials' shares of decisions that are the best.
    pub accuracy: Option<MeanSd>,
    /// The same outside the band around break-even.
    pub accuracy_outside_band: Option<MeanSd>,
    /// All tasks of all complete trials together.
    pub whole: Kpis,
    /// The same for each segment of the run.
    pub segments: Vec<Kpis>,
}

/// The round-trip time at which a task takes the same time here and on a helper node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakEven {
    /// Which segment of the run, from 0.
    pub segment: usize,
    /// The links' profile in it.
    pub profile: String,
    /// The helper node.
    pub node: String,
    /// Configured mean round-trip time of its link; with drawn ones the middle of their range.
    pub rtt_ms: f64,
    /// Expected latency of the mean task on the task node.
    pub local_ms: f64,
    /// Expected latency of the mean task on the helper node, at that round-trip time.
    pub offloaded_ms: f64,
    /// The break-even of the mean task by the formula.
    pub formula_ms: f64,
    /// The break-even from tasks that were executed on both; null where there are none.
    pub measured: Option<MeasuredBreakEven>,
}

/// One trial.
pub type TrialSummary = harness::TrialSummary<Kpis>;

impl PlacementSummary {
    /// Adds up a run.
    pub fn new(
        plan: &PlacementPlan,
        collector: &PlacementCollector,
        facts: RunFacts<'_>,
    ) -> PlacementSummary {
        let scenario = &plan.scenario;
        let run = PlacementRun {
            problem: "placement".into(),
            topology: scenario.name(),
            about: scenario.topology().about.clone(),
            backend: facts.backend.into(),
            slots: scenario.slots(),
            clock: scenario.topology().clock.kind().into(),
            valid: facts.links_are_in_time(),
            status: facts.status,
            seeds: plan.seeds.len() as u64,
            task_node: scenario.task_node().name.clone(),
            nodes: scenario.helpers().iter().map(|helper| helper.name.clone()).collect(),
            segments: plan.segments.to_vec(),
            links: facts.links,
            seconds: facts.seconds,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let expectations = &scenario.topology().expectations;
        PlacementSummary {
            run,
            policies: (0..plan.policies.len()).map(|i| policy(plan, collector, i)).collect(),
            break_even: break_even(plan, collector),
            pairs: pairs(plan, collector),
            ranks: ranks(plan, collector),
            // They speak of whole trials.
            expectations: evaluate(plan, collector, expectations, |_| Ok(())),
            trials: trials(plan, collector, |figures| figures.whole.clone()),
        }
    }
}

impl ProblemSummary for PlacementSummary {
    fn head(&self) -> RunHead<'_> {
        let run = &self.run;
        RunHead {
            topology: &run.topology,
            about: run.about.as_deref(),
            backend: &run.backend,
            slots: Some(run.slots),
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

fn policy(plan: &PlacementPlan, collector: &PlacementCollector, index: usize) -> PolicySummary {
    let trials = OverSeeds::of(collector, index);
    let mut segments = collector.pooled[index].segments.clone();
    segments.resize_with(plan.segments.len(), Tally::default);
    let mut whole = Tally::default();
    segments.iter().for_each(|segment| whole.merge(segment));
    let planned = &plan.policies[index];
    PolicySummary {
        name: planned.name.clone(),
        kind: planned.spec.kind().into(),
        parameters: parameters(&planned.spec),
        seeds: trials.count(),
        degenerate: whole.confusion.only_answer(),
        mean_latency_ms: trials.mean(|figures| figures.whole.mean_latency_ms),
        mean_regret_ms: trials.mean(|figures| figures.whole.mean_regret_ms),
        accuracy: trials.mean(|figures| figures.whole.accuracy),
        accuracy_outside_band: trials.mean(|figures| figures.whole.accuracy_outside_band),
        whole: whole.kpis(),
        segments: segments.iter().map(Tally::kpis).collect(),
    }
}

fn middle(range: Range) -> f64 {
    (range.min + range.max) / 2.0
}

/// A task in the middle of what is drawn.
pub fn mean_task(scenario: &PlacementScenario) -> Task {
    let task = &scenario.topology().task;
    Task {
        cycles: middle(task.complexity_cycles).round() as u64,
        input_bytes: (middle(task.input_kb) * 1e3).round() as u64,
        output_bytes: (task.output_kb * 1e3).round() as u64,
    }
}

/// The task node with its mean load.
pub fn mean_local(scenario: &PlacementScenario) -> SiteSight {
    let node = scenario.task_node();
    SiteSight::local(node.frequency_hz, middle(node.load))
}

/// A helper node with its mean load, at the end of its link as it is in `slot`.
pub fn mean_remote(scenario: &PlacementScenario, node: usize, slot: u64) -> SiteSight {
    let helper = &scenario.helpers()[node];
    let unimpaired = fogbit_scenario::link::LinkSpec::UNIMPAIRED;
    let spec = scenario.links().get(node).map_or(unimpaired, |path| path.at(slot).spec);
    let mut sight = SiteSight::remote(helper, middle(helper.load), &spec);
    if let Some(range) = scenario.topology().links.drawn_rtt_ms {
        sight.rtt_s = middle(range) * 1e-3;
    }
    sight
}

fn break_even(plan: &PlacementPlan, collector: &PlacementCollector) -> Vec<BreakEven> {
    let scenario = &plan.scenario;
    let (task, local, cost) = (mean_task(scenario), mean_local(scenario), scenario.cost_model());
    let one = |segment: usize, node: usize| {
        let edge = mean_remote(scenario, node, plan.segments[segment].from);
        BreakEven {
            segment,
            profile: plan.segments[segment].profile.clone(),
            node: scenario.helpers()[node].name.clone(),
            rtt_ms: edge.rtt_s * 1e3,
            local_ms: expected_latency_s(&task, &local, &cost) * 1e3,
            offloaded_ms: expected_latency_s(&task, &edge, &cost) * 1e3,
            formula_ms: break_even_rtt_s(&task, &local, &edge, &cost) * 1e3,
            measured: collector.break_even(segment, node),
        }
    };
    (0..plan.segments.len())
        .flat_map(|segment| (0..scenario.helpers().len()).map(move |node| (segment, node)))
        .map(|(segment, node)| one(segment, node))
        .collect()
}

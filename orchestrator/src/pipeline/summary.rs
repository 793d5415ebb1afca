//! `summary.json` of the problem `pipeline`, which is also what `--format json` prints.
//! `docs/results.md` documents it; it only ever grows.

use fogbit_scenario::topology::PipelinePolicySpec;
use serde::{Deserialize, Serialize};

use super::collect::PipelineCollector;
use super::plan::PipelinePlan;
use super::tally::{Kpis, MeasuredKpis};
use super::timing::{DecisionTimes, RunTimes};
use crate::expect::{Verdict, evaluate};
use crate::harness::{
    self, OverSeeds, PolicyKind, ProblemSummary, RunFacts, RunHead, parameters, trials,
};
use crate::results::RunStatus;
use crate::results::pairs::{Pair, PolicyRank, pairs, ranks};
use crate::stats::{Interval, MeanSd};

/// Everything a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelineSummary {
    /// The run.
    pub run: PipelineRun,
    /// Each policy over the seeds; complete trials only.
    pub policies: Vec<PolicySummary>,
    /// How long exhaustive search takes beside the policies; null where nobody measured.
    pub exhaustive: Option<ExhaustiveTimes>,
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
pub struct PipelineRun {
    /// `pipeline`.
    pub problem: String,
    /// Name of the topology.
    pub topology: String,
    /// What it shows.
    pub about: Option<String>,
    /// `sim`, `process` or `join`.
    pub backend: String,
    /// Length of each trial in applications.
    pub applications: u64,
    /// The most sub-tasks that an application has.
    pub most_sub_tasks: u64,
    /// `slot` or `wall`.
    pub clock: String,
    /// Whether the run is to be believed.
    pub valid: bool,
    /// How far it got.
    pub status: RunStatus,
    /// Number of seeds.
    pub seeds: u64,
    /// Name of the task node, which is site 0.
    pub task_node: String,
    /// Names of the helper nodes, in the order of their numbers: sites 1, 2, and so on.
    pub nodes: Vec<String>,
    /// Wall time of the whole run in seconds.
    pub seconds: f64,
    /// Version of Fogbit.
    pub version: String,
}

impl PipelineRun {
    /// Names of the sites, the device first.
    pub fn sites(&self) -> Vec<&str> {
        std::iter::once(&self.task_node).chain(&self.nodes).map(String::as_str).collect()
    }
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
    /// Trials' mean delays over their mean optimal ones.
    pub delay_ratio: Option<MeanSd>,
    /// Their mean with its 95 % confidence interval.
    pub delay_ratio_interval: Option<Interval>,
    /// Trials' mean delays in milliseconds.
    pub mean_delay_ms: Option<MeanSd>,
    /// Trials' shares of sub-tasks that are placed as in the label.
    pub label_accuracy: Option<MeanSd>,
    /// Trials' shares of applications that are placed exactly as in the label.
    pub exact_match: Option<MeanSd>,
    /// Trials' shares of applications whose delay is the least one.
    pub optimal_share: Option<MeanSd>,
    /// How long it takes for a decision; null where nobody measured.
    pub decision: Option<DecisionTimes>,
    /// All applications of all complete trials together.
    pub whole: Kpis,
}

impl PolicySummary {
    /// Whether it decides by a network.
    pub fn is_learned(&self) -> bool {
        matches!(self.kind.as_str(), "imitation" | "distilled")
    }
}

/// How long exhaustive search takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExhaustiveTimes {
    /// For the applications that it was measured on.
    #[serde(flatten)]
    pub times: DecisionTimes,
    /// How many placements the largest of them has.
    pub placements: u64,
}

/// One trial; its `slots` are applications.
pub type TrialSummary = harness::TrialSummary<Kpis>;

impl PipelineSummary {
    /// Adds up a run.
    pub fn new(
        plan: &PipelinePlan,
        collector: &PipelineCollector,
        facts: RunFacts<'_>,
        times: &RunTimes,
    ) -> PipelineSummary {
        let scenario = &plan.scenario;
        let topology = scenario.topology();
        let (task_node, nodes) = scenario.sites().split_first().expect("the device is a site");
        let run = PipelineRun {
            problem: "pipeline".into(),
            topology: scenario.name(),
            about: topology.about.clone(),
            backend: facts.backend.into(),
            applications: scenario.applications(),
            most_sub_tasks: scenario.source().most_sub_tasks() as u64,
            clock: topology.clock.kind().into(),
            valid: in_time(collector.pooled.iter().filter_map(|tally| tally.measured_kpis())),
            status: facts.status,
            seeds: plan.seeds.len() as u64,
            task_node: task_node.clone(),
            nodes: nodes.to_vec(),
            seconds: facts.seconds,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let told =
            |policy| policy_summary(plan, collector, policy, times.policies.get(policy).copied());
        PipelineSummary {
            run,
            policies: (0..plan.policies.len()).map(told).collect(),
            exhaustive: times
                .exhaustive
                .map(|own| ExhaustiveTimes { times: own, placements: times.placements as u64 }),
            pairs: pairs(plan, collector),
            ranks: ranks(plan, collector),
            // They speak of whole trials.
            expectations: evaluate(plan, collector, &topology.expectations, |_| Ok(())),
            trials: trials(plan, collector, Kpis::clone),
        }
    }

    /// The learned policy with the fastest median decision, and its time in nanoseconds.
    pub fn fastest_learned(&self) -> Option<(&PolicySummary, f64)> {
        let learned = self.policies.iter().filter(|policy| policy.is_learned());
        let timed = learned.filter_map(|policy| Some((policy, policy.decision?.median_ns)));
        timed.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// What there is to say of exhaustive search, in a sentence; none where nobody measured.
    pub fn exhaustive_line(&self) -> Option<String> {
        let ExhaustiveTimes { times, placements } = self.exhaustive?;
        let mut line = format!(
            "exhaustive search: {} for up to {} placements (median of {} decisions)",
            duration_text(times.median_ns),
            crate::report::markup::grouped(placements),
            crate::report::markup::grouped(times.applications)
        );
        if let Some((policy, ns)) = self.fastest_learned().filter(|(_, ns)| *ns > 0.0) {
            let faster = (times.median_ns / ns).round() as u64;
            line += &format!(
                "; {} decides {} times faster",
                policy.name,
                crate::report::markup::grouped(faster)
            );
        }
        Some(line)
    }
}

/// Nanoseconds with three digits and the unit that suits: `852 ns`, `3.21 ms`.
pub fn duration_text(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "us"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let digits = match value {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

impl ProblemSummary for PipelineSummary {
    fn head(&self) -> RunHead<'_> {
        let run = &self.run;
        RunHead {
            topology: &run.topology,
            about: run.about.as_deref(),
            backend: &run.backend,
            slots: Some(run.applications),
            counted: "application",
            clock: &run.clock,
            valid: run.valid,
            status: run.status,
            seeds: run.seeds,
            nodes: &run.nodes,
            links: None,
            seconds: run.seconds,
        }
    }

    fn expectations(&self) -> &[Verdict] {
        &self.expectations
    }
}

/// Whether what was measured is to be believed: the host held up at most one application in a hundred.
pub fn in_time(measured: impl Iterator<Item = MeasuredKpis>) -> bool {
    let (mut late, mut all) = (0, 0);
    for own in measured {
        late += own.late;
        all += own.ratio.count;
    }
    late * 100 <= all
}

/// Whether a policy of this kind is ranked with the others.
pub fn is_ranked(kind: &str) -> bool {
    PipelinePolicySpec::is_ranked(kind)
}

fn policy_summary(
    plan: &PipelinePlan,
    collector: &PipelineCollector,
    index: usize,
    decision: Option<DecisionTimes>,
) -> PolicySummary {
    let trials = OverSeeds::of(collector, index);
    let planned = &plan.policies[index];
    PolicySummary {
        name: planned.name.clone(),
        kind: planned.spec.kind().into(),
        parameters: parameters(&planned.spec),
        seeds: trials.count(),
        delay_ratio: trials.mean(|kpis| kpis.delay_ratio),
        delay_ratio_interval: trials.interval(|kpis| kpis.delay_ratio),
        mean_delay_ms: trials.mean(|kpis| kpis.mean_delay_ms),
        label_accuracy: trials.mean(|kpis| kpis.label_accuracy),
        exact_match: trials.mean(|kpis| kpis.exact_match),
        optimal_share: trials.mean(|kpis| kpis.optimal_share),
        decision,
        whole: collector.pooled[index].kpis(plan.scenario.sites().len()),
    }
}

#[cfg(test)]
mod tests {
    use super::duration_text;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        for (ns, text) in [
            (0.0, "0.00 ns"),
            (852.4, "852 ns"),
            (999.6, "1.00 us"),
            (6_420.0, "6.42 us"),
            (99_960.0, "100 us"),
            (3_214_000.0, "3.21 ms"),
            (12_000_000_000.0, "12.0 s"),
        ] {
            assert_eq!(duration_text(ns), text);
        }
    }
}

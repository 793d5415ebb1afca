//! `summary.json` of the problem `cascade`, which is also what `--format json` prints.
//! `docs/results.md` documents it; it only ever grows.

use fogbit_scenario::topology::{Arrivals, CascadeMetric, CascadePolicySpec, ImageStream};
use serde::{Deserialize, Serialize};

use super::collect::{CascadeCollector, kpis};
use super::plan::{CascadePlan, baseline};
use super::record::KEPT_IN_SIM;
use super::tally::{Answer, Kpis, StageTally, StageTimes};
use crate::expect::{Verdict, evaluate};
use crate::harness::{
    self, BySeed, OverSeeds, PolicyKind, ProblemCollector, ProblemSummary, RunFacts, RunHead,
    parameters, trials,
};
use crate::links::LinksSummary;
use crate::results::RunStatus;
use crate::results::pairs::{Pair, PolicyRank, pairs, ranks};
use crate::stats::{Interval, MeanSd, Running};

/// Everything a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CascadeSummary {
    /// The run.
    pub run: CascadeRun,
    /// Each policy over the seeds; complete trials only.
    pub policies: Vec<PolicySummary>,
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
pub struct CascadeRun {
    /// `cascade`.
    pub problem: String,
    /// Name of the topology.
    pub topology: String,
    /// What it shows.
    pub about: Option<String>,
    /// `sim`, `process` or `join`.
    pub backend: String,
    /// Length of each trial in images.
    pub images: u64,
    /// `slot` or `wall`.
    pub clock: String,
    /// Whether the run is to be believed.
    pub valid: bool,
    /// In real time: the share of the images that were seen later than a tenth of a slot.
    #[serde(default)]
    pub late_share: Option<f64>,
    /// How far it got.
    pub status: RunStatus,
    /// Number of seeds.
    pub seeds: u64,
    /// Name of the task node.
    pub task_node: String,
    /// Name of the helper node, as the only one of a list.
    pub nodes: Vec<String>,
    /// The token bucket.
    pub bucket: BucketSummary,
    /// How images follow each other.
    pub stream: ImageStream,
    /// When they come.
    pub arrivals: Arrivals,
    /// Mean loss over the images of the trace if none is sent.
    pub weak_loss: f64,
    /// Mean loss over the images of the trace if all are sent.
    pub strong_loss: f64,
    /// The policy that gains are told against: the first of kind `threshold`, or else the one that
    /// loses most of those that are told no more than a task node can see.
    pub baseline: Option<String>,
    /// Decision files hold so many images of each trial, the first ones; null where they hold all.
    pub kept_images: Option<u64>,
    /// What was measured of the links in real time.
    #[serde(default)]
    pub links: Option<LinksSummary>,
    /// Wall time of the whole run in seconds.
    pub seconds: f64,
    /// Version of Fogbit.
    pub version: String,
}

/// The token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BucketSummary {
    /// Tokens that come in a slot.
    pub rate: f64,
    /// Tokens that it holds.
    pub depth: f64,
    /// Levels of one token: in all files tokens are multiples of one over this.
    pub levels_per_token: u32,
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
    /// Whether it is told more than a task node can see; it is not ranked then.
    pub told_more: bool,
    /// The one answer that it gave to every image, if it only ever gave one.
    pub degenerate: Option<Answer>,
    /// Trials' average losses.
    pub average_loss: Option<MeanSd>,
    /// Their mean with its 95 % confidence interval.
    pub average_loss_interval: Option<Interval>,
    /// Trials' shares of images that were sent.
    pub offloaded_share: Option<MeanSd>,
    /// Trials' shares of tokens that found the bucket full; null for who pays nothing.
    pub wasted_share: Option<MeanSd>,
    /// What it gains over the baseline.
    pub gain: Option<Gain>,
    /// How far it is on the way from the first `mdp` (0) to the first `hidden-state` (1), in mean
    /// losses over the seeds of all three; null where one of them is not there.
    pub way: Option<f64>,
    /// Images a second of a trial, with everything that belongs to it.
    pub images_per_second: Option<f64>,
    /// All images of all complete trials together.
    pub whole: Kpis,
    /// How long stages took, in milliseconds; null in virtual time.
    pub stages_ms: Option<StagesSummary>,
}

/// What a policy gains over the baseline, over the seeds of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Average loss of the baseline minus that of the policy, with its 95 % confidence interval.
    pub loss: Interval,
    /// Its mean in per cent of the baseline's mean loss; null where that is 0, and where it is below: a
    /// gain is no share of a loss then.
    pub percent: Option<f64>,
}

/// How long the stages of images took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StagesSummary {
    /// Images that were kept; null where there are none.
    pub kept: Option<StageTimes<MeanSd>>,
    /// Images that were sent and answered; null where there are none.
    pub answered: Option<StageTimes<MeanSd>>,
}

impl StagesSummary {
    /// Null where nobody measured.
    fn of(tally: &StageTally) -> Option<StagesSummary> {
        let told = |times: &StageTimes<Running>| {
            (times.all.n > 0).then(|| times.map(|ms| MeanSd::without_median(ms.mean, ms.sd())))
        };
        let summary = StagesSummary { kept: told(&tally.kept), answered: told(&tally.answered) };
        (summary.kept.is_some() || summary.answered.is_some()).then_some(summary)
    }
}

/// One trial; its `slots` are images.
pub type TrialSummary = harness::TrialSummary<Kpis>;

impl CascadeSummary {
    /// Adds up a run.
    pub fn new(
        plan: &CascadePlan,
        collector: &CascadeCollector,
        facts: RunFacts<'_>,
    ) -> CascadeSummary {
        let scenario = &plan.scenario;
        let (topology, bucket) = (scenario.topology(), scenario.bucket());
        let reference = reference(plan, collector);
        let run = CascadeRun {
            problem: "cascade".into(),
            topology: scenario.name(),
            about: topology.about.clone(),
            backend: facts.backend.into(),
            images: scenario.images(),
            clock: topology.clock.kind().into(),
            valid: facts.links_are_in_time() && collector.begun.valid(),
            late_share: (collector.begun.slots > 0).then(|| collector.begun.late_share()),
            status: facts.status,
            seeds: plan.seeds.len() as u64,
            task_node: topology.task_node.name.clone(),
            nodes: vec![scenario.edge().name.clone()],
            bucket: BucketSummary {
                rate: bucket.rate(),
                depth: bucket.tokens(u64::from(bucket.depth)),
                levels_per_token: bucket.price,
            },
            stream: topology.stream,
            arrivals: topology.arrivals.clone(),
            weak_loss: scenario.test().weak_loss(),
            strong_loss: scenario.test().strong_loss(),
            baseline: reference.map(|policy| plan.name(policy).into()),
            kept_images: Some(KEPT_IN_SIM)
                .filter(|kept| facts.backend == "sim" && *kept < scenario.images()),
            links: facts.links,
            seconds: facts.seconds,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let told = |policy| policy_summary(plan, collector, policy, reference);
        CascadeSummary {
            run,
            policies: (0..plan.policies.len()).map(told).collect(),
            pairs: pairs(plan, collector),
            ranks: ranks(plan, collector),
            // They speak of whole trials.
            expectations: evaluate(plan, collector, &topology.expectations, |_| Ok(())),
            trials: trials(plan, collector, |kpis| *kpis),
        }
    }
}

impl ProblemSummary for CascadeSummary {
    fn head(&self) -> RunHead<'_> {
        let run = &self.run;
        RunHead {
            topology: &run.topology,
            about: run.about.as_deref(),
            backend: &run.backend,
            slots: Some(run.images),
            counted: "image",
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

/// Average losses of a policy's complete trials.
fn losses(plan: &CascadePlan, collector: &CascadeCollector, policy: usize) -> BySeed {
    collector.by_seed(plan, policy, CascadeMetric::AverageLoss, plan.scenario.images())
}

fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect();
    (!values.is_empty()).then(|| MeanSd::of(&values).mean)
}

/// The policy that gains are told against.
fn reference(plan: &CascadePlan, collector: &CascadeCollector) -> Option<usize> {
    let ranked = (0..plan.policies.len())
        .filter(|p| CascadePolicySpec::is_ranked(plan.policies[*p].spec.kind()));
    let told = |policy| Some((policy, mean(losses(plan, collector, policy).into_values())?));
    let worst = || ranked.filter_map(told).max_by(|a, b| a.1.total_cmp(&b.1));
    baseline(&plan.policies).or_else(|| Some(worst()?.0))
}

fn policy_summary(
    plan: &CascadePlan,
    collector: &CascadeCollector,
    index: usize,
    reference: Option<usize>,
) -> PolicySummary {
    let trials = OverSeeds::of(collector, index);
    let seconds = trials.seconds();
    let (planned, pooled) = (&plan.policies[index], &collector.pooled[index]);
    PolicySummary {
        name: planned.name.clone(),
        kind: planned.spec.kind().into(),
        parameters: parameters(&planned.spec),
        seeds: trials.count(),
        told_more: !CascadePolicySpec::is_ranked(planned.spec.kind()),
        degenerate: pooled.only_answer(),
        average_loss: trials.mean(|kpis| kpis.average_loss),
        average_loss_interval: trials.interval(|kpis| kpis.average_loss),
        offloaded_share: trials.mean(|kpis| kpis.offloaded_share),
        wasted_share: trials.mean(|kpis| kpis.wasted_share),
        gain: reference
            .filter(|reference| *reference != index)
            .and_then(|reference| gain(plan, collector, index, reference)),
        way: way(plan, collector, index),
        images_per_second: (seconds > 0.0).then(|| pooled.images as f64 / seconds),
        whole: kpis(plan, index, pooled),
        stages_ms: StagesSummary::of(&pooled.stages),
    }
}

fn gain(
    plan: &CascadePlan,
    collector: &CascadeCollector,
    policy: usize,
    reference: usize,
) -> Option<Gain> {
    let (own, base) = (losses(plan, collector, policy), losses(plan, collector, reference));
    let (base, own): (Vec<f64>, Vec<f64>) =
        base.iter().filter_map(|(seed, base)| Some((*base, *own.get(seed)?))).unzip();
    let all = mean(base.iter().copied())?;
    let loss = Interval::of_differences(&base, &own);
    Some(Gain { percent: (all > 0.0).then(|| 100.0 * loss.mean / all), loss })
}

fn way(plan: &CascadePlan, collector: &CascadeCollector, policy: usize) -> Option<f64> {
    let first = |kind: &str| plan.policies.iter().position(|p| p.spec.kind() == kind);
    let of = |policy| losses(plan, collector, policy);
    let (mdp, hidden, own) = (of(first("mdp")?), of(first("hidden-state")?), of(policy));
    let common: Vec<u64> = own
        .keys()
        .filter(|seed| mdp.contains_key(seed) && hidden.contains_key(seed))
        .copied()
        .collect();
    let mean = |of: &BySeed| mean(common.iter().map(|seed| of[seed]));
    let (from, to, own) = (mean(&mdp)?, mean(&hidden)?, mean(&own)?);
    (from != to).then(|| (from - own) / (from - to))
}

/// The time of a stage in milliseconds as tables show it, mean (deviation): a decision takes a
/// thousandth of what a network takes.
pub fn stage_text(ms: &MeanSd) -> String {
    let digits = if ms.mean < 0.1 { 4 } else { 3 };
    match ms.sd {
        Some(sd) => format!("{:.digits$} ({sd:.digits$})", ms.mean),
        None => format!("{:.digits$}", ms.mean),
    }
}

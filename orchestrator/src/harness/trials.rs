//! The trials of a run as they end, and what they come to as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::backend::{ProblemBackend, Trial};
use super::metric::ProblemMetric;
use super::plan::ProblemPlan;
use crate::links::MeasuredLinks;
use crate::plan::Status;
use crate::results::RunStatus;

/// One trial, without what is kept of it for all seeds together.
#[derive(Debug, Clone)]
pub struct TrialRow<F> {
    /// Which policy of the plan.
    pub policy: usize,
    /// The seed.
    pub seed: u64,
    /// How far it got.
    pub status: Status,
    /// Slots played.
    pub slots: u64,
    /// How long it took, in seconds of wall time.
    pub seconds: f64,
    /// Why it failed.
    pub failure: Option<String>,
    /// What it came to, in the figures of its problem.
    pub figures: F,
}

/// The values of a policy by seed.
pub type BySeed = BTreeMap<u64, f64>;

/// Gathers the trials of some problem as they end: seed by seed, and within a seed in the order of
/// the policies.
pub trait ProblemCollector {
    /// What was planned.
    type Plan: ProblemPlan;
    /// What policies are compared by.
    type Metric: ProblemMetric;
    /// What a trial comes to.
    type Figures: 'static;

    /// The trials, in the order in which they were added.
    fn rows(&self) -> &[TrialRow<Self::Figures>];

    /// The same, to add to them.
    fn rows_mut(&mut self) -> &mut Vec<TrialRow<Self::Figures>>;

    /// What a trial comes to that was not begun.
    fn unplayed(plan: &Self::Plan) -> Self::Figures;

    /// The slot at which these policies are compared; none where there is no such slot.
    fn compared_at(&self, plan: &Self::Plan, policies: &[usize]) -> Option<u64>;

    /// The value of a metric in a complete trial at such a slot, where there is one.
    fn value(
        plan: &Self::Plan,
        trial: &TrialRow<Self::Figures>,
        metric: Self::Metric,
        slot: u64,
    ) -> Option<f64>;

    /// The complete trials of a policy.
    fn complete(&self, policy: usize) -> impl Iterator<Item = &TrialRow<Self::Figures>> {
        self.rows().iter().filter(move |r| r.policy == policy && r.status == Status::Complete)
    }

    /// The values of a metric at a slot in the complete trials of a policy.
    fn by_seed(&self, plan: &Self::Plan, policy: usize, metric: Self::Metric, slot: u64) -> BySeed {
        self.complete(policy)
            .filter_map(|row| Some((row.seed, Self::value(plan, row, metric, slot)?)))
            .collect()
    }

    /// Adds a row for every trial of the plan that was not begun.
    fn add_unplayed(&mut self, plan: &Self::Plan) {
        let played: BTreeSet<(u64, usize)> =
            self.rows().iter().map(|row| (row.seed, row.policy)).collect();
        for seed in plan.seeds() {
            for policy in
                (0..plan.policies().len()).filter(|policy| !played.contains(&(*seed, *policy)))
            {
                self.rows_mut().push(TrialRow {
                    policy,
                    seed: *seed,
                    status: Status::Partial,
                    slots: 0,
                    seconds: 0.0,
                    failure: None,
                    figures: Self::unplayed(plan),
                });
            }
        }
    }
}

/// Why a run failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFailure {
    /// What happened.
    pub message: String,
    /// What the user can do or look at.
    pub help: Option<String>,
}

/// The failure of a run of which this trial has failed.
pub(super) fn of_trial<A>(problem: &impl ProblemBackend, trial: &Trial<A>) -> RunFailure {
    let policy = &problem.plan().policies()[trial.policy].name;
    let why = trial.failure.as_deref().unwrap_or_default();
    let message = format!("the trial of {policy} with seed {} failed: {why}", trial.seed);
    RunFailure { message, help: None }
}

/// What a backend came to.
#[derive(Debug)]
pub struct Outcome<C> {
    /// The trials, as far as they got.
    pub collector: C,
    /// Why the run failed, if it did.
    pub failure: Option<RunFailure>,
    /// Links as configured and as measured, in real time over emulated ones.
    pub links: MeasuredLinks,
}

impl<C: ProblemCollector> Outcome<C> {
    /// How far the run got.
    pub fn status(&self, plan: &C::Plan) -> RunStatus {
        let rows = self.collector.rows();
        let complete = rows.iter().filter(|row| row.status == Status::Complete).count();
        if self.failure.is_some() || rows.iter().any(|row| row.status == Status::Failed) {
            RunStatus::Failed
        } else if complete < plan.policies().len() * plan.seeds().len() {
            RunStatus::Partial
        } else {
            RunStatus::Complete
        }
    }
}

/// What is told at the end of a run some of whose trials failed while the others went on. None if
/// there is no such trial.
pub fn failed_trials<C: ProblemCollector>(collector: &C, plan: &C::Plan) -> Option<RunFailure> {
    let mut failed = collector.rows().iter().filter(|row| row.status == Status::Failed);
    let first = failed.next()?;
    let more = failed.count();
    let why = first.failure.as_deref().unwrap_or_default();
    // The first line says it, those after it are the policy's own words.
    let (what, words) = why.split_once('\n').unwrap_or((why, ""));
    let name = &plan.policies()[first.policy].name;
    let mut help = words.to_owned();
    if more > 0 {
        help += if help.is_empty() { "" } else { "\n" };
        help += &format!("trials that failed besides: {more}; summary.json says why");
    }
    Some(RunFailure {
        message: format!("the trial of {name} with seed {} failed: {what}", first.seed),
        help: Some(help).filter(|help| !help.is_empty()),
    })
}

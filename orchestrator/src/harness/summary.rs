//! What every summary tells, whatever the problem.

use serde::{Deserialize, Serialize};

use super::plan::ProblemPlan;
use super::trials::{ProblemCollector, TrialRow};
use crate::expect::Verdict;
use crate::links::LinksSummary;
use crate::plan::Status;
use crate::results::RunStatus;
use crate::stats::{Interval, MeanSd};

/// What a backend says of a run as a whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunFacts<'b> {
    /// Its name.
    pub backend: &'b str,
    /// How far it got.
    pub status: RunStatus,
    /// What was measured of its links, in real time over emulated ones.
    pub links: Option<LinksSummary>,
    /// Wall time of the whole run in seconds.
    pub seconds: f64,
}

impl RunFacts<'_> {
    /// Whether the host kept to the schedule of the links, if there was one.
    pub fn links_are_in_time(&self) -> bool {
        self.links.is_none_or(|links| links.are_in_time())
    }
}

/// What every summary says of its run.
#[derive(Debug, Clone, Copy)]
pub struct RunHead<'s> {
    /// Name of the topology.
    pub topology: &'s str,
    /// What it shows.
    pub about: Option<&'s str>,
    /// `sim`, `process` or `join`.
    pub backend: &'s str,
    /// Length of each trial; none where trials are endless.
    pub slots: Option<u64>,
    /// What trials are counted in, one of it: `slot`, or `image`.
    pub counted: &'static str,
    /// `slot` or `wall`.
    pub clock: &'s str,
    /// Whether the run is to be believed.
    pub valid: bool,
    /// How far it got.
    pub status: RunStatus,
    /// Number of seeds.
    pub seeds: u64,
    /// Names of the helper nodes, in the order of their numbers.
    pub nodes: &'s [String],
    /// What was measured of the links in real time.
    pub links: Option<LinksSummary>,
    /// Wall time of the whole run in seconds.
    pub seconds: f64,
}

/// `summary.json` of some problem, which is also what `--format json` prints.
pub trait ProblemSummary: Serialize {
    /// What it says of the run.
    fn head(&self) -> RunHead<'_>;

    /// What became of the expectations of the topology file.
    fn expectations(&self) -> &[Verdict];

    /// As it is written and printed.
    fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a summary is plain data") + "\n"
    }
}

/// One trial, as summaries tell it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialSummary<F> {
    /// Name of the policy.
    pub policy: String,
    /// The seed.
    pub seed: u64,
    /// How far it got.
    pub status: Status,
    /// Why it failed.
    pub failure: Option<String>,
    /// Slots played.
    pub slots: u64,
    /// Its figures, over all of its slots.
    #[serde(flatten)]
    pub whole: F,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// All trials of a run, as its summary tells them; `whole` makes a trial's figures.
pub fn trials<C: ProblemCollector, F>(
    plan: &C::Plan,
    collector: &C,
    whole: impl Fn(&C::Figures) -> F,
) -> Vec<TrialSummary<F>> {
    let told = |row: &TrialRow<C::Figures>| TrialSummary {
        policy: plan.policies()[row.policy].name.clone(),
        seed: row.seed,
        status: row.status,
        failure: row.failure.clone(),
        slots: row.slots,
        whole: whole(&row.figures),
        seconds: row.seconds,
    };
    collector.rows().iter().map(told).collect()
}

/// The parameters of a policy in the form of the topology file, without `kind`.
pub fn parameters(spec: &impl Serialize) -> serde_json::Value {
    let mut value = serde_json::to_value(spec).expect("a policy is plain data");
    if let Some(table) = value.as_object_mut() {
        table.remove("kind");
    }
    value
}

/// The complete trials of a policy, whose figures are told over the seeds.
#[derive(Debug, Clone)]
pub struct OverSeeds<'r, F>(Vec<&'r TrialRow<F>>);

impl<'r, F: 'static> OverSeeds<'r, F> {
    /// Those of the policy of number `policy`.
    pub fn of<C: ProblemCollector<Figures = F>>(
        collector: &'r C,
        policy: usize,
    ) -> OverSeeds<'r, F> {
        OverSeeds(collector.complete(policy).collect())
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// How long they took together, in seconds of wall time.
    pub fn seconds(&self) -> f64 {
        self.0.iter().map(|row| row.seconds).sum()
    }

    /// A figure of each trial that has it.
    fn values(&self, figure: impl Fn(&F) -> Option<f64>) -> Vec<f64> {
        self.0.iter().filter_map(|row| figure(&row.figures)).collect()
    }

    /// A figure over the trials that have it; none where no trial has.
    pub fn mean(&self, figure: impl Fn(&F) -> Option<f64>) -> Option<MeanSd> {
        let values = self.values(figure);
        (!values.is_empty()).then(|| MeanSd::of(&values))
    }

    /// Its mean with its 95 % confidence interval; none where no trial has it.
    pub fn interval(&self, figure: impl Fn(&F) -> Option<f64>) -> Option<Interval> {
        let values = self.values(figure);
        (!values.is_empty()).then(|| Interval::of(&values))
    }
}

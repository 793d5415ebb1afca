//! What a problem says of itself to be swept: its metrics, how a point is checked and loaded, and how
//! a trial of it is played. Everything else of a sweep is the same for all problems.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use fogbit_scenario::TopologyFile;
use fogbit_scenario::topology::Problem;

use super::one_bit::OneBitSweep;
use super::plan::{PointPlan, PolicyPlan};
use crate::cascade::sweep::CascadeSweep;
use crate::exit::Failure;
use crate::harness::metric::Known;
use crate::pipeline::sweep::PipelineSweep;
use crate::placement::sweep::PlacementSweep;
use crate::plan::Status;

/// What is kept of a trial beside its seed, its number of slots and its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in files.
    pub name: &'static str,
    /// Whether it is a count.
    pub whole: bool,
}

/// A curve over the slots of trials, averaged over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurveFile {
    /// Its name in unit files.
    pub name: &'static str,
    /// The file that it is written to.
    pub file: &'static str,
}

/// A count of all trials of a policy as a share of all their slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Its name in files.
    pub name: &'static str,
    /// The column that is counted.
    pub of: &'static str,
}

/// A checked point.
#[derive(Debug, Clone)]
pub struct CheckedPoint {
    /// Length of each trial in slots: decisions, whatever the problem calls them.
    pub slots: u64,
    /// Number of helper nodes.
    pub nodes: u64,
    /// What a slot of one of its policies costs, roughly, in some 20 ns.
    pub slot_cost: u64,
    /// Whether regret is measured on each policy's own path.
    pub own_path: bool,
    /// The policies, in the order of the topology.
    pub policies: Vec<PolicyPlan>,
    /// Its topology with every default and override written out.
    pub toml: String,
    /// Files that this text names, each with its name beside it.
    pub files: Vec<(PathBuf, String)>,
    /// Its seeds.
    pub seeds: Vec<u64>,
    /// What the topology shows.
    pub about: Option<String>,
}

/// What one trial came to.
#[derive(Debug, Clone)]
pub struct TrialOutcome {
    /// How far it got.
    pub status: Status,
    /// Why it failed.
    pub failure: Option<String>,
    /// Slots played.
    pub slots: u64,
    /// A value for each of [`SweepProblem::columns`]; none where there is no such thing.
    pub values: Vec<Option<f64>>,
    /// For each of [`SweepProblem::curves`] its values at the point's curve slots.
    pub curves: Vec<Vec<f64>>,
}

impl TrialOutcome {
    /// Of a trial that was stopped before its first slot.
    pub fn stopped() -> TrialOutcome {
        TrialOutcome {
            status: Status::Partial,
            failure: None,
            slots: 0,
            values: Vec::new(),
            curves: Vec::new(),
        }
    }
}

/// Whom a trial tells how far it is, and who stops it.
#[derive(Debug, Clone, Copy)]
pub struct TrialWatch<'w> {
    /// Each slot adds `weight` to it.
    pub done: &'w AtomicU64,
    /// What a slot adds.
    pub weight: u64,
    /// Set to stop as soon as possible.
    pub stop: &'w Arc<AtomicBool>,
}

/// A point that is ready to be played, by several threads at once.
pub trait PointPlay: Send + Sync {
    /// Plays the policy of number `policy` under `seed`. A policy that fails is an outcome.
    ///
    /// # Errors
    /// If the trial cannot be played at all.
    fn play(
        &self,
        policy: usize,
        seed: u64,
        watch: &TrialWatch<'_>,
    ) -> Result<TrialOutcome, String>;
}

/// What a problem says of itself to be swept.
pub trait SweepProblem: Sync {
    /// Which problem.
    fn problem(&self) -> Problem;

    /// What a slot of it is called: one, and several.
    fn counted(&self) -> [&'static str; 2];

    /// What all policies meet alike under a seed, in words: "Under a seed all policies meet the same
    /// {met} and draws".
    fn met(&self) -> &'static str;

    /// What policies are compared by, in the order of tables. Each has a column of its name in
    /// [`columns`](Self::columns), but for those that are another one divided by the number of slots
    /// ([`Known::per_slot_of`]).
    fn metrics(&self) -> Vec<Known>;

    /// What is ranked by unless the user says otherwise.
    fn default_metric(&self) -> Known;

    /// The policy that others are compared with, of those of a point, unless the user says
    /// otherwise; none has no preference.
    fn preferred<'p>(&self, policies: &'p [PolicyPlan]) -> Option<&'p PolicyPlan>;

    /// What is kept of a trial, in the order of `trials.csv` and of [`TrialOutcome::values`].
    fn columns(&self) -> &'static [Column];

    /// Columns that are no metrics, and whose means are told all the same.
    fn further_means(&self) -> &'static [&'static str] {
        &[]
    }

    /// Counts that are told as shares of all slots.
    fn shares(&self) -> &'static [Share] {
        &[]
    }

    /// The metrics whose differences have columns in `points.csv`.
    fn tabled_differences(&self) -> Vec<&'static str>;

    /// Curves over slots.
    fn curves(&self) -> &'static [CurveFile] {
        &[]
    }

    /// Checks a point as far as it can be checked before anything is played: `wanted` are the
    /// policies to keep, all where none is named.
    ///
    /// # Errors
    /// Everything that is wrong.
    fn check(&self, file: &TopologyFile, wanted: &[String]) -> Result<CheckedPoint, Failure>;

    /// The models that are trained before a point is played, as files of the sweep's directory. What
    /// is there is not trained again.
    fn trainings(&self, _point: &PointPlan) -> Vec<String> {
        Vec::new()
    }

    /// Reads a checked point anew from its resolved topology `text`, which lies at `path` with the
    /// files that it names.
    ///
    /// # Errors
    /// If the topology or a file that it needs is not what it was.
    fn load(
        &self,
        point: &PointPlan,
        path: &Path,
        text: &str,
    ) -> Result<Arc<dyn PointPlay>, Failure>;
}

/// What `problem` says of itself.
pub fn of(problem: Problem) -> &'static dyn SweepProblem {
    match problem {
        Problem::OneBit => &OneBitSweep,
        Problem::Placement => &PlacementSweep,
        Problem::Cascade => &CascadeSweep,
        Problem::Pipeline => &PipelineSweep,
    }
}

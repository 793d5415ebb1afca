//! How nodes exist: in this process, as child processes, or started by somebody else.

pub mod process;
pub mod sim;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::Instance;

use crate::board::Board;
use crate::ledger::Ledger;
use crate::links::MeasuredLinks;
use crate::logs::{ContextLog, context_file, feature_names};
use crate::plan::{Collector, Plan, Status};
use crate::results::ResultsDir;

/// What every backend needs.
#[derive(Debug, Clone)]
pub struct Context {
    /// What to do.
    pub plan: Arc<Plan>,
    /// Where decision files go; none keeps none.
    pub decisions: Option<ResultsDir>,
    /// Where every decision is logged with its contexts; none logs none.
    pub contexts: Option<ResultsDir>,
    /// Whom to tell how it goes.
    pub board: Arc<Board>,
    /// At most this many slots a second in each trial, in the slot clock.
    pub pace: Option<f64>,
    /// Set to stop as soon as possible.
    pub stop: Arc<AtomicBool>,
}

impl Context {
    /// The ledger of one trial, with its decision file.
    ///
    /// # Errors
    /// If the decision file cannot be made.
    pub fn ledger(&self, policy: usize, instance: &Instance) -> std::io::Result<Ledger> {
        let decisions: Option<Box<dyn Write + Send>> = match &self.decisions {
            Some(dir) => Some(dir.decisions(&self.plan.policies[policy].name, instance.seed)?),
            None => None,
        };
        let (curve_slots, marks) = (&self.plan.curve_slots, &self.plan.marks);
        Ledger::new(instance, Arc::clone(curve_slots), Arc::clone(marks), decisions)
    }

    /// The log of one trial's decisions with their contexts, if it is asked for.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn context_log(
        &self,
        policy: usize,
        instance: &Instance,
    ) -> std::io::Result<Option<ContextLog>> {
        let Some(dir) = &self.contexts else { return Ok(None) };
        let path = context_file(dir.path(), &self.plan.policies[policy].name, instance.seed);
        ContextLog::create(&path, &feature_names(&self.plan.scenario)).map(Some)
    }
}

/// What a backend came to.
#[derive(Debug)]
pub struct Outcome {
    /// The trials, as far as they got.
    pub collector: Collector,
    /// Why the run failed, if it did.
    pub failure: Option<RunFailure>,
    /// Links as configured and as measured, in real time over emulated ones.
    pub links: MeasuredLinks,
}

/// Why a run failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFailure {
    /// What happened.
    pub message: String,
    /// What the user can do or look at.
    pub help: Option<String>,
}

/// What is told at the end of a run whose trials failed by their own policies, and whose others went
/// on. None if there is no such trial.
pub fn failed_policies(collector: &Collector, plan: &Plan) -> Option<RunFailure> {
    let mut failed = collector.rows.iter().filter(|row| row.status == Status::Failed);
    let first = failed.next()?;
    let more = failed.count();
    let why = first.failure.as_deref().unwrap_or_default();
    // The first line says it, those after it are the policy's own words.
    let (what, words) = why.split_once('\n').unwrap_or((why, ""));
    let name = &plan.policies[first.policy].name;
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

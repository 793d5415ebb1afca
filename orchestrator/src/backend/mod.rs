//! How nodes exist: in this process, as child processes, or started by somebody else.

pub mod process;
pub mod sim;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::Instance;

use crate::board::Board;
pub use crate::harness::RunFailure;
use crate::ledger::Ledger;
use crate::logs::{ContextLog, context_file, feature_names};
use crate::plan::{Collector, Plan};
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
pub type Outcome = crate::harness::Outcome<Collector>;

//! What every backend is given, and gives.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::placement::PlacementInstance;

use super::board::PlacementBoard;
use super::collect::PlacementCollector;
use super::ledger::{PlacementLedger, Watch};
use super::models::Models;
use super::plan::PlacementPlan;
use crate::backend::RunFailure;
use crate::links::MeasuredLinks;
use crate::plan::Status;
use crate::results::{ResultsDir, RunStatus};

/// What every backend needs.
#[derive(Debug, Clone)]
pub struct PlacementContext {
    /// What to do.
    pub plan: Arc<PlacementPlan>,
    /// The models of its policies.
    pub models: Arc<Models>,
    /// Where decision files go; none keeps none.
    pub decisions: Option<ResultsDir>,
    /// Whom to tell how it goes.
    pub board: Arc<PlacementBoard>,
    /// Set to stop as soon as possible.
    pub stop: Arc<AtomicBool>,
    /// Where the steps of all trials are kept too, in the order in which they come; none keeps none.
    pub watch: Option<Watch>,
}

impl PlacementContext {
    /// The ledger of one trial, with its decision file.
    ///
    /// # Errors
    /// If the decision file cannot be made.
    pub fn ledger(
        &self,
        policy: usize,
        instance: PlacementInstance,
    ) -> io::Result<PlacementLedger> {
        let decisions: Option<Box<dyn Write + Send>> = match &self.decisions {
            Some(dir) => Some(dir.decisions(self.plan.name(policy), instance.seed)?),
            None => None,
        };
        let ledger = PlacementLedger::new(&self.plan, instance, decisions)?;
        Ok(ledger.watched(self.watch.clone()))
    }
}

/// What a backend came to.
#[derive(Debug)]
pub struct PlacementOutcome {
    /// The trials, as far as they got.
    pub collector: PlacementCollector,
    /// Why the run failed, if it did.
    pub failure: Option<RunFailure>,
    /// Links as configured and as measured; none in virtual time.
    pub links: MeasuredLinks,
}

impl PlacementOutcome {
    /// How far the run got.
    pub fn status(&self, plan: &PlacementPlan) -> RunStatus {
        let rows = &self.collector.rows;
        let complete = rows.iter().filter(|row| row.status == Status::Complete).count();
        if self.failure.is_some() || rows.iter().any(|row| row.status == Status::Failed) {
            RunStatus::Failed
        } else if complete < plan.policies.len() * plan.seeds.len() {
            RunStatus::Partial
        } else {
            RunStatus::Complete
        }
    }
}

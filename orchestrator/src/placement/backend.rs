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
use crate::results::ResultsDir;

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
pub type PlacementOutcome = crate::harness::Outcome<PlacementCollector>;

//! What every backend is given, and gives.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_scenario::cascade::CascadeInstance;

use super::board::CascadeBoard;
use super::collect::CascadeCollector;
use super::ledger::{CascadeLedger, Decisions, Told, Watch};
use super::pictures::Pictures;
use super::plan::{CascadePlan, keeps_to_bucket};
use super::policies::Policies;
use super::record::KEPT_IN_SIM;
use crate::harness::Outcome;
use crate::results::ResultsDir;

/// What every backend needs.
#[derive(Debug, Clone)]
pub struct CascadeContext {
    /// What to do.
    pub plan: Arc<CascadePlan>,
    /// Its policies.
    pub policies: Policies,
    /// The pictures of its images with their classifiers, where it has some.
    pub pictures: Option<Arc<Pictures>>,
    /// Where decision files go; none keeps none.
    pub decisions: Option<ResultsDir>,
    /// Whom to tell how it goes.
    pub board: Arc<CascadeBoard>,
    /// Set to stop as soon as possible.
    pub stop: Arc<AtomicBool>,
    /// Where the steps of all trials are kept too, in the order in which they come; none keeps none.
    pub watch: Option<Watch>,
}

impl CascadeContext {
    /// The ledger of one trial, with its decision file.
    ///
    /// # Errors
    /// If the decision file cannot be made.
    pub fn ledger(
        &self,
        policy: usize,
        instance: CascadeInstance,
        told: Told,
    ) -> io::Result<CascadeLedger> {
        let most = match told {
            Told::Here => KEPT_IN_SIM,
            Told::ByTaskNode => u64::MAX,
        };
        let decisions = match &self.decisions {
            Some(dir) => {
                let file = dir.decisions(self.plan.name(policy), instance.seed)?;
                Some(Decisions { file, most })
            }
            None => None,
        };
        let pays = keeps_to_bucket(self.plan.policies[policy].spec.kind());
        Ok(CascadeLedger::new(instance, pays, told, decisions)?.watched(self.watch.clone()))
    }
}

/// What a backend came to.
pub type CascadeOutcome = Outcome<CascadeCollector>;

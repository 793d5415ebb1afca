//! What each decision of a trial came to, as far as the ledgers of problems are alike.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::metrics::{Metric, TrialSeries};
use crate::validity::Begun;

/// The ledger of one trial: it is told its steps, from virtual time or from a task node that may lie.
pub trait ProblemLedger {
    /// What it is told of each decision.
    type Step;
    /// What a trial comes to.
    type Account;
    /// What there is one decision for, one of it: `slot`, or `image`.
    const COUNTED: &'static str;
    /// How often a trial in virtual time tells how far it is, in decisions.
    const TELL_EVERY: u64;
    /// Whether booking a step may take so long that whoever hears messages must not wait for it.
    const TAKES_LONG: bool = false;

    /// Books the next step.
    ///
    /// # Errors
    /// If it is not the next one of this trial, or its decision cannot be written.
    fn record(&mut self, step: &Self::Step) -> Result<(), LedgerError>;

    /// How many steps are booked.
    fn booked(&self) -> u64;

    /// What all decisions so far have lost, in the unit in which progress is shown.
    fn lost(&self) -> f64;

    /// By what a run in real time is judged beside slots that began late: things that were measured,
    /// and how many of them the host held up.
    fn held_up(&self) -> Begun {
        Begun::default()
    }

    /// What Prometheus is told of the trial beside its slots.
    const METRICS: &'static [Metric];

    /// Tells what [`METRICS`](Self::METRICS) are so far.
    fn show(&self, series: &mut TrialSeries<'_>);

    /// The trial's account; what is written of its decisions is on disk then.
    ///
    /// # Errors
    /// If the decision file cannot be written.
    fn close(self) -> io::Result<Self::Account>;
}

/// Why a step cannot be booked: the trial fails.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The step is not one of this trial: the task node is not to be believed.
    #[error("{counted} {number}: {reason}")]
    Untrue {
        /// What is counted: [`ProblemLedger::COUNTED`].
        counted: &'static str,
        /// The one that is due.
        number: u64,
        /// What is wrong.
        reason: String,
    },
    /// What the decision has lost cannot be said.
    #[error("{counted} {number}: {reason}")]
    Unknown {
        /// What is counted.
        counted: &'static str,
        /// Which one.
        number: u64,
        /// Why.
        reason: String,
    },
    /// The decision file cannot be written.
    #[error("{counted} {number}: cannot write its decision: {error}")]
    Write {
        /// What is counted.
        counted: &'static str,
        /// Which one.
        number: u64,
        /// Why.
        error: io::Error,
    },
}

impl LedgerError {
    /// The step for `number` is not one of this trial.
    pub fn untrue<L: ProblemLedger>(number: u64, reason: String) -> LedgerError {
        LedgerError::Untrue { counted: L::COUNTED, number, reason }
    }

    /// What the decision `number` has lost cannot be said.
    pub fn unknown<L: ProblemLedger>(number: u64, why: &impl ToString) -> LedgerError {
        LedgerError::Unknown { counted: L::COUNTED, number, reason: why.to_string() }
    }

    /// The decision `number` cannot be written.
    pub fn write<L: ProblemLedger>(number: u64, error: io::Error) -> LedgerError {
        LedgerError::Write { counted: L::COUNTED, number, error }
    }
}

/// Whose steps these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Those of a trial in this process.
    Here,
    /// Those of a task node: each is held against what the seed says.
    ByTaskNode,
}

/// Who wants to see the steps of trials as they are booked.
pub type Watch<S> = Arc<Mutex<Vec<S>>>;

/// Adds a step that is booked to `watch`, if somebody wants to see it.
pub fn show<S: Clone>(watch: Option<&Watch<S>>, step: &S) {
    if let Some(watch) = watch {
        watch.lock().unwrap_or_else(PoisonError::into_inner).push(step.clone());
    }
}

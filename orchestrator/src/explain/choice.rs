//! Who decides where a trial is explained.

use fogbit_policy::Policy;
use fogbit_scenario::Contexts;
use fogbit_task_node::{Decider, Oracle, TrialError, TruthOracle};

use crate::ledger::Replica;
use crate::results::read::{Decision, ReadError};

/// The rows of a decision file.
pub(super) type Rows = Box<dyn Iterator<Item = Result<Decision, ReadError>>>;

/// A decider that is not a policy at hand.
pub(super) enum Chooser {
    /// It is told the truth.
    Truth(TruthOracle),
    /// It was elsewhere: its choices are those that were kept.
    Kept(Rows),
}

/// The decider behind `replica`; `kept` are its choices, if they were kept.
///
/// `None` where it is neither here nor kept.
pub(super) fn decider(replica: Replica, kept: Option<Rows>) -> Option<Decider<Chooser>> {
    match replica {
        Replica::Policy(policy) => Some(Decider::Policy(policy)),
        Replica::Oracle(oracle) => Some(Decider::Oracle(Chooser::Truth(oracle))),
        Replica::Nobody => Some(Decider::Oracle(Chooser::Kept(kept?))),
    }
}

impl Oracle for Chooser {
    async fn choose(&mut self, slot: u64, contexts: &Contexts) -> Result<usize, TrialError> {
        match self {
            Chooser::Truth(oracle) => Ok(oracle.choose_now(slot, contexts)),
            Chooser::Kept(rows) => {
                let reason = match rows.next() {
                    Some(Ok(row)) if row.slot == slot => return Ok(row.node),
                    Some(Ok(row)) => format!("the row is of slot {}", row.slot),
                    Some(Err(error)) => error.to_string(),
                    None => "the decision file ends before".into(),
                };
                Err(TrialError::Record { reason: format!("slot {slot}: {reason}") })
            }
        }
    }

    fn policy(&self) -> Option<&dyn Policy> {
        match self {
            Chooser::Truth(oracle) => oracle.policy(),
            Chooser::Kept(_) => None,
        }
    }
}

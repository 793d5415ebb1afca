//! The problem `cascade` in the orchestrator: plan, ledger, backends, results, report.
//!
//! The harness plays the trials of a [`CascadePlan`](plan::CascadePlan), as
//! [`Cascade`](backend::Cascade) says: it tells a
//! [`CascadeLedger`](ledger::CascadeLedger) each [`ImageStep`](fogbit_scenario::cascade::ImageStep)
//! of a trial, and adds each trial to a [`CascadeCollector`](collect::CascadeCollector), seed by seed
//! and within a seed in the order of the policies. What follows does not know of backends.

pub mod backend;
pub mod collect;
pub mod files;
pub mod ledger;
pub mod metric;
mod metrics;
pub mod pictures;
pub mod plan;
pub mod policies;
pub mod read;
pub mod record;
pub mod report;
pub mod summary;
pub mod sweep;
pub mod tally;
pub mod verify;

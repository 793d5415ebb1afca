//! The problem `placement` in the orchestrator: plan, ledger, backends, results, report.
//!
//! The harness plays the trials of a [`PlacementPlan`](plan::PlacementPlan), as
//! [`Placement`](backend::Placement) says: it tells a
//! [`PlacementLedger`](ledger::PlacementLedger) each [`Step`](fogbit_scenario::placement::Step) of a
//! trial, and adds each trial to a [`PlacementCollector`](collect::PlacementCollector), seed by seed
//! and within a seed in the order of the policies. What follows does not know of backends.

pub mod backend;
pub mod collect;
pub mod files;
pub mod graph;
pub mod ledger;
pub mod metric;
mod metrics;
pub mod models;
pub mod pairing;
pub mod plan;
pub mod read;
pub mod record;
pub mod report;
pub mod scores;
pub mod summary;
pub mod sweep;
pub mod tally;
pub mod verify;

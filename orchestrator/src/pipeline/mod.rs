//! The problem `pipeline` in the orchestrator: plan, ledger, backends, results, report.
//!
//! The harness plays the trials of a [`PipelinePlan`](plan::PipelinePlan): it tells a ledger each
//! [`ApplicationStep`](fogbit_scenario::pipeline::ApplicationStep) of a trial, and adds each trial to a
//! [`PipelineCollector`](collect::PipelineCollector), seed by seed and within a seed in the order of
//! the policies. What follows does not know of backends.

pub mod backend;
pub mod collect;
pub mod files;
pub mod labels;
pub mod ledger;
pub mod metric;
mod metrics;
pub mod plan;
pub mod policies;
pub mod read;
pub mod record;
pub mod report;
pub mod summary;
pub mod sweep;
pub mod tally;
pub mod timing;
pub mod verify;

//! The orchestrator of Fogbit and everything behind its command line: it launches topologies, keeps
//! the regret ledger, and writes results and reports.

pub mod backend;
pub mod bench;
pub mod board;
pub mod cascade;
pub mod cli;
pub mod compare;
pub mod dataset;
pub mod exit;
pub mod expect;
pub mod explain;
pub mod exporter;
pub mod graph;
pub mod harness;
pub mod ledger;
pub mod links;
pub mod logs;
pub mod netem;
pub mod pipeline;
pub mod placement;
pub mod plan;
pub mod progress;
pub mod report;
pub mod results;
pub mod run_metrics;
pub mod stats;
pub mod sweep;
pub mod train;
pub mod validity;
pub mod verify;

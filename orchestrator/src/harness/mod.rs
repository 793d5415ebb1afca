//! What all problems share in the orchestrator, written once over what each of them says of itself:
//! its plan ([`ProblemPlan`]), the trials that come of it ([`ProblemCollector`]), what policies are
//! compared by ([`ProblemMetric`]) and what is told in the end ([`ProblemSummary`]). All but `one-bit`
//! also say how a trial is played ([`ProblemBackend`]) and booked ([`ProblemLedger`]), and are played
//! by [`sim`] and [`process`]. The command `run` adds how results are shown (`ProblemRun` in
//! `cli/run/play.rs`, `ShownProblem` in `cli/run/shown.rs`).

mod backend;
mod board;
mod booking;
mod ledger;
pub mod metric;
mod metrics;
mod plan;
pub mod process;
pub mod sim;
mod summary;
mod trials;

pub use backend::{AccountOf, ProblemBackend, RunContext, StepOf, Trial};
pub use board::{Published, RunBoard};
pub use ledger::{LedgerError, ProblemLedger, Told, Watch, show};
pub use metric::ProblemMetric;
pub use metrics::{Label, Metric, ProblemMetrics, TrialSeries};
pub use plan::{PlannedPolicy, PolicyKind, ProblemPlan, narrow, wanted_policies};
pub use sim::SimRecorder;
pub use summary::{OverSeeds, ProblemSummary, RunFacts, RunHead, TrialSummary, parameters, trials};
pub use trials::{BySeed, Outcome, ProblemCollector, RunFailure, TrialRow, failed_trials};

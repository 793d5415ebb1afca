//! What all problems share in the orchestrator, written once over what each of them says of itself:
//! its plan ([`ProblemPlan`]), the trials that come of it ([`ProblemCollector`]), what policies are
//! compared by ([`ProblemMetric`]) and what is told in the end ([`ProblemSummary`]). The command
//! `run` adds how its trials are played and shown (`ProblemRun` in `cli/run/play.rs`).

pub mod metric;
mod plan;
mod summary;
mod trials;

pub use metric::ProblemMetric;
pub use plan::{PlannedPolicy, PolicyKind, ProblemPlan, look_for_policies};
pub use summary::{ProblemSummary, RunFacts, RunHead, TrialSummary, parameters, trials};
pub use trials::{BySeed, Outcome, ProblemCollector, RunFailure, TrialRow, failed_trials};

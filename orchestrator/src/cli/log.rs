//! `run --log`: what is logged for others beside the results.

use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use fogbit_scenario::Scenario;

use crate::backend::{Context, RunFailure};
use crate::exit::{Exit, Failure};
use crate::logs;

/// What can be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogKind {
    /// Every decision with all contexts, scores and propensities: contexts/POLICY-SEED.csv.gz
    Decisions,
    /// What every node would have told in every slot: full/seed-SEED.jsonl.gz, on which any policy
    /// can be played again exactly
    Full,
}

/// Whether all of `kinds` can be had of a run of `scenario`.
pub(super) fn check(
    kinds: &[LogKind],
    scenario: &Scenario,
    real_time: bool,
) -> Result<(), Failure> {
    for kind in kinds {
        let (name, possible) = match kind {
            LogKind::Decisions => ("decisions", logs::can_log_contexts(scenario, real_time)),
            LogKind::Full => ("full", logs::can_log_full(scenario, real_time)),
        };
        possible.map_err(|why| Failure::usage(format!("--log {name}: {why}")).help(why.help()))?;
    }
    Ok(())
}

/// Makes the folders that `kinds` need in a new results directory.
pub(super) fn make_folders(kinds: &[LogKind], dir: &Path) -> Result<(), Failure> {
    for (kind, folder) in [(LogKind::Decisions, logs::CONTEXTS), (LogKind::Full, logs::FULL)] {
        let path = dir.join(folder);
        if kinds.contains(&kind) {
            std::fs::create_dir(&path).map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
            })?;
        }
    }
    Ok(())
}

/// Writes the full information of all seeds, before anything is played; gives what went wrong.
pub(super) async fn write_full(context: &Context, dir: &Path) -> Option<RunFailure> {
    let (plan, stop) = (Arc::clone(&context.plan), Arc::clone(&context.stop));
    let dir = dir.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        logs::write_full(&dir, &plan.scenario, &plan.seeds, &stop)
    });
    let message = match written.await {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Some(RunFailure { message, help: None })
}

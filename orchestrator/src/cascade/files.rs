//! The files of a results directory beside `summary.json`.

use std::fmt::Write;

use super::collect::CascadeCollector;
use super::plan::CascadePlan;
use crate::results::{ResultsDir, ResultsError};

/// How often policies saw each level of the bucket.
pub const LEVELS_FILE: &str = "levels.csv";

/// Keeps the trace beside the topology that names it.
///
/// # Errors
/// If it cannot be copied.
pub fn keep_trace(dir: &ResultsDir, plan: &CascadePlan) -> Result<(), ResultsError> {
    let path = dir.path().join(plan.scenario.kept_trace());
    match std::fs::copy(plan.scenario.trace_file(), &path) {
        Ok(_) => Ok(()),
        Err(error) => {
            // Half a trace is none.
            let _ = std::fs::remove_file(&path);
            Err(ResultsError::Write { path, error })
        }
    }
}

/// Writes the levels.
///
/// # Errors
/// If the file cannot be written.
pub fn write(
    dir: &ResultsDir,
    plan: &CascadePlan,
    collector: &CascadeCollector,
) -> Result<(), ResultsError> {
    let bucket = plan.scenario.bucket();
    let mut csv = String::from("policy,tokens,images\n");
    for (policy, pooled) in plan.policies.iter().zip(&collector.pooled) {
        for (level, images) in (0..).zip(&pooled.levels) {
            let _ = writeln!(csv, "{},{},{images}", policy.name, bucket.tokens(level));
        }
    }
    dir.write(LEVELS_FILE, csv.as_bytes())
}

//! Runs of the problem `placement` in virtual time: what they print, write, and refuse.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/problem.rs"]
mod problem;

mod figures;
mod lifecycle;
mod process;
mod refused;
mod results;
mod swept;

use std::path::{Path, PathBuf};

pub(crate) use problem::{play, policy};

/// A task node and an edge node, a link that becomes slow, and four policies.
pub(crate) const SMALL: &str = r#"about = "Small <& quick>"
problem = "placement"
slots = 120
seeds = 3

[task]
complexity_cycles = { min = 5e7, max = 5e8 }
input_kb = { min = 2, max = 40 }

[task-node]
name = "phone"
cpu_frequency_ghz = 1

[[node]]
name = "edge"
cpu_frequency_ghz = 10
service_overhead_ms = 1

[links]
profile = "lte"

[[event]]
at = 61
profile = { base = "lte", rtt_ms = 300, jitter_ms = 0 }

[policies.always-local]
kind = "always-local"

[policies.always-offload]
kind = "always-offload"

[policies.rule]
kind = "rule"

[policies.oracle]
kind = "oracle"
shadow = true
"#;

/// Writes a topology; `from` is replaced by `to` in [`SMALL`].
pub(crate) fn topology(dir: &Path, from: &str, to: &str) -> PathBuf {
    problem::changed(dir, SMALL, from, to)
}

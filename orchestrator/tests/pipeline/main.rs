//! Runs of the problem `pipeline`: what they print, write, and refuse.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/problem.rs"]
mod problem;

mod figures;
mod hard;
mod process;
mod results;
mod swept;

use std::path::{Path, PathBuf};

pub(crate) use problem::{play, policy};

/// Small applications on three sites, and policies that need no training.
pub(crate) const SMALL: &str = r#"about = "Small <& quick>"
problem = "pipeline"
applications = 60
seeds = 3

[application]
sub_tasks = { min = 2, max = 6 }

[task-node]
name = "phone"
cpu_frequency_ghz = 1.5
load = { min = 0, max = 0.5 }

[[node]]
name = "edge"
cpu_frequency_ghz = 8
busy_ms = { min = 0, max = 60 }

[[node]]
name = "cloud"
cpu_frequency_ghz = 30
busy_ms = { min = 0, max = 200 }

[[link]]
between = ["phone", "edge"]
mbit_s = { min = 20, max = 100 }
rtt_ms = { min = 2, max = 15 }

[[link]]
between = ["phone", "cloud"]
mbit_s = { min = 2, max = 20 }
rtt_ms = { min = 30, max = 120 }

[[link]]
between = ["edge", "cloud"]
mbit_s = { min = 50, max = 500 }
rtt_ms = { min = 15, max = 60 }

[policies.best]
kind = "search"

[policies.greedy]
kind = "greedy"

[policies.local]
kind = "fixed"
site = "phone"

[policies.dice]
kind = "random"
"#;

/// Writes a topology; `from` is replaced by `to` in [`SMALL`].
pub(crate) fn topology(dir: &Path, from: &str, to: &str) -> PathBuf {
    problem::changed(dir, SMALL, from, to)
}

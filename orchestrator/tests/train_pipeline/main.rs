//! `fogbit train pipeline`, label sets, and the networks that runs are prepared with.

#[path = "../common/mod.rs"]
mod common;

mod command;
mod label_files;
mod sweep;
mod training;

use std::path::{Path, PathBuf};

use fogbit_scenario::TopologyFile;
use fogbit_scenario::pipeline::PipelineScenario;

/// Small enough to train in an instant.
pub(crate) const QUICK: &str = "train = { labels = 300, epochs = 8, batch = 16, hidden = [12] }";

/// Writes a topology into `dir` with `policies`, each a table of TOML.
pub(crate) fn topology(dir: &Path, policies: &str) -> PathBuf {
    let text = format!(
        r#"problem = "pipeline"
applications = 20

[application]
sub_tasks = {{ min = 2, max = 5 }}
cycles = {{ min = 1e8, max = 5e8 }}
data_kb = {{ min = 20, max = 300 }}

[task-node]
name = "device"
cpu_frequency_ghz = 2
load = {{ min = 0, max = 0.5 }}

[[node]]
name = "edge"
cpu_frequency_ghz = 8
load = {{ min = 0, max = 0.9 }}

[[node]]
name = "cloud"
cpu_frequency_ghz = 20
busy_ms = {{ min = 0, max = 400 }}

[[link]]
between = ["device", "edge"]
mbit_s = {{ min = 20, max = 100 }}
rtt_ms = {{ min = 2, max = 10 }}

[[link]]
between = ["device", "cloud"]
mbit_s = {{ min = 4, max = 20 }}
rtt_ms = {{ min = 20, max = 80 }}

[[link]]
between = ["edge", "cloud"]
mbit_s = {{ min = 20, max = 200 }}
rtt_ms = {{ min = 20, max = 80 }}

{policies}
"#
    );
    let path = dir.join("topology.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// A policy of each kind that learns.
pub(crate) fn learners() -> String {
    format!(
        "[policies.alone]\nkind = \"imitation\"\n{QUICK}\n\
         [policies.taught]\nkind = \"distilled\"\n{QUICK}\nteacher{}\n",
        QUICK.strip_prefix("train").unwrap()
    )
}

pub(crate) fn scenario(path: &Path) -> PipelineScenario {
    let file = TopologyFile::read(path).unwrap_or_else(|faults| panic!("{faults:?}"));
    PipelineScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults:?}"))
}

//! The problem `cascade`: its topologies, its traces, its metric, its streams and its bucket.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod bad_trace;
mod files;
mod metric;
mod notes;
mod streams;
mod vectors;

use std::path::{Path, PathBuf};

use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::{Faults, TopologyFile};
use tempfile::TempDir;

/// A topology with every key.
const GOOD: &str = include_str!("good.toml");

/// A trace without fault.
const TRACE: &str = "id,split,entropy,weak_loss,strong_loss,reward,metric
0,train,0.1,0.2,0.1,0.1,0.05
1,train,1.9,0.9,0.1,0.8,0.6
2,test,0.3,0.1,0.3,-0.2,0.1
3,test,1.5,0.7,0.2,0.5,0.4
";

/// A folder with a trace called `trace.csv`.
fn folder(trace: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("trace.csv"), trace).expect("the trace is written");
    folder
}

/// Reads a topology given as text.
fn read(path: &Path, text: &str) -> Result<CascadeScenario, Faults> {
    CascadeScenario::from_file(&TopologyFile::from_text(path, text.to_owned()))
}

/// A topology without fault in `folder`.
fn good(folder: &Path, text: &str) -> CascadeScenario {
    read(&folder.join("test.toml"), text).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

/// A file of the reference data, if there is any. Without it a test says so, and is skipped.
fn reference(test: &str, name: &str) -> Option<PathBuf> {
    use std::io::Write as _;
    if let Some(folder) = std::env::var_os("FOGBIT_REFERENCE_DATA") {
        return Some(Path::new(&folder).join(name));
    }
    // Past the capture of output: a check that did not happen must be seen.
    let line = format!("SKIPPED: {test}: FOGBIT_REFERENCE_DATA is not set\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

//! `fogbit train dqn`, and the models that runs are prepared with.

#[path = "../common/mod.rs"]
mod common;

mod command;
mod learning;
mod refused;
mod training;

use std::path::{Path, PathBuf};

use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::CascadeScenario;

/// Small enough to train in an instant.
pub(crate) const QUICK: &str =
    "{ iterations = 6, updates = 4, batch = 16, hidden = [8, 8], images = 2000, history = 9 }";

/// Writes a trace of 300 images and a topology into `dir`; `more` stands before its policies.
pub(crate) fn topology(dir: &Path, more: &str, policies: &str) -> PathBuf {
    let mut trace = String::from("id,metric,reward\n");
    for id in 0..300 {
        let metric = f64::from(id) / 300.0;
        let metric = metric * metric * metric;
        trace += &format!("{id},{metric},{metric}\n");
    }
    std::fs::write(dir.join("trace.csv"), trace).unwrap();
    let bucket = if more.contains("bucket") { "" } else { "bucket = { rate = 0.1, depth = 2 }\n" };
    let text = format!(
        "problem = \"cascade\"\nimages = 1000\n\
         trace = {{ file = \"trace.csv\", score = \"metric\", weak_loss = 0.3 }}\n\
         {bucket}{more}\n{policies}\n"
    );
    let path = dir.join("topology.toml");
    std::fs::write(&path, text).unwrap();
    path
}

pub(crate) fn scenario(path: &Path) -> CascadeScenario {
    let file = TopologyFile::read(path).unwrap_or_else(|faults| panic!("{faults:?}"));
    CascadeScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults:?}"))
}

pub(crate) const CORRELATED: &str = "stream = { spread = 0.1, reset = 0.1 }";
pub(crate) const MARKOV: &str =
    "arrivals = { kind = \"markov\", gaps = [1, 3], leave = [0.01, 0.005] }";

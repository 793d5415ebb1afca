//! `fogbit train placement`, and runs of the policy `learned`.

#[path = "../common/mod.rs"]
mod common;

mod figures;
mod models;
mod refused;

use std::path::Path;
use std::process::{Command, Output};

use common::{fogbit, stderr, topology};
use serde_json::Value;

/// Small enough to train in an instant.
pub(crate) const QUICK: [&str; 6] = ["--samples", "500", "--epochs", "2", "--hidden", "8"];

/// `fogbit train placement topologies/learned.toml`.
pub(crate) fn train() -> Command {
    let mut command = fogbit();
    command.args(["train", "placement"]).arg(topology("learned.toml"));
    command
}

/// Trains with these arguments; it must end well. Gives what it tells as JSON, and on standard error.
pub(crate) fn trained(arguments: &[&str]) -> (Value, String) {
    let output = train().args(["--format", "json"]).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (serde_json::from_slice(&output.stdout).unwrap(), stderr(&output))
}

/// Keeps a quickly trained model in `path`.
pub(crate) fn keep(path: &Path, arguments: &[&str]) {
    let output = train().args(QUICK).args(arguments).arg("--out").arg(path).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// `fogbit run topologies/learned.toml` in virtual time, with few tasks, into `out`.
pub(crate) fn run(arguments: &[&str], out: &Path) -> Output {
    let mut command = fogbit();
    command.arg("run").arg(topology("learned.toml"));
    command.args(["--backend", "sim", "--quiet", "--set", "slots=200", "--set", "expect=[]"]);
    command.args(["--seeds", "2"]).args(arguments).arg("--out").arg(out);
    command.output().unwrap()
}

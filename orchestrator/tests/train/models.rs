//! Models in files, and runs with them.

use std::process::Stdio;
use std::time::Duration;

use crate::common::{assert_same_decisions, fogbit, send, spawn, stderr, wait_for_end};
use crate::{QUICK, keep, run, train};
use rustix::process::Signal;

/// Sets the training of the topology's policy to that of [`QUICK`].
const QUICK_IN_RUNS: [&str; 2] =
    ["--set", "policies.learned.train={ samples = 500, epochs = 2, hidden = [8] }"];

#[test]
fn the_same_training_gives_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    keep(&path("a"), &[]);
    keep(&path("b"), &[]);
    keep(&path("c"), &["--seed", "2"]);
    let read = |name: &str| std::fs::read(path(name)).unwrap();
    assert_eq!(read("a"), read("b"));
    assert_ne!(read("a"), read("c"));
    // A run that trains by itself keeps that very model.
    let out = path("out");
    let output = run(&QUICK_IN_RUNS, &out);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(std::fs::read(out.join("models/learned.safetensors")).unwrap(), read("a"));
}

/// Nothing is overwritten unless it is asked for.
#[test]
fn files_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m");
    std::fs::write(&path, "mine").unwrap();
    let output = train().args(QUICK).arg("--out").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    keep(&path, &["--force"]);
    assert_ne!(std::fs::read(&path).unwrap(), b"mine");
}

/// A run names the model that it was given, and can be repeated from its results alone.
#[test]
fn a_run_with_a_model_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("m.safetensors");
    keep(&model, &[]);
    let set = format!("policies.learned.model={}", model.display());
    let [own, trained, again] = ["own", "trained", "again"].map(|name| dir.path().join(name));
    let output = run(&["--set", &set], &own);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = run(&QUICK_IN_RUNS, &trained);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_same_decisions(&own, &trained, "a model from a file and one trained in the run");
    std::fs::remove_file(&model).unwrap();
    let output = fogbit()
        .args(["run", "--backend", "sim", "--quiet", "--out"])
        .arg(&again)
        .arg(own.join("topology.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_same_decisions(&own, &again, "a run and its repetition");
    let verified = fogbit().arg("verify").arg(&own).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
}

/// A model for other tasks is used, but it is said.
#[test]
fn a_model_of_another_scenario_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("m.safetensors");
    keep(&model, &["--set", "task.input_kb.max=200"]);
    let set = format!("policies.learned.model={}", model.display());
    let output = fogbit()
        .arg("run")
        .arg(crate::common::topology("learned.toml"))
        .args(["--backend", "sim", "--set", "slots=20", "--set", "expect=[]", "--set", &set])
        .arg("--out")
        .arg(dir.path().join("out"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("another scenario") && told.contains("100 to 200 KB"), "{told}");
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = spawn(
        train()
            .args(["--samples", "100000", "--epochs", "10000", "--out"])
            .arg(dir.path().join("m"))
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    std::thread::sleep(Duration::from_millis(500));
    send(Signal::INT, child.id() as i32);
    assert_eq!(wait_for_end(&mut child), Some(130));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

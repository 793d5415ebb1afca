//! How runs end: by themselves, by Ctrl-C, by a death; nothing is ever left behind.

mod common;

use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{
    endless, fogbit, is_running, nodes_of, send, spawn, stderr, topology, wait_for,
    wait_for_decisions, wait_for_end,
};
use rustix::process::Signal;
use serde_json::Value;

fn json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The statuses of the trials in a summary, by policy.
fn statuses(summary: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let trials = summary["trials"].as_array().unwrap();
    trials.iter().map(|trial| (text(&trial["policy"]), text(&trial["status"]))).collect()
}

#[test]
fn ctrl_c_ends_the_nodes_and_marks_the_results_as_partial() {
    for signal in [Signal::INT, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let mut child = endless("small.toml", &out);
        wait_for_decisions(&out);
        let nodes = nodes_of(&child);
        assert!(nodes.len() > 3, "{nodes:?}");
        let asked = Instant::now();
        send(signal, child.id() as i32);
        assert_eq!(wait_for_end(&mut child), Some(130));
        // One second is promised; a shared machine gets five times that.
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert!(!nodes.iter().any(is_running), "a node outlived the run");
        assert_eq!(json(&out.join("manifest.json"))["status"], "partial");
        let summary = json(&out.join("summary.json"));
        assert_eq!(summary["run"]["status"], "partial");
        assert!(statuses(&summary).iter().all(|(_, status)| status == "partial"), "{summary}");
        assert!(out.join("report.html").exists());
        // What was told until then is right.
        let verified = fogbit().arg("verify").arg(&out).output().unwrap();
        assert_eq!(verified.status.code(), Some(0), "{}", common::stdout(&verified));
    }
}

#[test]
fn ctrl_c_while_nodes_are_still_joining() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = endless("hundred.toml", &dir.path().join("out"));
    wait_for("the first node", || (!nodes_of(&child).is_empty()).then_some(()));
    send(Signal::INT, child.id() as i32);
    let nodes = nodes_of(&child);
    assert_eq!(wait_for_end(&mut child), Some(130));
    assert!(!nodes.iter().any(is_running));
}

#[test]
fn ctrl_c_in_virtual_time() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut child = spawn(
        fogbit()
            .arg("run")
            .arg(topology("small.toml"))
            .args(["--backend", "sim", "--set", "slots=100000000000", "--set", "expect=[]"])
            .args(["--quiet", "--no-decisions", "--out"])
            .arg(&out)
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    wait_for("the manifest", || out.join("manifest.json").exists().then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    send(Signal::INT, child.id() as i32);
    assert_eq!(wait_for_end(&mut child), Some(130));
    assert_eq!(json(&out.join("manifest.json"))["status"], "partial");
}

/// The node of a run whose arguments hold `name`.
fn node_called(child: &std::process::Child, name: &str) -> common::Process {
    let nodes = nodes_of(child);
    let called = |process: &&common::Process| {
        process.arguments.windows(2).any(|pair| pair[0] == "--name" && pair[1] == name)
    };
    nodes.iter().find(called).unwrap_or_else(|| panic!("no {name} among {nodes:?}")).clone()
}

#[test]
fn a_helper_node_that_dies_fails_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let child = endless("small.toml", &out);
    wait_for_decisions(&out);
    let nodes = nodes_of(&child);
    send(Signal::KILL, node_called(&child, "far").id);
    let (code, told) = child.end();
    assert_eq!(code, Some(4));
    assert!(told.contains("helper node far died") && told.contains("SIGKILL"), "{told}");
    assert!(!nodes.iter().any(is_running));
    let manifest = json(&out.join("manifest.json"));
    assert_eq!(manifest["status"], "failed");
    assert!(manifest["reason"].as_str().unwrap().contains("far"));
}

#[test]
fn a_task_node_that_dies_fails_its_own_trials() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let child = spawn(
        fogbit()
            .arg("run")
            .arg(topology("small.toml"))
            .args(["--set", "slots=30000", "--set", "expect=[]", "--quiet", "--out"])
            .arg(&out)
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    );
    wait_for_decisions(&out);
    send(Signal::KILL, node_called(&child, "task-0").id);
    let (code, told) = child.end();
    assert_eq!(code, Some(4));
    assert!(told.contains("task node task-0 died"), "{told}");
    let statuses = statuses(&json(&out.join("summary.json")));
    assert_eq!(statuses[0].1, "failed", "{statuses:?}");
    assert!(statuses[1..].iter().all(|(_, status)| status == "complete"), "{statuses:?}");
}

#[test]
fn no_node_outlives_an_orchestrator_that_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut child = endless("small.toml", &out);
    wait_for_decisions(&out);
    let nodes = nodes_of(&child);
    assert!(nodes.len() > 3);
    let killed = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the nodes to end", || (!nodes.iter().any(is_running)).then_some(()));
    // Two seconds are promised; a shared machine gets five times that.
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    assert_eq!(json(&out.join("manifest.json"))["status"], "running");
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        spawn(
            fogbit()
                .arg("run")
                .arg(topology("small.toml"))
                .args(["--quiet"])
                .current_dir(dir.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
    };
    let mut runs: Vec<_> = (0..3).map(|_| start()).collect();
    for run in &mut runs {
        assert_eq!(wait_for_end(run), Some(0));
    }
    let results = common::files_and_folders(&dir.path().join("results"));
    assert_eq!(results.len(), 3, "{results:?}");
    common::assert_same_decisions(&results[0], &results[1], "two runs at once");
}

/// A disk that is full while decisions are written: a clear error, and no node left.
#[test]
fn a_full_disk_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mount = dir.path().join("small-disk");
    std::fs::create_dir(&mount).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=300k", "tmpfs"])
        .arg(&mount)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        return common::skip("a_full_disk_is_told", "mounting a small disk needs root");
    }
    for backend in ["sim", "process"] {
        let output = fogbit()
            .arg("run")
            .arg(topology("small.toml"))
            .args(["--backend", backend, "--set", "slots=100000", "--quiet", "--out"])
            .arg(mount.join(backend))
            .output()
            .unwrap();
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains("No space left") || told.contains("os error 28"), "{told}");
        std::fs::remove_dir_all(mount.join(backend)).unwrap();
    }
    assert!(std::process::Command::new("umount").arg(&mount).status().unwrap().success());
}

//! Runs that are there to be looked at: held back, with another number of nodes, or lingering when
//! they are over.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::metrics::{get, scrape};
use crate::common::{
    Guarded, assert_same_decisions, fogbit, is_running, nodes_of, run, send, spawn, stderr,
    topology, wait_for, wait_for_decisions, wait_for_end,
};
use crate::{Watch, free_tcp, json};

const FEW: [&str; 4] = ["--set", "expect=[]", "--set", "slots=60"];

#[test]
fn a_run_that_is_held_back_decides_the_same() {
    for backend in ["sim", "process"] {
        let dir = tempfile::tempdir().unwrap();
        let [fast, slow] = ["fast", "slow"].map(|name| dir.path().join(name));
        let arguments = [&FEW[..], &["--backend", backend]].concat();
        run(&topology("small.toml"), &arguments, &fast);
        let started = Instant::now();
        run(&topology("small.toml"), &[&arguments[..], &["--pace", "100"]].concat(), &slow);
        // Sixty slots at a hundred a second: the last begins after 0.59 s.
        assert!(started.elapsed() >= Duration::from_millis(500), "{:?}", started.elapsed());
        assert_same_decisions(&fast, &slow, backend);
    }
}

#[test]
fn ctrl_c_does_not_wait_for_a_slot_that_is_held_back() {
    for backend in ["sim", "process"] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let metrics = free_tcp();
        let mut child = spawn(
            fogbit()
                .arg("run")
                .arg(topology("small.toml"))
                .args(FEW)
                // A slot every ten seconds.
                .args(["--backend", backend, "--pace", "0.1", "--quiet"])
                .args(["--metrics", &metrics.to_string(), "--out"])
                .arg(&out)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        Watch::at(metrics).wait_until("the first slot", |now| now.of("fogbit_slot", "toof") >= 1.0);
        let asked = Instant::now();
        send(Signal::INT, child.id() as i32);
        assert_eq!(wait_for_end(&mut child), Some(130));
        assert!(asked.elapsed() < Duration::from_secs(5), "{backend}: {:?}", asked.elapsed());
        assert_eq!(json(&out.join("manifest.json"))["status"], "partial");
    }
}

#[test]
fn what_has_no_effect_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = crate::topology(dir.path(), "5", "20ms", &["random"]);
    let told = |arguments: &[&str], out: &str| {
        let mut command = fogbit();
        command.arg("run").arg(&file).args(arguments).arg("--out").arg(dir.path().join(out));
        stderr(&command.output().unwrap())
    };
    assert!(told(&["--backend", "sim"], "sim").contains("slots of 20ms take no time"));
    assert!(told(&["--pace", "5"], "process").contains("--pace is for virtual time"));
}

#[test]
fn the_number_of_nodes_can_be_given() {
    let dir = tempfile::tempdir().unwrap();
    let run = |file: &str, nodes: &str, out: &str| -> Output {
        fogbit()
            .arg("run")
            .arg(topology(file))
            .args(FEW)
            .args(["--backend", "sim", "--format", "json", "--nodes", nodes, "--out"])
            .arg(dir.path().join(out))
            .output()
            .unwrap()
    };
    let nodes = |output: &Output| -> usize {
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        summary["run"]["nodes"].as_array().unwrap().len()
    };
    let counted = run("paper.toml", "4", "counted");
    assert_eq!((counted.status.code(), nodes(&counted)), (Some(0), 4), "{}", stderr(&counted));
    assert!(!stderr(&counted).contains("note:"));
    // A topology that lists its nodes keeps them; what is more is a spare.
    let listed = run("small.toml", "5", "listed");
    assert_eq!((listed.status.code(), nodes(&listed)), (Some(0), 3), "{}", stderr(&listed));
    assert!(stderr(&listed).contains("lists 3 helper nodes; 2 are spares"), "{}", stderr(&listed));
    let exact = run("small.toml", "3", "exact");
    assert_eq!((exact.status.code(), nodes(&exact)), (Some(0), 3), "{}", stderr(&exact));
    assert!(!stderr(&exact).contains("spares"), "{}", stderr(&exact));
    let fewer = run("small.toml", "2", "fewer");
    assert_eq!(fewer.status.code(), Some(2));
    assert!(stderr(&fewer).contains("--nodes 2, but the topology lists 3 helper nodes"));
    assert!(!dir.path().join("fewer").exists());
    assert_eq!(run("paper.toml", "0", "none").status.code(), Some(2));
}

/// `small.toml` over processes, lingering; and where its metrics are.
fn lingering(slots: &str, out: &Path) -> (Guarded, Watch) {
    let metrics = free_tcp();
    let child = spawn(
        fogbit()
            .arg("run")
            .arg(topology("small.toml"))
            .args(["--set", "expect=[]", "--set", slots, "--quiet", "--linger"])
            .args(["--metrics", &metrics.to_string(), "--out"])
            .arg(out)
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    );
    (child, Watch::at(metrics))
}

#[test]
fn a_run_that_lingers_goes_on_being_seen() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (child, watch) = lingering("slots=200", &out);
    wait_for("the results", || {
        let manifest = std::fs::read(out.join("manifest.json")).ok()?;
        let manifest: Value = serde_json::from_slice(&manifest).ok()?;
        (manifest["status"] == "complete").then_some(())
    });
    // The results are there, and so is everybody else.
    std::thread::sleep(Duration::from_millis(300));
    let now = watch.scrape();
    for policy in ["toof", "cautious", "round-robin", "optimal"] {
        assert_eq!(now.of("fogbit_slot", policy), 200.0, "{policy}");
    }
    assert_eq!(now.get("fogbit_members{role=\"helper\"}"), 3.0);
    assert_eq!(now.get("fogbit_members{role=\"task-node\"}"), 4.0);
    let targets: Value = serde_json::from_str(&get(watch.0, "/targets").body).unwrap();
    let addresses: Vec<std::net::SocketAddr> = targets
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["targets"][0].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(addresses.len(), 1 + 3 + 4);
    for address in &addresses {
        let series = scrape(*address);
        assert!(series.keys().any(|name| name.starts_with("fogbit_build_info{")), "{address}");
    }
    let nodes = nodes_of(&child);
    assert_eq!(nodes.len(), 7);
    send(Signal::TERM, child.id() as i32);
    let (code, told) = child.end();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("lingering until it is stopped, metrics at http://"), "{told}");
    assert!(!nodes.iter().any(is_running), "a node outlived the run");
    for address in addresses {
        assert!(TcpStream::connect(address).is_err(), "somebody still listens on {address}");
    }
    assert_eq!(json(&out.join("manifest.json"))["status"], "complete");
}

#[test]
fn a_run_that_failed_does_not_linger() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (child, _watch) = lingering("slots=100000000", &out);
    wait_for_decisions(&out);
    let nodes = nodes_of(&child);
    let helper = nodes.iter().find(|node| node.arguments.iter().any(|a| a == "node")).unwrap();
    send(Signal::KILL, helper.id);
    let (code, told) = child.end();
    assert_eq!(code, Some(4), "{told}");
    assert!(!told.contains("lingering"), "{told}");
    assert!(!nodes.iter().any(is_running));
}

#[test]
fn an_interrupted_run_does_not_linger() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (child, _watch) = lingering("slots=100000000", &out);
    wait_for_decisions(&out);
    send(Signal::INT, child.id() as i32);
    let (code, told) = child.end();
    assert_eq!(code, Some(130), "{told}");
}

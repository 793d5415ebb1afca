//! `fogbit bench network`: in virtual time the figures, over processes that there are some.

mod common;

use std::path::Path;
use std::process::{Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use common::{fogbit, nodes_of, send, spawn, stderr, topology, wait_for, wait_for_end};

const FILES: [&str; 6] =
    ["bench.csv", "breakeven.csv", "loss.csv", "rate.csv", "summary.json", "report.html"];

fn bench(arguments: &[&str], out: &Path) -> Output {
    let mut command = fogbit();
    command.args(["bench", "network"]).arg(topology("stress.toml")).args(arguments);
    command.args(["--format", "json", "--quiet", "--out"]).arg(out).output().unwrap()
}

fn sim(arguments: &[&str], out: &Path) -> Value {
    let output = bench(&[&["--backend", "sim"], arguments].concat(), out);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Break-even round trips in milliseconds of profiles that lose nothing, by hand: 250 ms here, 25 ms
/// there, 1 ms of overhead, and 7 kB there and 1 kB back at the profile's rates, of which 1415 bytes
/// of payload are 1480 on the wire: `224 - 8.3678 (7 / up + 1 / down)`, rates in Mbit/s.
const BY_HAND: [(&str, f64); 5] = [
    ("wifi", 219.816),
    ("lte", 218.421),
    ("slow-4g", 140.671),
    ("3g-slow", 56.650),
    ("geo", 200.131),
];

#[test]
fn the_measured_break_even_is_that_of_the_formula() {
    let dir = tempfile::tempdir().unwrap();
    let summary = sim(&["--quick"], &dir.path().join("out"));
    let rows = summary["break_even"].as_array().unwrap();
    for (profile, formula) in BY_HAND {
        let row = rows.iter().find(|row| row["profile"] == profile).unwrap();
        assert!((number(&row["formula_ms"]) - formula).abs() < 0.01, "{row}");
        assert!((number(&row["measured_ms"]) / formula - 1.0).abs() < 0.1, "{row}");
        assert!(number(&row["low_ms"]) <= number(&row["measured_ms"]), "{row}");
        assert!(number(&row["high_ms"]) >= number(&row["measured_ms"]), "{row}");
        assert_eq!(row["points"].as_array().unwrap().len(), 4);
    }
    // 7 kB every 250 ms are 0.224 Mbit/s of payload.
    let rate = &summary["rate"][0];
    assert!((number(&rate["arithmetic_mbit_s"]) - 0.224).abs() < 1e-9, "{rate}");
    let wire = number(&rate["wire_bits_per_bit"]);
    assert!((1480.0 / 1415.0..1.1).contains(&wire), "{rate}");
    let success = |row: &Value| number(&row["success"]);
    let loss = summary["loss"].as_array().unwrap();
    assert_eq!(success(&loss[0]), 1.0, "{loss:?}");
    assert!(success(&loss[0]) > success(&loss[2]), "{loss:?}");
    // What is always right here is right by what was measured.
    let cells = summary["grid"].as_array().unwrap();
    assert_eq!(cells.len(), 14);
    for cell in cells.iter().filter(|cell| cell["profile"] == "wifi") {
        let right: Vec<u64> = cell["decisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|own| own["right"].as_u64().unwrap())
            .collect();
        assert_eq!(right[..3], [0, 40, 40], "always-local, always-offload, rule: {cell}");
    }
}

#[test]
fn the_same_seed_gives_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
    sim(&["--quick", "--profiles", "lte,congested"], &a);
    sim(&["--quick", "--profiles", "lte,congested"], &b);
    sim(&["--quick", "--profiles", "lte,congested", "--seed", "2"], &c);
    for name in &FILES[..4] {
        assert!(read(&a.join(name)) == read(&b.join(name)), "{name} differs");
    }
    assert!(read(&a.join("bench.csv")) != read(&c.join("bench.csv")));
    // Each experiment is a run like any other.
    let experiment = a.join("experiments/break-even-lte");
    for command in ["verify", "report"] {
        let output = fogbit().arg(command).arg(&experiment).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command}: {}", stderr(&output));
    }
    // The suite itself is none, and says what it is.
    for command in [&["verify"][..], &["report"], &["diff", "b"]] {
        let mut asked = fogbit();
        asked.args(command).arg(&a).current_dir(dir.path());
        let output = asked.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {}", stderr(&output));
        for part in ["a suite of `fogbit bench`", "experiments/"] {
            assert!(stderr(&output).contains(part), "{command:?}: {}", stderr(&output));
        }
    }
}

#[test]
fn rates_that_forbid_offloading_are_said_to() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let set = ["--set", "task.input_kb={ min = 100, max = 200 }"];
    let summary = sim(&[&["--quick", "--profiles", "slow-4g,wifi"], &set[..]].concat(), &out);
    let row = &summary["break_even"][1];
    assert_eq!(row["profile"], "slow-4g");
    assert!(number(&row["formula_ms"]) < 0.0 && row["measured_ms"].is_null(), "{row}");
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for (arguments, said) in [
        (&["--profiles", "lte,6g"][..], "no link profile is called `6g`"),
        (&["--set", "task.input_kb={ min = 5, max = 2 }"], "min = 5 is above max = 2"),
        (&["--set", "policies.x={ kind = \"oracle\", shadow_share = 1.5 }"], "shadow_share"),
        (&["--jobs", "0"], "--jobs"),
    ] {
        let output = bench(arguments, &out);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
        assert!(!out.exists(), "{arguments:?}");
    }
    let mut other = fogbit();
    let other = other.args(["bench", "network"]).arg(topology("paper.toml"));
    let output = other.arg("--out").arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("placement"), "{}", stderr(&output));
    std::fs::create_dir(&out).unwrap();
    let output = bench(&["--backend", "sim"], &out);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("never overwritten"), "{}", stderr(&output));
}

const SMALL: [&str; 5] =
    ["--quick", "--profiles", "wifi", "--set", "task.complexity_cycles={ min = 6e7, max = 6e7 }"];

/// No speeds: this machine may do anything else meanwhile.
#[test]
fn processes_give_every_figure() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let output = bench(&SMALL, &out);
    let code = output.status.code();
    assert!([Some(0), Some(1), Some(3)].contains(&code), "{code:?}: {}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["bench"]["status"], "complete");
    assert_eq!(summary["bench"]["experiments"], 5);
    assert_eq!(summary["grid"].as_array().unwrap().len(), 2);
    assert_eq!(summary["grid"][0]["tasks"], 3);
    assert_eq!(summary["break_even"][0]["points"].as_array().unwrap().len(), 4);
    assert!(summary["break_even"][0]["local_ms"].is_number());
    assert_eq!(summary["loss"].as_array().unwrap().len(), 3);
    assert_eq!(summary["rate"][0]["points"].as_array().unwrap().len(), 4);
    assert!(summary["links"]["verdicts"].as_u64().unwrap() > 0);
    for name in FILES {
        assert!(!read(&out.join(name)).is_empty(), "{name}");
    }
    assert!(out.join("experiments/break-even-wifi/links.json").exists());
}

#[test]
fn ctrl_c_leaves_a_partial_result_and_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut child = spawn(
        fogbit()
            .args(["bench", "network"])
            .arg(topology("stress.toml"))
            .args(SMALL)
            .args(["--jobs", "2", "--quiet", "--out"])
            .arg(&out)
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    let nodes = wait_for("four nodes", || Some(nodes_of(&child)).filter(|nodes| nodes.len() == 4));
    send(Signal::INT, child.id() as i32);
    assert_eq!(wait_for_end(&mut child), Some(130));
    let manifest: Value = serde_json::from_slice(&read(&out.join("manifest.json"))).unwrap();
    assert_eq!(manifest["status"], "partial");
    let page = String::from_utf8(read(&out.join("report.html"))).unwrap();
    assert!(page.contains("This suite is partial."));
    wait_for("the end of the nodes", || {
        nodes.iter().all(|node| !common::is_running(node)).then_some(())
    });
}

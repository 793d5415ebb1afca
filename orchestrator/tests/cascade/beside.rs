//! `verify` and what stands beside the decisions: for all problems, since they share it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::common::{fogbit, run, stderr, stdout};
use super::{play, topology};

fn verify(out: &Path) -> (Option<i32>, String) {
    let output = fogbit().arg("verify").arg(out).output().unwrap();
    (output.status.code(), stdout(&output) + &stderr(&output))
}

/// Changes a file of JSON at a pointer, and has it verified; what is found must name `part`. Then it
/// is as before.
fn change(out: &Path, file: &str, pointer: &str, put: Value, part: &str) {
    let path = out.join(file);
    let before = std::fs::read(&path).unwrap();
    let mut json: Value = serde_json::from_slice(&before).unwrap();
    *json.pointer_mut(pointer).expect(pointer) = put;
    std::fs::write(&path, json.to_string()).unwrap();
    let (code, told) = verify(out);
    assert_eq!(code, Some(1), "{pointer}: {told}");
    assert!(told.contains(part), "{pointer}, no `{part}` in {told}");
    std::fs::write(&path, before).unwrap();
}

/// What may be forged in any run, `expect` of whose expectations are judged.
fn forge(out: &Path, parameter: &str) {
    let (code, told) = verify(out);
    assert_eq!(code, Some(0), "{told}");
    let summary: Value =
        serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    let name = summary["policies"][0]["name"].as_str().unwrap();
    for (pointer, put, part) in [
        ("/expectations/0/judgement", "failed".into(), "where Met is right"),
        ("/expectations/1/judgement", "met".into(), "where Failed is right"),
        ("/expectations/1/judgement", "not_evaluated".into(), "where Failed is right"),
        ("/expectations/0/finding", "mean 0.123456".into(), "is right"),
        ("/expectations/0/expectation", "all is well".into(), "all is well"),
        ("/expectations", Value::Array(Vec::new()), "0 where 2 are due"),
        ("/policies/0/name", "other".into(), "topology.toml has"),
        ("/policies/0/kind", "other".into(), "kind of"),
        (parameter, 7.into(), "7 where topology.toml has"),
        ("/policies/0/seeds", 17.into(), "17 where"),
        ("/run/seeds", 17.into(), "run.seeds"),
        ("/run/about", "something else".into(), "run.about"),
        ("/run/status", "partial".into(), "run.status"),
        ("/run/version", "9.9.9".into(), "run.version"),
        ("/trials/0/seed", 99.into(), "with seed 99: topology.toml has no such trial"),
        ("/trials/0/failure", "it broke".into(), "it broke"),
    ] {
        change(out, "summary.json", pointer, put, part);
    }
    let mut twice: Value = summary["trials"].clone();
    twice.as_array_mut().unwrap().push(summary["trials"][0].clone());
    change(out, "summary.json", "/trials", twice, "there are 2 such trials");
    for (pointer, put, part) in [
        ("/seeds", serde_json::json!([1]), "manifest.json: seeds"),
        ("/reason", "a whim".into(), "manifest.json: reason"),
        ("/backend", "join".into(), "run.backend"),
        ("/valid", false.into(), "run.valid"),
        ("/status", "failed".into(), "run.status"),
    ] {
        change(out, "manifest.json", pointer, put, part);
    }
    let extra = out.join(format!("decisions/{name}-99.csv"));
    std::fs::write(&extra, "slot\n").unwrap();
    let (code, told) = verify(out);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(&format!("decisions/{name}-99.csv: it is the file of no trial")));
    std::fs::remove_file(&extra).unwrap();
    // A run that is not to be believed, and nobody says why.
    change_both_to_invalid(out);
    let (code, told) = verify(out);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("manifest.json: reason"), "{told}");
}

fn change_both_to_invalid(out: &Path) {
    for (file, pointer) in [("summary.json", "/run/valid"), ("manifest.json", "/valid")] {
        let path = out.join(file);
        let mut json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        *json.pointer_mut(pointer).unwrap() = false.into();
        std::fs::write(&path, json.to_string()).unwrap();
    }
}

/// Two expectations, of which the first holds and the second does not.
fn expectations(metric: &str, policy: &str, slot: &str, below: &str) -> String {
    format!(
        "\n[[expect]]\npolicy = \"{policy}\"\nmetric = \"{metric}\"\n{slot}below = {below}\n\
         seeds = 2\n\n[[expect]]\npolicy = \"{policy}\"\nmetric = \"{metric}\"\n{slot}\
         above = {below}\nseeds = 2\n"
    )
}

fn written(dir: &Path, text: &str) -> PathBuf {
    let file = dir.join("forged.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Plays a topology one of whose expectations fails.
fn play_failing(file: &Path, out: &Path) {
    let output =
        fogbit().args(["run", "--backend", "sim", "--quiet", "--out"]).args([out, file]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn cascade() {
    let dir = tempfile::tempdir().unwrap();
    let expect = expectations("average_loss", "seer", "", "\"fixed\"");
    let small = topology(dir.path(), "about", "about");
    let text = std::fs::read_to_string(small).unwrap();
    // The first policy is to have a parameter.
    let text = text.replace("[policies.fixed]\nkind = \"threshold\"\n", "");
    let text = text + "\n[policies.fixed]\nkind = \"threshold\"\n" + &expect;
    let out = dir.path().join("out");
    play_failing(&written(dir.path(), &text), &out);
    forge(&out, "/policies/0/parameters/discount");
}

#[test]
fn one_bit() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/small.toml");
    let text = std::fs::read_to_string(shipped).unwrap();
    let (text, _) = text.split_once("[[expect]]").expect("it has one, at its end");
    let text = text.replace("seeds = 1\n", "seeds = 2\n");
    let expect = expectations("regret_linear", "toof", "slot = 250\n", "10000.0");
    let out = dir.path().join("out");
    play_failing(&written(dir.path(), &(text + &expect)), &out);
    forge(&out, "/policies/0/parameters/lambda");
}

#[test]
fn placement() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/network-aware.toml");
    let (resolved, out) = (dir.path().join("resolved"), dir.path().join("out"));
    let few = ["--backend", "sim", "--policy", "oracle", "--seeds", "2", "--set", "slots=200"];
    run(&shipped, &few, &resolved);
    let text = std::fs::read_to_string(resolved.join("topology.toml")).unwrap();
    assert!(!text.contains("[[expect]]"), "{text}");
    let expect = expectations("mean_regret_ms", "oracle", "", "1000.0");
    play_failing(&written(dir.path(), &(text + &expect)), &out);
    forge(&out, "/policies/0/parameters/shadow_share");
}

#[test]
fn pipeline() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/pipeline-graphs.toml");
    let (resolved, out) = (dir.path().join("resolved"), dir.path().join("out"));
    let few =
        ["--backend", "sim", "--policy", "all-edge", "--seeds", "2", "--set", "applications=12"];
    run(&shipped, &few, &resolved);
    let text = std::fs::read_to_string(resolved.join("topology.toml")).unwrap();
    assert!(!text.contains("[[expect]]"), "{text}");
    let expect = expectations("delay_ratio", "all-edge", "", "1000.0");
    play_failing(&written(dir.path(), &(text + &expect)), &out);
    forge(&out, "/policies/0/parameters/site");
}

/// A damaged topology is named, and not taken for a broken summary.
#[test]
fn a_damaged_topology_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    play(&topology(dir.path(), "about", "about"), &["--policy", "mdp", "--seed", "1"], &out);
    std::fs::write(out.join("topology.toml"), "problem = \"cascade\"\nimages = = 3\n").unwrap();
    for arguments in [vec!["verify"], vec!["report"]] {
        let output = fogbit().args(&arguments).arg(&out).output().unwrap();
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("topology.toml") && !told.contains("summary.json"), "{told}");
    }
}

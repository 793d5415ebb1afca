//! `fogbit explain`: what it says is compared with the formulas, with the logs of the run, and with
//! itself at other slots.

mod common;

use std::path::Path;
use std::process::Output;

use common::{fogbit, run, stderr, stdout, topology};
use serde_json::Value;

fn explain(dir: &Path, arguments: &[&str]) -> Output {
    fogbit().arg("explain").arg(dir).args(arguments).output().unwrap()
}

fn json(dir: &Path, policy: &str, slot: u64, more: &[&str]) -> Value {
    let slot = slot.to_string();
    let arguments = ["--policy", policy, "--slot", &slot, "--format", "json"];
    let output = explain(dir, &[&arguments, more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn dot(a: &Value, b: &Value) -> f64 {
    numbers(a).iter().zip(numbers(b)).map(|(a, b)| a * b).sum()
}

/// A small run of the paper's topology with both logs.
fn played(dir: &Path, more: &[&str]) {
    let set = ["--set", "slots=60", "--set", "nodes.count=4", "--set", "expect=[]"];
    let how = ["--backend", "sim", "--seeds", "2", "--log", "decisions,full"];
    run(&topology("paper.toml"), &[&set, &how, more].concat(), dir);
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn what_it_shows_follows_from_the_formulas_and_the_logs() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    played(&out, &[]);
    let file = std::fs::read_to_string(out.join("decisions/toof-2.csv")).unwrap();
    let rows: Vec<Vec<&str>> = file.lines().skip(1).map(|row| row.split(',').collect()).collect();
    let full = common::unzipped(&out.join("full/seed-2.jsonl.gz"));
    let full: Vec<Value> = full.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut regret = 0.0;
    for slot in 1..=60usize {
        let found = json(&out, "toof", slot as u64, &["--seed", "2"]);
        let row = &rows[slot - 1];
        assert_eq!(found["chosen"], row[1].parse::<u64>().unwrap());
        assert_eq!(found["bit"], row[2].parse::<i64>().unwrap());
        assert_eq!(found["checked"], true);
        regret += row[3].parse::<f64>().unwrap();
        assert!(close(found["average_regret"].as_f64().unwrap(), regret / slot as f64));
        let nodes = found["nodes"].as_array().unwrap();
        for (index, node) in nodes.iter().enumerate() {
            let get = |key: &str| node[key].as_f64().unwrap();
            // The header of the full log has the weights, each line what was to be told.
            assert_eq!(node["weights"], full[0]["w_true"][index]);
            assert_eq!(node["potential_bit"], full[slot]["bits"][index]);
            assert!(close(get("product"), dot(&node["features"], &node["weights"])));
            assert!(close(get("happiness"), 1.0 / (1.0 + (-get("product")).exp())), "(2)");
            assert!(close(get("estimated_product"), dot(&node["features"], &node["estimate"])));
            assert!(close(get("bonus"), get("score") - get("estimated_product")));
            if slot == 1 {
                // (13) with Z = I and gamma = c d ln 2.
                let length = dot(&node["features"], &node["features"]).sqrt();
                let width = (0.03 * 5.0 * 2f64.ln()).sqrt() * length;
                assert!(close(get("score"), width), "{node}");
            }
        }
        let product = |index: &Value| nodes[index.as_u64().unwrap() as usize]["product"].as_f64();
        let (best, chosen) = (product(&found["best"]).unwrap(), product(&found["chosen"]).unwrap());
        assert!(nodes.iter().all(|node| node["product"].as_f64().unwrap() <= best));
        assert!(close(found["regret_linear"].as_f64().unwrap(), best - chosen));
    }
}

/// The estimate after a bit is that of the first decision that knows it, the one before it that of
/// the decision before: also where bits come late.
#[test]
fn what_a_bit_taught() {
    for delay in [0, 3] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        played(&out, &["--set", &format!("feedback.delay_slots={delay}")]);
        for slot in [1, 2, 17, 40] {
            let found = json(&out, "toof", slot, &[]);
            let chosen = found["chosen"].as_u64().unwrap() as usize;
            let estimate =
                |slot: u64| json(&out, "toof", slot, &[])["nodes"][chosen]["estimate"].clone();
            assert_eq!(found["learnt"]["before"], estimate(slot + delay), "slot {slot}");
            assert_eq!(found["learnt"]["after"], estimate(slot + delay + 1), "slot {slot}");
            assert_ne!(found["learnt"]["before"], found["learnt"]["after"]);
        }
    }
}

#[test]
fn policies_without_estimates_have_no_more_than_they_have() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    played(&out, &["--no-decisions"]);
    let random = json(&out, "random", 30, &[]);
    assert_eq!(random["checked"], false, "no decisions were kept");
    assert_eq!(random["nodes"][0]["propensity"], 0.25);
    assert!(random["nodes"][0]["estimate"].is_null() && random["learnt"].is_null());
    assert!(random["words"].as_str().unwrap().contains("probability of 0.250"), "{random}");
    let optimal = json(&out, "optimal", 30, &[]);
    assert_eq!(optimal["chosen"], optimal["best"]);
    assert!(optimal["nodes"][0]["score"].is_null());
    let shown = stdout(&explain(&out, &["--policy", "toof", "--slot", "30"]));
    for part in
        ["toof chose h", "x.w^", "bonus", "estimated weight / true weight", "no decision file"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_full_queue_and_an_absent_node() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let busy = "nodes.queue={kind=\"fifo\",capacity=1,service_rate=0.1}";
    let leave = "event=[{at=5,node=\"h0\",action=\"leave\"}]";
    let set = ["--set", busy, "--set", leave, "--set", "slots=30", "--set", "expect=[]"];
    run(&topology("fifo.toml"), &[["--backend", "sim"].as_slice(), &set].concat(), &out);
    let file = std::fs::read_to_string(out.join("decisions/toof-1.csv")).unwrap();
    let refused = file.lines().position(|row| row.split(',').nth(2) == Some("0")).unwrap();
    let found = json(&out, "toof", refused as u64, &[]);
    assert!(found["bit"] == 0 && found["learnt"].is_null(), "{found}");
    let shown = stdout(&explain(&out, &["--policy", "toof", "--slot", &refused.to_string()]));
    assert!(shown.contains("refused: its queue was full"), "{shown}");
    let late = json(&out, "toof", 30, &[]);
    assert!(late["nodes"][0]["present"] == false && late["nodes"][0]["score"].is_null(), "{late}");
}

#[test]
fn another_story_is_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    played(&out, &[]);
    let path = out.join("decisions/toof-1.csv");
    let mut rows: Vec<String> =
        std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let mut cells: Vec<&str> = rows[20].split(',').collect();
    let other = if cells[1] == "0" { "1" } else { "0" };
    cells[1] = other;
    rows[20] = cells.join(",");
    std::fs::write(&path, rows.join("\n") + "\n").unwrap();
    // Before the change all is well.
    assert_eq!(json(&out, "toof", 19, &[])["slot"], 19);
    for slot in ["20", "45"] {
        let output = explain(&out, &["--policy", "toof", "--slot", slot]);
        assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
        let told = stderr(&output).replace("\n  │ ", " ");
        assert!(told.contains(&format!("slot 20: node {other}")), "{told}");
        assert!(told.contains("played again"), "{told}");
    }
    std::fs::write(&path, rows[..11].join("\n") + "\n").unwrap();
    let output = explain(&out, &["--policy", "toof", "--slot", "11"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stderr(&output).contains("ends before slot 11"), "{}", stderr(&output));
}

#[test]
fn what_there_is_not_is_told_with_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    played(&out, &[]);
    let refused = |arguments: &[&str], parts: &[&str]| {
        let output = explain(&out, arguments);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        for part in parts {
            assert!(told.contains(part), "{part}: {told}");
        }
    };
    refused(&["--policy", "tof", "--slot", "1"], &["`tof`", "toof, greedy, round-robin"]);
    refused(&["--policy", "toof", "--slot", "0"], &["no slot 0", "slots from 1 to 60"]);
    refused(&["--policy", "toof", "--slot", "61"], &["no slot 61", "slots from 1 to 60"]);
    refused(
        &["--policy", "toof", "--slot", "1", "--seed", "3"],
        &["no seed 3", "seeds here: 1, 2"],
    );
    // A run in real time: what it says of itself is all that is looked at.
    let path = out.join("summary.json");
    let summary = std::fs::read_to_string(&path).unwrap();
    let real = summary.replace("\"clock\": \"slot\"", "\"clock\": \"wall\"");
    let real = real.replace("\"backend\": \"sim\"", "\"backend\": \"process\"");
    assert_ne!(summary, real);
    std::fs::write(&path, real).unwrap();
    refused(&["--policy", "toof", "--slot", "1"], &["cannot be played again"]);
    std::fs::remove_file(&path).unwrap();
    refused(&["--policy", "toof", "--slot", "1"], &["summary.json"]);
}

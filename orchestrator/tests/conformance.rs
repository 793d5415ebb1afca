//! The conformance traces end to end: as a topology with features from a file, and through
//! `policy serve`.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::{conformance, fogbit, run};
use serde_json::Value;

fn lines(name: &str) -> Vec<Value> {
    let mut text = String::new();
    let file = std::fs::File::open(conformance(name)).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// A topology whose features come from the trace `file` beside it.
fn topology(dir: &Path, file: &str) -> PathBuf {
    let path = dir.join("conformance.toml");
    let text = format!(
        "slots = 2000\nnodes = {{}}\nfeatures = {{ kind = \"trace\", path = \"{file}\" }}\n\
         [policies]\ntoof = {{ kind = \"toof\" }}\ngreedy = {{ kind = \"greedy\" }}\n\
         eq15 = {{ kind = \"toof\", gamma = {{ kind = \"paper-eq15\", delta = 0.05 }} }}\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// Compares the decisions of a policy with a reference trace: every choice, every bit, and the sum
/// of the regret.
fn check(out: &Path, policy: &str, reference: &str) {
    let reference = lines(reference);
    let mut csv = csv::Reader::from_path(out.join(format!("decisions/{policy}-1.csv"))).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), reference.len() - 2);
    let mut regret = 0.0;
    for (row, expected) in rows.iter().zip(&reference[1..]) {
        let slot = &row[0];
        assert_eq!(row[0], expected["t"].to_string());
        assert_eq!(row[1], expected["n"].to_string(), "choice in slot {slot}");
        assert_eq!(row[2], expected["y"].to_string(), "bit in slot {slot}");
        regret += row[3].parse::<f64>().unwrap();
    }
    let expected = reference.last().unwrap()["cum_regret"].as_f64().unwrap();
    assert!((regret - expected).abs() <= 1e-9 * expected, "regret {regret} for {expected}");
}

fn check_all(nodes: usize, backend: &str) {
    let dir = tempfile::tempdir().unwrap();
    let environment = format!("env_N{nodes}_s1.jsonl.gz");
    std::fs::copy(conformance(&environment), dir.path().join(&environment)).unwrap();
    let out = dir.path().join("out");
    run(&topology(dir.path(), &environment), &["--backend", backend], &out);
    check(&out, "toof", &format!("toof_N{nodes}_s1.jsonl.gz"));
    check(&out, "greedy", &format!("greedyz_N{nodes}_s1.jsonl.gz"));
    if nodes == 3 {
        check(&out, "eq15", "toof_eq15_N3_s1.jsonl.gz");
    }
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", common::stdout(&verified));
}

#[test]
fn in_virtual_time() {
    for nodes in [3, 10, 30] {
        check_all(nodes, "sim");
    }
}

#[test]
fn over_processes() {
    for nodes in [3, 10, 30] {
        check_all(nodes, "process");
    }
}

/// The same trace written as CSV gives the same decisions.
#[test]
fn as_comma_separated_values() {
    let dir = tempfile::tempdir().unwrap();
    let environment = lines("env_N3_s1.jsonl.gz");
    let mut csv = String::from("slot,node,u,task_length,task_complexity,queue,cpu,cqi\n");
    for slot in &environment[1..] {
        for (node, state) in slot["node"].as_array().unwrap().iter().enumerate() {
            let values: Vec<String> = floats(&slot["task"])
                .into_iter()
                .chain(floats(state))
                .map(|value| value.to_string())
                .collect();
            csv += &format!("{},{node},{},{}\n", slot["t"], slot["u"], values.join(","));
        }
    }
    std::fs::write(dir.path().join("trace.csv"), csv).unwrap();
    let file = topology(dir.path(), "trace.csv");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text = text.replace("nodes = {}\n", "");
    for (number, weights) in environment[0]["w_true"].as_array().unwrap().iter().enumerate() {
        text += &format!(
            "[[node]]\nname = \"n{number}\"\nweights = {{ kind = \"given\", values = {weights} }}\n"
        );
    }
    text += "[nodes]\n";
    std::fs::write(&file, text).unwrap();
    let out = dir.path().join("out");
    run(&file, &["--backend", "sim"], &out);
    check(&out, "toof", "toof_N3_s1.jsonl.gz");
}

/// The served policy decides as the reference does, slot by slot, with scores and estimates.
#[test]
fn through_policy_serve() {
    let environment = lines("env_N10_s1.jsonl.gz");
    let reference = lines("toof_N10_s1.jsonl.gz");
    let mut child = fogbit()
        .args(["policy", "serve", "toof", "--set", "lambda=1"])
        .args(["--set", "gamma.kind=tuned", "--set", "gamma.c=0.03"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut answer = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let near = |got: &Value, want: &Value| {
        for (got, want) in floats(got).into_iter().zip(floats(want)) {
            assert!((got - want).abs() <= 1e-9, "{got} for {want}");
        }
    };
    writeln!(input, "{}", serde_json::json!({"start": {"nodes": 10, "features": 5}})).unwrap();
    for (slot, expected) in environment[1..].iter().zip(&reference[1..]) {
        let task = floats(&slot["task"]);
        let contexts: Vec<Vec<f64>> = slot["node"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| task.iter().copied().chain(floats(node)).collect())
            .collect();
        let t = &slot["t"];
        let decide = serde_json::json!({"decide": {"slot": t, "contexts": contexts}});
        writeln!(input, "{decide}").unwrap();
        let decided = answer();
        assert_eq!(decided["node"], expected["n"], "slot {t}");
        near(&decided["scores"], &expected["s"]);
        let (node, bit) = (&expected["n"], &expected["y"]);
        let learn = serde_json::json!({"learn": {"slot": t, "node": node, "bit": bit}});
        writeln!(input, "{learn}").unwrap();
        near(&answer()["estimate"], &expected["w"]);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

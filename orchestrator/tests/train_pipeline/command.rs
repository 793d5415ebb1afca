//! The command.

use std::path::Path;
use std::process::Output;

use fogbit::train::lock::FileLock;
use serde_json::Value;

use crate::common::fogbit;
use crate::{learners, topology};

fn train(file: &Path, arguments: &[&str]) -> Output {
    fogbit().args(["train", "pipeline"]).arg(file).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_model_is_written_and_is_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), &learners());
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (one, two, set) = (at("1.safetensors"), at("2.safetensors"), at("labels.bin"));
    let told =
        json(&train(&file, &["--policy", "taught", "--out", &one, "--format", "json", "-q"]));
    assert_eq!(told["policy"], "taught");
    assert_eq!(told["judged"]["applications"], 10_000);
    assert!(told["decision"]["median_ns"].as_f64().unwrap() > 0.0);
    assert!(told["exhaustive"]["median_ns"].as_f64().unwrap() > 0.0);
    assert_eq!(told["others"].as_array().unwrap().len(), 4);
    // Whether or not labels are kept, and with a table.
    let kept = train(&file, &["--policy", "taught", "--out", &two, "--label-set", &set]);
    assert!(kept.status.success(), "{}", text(&kept.stderr));
    let table = text(&kept.stdout);
    assert!(table.contains("policy taught") && table.contains("all-cloud"), "{table}");
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    // The teacher by itself makes the same student.
    let (teacher, three) = (at("t.safetensors"), at("3.safetensors"));
    json(&train(&file, &["--policy", "alone", "--out", &teacher, "--format", "json", "-q"]));
    let arguments =
        ["--policy", "taught", "--teacher", &teacher, "--out", &three, "--format", "json", "-q"];
    json(&train(&file, &arguments));
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&three).unwrap());
    let labels = ["--policy", "alone", "--label-set", &set, "--only-labels", "--format", "json"];
    assert_eq!(json(&train(&file, &labels))["labels"], 300);
}

#[test]
fn wrong_usage_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), &learners());
    let there = dir.path().join("there.safetensors").display().to_string();
    std::fs::write(&there, "something").unwrap();
    let csv = dir.path().join("a.csv").display().to_string();
    let folder = dir.path().display().to_string();
    let busy = dir.path().join("busy.csv").display().to_string();
    let _lock = FileLock::new(busy.as_ref()).unwrap();
    for (arguments, want) in [
        (&["--quiet"][..], "--policy with one of alone, taught"),
        (&["--policy", "nobody"], "no policy of kind `imitation` or `distilled` is called so"),
        (&["--policy", "alone", "--out", &there], "there is such a file"),
        (&["--policy", "alone", "--label-set", &there], "holds no labels"),
        (&["--policy", "alone", "--labels", "300,400"], "one number"),
        (&["--policy", "alone", "--hidden", "0"], "the size of a hidden layer = 0 is out of range"),
        (&["--policy", "alone", "--teacher", &there], "the policy has none"),
        (&["--policy", "taught", "--teacher", &there], "safetensors"),
        (&["--label-sweep", "--out", &csv, "--policy", "alone"], "`distilled` is called so"),
        (&["--label-sweep"], "--out"),
        (&["--label-sweep", "--out", &csv, "--labels", "1"], "from 100 labels at least"),
        (&["--policy", "alone", "--seeds", "3"], "--label-sweep"),
        (&["--policy", "alone", "--label-set", "/dev/zero"], "no regular file"),
        (&["--policy", "alone", "--label-set", &folder], "no regular file"),
        (&["--policy", "alone", "--out", &busy], "another training writes"),
        (&["--label-sweep", "--out", &busy], "another training writes"),
        (&["--only-labels"], "--label-set"),
    ] {
        let output = train(&file, arguments);
        let told = text(&output.stderr);
        // Lines are broken where they are long.
        let flat =
            told.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(flat.contains(want), "{arguments:?}: {told}");
    }
    assert_eq!(std::fs::read(&there).unwrap(), b"something");
}

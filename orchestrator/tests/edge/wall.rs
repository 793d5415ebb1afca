//! In real time images have the fates that the helper node and the link give them.

use std::path::Path;

use serde_json::Value;

use super::{common, fates, topology};

/// Plays `changes` of a hundred images over processes in real time; a busy host may make the run
/// invalid. Gives the whole of the policy `eager`.
fn play(dir: &Path, changes: &[(&str, &str)]) -> Value {
    let wall = "images = 100\nclock = { kind = \"wall\", slot = \"10ms\", timeout = \"400ms\" }";
    let changes = [&[("images = 1500", wall), ("seeds = 2", "seeds = 1")], changes].concat();
    let (file, out) = (topology(dir, 60, &changes), dir.join("out"));
    let output = common::fogbit()
        .arg("run")
        .arg(&file)
        .args(["--backend", "process", "--policy", "eager", "--quiet", "--format", "json"])
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    let told = common::stderr(&output);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{told}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let whole = summary["policies"][0]["whole"].clone();
    assert_eq!(whole["images"], 100, "{summary}");
    whole
}

const RATE: (&str, &str) = ("rate = 0.1", "rate = 0.5");

#[test]
fn images_over_a_link_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let link = "[links]\nprofile = { rtt_ms = 20 }\n\n[policies.baseline]";
    let whole = play(dir.path(), &[RATE, ("[policies.baseline]", link)]);
    let [answered, timed_out, refused] = fates(&whole);
    assert!(answered >= 20, "{whole}");
    assert_eq!((timed_out, refused), (0, 0), "{whole}");
    let text = std::fs::read_to_string(dir.path().join("out/decisions/eager-1.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut column = |name: &str| reader.headers().unwrap().iter().position(|head| head == name);
    let (fate, transmission) = (column("fate").unwrap(), column("transmission_ms").unwrap());
    let mut number = 0;
    for row in reader.records() {
        let row = row.unwrap();
        number += 1;
        assert_eq!(row[0].parse::<u64>().unwrap(), number, "in the order of the images");
        if &row[fate] == "answered" {
            let ms: f64 = row[transmission].parse().unwrap();
            assert!(ms >= 20.0, "an answer after {ms} ms over a link of 20");
        }
    }
    let links = std::fs::read(dir.path().join("out/links.json")).unwrap();
    let links: Value = serde_json::from_slice(&links).unwrap();
    assert_eq!(links.as_array().unwrap().len(), 2, "up and down in one state");
}

#[test]
fn a_helper_node_that_takes_too_long_costs_time_outs_and_refusals() {
    let dir = tempfile::tempdir().unwrap();
    // The one worker is busy for all of the trial; an image is given up and frees it after 400 ms.
    let edge = "[edge]\nqueue_limit = 0\nservice_ms = 390\n\n[policies.baseline]";
    let whole = play(dir.path(), &[RATE, ("[policies.baseline]", edge)]);
    let [answered, timed_out, refused] = fates(&whole);
    assert!(refused > 0, "{whole}");
    assert!(answered + timed_out > 0, "{whole}");
}

#[test]
fn answers_that_come_too_late_are_time_outs() {
    let dir = tempfile::tempdir().unwrap();
    let link = "[links]\nprofile = { rtt_ms = 600 }\n\n[policies.baseline]";
    let whole = play(dir.path(), &[RATE, ("[policies.baseline]", link)]);
    let [answered, timed_out, refused] = fates(&whole);
    assert_eq!((answered, refused), (0, 0), "{whole}");
    assert!(timed_out >= 20, "{whole}");
}

#[test]
fn a_link_may_change_while_images_are_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let link = "[links]\nprofile = { rtt_ms = 10 }\n\n[[event]]\nat = 40\n\
                profile = { rtt_ms = 30 }\n\n[policies.baseline]";
    let whole = play(dir.path(), &[RATE, ("[policies.baseline]", link)]);
    assert!(fates(&whole)[0] >= 20, "{whole}");
    let links = std::fs::read(dir.path().join("out/links.json")).unwrap();
    let links: Value = serde_json::from_slice(&links).unwrap();
    assert_eq!(links.as_array().unwrap().len(), 4, "up and down in two states");
}

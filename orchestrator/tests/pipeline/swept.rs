//! Sweeps of the problem `pipeline`.

use std::path::Path;

use serde_json::Value;

use super::common::{fogbit, stderr};
use super::{SMALL, play, policy};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn sweep(arguments: &[&str], file: &Path, out: &Path) {
    let output = fogbit()
        .args(["sweep", "--quiet"])
        .args(arguments)
        .arg("--out")
        .args([out, file])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// What is told of a point is what a run of it comes to, for policies with and without a network, and
/// each network is trained once for each point.
#[test]
fn a_point_is_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let text = SMALL.replace("[policies.dice]\nkind = \"random\"\n", "")
        + "[policies.small]\nkind = \"imitation\"\ntrain = { labels = 400, epochs = 2, batch = 64, \
           hidden = [8] }\n[[sweep.grid]]\n\"task-node.cpu_frequency_ghz\" = [1.5, 6.0]\n";
    let file = at("t.toml");
    std::fs::write(&file, text).unwrap();
    sweep(&[], &file, &at("sweep"));
    let summary = json(&at("sweep/summary.json"));
    assert_eq!(summary["sweep"]["problem"], "pipeline");
    let points = summary["points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    // Two networks, each with its digest.
    assert_eq!(std::fs::read_dir(at("sweep/models")).unwrap().count(), 4);
    let run = play(&file, &["--set", "task-node.cpu_frequency_ghz=6.0"], &at("run"));
    let mut csv = csv::Reader::from_path(at("sweep/trials.csv")).unwrap();
    let head = csv.headers().unwrap().clone();
    let column = |name: &str| {
        head.iter().position(|own| own == name).unwrap_or_else(|| panic!("no {name} in {head:?}"))
    };
    let mut compared = 0;
    let points: std::collections::BTreeSet<String> =
        csv.records().map(|row| row.unwrap()[column("point")].to_owned()).collect();
    let second = points.last().unwrap();
    let mut csv = csv::Reader::from_path(at("sweep/trials.csv")).unwrap();
    for row in csv.records().map(Result::unwrap) {
        if &row[column("point")] != second.as_str() {
            continue;
        }
        let trials = run["trials"].as_array().unwrap().iter();
        let seed: u64 = row[column("seed")].parse().unwrap();
        let mut own = trials.filter(|t| t["policy"] == row[column("policy")] && t["seed"] == seed);
        let own = own.next().unwrap();
        for name in ["delay_ratio", "label_accuracy", "exact", "optimal"] {
            let told: f64 = row[column(name)].parse().unwrap();
            assert!((told - own[name].as_f64().unwrap()).abs() < 1e-9, "{name}: {row:?} {own}");
        }
        compared += 1;
    }
    assert_eq!(compared, 4 * 3);
    assert!(policy(&run, "small")["delay_ratio"]["mean"].as_f64().unwrap() > 1.0);
}

/// Wherever the clock became real time, that is what is underlined.
#[test]
fn real_time_is_refused_where_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.toml");
    let grid = "[[sweep.grid]]\n\"clock.kind\" = [\"slot\", \"wall\"]\n";
    let clock = SMALL.replace("[application]", "[clock]\nkind = \"wall\"\n\n[application]");
    let other = "[[sweep.grid]]\napplications = [3, 4]\n";
    for (text, line, underlined) in [
        (format!("{SMALL}{grid}"), 1 + SMALL.lines().count() + 1, "[\"slot\", \"wall\"]"),
        (format!("{clock}{other}"), 7, "kind = \"wall\""),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = fogbit().args(["sweep", "--quiet"]).arg(&file).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("real time") && said.contains(underlined), "{said}");
        assert!(said.contains(&format!("t.toml:{line}:")), "line {line}: {said}");
    }
}

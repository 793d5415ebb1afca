//! Sweeps of the problem `placement`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fogbit::plan::Status;
use fogbit::sweep::plan::PointPlan;
use fogbit::sweep::problem::{self, TrialWatch};
use fogbit_scenario::topology::Problem;
use serde_json::Value;

use crate::common::{fogbit, stderr};

const TOPOLOGY: &str = r#"problem = "placement"
slots = 60
seeds = 4

[task]
complexity_cycles = { min = 1e8, max = 1e9 }

[task-node]
load = { min = 0.0, max = 0.8 }

[nodes]
count = 2
service_overhead_ms = 2.0

[links]
transfer = "fluid"
profile = "lte"

[policies.always-offload]
kind = "always-offload"

[policies.rule]
kind = "rule"

[policies.learned]
kind = "learned"
train = { samples = 2000, epochs = 2 }

[policies.oracle]
kind = "oracle"

[[sweep.grid]]
"task-node.cpu_frequency_ghz" = [1.5, 6.0]
"nodes.cpu_frequency_ghz" = [8.0, 15.0]
"#;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn play(arguments: &[&str], file: &Path, out: &Path) {
    let mut fogbit = fogbit();
    let output =
        fogbit.args(arguments).arg("--quiet").arg("--out").arg(out).arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// Points are runs, networks are trained once for each, and resumed or sharded it is the same.
#[test]
fn a_point_is_a_run_and_shards_make_the_same_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let file = at("t.toml");
    std::fs::write(&file, TOPOLOGY).unwrap();
    play(&["sweep"], &file, &at("sweep"));
    let summary = json(&at("sweep/summary.json"));
    assert_eq!(summary["sweep"]["problem"], "placement");
    let points = summary["points"].as_array().unwrap();
    assert_eq!(points.len(), 4);
    // Four networks, each with its digest.
    assert_eq!(std::fs::read_dir(at("sweep/models")).unwrap().count(), 8);

    let settings = ["task-node.cpu_frequency_ghz=6.0", "nodes.cpu_frequency_ghz=8.0"];
    let [first, second] = settings;
    play(&["run", "--backend", "sim", "--set", first, "--set", second], &file, &at("run"));
    let run = json(&at("run/summary.json"));
    let point = &points[2]["policies"];
    let mut compared = 0;
    for own in run["policies"].as_array().unwrap() {
        let told = point.as_array().unwrap().iter().find(|told| told["name"] == own["name"]);
        for metric in ["mean_latency_ms", "mean_regret_ms", "accuracy"] {
            let (told, own) = (&told.unwrap()[metric]["mean"], &own[metric]["mean"]);
            assert!(own.is_f64(), "{metric}: {own}");
            assert_eq!(told, own, "{metric}");
            compared += 1;
        }
    }
    assert_eq!(compared, 12);

    for shard in ["1/2", "2/2"] {
        play(&["sweep", "--shard", shard], &file, &at(&shard.replace('/', "-")));
    }
    let merged = fogbit()
        .args(["merge", "--out"])
        .args([at("merged"), at("1-2"), at("2-2")])
        .output()
        .unwrap();
    assert_eq!(merged.status.code(), Some(0), "{}", stderr(&merged));
    for name in ["summary.json", "points.csv", "trials.csv", "sweep.json", "report.html"] {
        let read = |folder: &str| std::fs::read(at(folder).join(name)).unwrap();
        assert_eq!(read("merged"), read("sweep"), "{name}");
    }

    // Another point's network is not taken for that of the first, nor half of its own.
    let (own, other) = ("models/p001-learned.safetensors", "models/p002-learned.safetensors");
    let whole = std::fs::read(at("merged").join(own)).unwrap();
    let foreign = std::fs::read(at("merged").join(other)).unwrap();
    let unit = at("merged/units/p001-b001.json");
    std::fs::remove_file(&unit).unwrap();
    for changed in [&foreign[..], &whole[..whole.len() / 2]] {
        std::fs::write(at("merged").join(own), changed).unwrap();
        let output =
            fogbit().args(["sweep", "--quiet", "--resume"]).arg(at("merged")).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        let told = stderr(&output).replace('│', " ");
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("is not what this sweep has trained: delete it"), "{told}");
    }
    std::fs::remove_file(at("merged").join(own)).unwrap();
    let resumed =
        fogbit().args(["sweep", "--quiet", "--resume"]).arg(at("merged")).output().unwrap();
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    assert_eq!(std::fs::read(at("merged").join(own)).unwrap(), whole);
    let read = |folder: &str| std::fs::read(at(folder).join("points.csv")).unwrap();
    assert_eq!(read("merged"), read("sweep"));
}

/// A training of hours is given up when the sweep is stopped, and the trial that waited for it has not
/// failed.
#[test]
fn a_stopped_training_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let text = TOPOLOGY
        .replace("epochs = 2", "epochs = 10_000")
        .replace("samples = 2000", "samples = 20_000");
    assert!(text.contains("epochs = 10_000"));
    let plan = PointPlan {
        point: "p001".into(),
        settings: [].into(),
        slots: 60,
        nodes: 2,
        slot_cost: 1,
        own_path: false,
        policies: Vec::new(),
        files: [].into(),
    };
    let path = dir.path().join("topologies/p001.toml");
    let point = problem::of(Problem::Placement).load(&plan, &path, &text).unwrap();
    let (stop, done) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
    let learned = 2;
    let outcome = thread::scope(|scope| {
        let watch = TrialWatch { done: &done, weight: 1, stop: &stop };
        let trial = scope.spawn({
            let point = &point;
            move || point.play(learned, 1, &watch)
        });
        thread::sleep(Duration::from_millis(300));
        assert!(!trial.is_finished(), "the training has begun");
        stop.store(true, Ordering::Relaxed);
        trial.join().unwrap().unwrap()
    });
    assert_eq!((outcome.status, outcome.failure, outcome.slots), (Status::Partial, None, 0));
    assert!(!dir.path().join("models").exists(), "half a model is none");
}

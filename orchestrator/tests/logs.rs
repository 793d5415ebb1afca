//! `run --log`: what the logs hold, that every backend writes the same, and that any policy can be
//! played again on full information.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{assert_same_decisions, files, fogbit, run, stderr, topology, unzipped};
use serde_json::Value;

/// All at once: late and wrong bits by another model, weights that turn and change at a blow, a
/// node that leaves and comes back, features that say nothing, a channel with a memory.
const BEYOND: [&str; 7] = [
    "feedback={kind=\"probit\",flip=0.1,delay_slots=4}",
    "nodes.drift={kind=\"rotate\",period_slots=300}",
    "features.noise=2",
    "nodes.cqi={kind=\"ar1\",min=1,max=15,correlation=0.9}",
    "event=[{at=40,node=\"h1\",action=\"leave\"},\
            {at=70,weights={kind=\"sphere\",norm=0.9}},\
            {at=90,node=\"h1\",action=\"join\"},\
            {at=95,node=\"h2\",weights={kind=\"given\",values=[0.1,-0.2,0.3,-0.4,0.5]}}]",
    "nodes.count=4",
    "expect=[]",
];

/// `--set` for each, and 200 slots.
fn set<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    [&["slots=200"], keys].concat().into_iter().flat_map(|key| ["--set", key]).collect()
}

fn play(keys: &[&str], more: &[&str], out: &Path) {
    run(&topology("paper.toml"), &[&set(keys), more].concat(), out);
}

/// A table of comma-separated values: for each row its cells by the names of the columns.
fn table(text: &str) -> Vec<BTreeMap<&str, &str>> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), names.len(), "{line}");
            names.iter().copied().zip(cells).collect()
        })
        .collect()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

#[test]
fn contexts_are_those_of_each_decision() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    play(&BEYOND, &["--backend", "sim", "--log", "decisions,full"], &out);
    let full = unzipped(&out.join("full/seed-1.jsonl.gz"));
    let full: Vec<Value> = full.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for policy in ["toof", "greedy", "random", "optimal"] {
        let contexts = unzipped(&out.join(format!("contexts/{policy}-1.csv.gz")));
        let contexts = table(&contexts);
        let file = std::fs::read_to_string(out.join(format!("decisions/{policy}-1.csv"))).unwrap();
        let decisions = table(&file);
        assert_eq!(contexts.len(), 4 * decisions.len());
        for (nodes, decision) in contexts.chunks(4).zip(&decisions) {
            let slot: usize = decision["slot"].parse().unwrap();
            let chosen: usize = decision["node"].parse().unwrap();
            let away = (40..90).contains(&slot);
            for (index, row) in nodes.iter().enumerate() {
                assert_eq!((row["slot"], row["node"]), (decision["slot"], &*index.to_string()));
                assert_eq!(row["present"] == "0", away && index == 1, "{row:?}");
                assert_eq!(row["chosen"] == "1", index == chosen);
                assert_eq!(row["bit"], if index == chosen { decision["bit"] } else { "" });
                let task = ["task_length", "task_complexity"].map(|name| number(row[name]));
                let own = ["queue", "cpu_frequency", "cqi", "noise_0", "noise_1"];
                let own = own.map(|name| number(row[name]));
                assert_eq!(full[slot]["task"], serde_json::json!(task));
                assert_eq!(full[slot]["node"][index], serde_json::json!(own));
                let propensity = match (policy, row["present"], away) {
                    ("random", "0", _) => "0.0",
                    ("random", _, false) => "0.25",
                    ("random", _, true) => "0.3333333333333333",
                    _ => "",
                };
                assert_eq!(row["propensity"], propensity, "slot {slot}");
                let scored = policy != "optimal" && row["present"] == "1";
                assert_eq!(!row["score"].is_empty(), scored, "{row:?}");
            }
            if policy != "optimal" {
                // The scores are those behind the choice, though later ones are known by the time
                // that its bit is.
                let score = |row: &BTreeMap<&str, &str>| row["score"].parse().ok();
                let scores: Vec<f64> =
                    nodes.iter().map(|row| score(row).unwrap_or(f64::NEG_INFINITY)).collect();
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                assert_eq!(scores.iter().position(|s| *s == largest), Some(chosen), "slot {slot}");
            }
        }
    }
}

/// TOOF's score from the log of the decisions before alone, while nothing has been learnt: with a
/// delay of 4 that is five slots, in which only the radius grows.
#[test]
fn scores_of_late_bits_are_not_of_later_decisions() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    play(&["feedback.delay_slots=4"], &["--backend", "sim", "--log", "decisions"], &out);
    let contexts = unzipped(&out.join("contexts/toof-1.csv.gz"));
    for row in table(&contexts).iter().take(50) {
        let x = ["task_length", "task_complexity", "queue", "cpu_frequency", "cqi"];
        let square: f64 = x.iter().map(|name| number(row[name]).powi(2)).sum();
        let gamma = 0.03 * 5.0 * (1.0 + number(row["slot"])).ln();
        let right = (gamma * square).sqrt();
        assert!((number(row["score"]) - right).abs() < 1e-12, "{row:?} where {right} is right");
    }
}

/// Bits of full information by the words of the guide, and those that were told among them.
#[test]
fn full_information_tells_every_bit() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let keys = ["nodes.count=3", "feedback.flip=0.2", "expect=[]"];
    play(&keys, &["--backend", "sim", "--seed", "5", "--log", "full"], &out);
    let text = unzipped(&out.join("full/seed-5.jsonl.gz"));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 201);
    assert_eq!((&lines[0]["N"], &lines[0]["seed"]), (&3.into(), &5.into()));
    let list = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    for line in &lines[1..] {
        for node in 0..3 {
            let x = [list(&line["task"]), list(&line["node"][node])].concat();
            let w = list(&lines[0]["w_true"][node]);
            let product: f64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
            let happy = 0.2 + 0.6 / (1.0 + (-product).exp());
            let bit = if line["u"][node].as_f64().unwrap() < happy { 1 } else { -1 };
            assert_eq!(line["bits"][node], bit, "slot {} node {node}", line["t"]);
        }
    }
    for policy in ["toof", "random"] {
        let file = std::fs::read_to_string(out.join(format!("decisions/{policy}-5.csv"))).unwrap();
        for row in table(&file) {
            let (slot, node) = (number(row["slot"]) as usize, number(row["node"]) as usize);
            assert_eq!(lines[slot]["bits"][node], number(row["bit"]) as i64);
        }
    }
}

/// Over processes the same files are written, byte for byte: contexts from a replay, full
/// information from the seed.
#[test]
fn every_backend_writes_the_same() {
    for keys in [["nodes.count=3", "expect=[]"].as_slice(), &BEYOND] {
        let dir = tempfile::tempdir().unwrap();
        let [sim, process] = ["sim", "process"].map(|backend| {
            let out = dir.path().join(backend);
            let how = ["--backend", backend, "--seeds", "2", "--log", "decisions", "--log", "full"];
            play(keys, &how, &out);
            out
        });
        for (folder, count) in [("contexts", 10), ("full", 4)] {
            let (a, b) = (files(&sim.join(folder)), files(&process.join(folder)));
            assert_eq!(a.len(), count, "{:?}", a.keys());
            assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
            for (name, content) in &a {
                assert!(content == &b[name], "{folder}/{name} differs");
            }
        }
    }
}

#[test]
fn queues_that_remember_have_contexts_too() {
    let dir = tempfile::tempdir().unwrap();
    let [sim, process] = ["sim", "process"].map(|backend| {
        let out = dir.path().join(backend);
        let keys = ["--set", "slots=300", "--set", "expect=[]", "--backend", backend];
        run(&topology("fifo.toml"), &[keys.as_slice(), &["--log", "decisions"]].concat(), &out);
        out
    });
    let (a, b) = (files(&sim.join("contexts")), files(&process.join("contexts")));
    assert!(!a.is_empty() && a == b);
    let contexts = unzipped(&sim.join("contexts/toof-1.csv.gz"));
    assert!(table(&contexts).iter().any(|row| row["bit"] == "0"), "nobody refused");
}

/// What is played on full information gives the decision files of the run, byte for byte.
#[test]
fn any_policy_can_be_played_again() {
    let trace = common::conformance("env_N10_s1.jsonl.gz");
    let trace = format!("features={{kind=\"trace\",path={trace:?}}}");
    let new = "policies.new={kind=\"toof\",lambda=5.0}";
    let threshold = "feedback={kind=\"threshold\",level=-0.1,flip=0.05}";
    let cases: [(&str, &[&str]); 4] = [
        ("plain", &["nodes.count=5", "expect=[]", new]),
        ("beyond the model", &[&BEYOND[..], &[new]].concat()),
        ("threshold and noise", &[threshold, "features.noise=3", "expect=[]", new]),
        ("wall clock in virtual time", &["clock={kind=\"wall\",slot=\"20ms\"}", "expect=[]", new]),
    ];
    for (case, keys) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (out, again) = (dir.path().join("out"), dir.path().join("again"));
        let without_optimal = ["--policy", "toof,greedy,round-robin,random,new"];
        let wall = case.starts_with("wall");
        let policies: &[&str] = if wall { &without_optimal } else { &[] };
        let mut keys = keys.to_vec();
        if wall {
            keys.extend(["policies.optimal={kind=\"random\"}"]);
        }
        let how = ["--backend", "sim", "--set", "seeds=[3]", "--log", "full"];
        play(&keys, &[&how, policies].concat(), &out);
        run(&out.join("full/replay-3.toml"), &["--backend", "sim"], &again);
        assert_same_decisions(&out, &again, case);
        let verified = fogbit().arg("verify").arg(&again).output().unwrap();
        assert_eq!(verified.status.code(), Some(0), "{case}: {}", common::stdout(&verified));
    }
    // Features from a trace are full information already, but for draws and bits.
    let dir = tempfile::tempdir().unwrap();
    let (out, again) = (dir.path().join("out"), dir.path().join("again"));
    let file = dir.path().join("traced.toml");
    let text = format!("slots = 150\n{trace}\n[policies.toof]\nkind = \"toof\"\n");
    std::fs::write(&file, text).unwrap();
    run(&file, &["--backend", "sim", "--log", "full"], &out);
    run(&out.join("full/replay-1.toml"), &[], &again);
    assert_same_decisions(&out, &again, "a trace");
    // On the log a policy that was not there meets what it would have met in the run.
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    play(&["nodes.count=4", "expect=[]"], &["--backend", "sim", "--log", "full"], &one);
    run(&one.join("full/replay-1.toml"), &["--set", new, "--policy", "new"], &other);
    let with = dir.path().join("with");
    play(&["nodes.count=4", "expect=[]", new], &["--backend", "sim", "--policy", "new"], &with);
    assert_same_decisions(&with, &other, "a new policy");
}

#[test]
fn where_there_is_no_such_log_it_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let refused = |file: &str, arguments: &[&str], part: &str| {
        let output =
            fogbit().arg("run").arg(topology(file)).args(arguments).arg("--out").arg(&out).output();
        let output = output.unwrap();
        let told = stderr(&output).replace("\n  │ ", " ");
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(part), "{part}: {told}");
        assert!(!out.exists(), "nothing is written");
    };
    let few = "slots=50";
    refused("fifo.toml", &["--log", "full"], "queues depend on the choices");
    refused("live.toml", &["--log", "decisions"], "an endless run keeps no logs");
    refused("live.toml", &["--log", "full"], "an endless run keeps no logs");
    refused("live.toml", &["--log", "decisions", "--set", few], "in real time there are no logs");
    refused("paper.toml", &["--log", "all"], "possible values: decisions, full");
    let virtual_time = ["--backend", "sim", "--log", "decisions", "--set", few];
    run(&topology("live.toml"), &virtual_time, &out);
    assert!(!files(&out.join("contexts")).is_empty());
}

/// A disk that is full while logs are written: a clear error.
#[test]
fn a_full_disk_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mount = dir.path().join("small-disk");
    std::fs::create_dir(&mount).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=300k", "tmpfs"])
        .arg(&mount)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        return common::skip("a_full_disk_is_told", "mounting a small disk needs root");
    }
    for (log, backend) in [("decisions", "sim"), ("decisions", "process"), ("full", "sim")] {
        let output = fogbit()
            .arg("run")
            .arg(topology("paper.toml"))
            .args(["--backend", backend, "--set", "slots=30000", "--no-decisions", "--quiet"])
            .args(["--log", log, "--out"])
            .arg(mount.join("out"))
            .output()
            .unwrap();
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{log} {backend}: {told}");
        assert!(told.contains("No space left") || told.contains("os error 28"), "{told}");
        let parts = files(&mount.join("out").join(if log == "full" { "full" } else { "logs" }));
        assert!(log != "full" || parts.is_empty(), "nothing half written has its final name");
        std::fs::remove_dir_all(mount.join("out")).unwrap();
    }
    assert!(Command::new("umount").arg(&mount).status().unwrap().success());
}

/// The Python of the guide runs, and its assertions hold.
#[test]
fn the_python_of_the_guide_runs() {
    const NAME: &str = "the_python_of_the_guide_runs";
    // Where `.ci/run` installs what is missing.
    let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("python");
    let python = || {
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", &packages);
        python
    };
    let there = python().args(["-c", "import pandas, polars"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return common::skip(NAME, "python3 with pandas and polars is not installed");
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    play(&["nodes.count=4"], &["--backend", "sim", "--log", "decisions,full"], &out);
    let guide = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/logs.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let blocks = guide.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let program: String = blocks.collect();
    let place = "Path(\"results/paper-20240131-120000\")";
    assert!(program.contains(place) && program.contains("import polars"));
    let program = program.replace(place, &format!("Path({:?})", out.display().to_string()));
    let output = python().args(["-c", &program]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

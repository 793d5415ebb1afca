//! Runs over processes: in virtual time as in one process, in real time as the model says.

use std::path::Path;

use serde_json::Value;

use super::{SMALL, common, policy, problem, topology};

/// A third helper node, with ways to all others.
const MORE: &str = r#"
[[node]]
name = "fog"
cpu_frequency_ghz = 4

[[link]]
between = ["phone", "fog"]
mbit_s = { min = 50, max = 100 }
rtt_ms = { min = 1, max = 3 }

[[link]]
between = ["edge", "fog"]
mbit_s = { min = 50, max = 100 }
rtt_ms = { min = 1, max = 3 }

[[link]]
between = ["cloud", "fog"]
mbit_s = { min = 50, max = 100 }
rtt_ms = { min = 30, max = 60 }
"#;

#[test]
fn in_virtual_time_processes_decide_as_one_process_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("more.toml");
    std::fs::write(&file, format!("{SMALL}{MORE}")).unwrap();
    let outs = ["sim", "process"].map(|backend| {
        let out = dir.path().join(backend);
        let summary = common::run(&file, &["--backend", backend, "--seeds", "2"], &out);
        assert_eq!(summary["run"]["status"], "complete", "{backend}");
        out
    });
    let played = common::files(&outs[0].join("decisions")).len();
    assert_eq!(played, 8, "four policies under two seeds");
    common::assert_same_decisions(&outs[0], &outs[1], "sim and process");
}

/// As [`common::run`]; a busy host may make a run in real time invalid.
fn run(file: &Path, arguments: &[&str], out: &Path) -> Value {
    let arguments = [arguments, &["--format", "json", "--quiet", "--out"]].concat();
    let output =
        common::fogbit().arg("run").arg(file).args(arguments).arg(out).output().expect("it runs");
    let told = common::stderr(&output);
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{told}");
    serde_json::from_slice(&output.stdout).expect("a summary")
}

/// Real time, with applications that take less of it.
fn in_real_time(dir: &Path, timeout: &str) -> std::path::PathBuf {
    let clock = format!("clock = {{ kind = \"wall\", timeout = \"{timeout}\" }}\n[application]\n");
    let quick = "cycles = { min = 1e7, max = 1e8 }\ndata_kb = { min = 5, max = 40 }\n";
    topology(dir, "[application]\n", &format!("{clock}{quick}"))
}

/// The bar is 5 % at the median on a host that has nothing else to do; `.ci/full` holds it. Here a
/// busy host may add some, and must not make anything faster than the model.
#[test]
fn in_real_time_measured_delays_are_those_of_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let file = in_real_time(dir.path(), "20s");
    let out = dir.path().join("real");
    let arguments = ["--backend", "process", "--seeds", "1", "--set", "applications=8"];
    let summary = run(&file, &arguments, &out);
    assert_eq!(summary["run"]["status"], "complete");
    for name in ["best", "dice"] {
        let whole = &policy(&summary, name)["whole"];
        assert_eq!(whole["done"], 8, "{name}");
        let ratio = &whole["measured"]["ratio"];
        println!("{name}: {ratio}");
        let [least, median] = ["min", "p50"].map(|at| ratio[at].as_f64().unwrap());
        assert!(least > 0.98 && median < 1.25, "{name}: {ratio}");
    }
    let (code, told) = problem::verify(&out);
    assert_eq!(code, Some(0), "{told}");
    let path = out.join("applications.json");
    let right: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let schedule = "/policies/best/2/measured/schedule";
    for (part, more_ns, told) in [
        ("/sub_tasks/1/start_ns", 60_000_000_000_i64, "in another order"),
        ("/sub_tasks/1/end_ns", 1, "schedule: flow"),
        ("/flows/1/start_ns", -1, "schedule: flow 1"),
    ] {
        let mut changed = right.clone();
        let value = changed.pointer_mut(&format!("{schedule}{part}")).unwrap();
        *value = Value::from(value.as_i64().unwrap() + more_ns);
        std::fs::write(&path, changed.to_string()).unwrap();
        let (code, found) = problem::verify(&out);
        assert_eq!(code, Some(1), "{part}: {found}");
        assert!(found.contains(told) && found.contains("application 3 of best"), "{part}: {found}");
    }
}

/// Whatever does not end in time is taken back, application after application.
#[test]
fn in_real_time_what_takes_too_long_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = in_real_time(dir.path(), "10ms");
    let out = dir.path().join("late");
    let arguments = ["--backend", "process", "--seeds", "1", "--set", "applications=8"];
    let summary = run(&file, &arguments, &out);
    let whole = &policy(&summary, "local")["whole"];
    println!("{whole}");
    assert_eq!(whole["applications"], 8);
    let [done, late] = ["done", "timed_out"].map(|key| whole[key].as_u64().unwrap());
    assert!(late > 0 && done + late == 8, "{whole}");
}

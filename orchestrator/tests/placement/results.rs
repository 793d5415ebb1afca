//! Tables, files, and what can be done with them.

use serde_json::Value;

use super::common::{files, fogbit, stderr, stdout};
use super::problem::{assert_repeats, verify};
use super::{play, policy, topology};

#[test]
fn two_runs_are_the_same_on_any_number_of_cores() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "about", "about");
    let kept: (&[&str], &[&str]) = (&["decisions", "curves"], &["segments.csv", "topology.toml"]);
    assert_repeats(dir.path(), &file, kept, None, "the same: 12 trials, 1440 slots");
}

/// All policies meet the same tasks, and what the model expects of them.
#[test]
fn policies_are_paired_on_the_same_tasks() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    play(&topology(dir.path(), "about", "about"), &[], &out);
    let tasks = |policy: &str| -> Vec<Vec<String>> {
        let path = out.join(format!("decisions/{policy}-2.csv"));
        let mut csv = csv::Reader::from_path(path).unwrap();
        let head = csv.headers().unwrap().clone();
        let wanted = ["slot", "cycles", "input_bytes", "output_bytes", "phone.expected_ms"];
        let columns: Vec<usize> =
            wanted.iter().map(|name| head.iter().position(|h| h == *name).unwrap()).collect();
        let rows = csv.records().map(Result::unwrap);
        rows.map(|row| columns.iter().map(|c| row[*c].to_owned()).collect()).collect()
    };
    let first = tasks("always-local");
    assert_eq!(first.len(), 120);
    for other in ["always-offload", "rule", "oracle"] {
        assert_eq!(tasks(other), first, "{other}");
    }
}

#[test]
fn the_table_says_what_there_is_to_say() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(
        dir.path(),
        "[policies.always-local]",
        "[[expect]]\npolicy = \"rule\"\nmetric = \"mean_latency_ms\"\nbelow = \"always-local\"\n\
         seeds = 3\n[[expect]]\npolicy = \"rule\"\nmetric = \"accuracy\"\nabove = 2.0\nseeds = 1\n\
         [[expect]]\npolicy = \"rule\"\nmetric = \"mean_regret_ms\"\nbelow = 1\nseeds = 9\n\
         [policies.always-local]",
    );
    let out = dir.path().join("out");
    let run = |more: &[&str]| {
        let output = fogbit()
            .args(["run", "--backend", "sim", "--out"])
            .args([&out, &file])
            .args(more)
            .output()
            .unwrap();
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let (code, table, _) = run(&["--versus", "always-offload"]);
    assert_eq!(code, Some(1), "an expectation fails: {table}");
    for part in [
        "1 helper node, 120 slots, 3 seeds, backend sim",
        "p50/p95/p99",
        "Mbit/s",
        "lte",
        "lte*",
        "61-120",
        "break-even round trip",
        "degenerate, one answer to every task: always-local (local), always-offload (offload)",
        "balanced accuracy: ",
        "by mean_latency_ms",
        "minus always-offload",
        "expectation met: mean_latency_ms of rule below that of always-local",
        "expectation FAILED: accuracy of rule above 2",
        "expectation not evaluated: mean_regret_ms of rule below 1",
        "report.html",
    ] {
        assert!(table.contains(part), "no `{part}` in\n{table}");
    }
    // Nothing is overwritten.
    let (code, table, told) = run(&[]);
    assert_eq!((code, table.as_str()), (Some(2), ""), "{told}");
    assert!(told.contains("exists already"), "{told}");
}

#[test]
fn the_directory_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let printed = play(&topology(dir.path(), "about", "about"), &["--seed", "7"], &out);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let written: Value = serde_json::from_str(&read("summary.json")).unwrap();
    assert_eq!(written, printed);
    let manifest: Value = serde_json::from_str(&read("manifest.json")).unwrap();
    assert_eq!(manifest["status"], "complete");
    assert_eq!(manifest["seeds"], serde_json::json!([7]));
    assert_eq!(read("segments.csv").lines().count(), 1 + 4 * 2);
    assert_eq!(printed["run"]["problem"], "placement");
    let segments = &printed["run"]["segments"];
    assert_eq!(segments[1], serde_json::json!({"profile": "lte*", "from": 61, "to": 120}));
    // The report needs nothing but itself, and is made anew to the byte.
    let page = read("report.html");
    assert!(page.contains("Small &lt;&amp; quick&gt;"));
    for outside in ["http:", "https:", "<script", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let made = fogbit().arg("report").arg(&out).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert!(page == read("report.html"));
}

#[test]
fn verify_finds_what_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    play(&topology(dir.path(), "about", "about"), &[], &out);
    let verify = || verify(&out);
    let (code, told) = verify();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("verified: 12 trials, 1440 slots, no difference"), "{told}");

    let decisions = out.join("decisions/rule-2.csv");
    let right = std::fs::read_to_string(&decisions).unwrap();
    let lines: Vec<&str> = right.lines().collect();
    let fields: Vec<&str> = lines[9].split(',').collect();
    // Column, what is put there, and what is told of it.
    for (column, put, part) in [
        (3, "12.5", "mean_latency_ms"),
        (2, "timed-out", "timed_out"),
        (7, "1.0", "regret_ms"),
        (8, "1", "slot 9"),
        (11, "3.25", "expected_ms"),
        (1, "7", "site 7 of 2"),
        (3, "soon", "latency_ms"),
    ] {
        let mut changed = fields.clone();
        changed[column] = put;
        let mut text: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        text[9] = changed.join(",");
        std::fs::write(&decisions, text.join("\n") + "\n").unwrap();
        let (code, told) = verify();
        assert!(matches!(code, Some(1 | 2)), "{column}: {told}");
        assert!(told.contains("rule-2") && told.contains(part), "{column} {put}: {told}");
    }
    // A row too few.
    std::fs::write(&decisions, lines[..100].join("\n") + "\n").unwrap();
    assert_eq!(verify().0, Some(1));
    std::fs::write(&decisions, &right).unwrap();

    // A figure of the summary.
    let path = out.join("summary.json");
    let told: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for pointer in [
        "/policies/2/whole/latency_local_ms/p95",
        "/policies/2/segments/1/rtt_ms/p50",
        "/policies/2/mean_latency_ms/median",
        "/run/slots",
        "/run/seeds",
        "/policies/2/whole/throughput_mbit_s",
        "/policies/2/mean_latency_ms/sd",
        "/policies/2/whole/auc",
        "/policies/3/whole/confusion/local_local",
        "/break_even/0/measured/measured_ms",
        "/break_even/1/measured/high_ms",
        "/trials/5/accuracy",
        "/pairs/0/mean",
        "/pairs/1/better_share",
        "/pairs/4/bootstrap_low",
        "/pairs/6/p_value",
        "/pairs/9/seeds",
        "/ranks/0/mean_rank",
        "/ranks/8/best_share",
    ] {
        let mut changed = told.clone();
        let value = changed.pointer_mut(pointer).unwrap();
        *value = match value.as_u64() {
            Some(count) => Value::from(count + 1),
            None => match value.as_f64().expect(pointer) {
                0.0 => Value::from(1.0),
                number => Value::from(number * 1.001),
            },
        };
        std::fs::write(&path, changed.to_string()).unwrap();
        assert_eq!(verify().0, Some(1), "{pointer}");
    }
    // What is said of the run as a whole.
    for (pointer, put) in [
        ("/run/valid", Value::Bool(false)),
        ("/run/backend", "process".into()),
        ("/run/clock", "wall".into()),
        ("/run/task_node", "laptop".into()),
        ("/policies/2/kind", "online".into()),
    ] {
        let mut changed = told.clone();
        *changed.pointer_mut(pointer).unwrap() = put;
        std::fs::write(&path, changed.to_string()).unwrap();
        assert_eq!(verify().0, Some(1), "{pointer}");
    }
    for list in ["pairs", "ranks"] {
        let mut changed = told.clone();
        changed[list].as_array_mut().unwrap().remove(1);
        std::fs::write(&path, changed.to_string()).unwrap();
        assert_eq!(verify().0, Some(1), "one of {list} is missing");
    }
    std::fs::write(&path, told.to_string()).unwrap();
    assert_eq!(verify().0, Some(0));

    // A field of each other file: the file, its row and column.
    for (file, row, column) in [
        ("curves/latency_ms.csv", 3, 3),
        ("curves/regret_ms.csv", 30, 4),
        ("curves/offloaded_share.csv", 40, 3),
        ("curves/accuracy.csv", 2, 5),
        ("curves/accuracy.csv", 7, 2),
        ("segments.csv", 4, 5),
        ("segments.csv", 5, 3),
        ("segments.csv", 6, 13),
        ("segments.csv", 7, 26),
    ] {
        let path = out.join(file);
        let right = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = right.lines().map(str::to_owned).collect();
        let mut fields: Vec<String> = lines[row].split(',').map(str::to_owned).collect();
        fields[column].insert(0, '7');
        lines[row] = fields.join(",");
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let (code, told) = verify();
        assert_eq!(code, Some(1), "{file} {row} {column}: {told}");
        assert!(told.contains(file), "{file} {row} {column}: {told}");
        // A row too few.
        lines.remove(row);
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        assert_eq!(verify().0, Some(1), "{file} without row {row}");
        std::fs::write(&path, right).unwrap();
    }
    assert_eq!(verify().0, Some(0));
}

#[test]
fn diff_names_the_first_slot() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "about", "about");
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    play(&file, &["--policy", "rule", "--seed", "1"], &a);
    let changed = ["--policy", "rule", "--seed", "1", "--set", "event.0.at=90"];
    play(&file, &changed, &b);
    let output = fogbit().arg("diff").args([&a, &b]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("rule with seed 1: slot 61"), "{}", stdout(&output));
}

#[test]
fn policies_seeds_and_overrides_are_chosen_on_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "about", "about");
    let out = dir.path().join("out");
    let arguments =
        ["--policy", "rule,oracle", "--seeds", "2", "--set", "slots=30", "--no-decisions"];
    let summary = play(&file, &arguments, &out);
    let names: Vec<&Value> =
        summary["policies"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["rule", "oracle"]);
    assert_eq!((&summary["run"]["slots"], &summary["run"]["seeds"]), (&30.into(), &2.into()));
    assert_eq!(policy(&summary, "rule")["seeds"], 2);
    assert!(files(&out.join("decisions")).is_empty());
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(2));
    assert!(stderr(&verified).contains("--no-decisions"), "{}", stderr(&verified));

    let counted = dir.path().join("counted.toml");
    let text = super::SMALL.replace("[[node]]\nname = \"edge\"\n", "[nodes]\n");
    std::fs::write(&counted, text).unwrap();
    let out = dir.path().join("counted");
    let summary = play(&counted, &["--nodes", "3", "--set", "slots=20"], &out);
    assert_eq!(summary["run"]["nodes"], serde_json::json!(["h0", "h1", "h2"]));
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
}

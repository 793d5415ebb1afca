//! External policies: programs that decide, in virtual time and over processes.

#[path = "../common/mod.rs"]
mod common;

mod examples;
mod failures;
mod init;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{assert_same_decisions, fogbit, node, run, stderr, stdout, topology};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fogbit");

/// A list of words as TOML writes it.
fn words(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'''{word}'''")).collect();
    format!("[{}]", quoted.join(", "))
}

/// The argument `--set` that adds the external policy `name`.
fn external(name: &str, command: &[&str]) -> String {
    format!("policies.{name}={{kind=\"external\",command={}}}", words(command))
}

/// Whether there is a Python with this module.
fn python_has(module: &str) -> bool {
    let import = format!("import {module}");
    let python = Command::new("python3").args(["-c", &import]).stderr(Stdio::null()).status();
    python.is_ok_and(|status| status.success())
}

fn decisions(out: &Path, trial: &str) -> String {
    std::fs::read_to_string(out.join(format!("decisions/{trial}.csv"))).unwrap()
}

fn check(out: &Path, subcommand: &str, more: Option<&Path>) {
    let output = fogbit().arg(subcommand).arg(out).args(more).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{subcommand}: {}", stdout(&output));
}

/// A served policy decides as the built-in one, slot by slot, on both backends.
#[test]
fn a_served_policy_decides_as_the_built_in() {
    for (file, slots) in [("paper.toml", 1500), ("fifo.toml", 800)] {
        let dir = tempfile::tempdir().unwrap();
        let serve =
            [PROGRAM, "policy", "serve", "toof", "--set", "lambda=5", "--set", "gamma.c=0.05"];
        let set = [
            format!("slots={slots}"),
            "expect=[]".into(),
            "policies.toof={kind=\"toof\",lambda=5,gamma={c=0.05}}".into(),
            external("served", &serve),
        ];
        let mut arguments = vec!["--policy", "toof", "--policy", "served", "--seeds", "2"];
        arguments.extend(set.iter().flat_map(|set| ["--set", set.as_str()]));
        let (sim, process) = (dir.path().join("sim"), dir.path().join("process"));
        run(&topology(file), &[arguments.as_slice(), &["--backend", "sim"]].concat(), &sim);
        run(&topology(file), &arguments, &process);
        assert_same_decisions(&sim, &process, file);
        for seed in ["1", "2"] {
            let built_in = decisions(&sim, &format!("toof-{seed}"));
            assert!(built_in.lines().count() > slots);
            assert_eq!(built_in, decisions(&sim, &format!("served-{seed}")), "{file}, {seed}");
        }
        check(&sim, "verify", None);
        check(&process, "verify", None);
        check(&sim, "diff", Some(&process));
    }
}

/// What `verify` cannot know is the choice; everything that follows from it is checked.
#[test]
fn verify_finds_wrong_bits_and_regrets_of_an_external_policy() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let set = external("served", &[PROGRAM, "policy", "serve", "round-robin"]);
    let arguments =
        ["--backend", "sim", "--policy", "served", "--set", "slots=100", "--set", "expect=[]"];
    run(&topology("paper.toml"), &[arguments.as_slice(), &["--set", &set]].concat(), &out);
    let file = out.join("decisions/served-1.csv");
    let original = std::fs::read_to_string(&file).unwrap();
    let row = original.lines().nth(50).unwrap();
    let cells: Vec<&str> = row.split(',').collect();
    for (cell, value) in [(1, "3"), (2, if cells[2] == "1" { "-1" } else { "1" }), (3, "0.125")] {
        let mut changed = cells.clone();
        changed[cell] = value;
        std::fs::write(&file, original.replace(row, &changed.join(","))).unwrap();
        let output = fogbit().arg("verify").arg(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "column {cell}");
        assert!(stdout(&output).contains("slot 50"), "{}", stdout(&output));
    }
}

/// The seed in `start` is that of the policy's name: trials differ, and backends agree.
#[test]
fn the_same_seed_makes_the_same_decisions() {
    let dir = tempfile::tempdir().unwrap();
    let set = external("served", &[PROGRAM, "policy", "serve", "random"]);
    let arguments = ["--policy", "served", "--seeds", "2", "--set", "slots=200", "--set", &set];
    let (sim, process) = (dir.path().join("sim"), dir.path().join("process"));
    let arguments = [arguments.as_slice(), &["--set", "expect=[]"]].concat();
    run(&topology("small.toml"), &[arguments.as_slice(), &["--backend", "sim"]].concat(), &sim);
    run(&topology("small.toml"), &arguments, &process);
    assert_same_decisions(&sim, &process, "random");
    let nodes = |trial: &str| -> Vec<String> {
        let text = decisions(&sim, trial);
        text.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().to_owned()).collect()
    };
    assert_ne!(nodes("served-1"), nodes("served-2"));
}

/// The files of a policy are kept, and the results are played again from where they lie.
#[test]
fn results_are_played_again_from_their_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (inner, outer) = (dir.path().join("topologies"), dir.path().join("policies"));
    std::fs::create_dir_all(inner.join("deep")).unwrap();
    std::fs::create_dir_all(&outer).unwrap();
    let script = "read start; . ./deep/choice.sh; while read line; do case \"$line\" in\n\
                  *decide*) echo \"{\\\"node\\\":$CHOICE}\";; *) echo {};; esac; done\n";
    std::fs::write(outer.join("policy.sh"), script).unwrap();
    std::fs::write(inner.join("deep/choice.sh"), "CHOICE=2\n").unwrap();
    let command = words(&["sh", "../policies/policy.sh"]);
    let text = format!(
        "slots = 20\n[nodes]\ncount = 3\nweights = {{ kind = \"sphere\" }}\n[policies.mine]\n\
         kind = \"external\"\ncommand = {command}\nfiles = [\"deep/choice.sh\"]\n"
    );
    let file = inner.join("mine.toml");
    std::fs::write(&file, text).unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    run(&file, &["--backend", "sim"], &first);
    std::fs::remove_dir_all(&inner).unwrap();
    std::fs::remove_dir_all(&outer).unwrap();
    check(&first, "verify", None);
    run(&first.join("topology.toml"), &[], &second);
    assert_same_decisions(&first, &second, "played again");
    assert!(decisions(&second, "mine-1").lines().skip(1).all(|row| row.contains(",2,")));
}

/// A joined task node runs no command unless its owner lets it.
#[test]
fn a_joined_task_node_runs_commands_only_where_it_may() {
    for allowed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let tokens = dir.path().join("tokens");
        common::create_tokens(&tokens);
        let set = external("served", &[PROGRAM, "policy", "serve", "round-robin"]);
        let arguments = ["--policy", "served", "--policy", "toof", "--set", "slots=50"];
        let arguments = [arguments.as_slice(), &["--set", &set, "--set", "expect=[]"]].concat();
        let out = dir.path().join("out");
        let joining = common::Joining::start(&topology("small.toml"), &arguments, &tokens, &out);
        let folder = dir.path().to_str().unwrap();
        let more: &[&str] = if allowed { &["--external-policies", folder] } else { &[] };
        let token = |name: &str| tokens.join(name);
        let mut nodes: Vec<_> =
            (0..3).map(|_| node("node", &joining.address, &token("helper.token"), &[])).collect();
        nodes.push(node("task-node", &joining.address, &token("task-node.token"), more));
        let (code, told, errors) = joining.end();
        let summary: Value = serde_json::from_str(&told).unwrap();
        let status = |trial: usize| summary["trials"][trial]["status"].as_str().unwrap();
        let policies = [&summary["trials"][0]["policy"], &summary["trials"][1]["policy"]];
        assert_eq!(policies, ["toof", "served"]);
        assert_eq!(status(0), "complete", "{errors}");
        if allowed {
            assert_eq!((code, status(1)), (Some(0), "complete"), "{errors}");
        } else {
            assert_eq!((code, status(1)), (Some(4), "failed"), "{errors}");
            let failure = summary["trials"][1]["failure"].as_str().unwrap();
            assert!(failure.contains("--external-policies DIR"), "{failure}");
        }
        nodes.into_iter().for_each(|node| drop(node.end()));
    }
}

/// Whether a shared machine keeps up with real time is not told here.
#[test]
fn external_policies_play_in_real_time() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let set = external("served", &[PROGRAM, "policy", "serve", "toof"]);
    let output = fogbit()
        .arg("run")
        .arg(topology("live.toml"))
        .args(["--set", "slots=100", "--set", &set, "--policy", "served", "--policy", "toof"])
        .args(["--nodes", "3", "--format", "json", "--quiet", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(3), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    for trial in summary["trials"].as_array().unwrap() {
        assert_eq!(trial["status"], "complete", "{trial}");
        assert!(trial["offloaded"].as_u64().unwrap() > 50, "{trial}");
    }
}

#[test]
fn mistakes_in_the_topology_are_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("summary.json"), "").unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("sub/a.py"), "").unwrap();
    std::fs::write(dir.path().join("a.py"), "").unwrap();
    let file = dir.path().join("bad.toml");
    for (keys, part) in [
        ("", "missing key `command`"),
        ("command = []", "names no program"),
        ("command = [\"\"]", "names no program"),
        ("command = \"python3 a.py\"", "expected a list"),
        ("command = [\"sh\"]\ntimeout = \"0s\"", "timeout = \"0s\" is out of range"),
        ("command = [\"sh\"]\nstart_timeout = \"2h\"", "start_timeout = \"2h\" is out of range"),
        ("command = [\"sh\"]\ntimeout = 5", "expected a length of time"),
        ("command = [\"sh\"]\nfiles = [\"none.py\"]", "there is no file `none.py`"),
        ("command = [\"sh\", \"summary.json\"]", "something else is called `summary.json`"),
        ("command = [\"sh\", \"a.py\", \"sub/../sub/a.py\"]", "something else is called `a.py`"),
        ("command = [\"sh\"]\nworkers = 2", "unknown key `workers`"),
    ] {
        let text = format!(
            "slots = 5\n[nodes]\ncount = 2\nweights = {{ kind = \"sphere\" }}\n\
             [policies.mine]\nkind = \"external\"\n{keys}\n"
        );
        std::fs::write(&file, text).unwrap();
        let output = fogbit().arg("validate").arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{keys}");
        let told = stderr(&output).replace("\n  │ ", " ");
        assert!(told.contains(part), "{keys}: no `{part}` in\n{told}");
    }
}

/// A program that is not there is told before anything is written.
#[test]
fn a_program_that_is_missing_is_told_first() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["no-such-program", "./no-such-program", "/no/such/program"] {
        let out = dir.path().join("out");
        let output = fogbit()
            .arg("run")
            .arg(topology("small.toml"))
            .args(["--backend", "sim", "--set", &external("mine", &[command]), "--out"])
            .arg(&out)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = stderr(&output);
        assert!(told.contains("there is no program") && told.contains(command), "{told}");
        assert!(!out.exists());
    }
    let served = fogbit()
        .args(["policy", "serve", "external", "--set", "command=[\"sh\"]"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(served.status.code(), Some(2));
    assert!(stderr(&served).contains("cannot be served"), "{}", stderr(&served));
}

/// The folder of examples.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies")
}

/// What a program tells of its scores and of the chance in its choice stands in the log.
#[test]
fn scores_and_propensities_of_a_program_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"read x; t=0; while read x; do case $x in *decide*) t=$((t+1));
        echo '{"node":1,"scores":[0.25,null,-1],"propensity":0.75}';; *) echo '{}';; esac; done"#;
    let text = format!(
        "slots = 4\nnodes = {{ count = 3, weights = {{ kind = \"sphere\" }} }}\n{}",
        external("mine", &["sh", "-c", script])
    );
    let file = dir.path().join("mine.toml");
    std::fs::write(&file, text).unwrap();
    let out = dir.path().join("out");
    run(&file, &["--backend", "sim", "--log", "decisions"], &out);
    let mut log = String::new();
    let packed = std::fs::File::open(out.join("contexts/mine-1.csv.gz")).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut log).unwrap();
    let rows: Vec<Vec<&str>> = log.lines().skip(1).map(|l| l.split(',').collect()).collect();
    assert_eq!(rows.len(), 12);
    for (index, row) in rows.iter().enumerate() {
        let told = [["0.25", ""], ["", "0.75"], ["-1.0", ""]][index % 3];
        assert_eq!(row[4..6], told, "{row:?}");
    }
}

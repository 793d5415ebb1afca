//! Policies that misbehave: their trials end, the others go on, nothing is left behind.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{
    fogbit, processes, send, spawn, stderr, stdout, topology, wait_for, wait_for_end,
};
use crate::external;

/// A policy in a few lines of shell, which does `act` before it answers its K-th question. What it
/// starts goes by the name of `marker`.
fn script(k: u32, act: &str) -> String {
    format!(
        "n=0; while read line; do case \"$line\" in\n\
         *decide*) n=$((n+1)); if [ $n = {k} ]; then {act}; fi; echo '{{\"node\":1}}';;\n\
         *learn*) echo '{{}}';; esac; done"
    )
}

/// The processes with `marker` among their arguments, but for those that the test itself started.
fn left(marker: &str) -> Vec<crate::common::Process> {
    let its = |process: &crate::common::Process| {
        let own = process.arguments.first().is_some_and(|name| name.contains("fogbit"));
        !own && process.arguments.iter().any(|argument| argument == marker)
    };
    processes().into_iter().filter(its).collect()
}

/// Plays the script beside `round-robin` under two seeds; exit code, summary and standard error.
fn play(script: &str, marker: &str, backend: &str, out: &Path) -> (Option<i32>, Value, String) {
    // The word after the script is its name.
    let mut set = external("bad", &["sh", "-c", script, marker]);
    set.insert_str(set.len() - 1, ",timeout=\"400ms\",start_timeout=\"5s\"");
    let output = fogbit()
        .arg("run")
        .arg(topology("small.toml"))
        .args(["--backend", backend, "--seeds", "2", "--set", "slots=60", "--set", "expect=[]"])
        .args(["--set", &set, "--policy", "bad", "--policy", "round-robin"])
        .args(["--format", "json", "--quiet", "--out"])
        .arg(out)
        .output()
        .unwrap();
    let summary = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    (output.status.code(), summary, stderr(&output))
}

/// Plays a bad policy and checks all but what is said of it; gives that.
fn fails(script: &str, backend: &str, slots: u64) -> String {
    let marker = format!("marker-{}-{backend}-{slots}", std::process::id());
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (code, summary, told) = play(script, &marker, backend, &out);
    assert_eq!(code, Some(4), "{script}: {told}");
    let trials = summary["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 4);
    for trial in trials {
        let bad = trial["policy"] == "bad";
        assert_eq!(trial["status"], if bad { "failed" } else { "complete" }, "{script}: {trial}");
        assert_eq!(trial["slots"], if bad { slots } else { 60 }, "{script}: {trial}");
    }
    assert_eq!(left(&marker), [], "{script}");
    assert!(told.contains("the trial of bad with seed 1 failed"), "{told}");
    assert!(told.contains("trials that failed besides: 1"), "{told}");
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["status"], "failed");
    // What was played until then is right.
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{script}: {}", stdout(&verified));
    let failure = trials.iter().find(|trial| trial["policy"] == "bad").unwrap();
    let failure = failure["failure"].as_str().unwrap().to_owned();
    let reason = failure.split_once(": ").unwrap().1.lines().next().unwrap();
    let words: Vec<&str> = reason.split_whitespace().collect();
    let shown = told.replace("│", "");
    let shown: Vec<&str> = shown.split_whitespace().collect();
    assert!(shown.join(" ").contains(&words.join(" ")), "{reason} in\n{told}");
    failure
}

/// Each mistake with what is told of it, and after how many slots.
#[test]
fn every_failure_ends_that_trial_alone() {
    let cases: &[(u32, &str, &str)] = &[
        (7, "echo giving up >&2; exit 3", "slot 7: its program ended (exit status: 3)"),
        (1, "exit 0", "slot 1: its program ended (exit status: 0)"),
        (2, "kill -9 $$", "slot 2: its program ended (signal: 9 (SIGKILL))"),
        (5, "echo garbage", "slot 5: its answer is no JSON object: `garbage`"),
        (5, "echo '{\"node\":'", "slot 5: its answer cannot be read"),
        (5, "echo '{\"node\":3}'", "slot 5: node 3 was chosen where there are 3"),
        (5, "echo '{\"error\":\"no idea\"}'", "slot 5: it says: `no idea`"),
        (5, "echo '{}'", "slot 5: its answer has no node"),
        (4, "sleep 1000", "slot 4: no answer within 400ms"),
        (4, "exec >&-; sleep 1000", "slot 4: its program closed its standard output"),
        (3, "exec <&-; sleep 1000", "slot 3: no answer within 400ms"),
        (3, "yes | tr -d '\\n'", "slot 3: an answer longer than 1 MiB"),
        (3, "trap '' TERM INT HUP; sleep 1000 & sleep 1000", "slot 3: no answer within 400ms"),
    ];
    for (k, act, expected) in cases {
        let failure = fails(&script(*k, act), "sim", u64::from(k - 1));
        assert!(failure.contains(expected), "{act}: {failure}");
    }
}

#[test]
fn the_same_over_processes() {
    for (k, act, expected) in [
        (7, "echo giving up >&2; exit 3", "slot 7: its program ended (exit status: 3)\nthe last"),
        (4, "sleep 1000", "slot 4: no answer within 400ms"),
        (5, "echo '{\"node\":-1}'", "slot 5: node -1 was chosen"),
    ] {
        let failure = fails(&script(k, act), "process", u64::from(k - 1));
        assert!(failure.contains(expected), "{act}: {failure}");
    }
}

/// Whoever writes to standard error without end neither stops the run nor fills memory; its last
/// lines are shown.
#[test]
fn a_flood_on_standard_error_is_no_harm() {
    let flood = script(3, "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo line $i >&2; done");
    let dir = tempfile::tempdir().unwrap();
    let marker = format!("flood-{}", std::process::id());
    let mut set = external("bad", &["sh", "-c", &flood, &marker]);
    set.insert_str(set.len() - 1, ",timeout=\"60s\"");
    let output = fogbit()
        .arg("run")
        .arg(topology("small.toml"))
        .args(["--backend", "sim", "--set", "slots=60", "--set", "expect=[]"])
        .args(["--set", &set, "--policy", "bad", "--quiet", "--out"])
        .arg(dir.path().join("out"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let failure = fails(&script(3, "seq 100000 >&2; exit 1"), "sim", 2);
    let last: Vec<&str> = failure.lines().skip(2).map(str::trim).collect();
    let expected: Vec<String> = (99_981..=100_000).map(|n| n.to_string()).collect();
    assert_eq!(last, expected);
    let failure = fails(&script(3, "yes >&2"), "sim", 2);
    assert!(failure.contains("no answer within 400ms") && failure.ends_with("y"), "{failure}");
}

/// A program that needs long to start has another limit for its first answer.
#[test]
fn the_first_answer_may_take_longer() {
    let dir = tempfile::tempdir().unwrap();
    let marker = format!("late-{}", std::process::id());
    let late = script(1, "sleep 1");
    for backend in ["sim", "process"] {
        let (code, summary, told) = play(&late, &marker, backend, &dir.path().join(backend));
        assert_eq!(code, Some(0), "{told}");
        assert!(summary["trials"].as_array().unwrap().iter().all(|t| t["status"] == "complete"));
    }
}

/// Programs that do not end when their input does are killed.
#[test]
fn a_program_that_does_not_end_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let marker = format!("stays-{}", std::process::id());
    let stays = script(1000, "true") + "; trap '' TERM INT HUP; while true; do sleep 1; done";
    for backend in ["sim", "process"] {
        let (code, _, told) = play(&stays, &marker, backend, &dir.path().join(backend));
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(left(&marker), []);
    }
}

#[test]
fn ctrl_c_while_a_policy_thinks() {
    for backend in ["sim", "process"] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let marker = format!("thinks-{backend}-{}", std::process::id());
        let thinks = script(10, "trap '' TERM INT HUP; sleep 1000");
        let mut set = external("bad", &["sh", "-c", &thinks, &marker]);
        set.insert_str(set.len() - 1, ",timeout=\"1h\"");
        let mut child = spawn(
            fogbit()
                .arg("run")
                .arg(topology("small.toml"))
                .args(["--backend", backend, "--set", "expect=[]", "--set", &set])
                .args(["--policy", "bad", "--quiet", "--out"])
                .arg(&out)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        wait_for("the policy", || (!left(&marker).is_empty()).then_some(()));
        std::thread::sleep(Duration::from_millis(1500));
        let asked = Instant::now();
        send(Signal::INT, child.id() as i32);
        assert_eq!(wait_for_end(&mut child), Some(130), "{backend}");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert_eq!(left(&marker), [], "{backend}");
        let manifest = std::fs::read_to_string(out.join("manifest.json")).unwrap();
        assert!(manifest.contains("\"partial\""), "{backend}: {manifest}");
    }
}

//! Runs whose nodes the orchestrator starts itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{
    Guarded, Process, fogbit, is_running, nodes_of, send, spawn, stderr, stdout, wait_for,
    wait_for_end,
};
use crate::{HELPERS, WELL, Watch, free_tcp, json, topology};

/// `fogbit run FILE ARGUMENTS --out OUT`, to be watched.
fn command(file: &Path, arguments: &[&str], out: &Path) -> Command {
    let mut command = fogbit();
    command.arg("run").arg(file).args(arguments).arg("--out").arg(out);
    command
}

/// A run that is going on.
fn start(file: &Path, arguments: &[&str], out: &Path) -> (Guarded, Watch) {
    let metrics = free_tcp();
    let child = spawn(
        command(file, arguments, out)
            .args(["--quiet", "--metrics", &metrics.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    (child, Watch::at(metrics))
}

/// The rows of a decision file by slot: node, bit and the regret as it is written.
fn decisions(out: &Path, name: &str) -> BTreeMap<u64, (String, String, String)> {
    let text = std::fs::read_to_string(out.join("decisions").join(name)).unwrap();
    let rows = text.lines().skip(1).map(|row| {
        let columns: Vec<&str> = row.split(',').collect();
        let [slot, node, bit, linear, _] = columns[..] else { panic!("{row}") };
        (slot.parse().unwrap(), (node.to_owned(), bit.to_owned(), linear.to_owned()))
    });
    rows.collect()
}

/// States and tasks belong to their slot, in real time as in virtual time: as long as the host
/// keeps up, a policy that does not learn decides the same, and its regret is the same to the bit.
#[test]
fn a_run_in_real_time_agrees_with_virtual_time() {
    const SLOTS: u64 = 150;
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "150", "20ms", &["round-robin", "toof"]);
    let [real, sim] = ["real", "sim"].map(|name| dir.path().join(name));
    let output = command(&file, &["--quiet", "--format", "json"], &real).output().unwrap();
    assert!(WELL.contains(&output.status.code()), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    crate::common::run(&file, &["--backend", "sim"], &sim);

    let run = &summary["run"];
    assert_eq!((&run["clock"], &run["status"]), (&"wall".into(), &"complete".into()));
    assert_eq!(run["valid"], output.status.code() == Some(0));
    let late = run["late_share"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&late) && (late <= 0.01) == (run["valid"] == true), "{late}");
    assert_eq!(json(&real.join("manifest.json"))["valid"], run["valid"]);

    for trial in summary["trials"].as_array().unwrap() {
        let count = |name: &str| trial[name].as_u64().unwrap();
        let ended = count("answered") + count("refused") + count("timed_out");
        assert_eq!(count("offloaded"), ended, "{trial}");
        assert_eq!(count("slots"), SLOTS);
        assert!(count("offloaded") <= SLOTS);
        let rows = decisions(&real, &format!("{}-1.csv", trial["policy"].as_str().unwrap()));
        assert_eq!(rows.len() as u64, count("offloaded"));
    }

    let (real_rows, sim_rows) =
        (decisions(&real, "round-robin-1.csv"), decisions(&sim, "round-robin-1.csv"));
    let agrees = |slot: &u64| {
        let (Some(real), sim) = (real_rows.get(slot), &sim_rows[slot]) else { return false };
        // No bit: the task timed out.
        !real.1.is_empty() && (&real.0, &real.2) == (&sim.0, &sim.2)
    };
    let agreeing: BTreeSet<u64> = (1..=SLOTS).filter(agrees).collect();
    let share = agreeing.len() as f64 / SLOTS as f64;
    assert!(share >= 0.9, "only {:.0} % agree, without {:?}", 100.0 * share, real_rows);
    // The states of the last slots are told too, though the trial is over by then: without them
    // it would look as if nothing were lost there.
    let forgotten = |slot: u64| {
        let (Some(real), sim) = (real_rows.get(&slot), &sim_rows[&slot]) else { return false };
        real.0 == sim.0 && real.2 == "0.0" && sim.2 != "0.0"
    };
    assert!(!(SLOTS - 1..=SLOTS).all(forgotten), "{real_rows:?}");

    let verified = fogbit().arg("verify").arg(&real).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
}

#[test]
fn an_endless_run_ends_well_when_it_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "\"endless\"", "20ms", &["round-robin", "toof"]);
    let out = dir.path().join("out");
    let output = fogbit().arg("validate").arg(&file).output().unwrap();
    assert!(stdout(&output).contains(", endless, wall clock,"), "{}", stdout(&output));
    let output = command(&file, &["--seeds", "2"], &out).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("an endless run never gets to the second"));
    assert!(!out.exists());

    let (mut child, watch) = start(&file, &["--format", "json"], &out);
    let (_, now) = watch.wait_for_slots(&["round-robin", "toof"], 50.0);
    assert_eq!(now.get("fogbit_planned_slots"), 0.0);
    watch.assert_adds_up(&["round-robin", "toof"]);
    let nodes = nodes_of(&child);
    send(Signal::TERM, child.id() as i32);
    let code = wait_for_end(&mut child);
    assert!(WELL.contains(&code), "{code:?}");
    assert!(!nodes.iter().any(is_running), "a node outlived the run");

    let (manifest, summary) = (json(&out.join("manifest.json")), json(&out.join("summary.json")));
    let valid = Value::from(code == Some(0));
    assert_eq!((&manifest["status"], &manifest["valid"]), (&"complete".into(), &valid));
    assert_eq!((&summary["run"]["status"], &summary["run"]["valid"]), (&"complete".into(), &valid));
    assert!(summary["run"]["slots"].is_null());
    for trial in summary["trials"].as_array().unwrap() {
        assert_eq!(trial["status"], "complete");
        assert!(trial["slots"].as_u64() >= Some(50), "{trial}");
    }
    // They would fill the disk.
    let decisions = std::fs::read_dir(out.join("decisions")).map_or(0, Iterator::count);
    assert_eq!(decisions, 0, "decisions of an endless run were kept");
    let curve = std::fs::read_to_string(out.join("curves.csv")).unwrap();
    for policy in ["round-robin", "toof"] {
        let points = curve.lines().filter(|line| line.starts_with(&format!("{policy},"))).count();
        assert!(points >= 40, "{points} points of {policy} in 50 slots");
    }
    assert!(out.join("report.html").exists());
}

/// A process that is stopped until this is dropped, whatever becomes of the test: stopped it would
/// not even end.
struct Stopped(i32);

impl Stopped {
    fn stop(process: &Process) -> Stopped {
        send(Signal::STOP, process.id);
        Stopped(process.id)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        send(Signal::CONT, self.0);
    }
}

#[test]
fn a_run_that_falls_behind_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "600", "10ms", &["round-robin"]);
    let out = dir.path().join("out");
    let (mut child, watch) = start(&file, &[], &out);
    watch.wait_until("the first slots", |now| now.of("fogbit_slot", "round-robin") > 0.0);
    let nodes = nodes_of(&child);
    let task_node = nodes.iter().find(|node| node.arguments.iter().any(|a| a == "task-node"));
    let stopped = Stopped::stop(task_node.unwrap());
    // Fifty slots of six hundred: one in a hundred may be late.
    std::thread::sleep(Duration::from_millis(500));
    drop(stopped);
    assert_eq!(wait_for_end(&mut child), Some(3));
    let output = child.0.take().unwrap().wait_with_output().unwrap();
    assert!(stdout(&output).contains("INVALID"), "{}", stdout(&output));
    let (manifest, summary) = (json(&out.join("manifest.json")), json(&out.join("summary.json")));
    assert_eq!((&manifest["status"], &manifest["valid"]), (&"complete".into(), &false.into()));
    assert_eq!(summary["run"]["valid"], false);
    assert!(summary["run"]["late_share"].as_f64() > Some(0.01), "{}", summary["run"]);
    // What it says is right all the same.
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
}

#[test]
fn a_run_goes_on_without_a_helper_node_that_died() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "200", "20ms", &["round-robin"]);
    let out = dir.path().join("out");
    let (child, watch) = start(&file, &[], &out);
    watch.wait_until("the first slots", |now| now.of("fogbit_slot", "round-robin") > 0.0);
    let nodes = nodes_of(&child);
    let name = HELPERS[1].to_owned();
    let helper = nodes.iter().find(|node| node.arguments.contains(&name)).unwrap();
    send(Signal::KILL, helper.id);
    // The parent sees the death at once, and need not wait for silence.
    let now =
        watch.wait_until("the loss", |now| now.of_node("fogbit_node_losses_total", &name) == 1.0);
    assert_eq!(now.of_node("fogbit_node_present", &name), 0.0);
    assert_eq!(now.get("fogbit_members{role=\"helper\"}"), 2.0);
    let (code, told) = child.end();
    assert!(WELL.contains(&code), "{told}");
    assert_eq!(told.matches("helper node h1 died: signal: 9 (SIGKILL)").count(), 1, "{told}");
    assert_eq!(told.matches("died").count(), 1, "{told}");
    let summary = json(&out.join("summary.json"));
    let trial = &summary["trials"][0];
    assert_eq!((&trial["status"], &trial["slots"]), (&"complete".into(), &200.into()));
    assert!(trial["timed_out"].as_u64() > Some(0), "{trial}");
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
}

#[test]
fn seeds_come_one_after_another() {
    const SLOTS: f64 = 100.0;
    let policies = ["round-robin", "toof"];
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "100", "20ms", &policies);
    let out = dir.path().join("out");
    let (mut child, watch) = start(&file, &["--set", "seeds=[7, 8]", "--linger"], &out);
    let (mut seeds, mut slots) = (BTreeSet::new(), 0.0);
    wait_for("both seeds", || {
        let now = watch.scrape();
        seeds.insert(now.of("fogbit_seed", policies[0]) as u64);
        let counted = now.of("fogbit_slots_total", policies[0]);
        assert!(counted >= slots, "a counter went back");
        slots = counted;
        let played = |policy: &&str| now.of("fogbit_slots_total", policy) == 2.0 * SLOTS;
        policies.iter().all(played).then_some(())
    });
    assert!(seeds.contains(&7) && seeds.contains(&8), "{seeds:?}");
    wait_for("the results", || {
        (json(&out.join("manifest.json"))["status"] == "complete").then_some(())
    });
    // It lingers: what is shown now is what the trials came to.
    let (now, summary) = (watch.scrape(), json(&out.join("summary.json")));
    for policy in policies {
        assert_eq!(now.of("fogbit_seed", policy), 8.0);
        assert_eq!(now.of("fogbit_slot", policy), SLOTS);
        let all = summary["trials"].as_array().unwrap();
        let trials: Vec<&Value> = all.iter().filter(|trial| trial["policy"] == policy).collect();
        let seeds: Vec<u64> = trials.iter().map(|t| t["seed"].as_u64().unwrap()).collect();
        assert_eq!(seeds, [7, 8]);
        let sum = |key: &str| trials.iter().map(|t| t[key].as_f64().unwrap()).sum::<f64>();
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
        assert!(near(now.of("fogbit_regret_linear_total", policy), sum("regret_linear")));
        assert!(near(now.of("fogbit_regret_happiness_total", policy), sum("regret_happiness")));
        let last = trials[1]["regret_linear"].as_f64().unwrap();
        assert!(near(now.of("fogbit_cumulative_regret_linear", policy), last));
        let offloaded: f64 = HELPERS.iter().map(|node| now.offloaded(policy, node)).sum();
        assert_eq!(offloaded, sum("offloaded"));
        assert!(now.adds_up(policy), "{now:?}");
    }
    send(Signal::TERM, child.id() as i32);
    assert!(WELL.contains(&wait_for_end(&mut child)));
}

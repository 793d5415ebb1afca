//! A helper node that is killed in the middle of a run.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use super::common::{
    fogbit, is_running, nodes_of, send, spawn, stderr, wait_for, wait_for_decisions, wait_for_end,
};
use super::{fates, topology};

fn killed(clock: &str) {
    let dir = tempfile::tempdir().unwrap();
    let images = format!("images = 100000000\nclock = {clock}");
    let changes = [("images = 1500", images.as_str()), ("seeds = 2", "seeds = 1")];
    let (file, out) = (topology(dir.path(), 60, &changes), dir.path().join("out"));
    let mut run = spawn(
        fogbit()
            .args(["run", "--backend", "process", "--quiet", "--policy", "eager", "--out"])
            .args([&out, &file])
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    );
    wait_for_decisions(&out);
    let nodes = nodes_of(&run);
    let helper = nodes.iter().find(|node| node.arguments.iter().any(|word| word == "node"));
    send(Signal::KILL, helper.expect("a helper node").id);
    assert_eq!(wait_for_end(&mut run), Some(4));
    wait_for("all nodes to end", || (!nodes.iter().any(is_running)).then_some(()));
    let summary: Value =
        serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["run"]["status"], "failed");
    let trial = &summary["trials"][0];
    assert_ne!(trial["status"], "complete", "{trial}");
    assert!(fates(trial)[0] > 0, "{trial}");
    let output = run.end().1;
    assert!(output.contains("edge died"), "{output}");
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
}

#[test]
fn in_virtual_time_the_run_fails_and_what_was_told_adds_up() {
    killed("{ kind = \"slot\" }");
}

#[test]
fn in_real_time_too() {
    killed("{ kind = \"wall\", slot = \"2ms\", timeout = \"1s\" }");
}

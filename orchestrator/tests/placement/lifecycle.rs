//! How runs end before their time.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use super::common::{fogbit, send, spawn, stdout, wait_for_decisions, wait_for_end};
use super::topology;

#[test]
fn ctrl_c_gives_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "slots = 120", "slots = 1000000000000");
    let out = dir.path().join("out");
    let mut child = spawn(
        fogbit()
            .args(["run", "--backend", "sim", "--quiet", "--seeds", "1", "--out"])
            .args([&out, &file])
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    wait_for_decisions(&out);
    send(Signal::INT, child.id() as i32);
    assert_eq!(wait_for_end(&mut child), Some(130));
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(out.join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("manifest.json")["status"], "partial");
    let summary = read("summary.json");
    let trials = summary["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 4);
    assert!(trials.iter().all(|trial| trial["status"] == "partial"), "{summary}");
    assert!(summary["policies"][0]["whole"]["mean_latency_ms"].is_null());
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("This run is partial."));
    // What was told until then is right.
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
}

//! In real time links are probed before the first slot and after each change, and counted as long as they
//! last. Whether a run is valid, and whether everything could be resolved, is up to the host.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::metrics::scrape;
use crate::common::{
    Joining, create_tokens, fogbit, node, nodes_of, send, spawn, stderr, stdout, wait_for,
    wait_for_end,
};

/// The link of each node in slot 1: round trip in milliseconds, without what serialisation adds, and the
/// rate of either way in Mbit/s.
const LINKS: [(&str, f64, Option<f64>); 3] =
    [("near", 0.0, None), ("far", 120.0, Some(20.0)), ("lossy", 40.0, None)];
/// And what becomes of `near` in this slot.
const CHANGE: (u64, f64, Option<f64>) = (60, 60.0, Some(10.0));
/// Of the packets over `lossy` this share is lost on either way.
const LOSS: f64 = 0.1;

const POLICIES: [&str; 2] = ["random", "round-robin"];

/// Links of all kinds, one of which changes.
fn topology(dir: &Path, slots: &str, policies: &[&str]) -> PathBuf {
    let mut text = format!(
        r#"
slots = {slots}
clock = {{ kind = "wall", slot = "50ms", timeout = "4s" }}
feedback = {{ kind = "deadline", deadline_ms = 150, full_queue_ms = 20 }}
task = {{ length_kb = {{ min = 1, max = 4 }}, complexity_cycles = {{ min = 1e6, max = 1e7 }} }}
features = {{ full_scale = {{ length_kb = 4, complexity_cycles = 1e7 }} }}
nodes = {{ cpu_frequency_ghz = 2, cqi = {{ kind = "link" }} }}
node = [{{ name = "near" }}, {{ name = "far" }}, {{ name = "lossy" }}]

[[link]]
to = "far"
profile = {{ rtt_ms = 120, up_mbit_s = 20, down_mbit_s = 20 }}

[[link]]
to = "lossy"
profile = {{ rtt_ms = 40, loss = {LOSS} }}

[[event]]
at = 60
link = "near"
profile = {{ rtt_ms = 60, up_mbit_s = 10, down_mbit_s = 10 }}
"#
    );
    for policy in policies {
        text += &format!("[policies.{policy}]\nkind = \"{policy}\"\n");
    }
    let file = dir.join("links.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// The rows of `links.json`, by policy, link, first slot and direction.
struct Measured(BTreeMap<(String, String, u64, String), Value>);

impl Measured {
    fn read(out: &Path) -> Measured {
        let text = std::fs::read_to_string(out.join("links.json")).unwrap();
        let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
        let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let key = |row: &Value| {
            let (policy, link) = (word(row, "policy"), word(row, "link"));
            (policy, link, row["slot"].as_u64().unwrap(), word(row, "direction"))
        };
        let count = rows.len();
        let by_key: BTreeMap<_, _> = rows.into_iter().map(|row| (key(&row), row)).collect();
        assert_eq!(by_key.len(), count, "two rows of one state: {text}");
        Measured(by_key)
    }

    /// Link, first slot and direction of the rows of `policy`.
    fn states(&self, policy: &str) -> Vec<(&str, u64, &str)> {
        let rows = self.0.keys().filter(|key| key.0 == policy);
        rows.map(|(_, link, slot, way)| (link.as_str(), *slot, way.as_str())).collect()
    }

    /// Configured is what the topology says, and nothing measured contradicts it.
    fn assert_right(&self) {
        for ((_, link, slot, _), row) in &self.0 {
            let number = |key: &str| row[key].as_f64();
            let (rtt_ms, rate) = match (*slot, LINKS.iter().find(|known| known.0 == link)) {
                (1, Some((_, rtt_ms, rate))) => (*rtt_ms, *rate),
                (slot, _) => {
                    assert_eq!((link.as_str(), slot), ("near", CHANGE.0));
                    (CHANGE.1, CHANGE.2)
                }
            };
            // Small packets are on the wire for some hundredths of a millisecond.
            let configured = number("rtt_ms_configured").unwrap();
            assert!((rtt_ms..rtt_ms + 0.5).contains(&configured), "{row}");
            assert_eq!(number("rate_mbit_s_configured"), rate, "{row}");
            let loss = if link == "lossy" { LOSS } else { 0.0 };
            assert_eq!(number("loss_configured"), Some(loss), "{row}");
            assert_eq!(number("passive_loss_configured"), Some(loss), "{row}");
            for what in ["rtt_ms", "rate_mbit_s", "loss", "passive_loss"] {
                assert_ne!(row[format!("{what}_verdict")], "WRONG", "{what} of {row}");
            }
        }
    }
}

/// Every link and state is measured on both ways, and with it what was counted of its packets: without a
/// loss all that were sent are there, otherwise about as many as are to be.
fn assert_whole(measured: &Measured, policy: &str) {
    let states = [("far", 1), ("lossy", 1), ("near", 1), ("near", CHANGE.0)];
    let expected: Vec<_> = states
        .iter()
        .flat_map(|(link, slot)| ["down", "up"].map(|way| (*link, *slot, way)))
        .collect();
    assert_eq!(measured.states(policy), expected);
    measured.assert_right();
    for ((_, link, slot, _), row) in measured.0.iter().filter(|(key, _)| key.0 == policy) {
        let number = |key: &str| row[key].as_f64();
        // The last state is probed while slots go on, and may not get to its end on a slow host.
        let probed = number("rtt_ms_measured");
        assert!(probed.is_some() || *slot > 1, "{row}");
        let Some(counted) = number("passive_loss_measured") else {
            assert!(*slot > 1, "not counted: {row}");
            continue;
        };
        match link.as_str() {
            "lossy" => {
                assert!((0.02..0.3).contains(&counted), "{row}");
                let probed = number("loss_measured").unwrap();
                assert!((0.05..0.2).contains(&probed), "{row}");
            }
            // What one end alone may have counted widens the interval, and no more.
            _ => assert!(counted < 0.02, "{row}"),
        }
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn links_of_a_run_in_real_time_are_what_they_are_configured_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (topology(dir.path(), "160", &POLICIES[..1]), dir.path().join("out"));
    let output = fogbit().args(["run", "--quiet", "--out"]).args([&out, &file]).output().unwrap();
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{}", stderr(&output));
    assert_whole(&Measured::read(&out), "random");
    let links = &json(&out.join("summary.json"))["run"]["links"];
    assert_eq!((&links["checks"], &links["wrong"]), (&4.into(), &0.into()), "{links}");
    assert!(links["packets"].as_u64() > Some(100), "{links}");
    let told = stdout(&output);
    assert!(told.contains("\nlinks: 0 of 4 checks contradict what is configured"), "{told}");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<h2>Links: configured and measured</h2>"));
}

/// Policies that one task node plays share its links, which are measured by one of them.
#[test]
fn a_joined_task_node_measures_its_links_once() {
    let dir = tempfile::tempdir().unwrap();
    let (tokens, out) = (dir.path().join("tokens"), dir.path().join("out"));
    create_tokens(&tokens);
    let file = topology(dir.path(), "160", &POLICIES);
    let orchestrator = Joining::start(&file, &[], &tokens, &out);
    let token = |role: &str| tokens.join(format!("{role}.token"));
    let mut nodes: Vec<_> = LINKS
        .iter()
        .map(|(name, ..)| node("node", &orchestrator.address, &token("helper"), &["--name", name]))
        .collect();
    nodes.push(node("task-node", &orchestrator.address, &token("task-node"), &[]));
    let (code, summary, told) = orchestrator.end();
    assert!([Some(0), Some(3)].contains(&code), "{told}");
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["run"]["links"]["checks"], 4, "{summary}");
    let mut measured = Measured::read(&out);
    // Whichever policy was first has measured a link.
    let rows = std::mem::take(&mut measured.0).into_iter();
    measured.0 =
        rows.map(|((_, link, slot, way), row)| (("one".into(), link, slot, way), row)).collect();
    assert_whole(&measured, "one");
    for mut node in nodes {
        assert_eq!(wait_for_end(&mut node), Some(0));
    }
}

/// What its probe has found stays; what it has counted nobody knows.
#[test]
fn the_link_to_a_helper_node_that_dies_was_probed() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (topology(dir.path(), "120", &POLICIES[1..]), dir.path().join("out"));
    let metrics: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut child = spawn(
        fogbit()
            .args(["run", "--quiet", "--metrics", &metrics.to_string(), "--out"])
            .args([&out, &file])
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    wait_for("metrics", || std::net::TcpStream::connect(metrics).ok());
    wait_for("slots", || {
        let slots = scrape(metrics).get("fogbit_slots_total{policy=\"round-robin\"}").copied();
        slots.filter(|slots| *slots >= 10.0)
    });
    let nodes = nodes_of(&child);
    let far = nodes.iter().find(|node| node.arguments.iter().any(|word| word == "far")).unwrap();
    send(Signal::KILL, far.id);
    assert!([Some(0), Some(3)].contains(&wait_for_end(&mut child)));
    let measured = Measured::read(&out);
    measured.assert_right();
    assert_eq!(measured.states("round-robin")[..2], [("far", 1, "down"), ("far", 1, "up")]);
    for (key, row) in &measured.0 {
        let counted = !row["passive_loss_measured"].is_null();
        match key.1.as_str() {
            "far" => assert!(!counted && !row["rtt_ms_measured"].is_null(), "{row}"),
            _ => assert!(counted || key.2 > 1, "{row}"),
        }
    }
}

#[test]
fn a_run_without_links_has_nothing_to_say_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (dir.path().join("plain.toml"), dir.path().join("out"));
    let text = "slots = 20\n[clock]\nkind = \"wall\"\nslot = \"10ms\"\n[nodes]\ncount = 2\n\
                weights = { kind = \"signs\", signs = [-1, -1, -1, 1, 1] }\n\
                [policies.random]\nkind = \"random\"\n";
    std::fs::write(&file, text).unwrap();
    let output = fogbit().args(["run", "--quiet", "--out"]).args([&out, &file]).output().unwrap();
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{}", stderr(&output));
    assert!(!out.join("links.json").exists());
    assert!(json(&out.join("summary.json"))["run"]["links"].is_null());
    assert!(!stdout(&output).contains("links:"));
}

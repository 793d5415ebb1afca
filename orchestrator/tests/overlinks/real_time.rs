//! In real time the deadline is kept or missed by the clock. Whether a run is valid is not asked: that
//! is up to the host.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{fogbit, stderr, stdout};

/// Two helper nodes over links, in slots of 50 ms.
const TOPOLOGY: &str = r#"
slots = 160
clock = { kind = "wall", slot = "50ms", timeout = "4s" }
feedback = { kind = "deadline", deadline_ms = 1000, full_queue_ms = 20 }
task = { length_kb = { min = 1, max = 10 }, complexity_cycles = { min = 1e6, max = 1e7 } }

[features]
full_scale = { length_kb = 10, complexity_cycles = 1e7 }

[nodes]
cpu_frequency_ghz = 2
cqi = { kind = "link" }

[[node]]
name = "near"

[[node]]
name = "far"

[[link]]
to = "far"
profile = { rtt_ms = 250, jitter_ms = 20, up_mbit_s = 20, down_mbit_s = 20 }

[policies.round-robin]
kind = "round-robin"
"#;

/// A decided slot: slot, node and bit (none: timed out).
type Row = (u64, usize, Option<i8>);

/// Plays the topology with `keys` set; gives the summary and the rows.
fn play(dir: &Path, keys: &[&str]) -> (Value, Vec<Row>) {
    let (file, out): (PathBuf, PathBuf) = (dir.join("links.toml"), dir.join("out"));
    std::fs::write(&file, TOPOLOGY).unwrap();
    let output = fogbit()
        .arg("run")
        .arg(&file)
        .args(keys.iter().flat_map(|key| ["--set", key]))
        .args(["--quiet", "--format", "json", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = std::fs::read_to_string(out.join("decisions/round-robin-1.csv")).unwrap();
    let row = |line: &str| {
        let columns: Vec<&str> = line.split(',').collect();
        (columns[0].parse().unwrap(), columns[1].parse().unwrap(), columns[2].parse().ok())
    };
    let rows: Vec<Row> = text.lines().skip(1).map(row).collect();
    let trial = &summary["trials"][0];
    let count = |name: &str| trial[name].as_u64().unwrap();
    assert_eq!(count("offloaded"), rows.len() as u64);
    assert_eq!(
        count("offloaded"),
        count("answered") + count("refused") + count("timed_out"),
        "{trial}"
    );
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
    (summary, rows)
}

/// How many of the bits are happy, and how many there are.
fn happy<'r>(rows: impl Iterator<Item = &'r Row>) -> (usize, usize) {
    let bits: Vec<i8> = rows.filter_map(|(_, _, bit)| *bit).collect();
    (bits.iter().filter(|bit| **bit == 1).count(), bits.len())
}

/// Whether nearly all, as far as a host that stands still now and then lets it.
fn nearly_all((some, all): (usize, usize)) -> bool {
    some * 10 >= all * 9
}

#[test]
fn a_deadline_that_cannot_be_met_makes_everybody_unhappy() {
    let dir = tempfile::tempdir().unwrap();
    let (_, rows) = play(dir.path(), &["feedback.deadline_ms=0.2"]);
    let (happy, all) = happy(rows.iter());
    assert!(happy == 0 && all > 100, "{happy} of {all}");
}

/// Round-robin takes a node that is half a second away by its way to it: what is met is met by both.
#[test]
fn a_deadline_that_cannot_be_missed_makes_everybody_happy() {
    let dir = tempfile::tempdir().unwrap();
    let (_, rows) = play(dir.path(), &["feedback.deadline_ms=3000"]);
    for node in [0, 1] {
        let bits = happy(rows.iter().filter(|row| row.1 == node));
        assert!(nearly_all(bits) && bits.1 > 40, "node {node}: {bits:?}");
    }
}

/// Between both ways the deadline tells one from the other; when the link of one changes, so do its
/// bits, from its slot on.
#[test]
fn a_link_that_gets_worse_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let event = "event=[{at=80,link=\"near\",profile={rtt_ms=300}}]";
    let (_, rows) = play(dir.path(), &["feedback.deadline_ms=150", event]);
    let of = |node: usize, from: u64, to: u64| {
        happy(rows.iter().filter(|row| row.1 == node && (from..to).contains(&row.0)))
    };
    let (near, later, far) = (of(0, 1, 80), of(0, 80, 161), of(1, 1, 161));
    assert!(near.1 > 20 && later.1 > 20 && far.1 > 40, "{near:?}, {later:?}, {far:?}");
    // The host may be slow; 150 ms are a multiple of what the way takes without a link.
    assert!(near.0 * 10 >= near.1 * 8, "before the change: {near:?}");
    assert_eq!((later.0, far.0), (0, 0), "nobody is quicker than the link");
}

/// States over a link of 125 ms are by so much older when they are seen.
#[test]
fn the_first_slots_are_those_of_the_near() {
    let dir = tempfile::tempdir().unwrap();
    let (summary, rows) = play(dir.path(), &["slots=60"]);
    assert_eq!(summary["trials"][0]["status"], "complete");
    // Its session begins an eighth of a second late, and its state takes another one.
    let first = |node| rows.iter().find(|row| row.1 == node).unwrap().0;
    assert!((5..40).contains(&first(1)), "far: {}", first(1));
    assert!(first(0) < 5, "near: {}", first(0));
}

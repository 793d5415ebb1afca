//! In real time the schedule, the delay and the weights are kept too.

use crate::common::{fogbit, stderr, stdout};
use crate::everything;

/// Whether it is valid is not asked: that is up to the host.
#[test]
fn schedule_and_delay_hold_in_real_time() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let output = fogbit()
        .arg("run")
        .arg(everything())
        .args(["--quiet", "--seed", "1", "--policy", "toof", "--policy", "round-robin"])
        // What knows the truth cannot be played in real time.
        .args(["--set", "policies.optimal={kind=\"random\"}"])
        .args(["--set", "clock={kind=\"wall\",slot=\"10ms\"}", "--set", "slots=320", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{}", stderr(&output));
    for policy in ["toof", "round-robin"] {
        let path = out.join(format!("decisions/{policy}-1.csv"));
        let text = std::fs::read_to_string(path).unwrap();
        let rows: Vec<Vec<&str>> =
            text.lines().skip(1).map(|line| line.split(',').collect()).collect();
        // A slot may be idle where the host stood still, but hardly many.
        assert!(rows.len() > 200, "{policy}: {} rows", rows.len());
        let mut before = 0;
        let mut chosen = [0; 4];
        for row in &rows {
            let (slot, node): (u64, usize) = (row[0].parse().unwrap(), row[1].parse().unwrap());
            assert!(slot > before, "{policy}: slot {slot} after {before}");
            before = slot;
            chosen[node] += 1;
            let away = match node {
                0 => (150..260).contains(&slot),
                1 => slot >= 300,
                3 => slot < 100,
                _ => false,
            };
            assert!(!away, "{policy}: node {node} in slot {slot}");
            let regret: f64 = row[3].parse().unwrap();
            assert!((0.0..=2.0).contains(&regret), "{policy}: {row:?}");
        }
        if policy == "round-robin" {
            assert!(chosen.iter().all(|tasks| *tasks > 10), "{chosen:?}");
        }
    }
    let verified = fogbit().arg("verify").arg(&out).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
}

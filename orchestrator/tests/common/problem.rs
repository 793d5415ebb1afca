//! What is held of the results of every problem beside `one-bit`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::common::{assert_same_decisions, files, fogbit, run, stderr, stdout};

/// Writes the topology `text` to a file of `dir`, in which `from` is replaced by `to`.
pub(crate) fn changed(dir: &Path, text: &str, from: &str, to: &str) -> PathBuf {
    assert!(text.contains(from), "{from}");
    let file = dir.join("small.toml");
    std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
    file
}

/// Plays it in virtual time; it must end well. Gives the summary.
pub(crate) fn play(file: &Path, arguments: &[&str], out: &Path) -> Value {
    run(file, &[&["--backend", "sim"], arguments].concat(), out)
}

/// A policy's part of a summary.
pub(crate) fn policy<'s>(summary: &'s Value, name: &str) -> &'s Value {
    let policies = summary["policies"].as_array().unwrap();
    policies.iter().find(|policy| policy["name"] == name).unwrap()
}

/// What `fogbit verify` says, and with which exit code it ends.
pub(crate) fn verify(out: &Path) -> (Option<i32>, String) {
    let output = fogbit().arg("verify").arg(out).output().unwrap();
    (output.status.code(), stdout(&output) + &stderr(&output))
}

/// Files that must be the same in two runs of one topology: those of whole folders, and single ones.
fn lasting(dir: &Path, folders: &[&str], single: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for folder in folders {
        for (name, content) in files(&dir.join(folder)) {
            all.insert(format!("{folder}/{name}"), content);
        }
    }
    for name in single {
        all.insert((*name).into(), std::fs::read(dir.join(name)).unwrap());
    }
    all
}

/// A summary without wall time, which policies may tell under the key `speed`, and `exhaustive` of
/// search.
fn without_times(mut summary: Value, speed: Option<&str>) -> Value {
    if let Some(exhaustive) = summary.get_mut("exhaustive") {
        *exhaustive = Value::Null;
    }
    summary["run"]["seconds"] = Value::Null;
    for trial in summary["trials"].as_array_mut().unwrap() {
        trial["seconds"] = Value::Null;
    }
    for policy in summary["policies"].as_array_mut().unwrap() {
        if let Some(speed) = speed {
            policy[speed] = Value::Null;
        }
    }
    summary
}

/// Plays `file` on all cores, on one, and from what the first run has kept: all of it must be the
/// same but times, and `diff` says so with the words `told`.
pub(crate) fn assert_repeats(
    dir: &Path,
    file: &Path,
    (folders, single): (&[&str], &[&str]),
    speed: Option<&str>,
    told: &str,
) {
    let lasting = |dir: &Path| lasting(dir, folders, single);
    let (a, b) = (dir.join("a"), dir.join("b"));
    let first = play(file, &[], &a);
    let output = fogbit()
        .env("RAYON_NUM_THREADS", "1")
        .args(["run", "--backend", "sim", "--format", "json", "--quiet", "--out"])
        .args([&b, file])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let second: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(without_times(first, speed), without_times(second, speed));
    assert_same_decisions(&a, &b, "once more");
    assert_eq!(lasting(&a), lasting(&b));
    // The topology that a run keeps is the run.
    let again = dir.join("again");
    play(&a.join("topology.toml"), &[], &again);
    assert_eq!(lasting(&a), lasting(&again));
    let same = fogbit().arg("diff").args([&a, &again]).output().unwrap();
    assert_eq!(same.status.code(), Some(0), "{}", stdout(&same));
    assert!(stdout(&same).contains(told), "{}", stdout(&same));
}

//! What is refused, with exit code 2 and nothing written.

use super::common::{files_and_folders, fogbit, stderr, stdout};
use super::{SMALL, play, topology};

/// Runs a command in `dir`, which must be refused; what it says.
fn refused(dir: &std::path::Path, arguments: &[&str]) -> String {
    let before = files_and_folders(dir);
    let output = fogbit().args(arguments).current_dir(dir).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert_eq!(files_and_folders(dir), before, "{arguments:?}");
    stderr(&output)
}

#[test]
fn bad_topologies_are_underlined_by_run_and_validate_alike() {
    let dir = tempfile::tempdir().unwrap();
    for (from, to, parts) in [
        ("slots = 120", "slots = 0", ["small.toml:3:", "slots"]),
        ("profile = \"lte\"", "profile = \"5gg\"", ["small.toml:", "5gg"]),
        ("rtt_ms = 300", "rtt_ms = -1", ["small.toml:", "rtt_ms = -1"]),
        ("max = 5e8", "max = 5e7, most = 1", ["small.toml:", "most"]),
        ("kind = \"rule\"", "kind = \"ruler\"", ["small.toml:", "ruler"]),
        ("at = 61", "at = 61\nlink = \"far\"", ["small.toml:", "far"]),
    ] {
        topology(dir.path(), from, to);
        let ran = refused(dir.path(), &["run", "small.toml", "--backend", "sim"]);
        assert_eq!(ran, refused(dir.path(), &["validate", "small.toml"]), "{to}");
        for part in parts {
            assert!(ran.contains(part), "{to}: no `{part}` in\n{ran}");
        }
    }
}

#[test]
fn what_there_is_for_one_bit_alone_says_so() {
    let dir = tempfile::tempdir().unwrap();
    topology(dir.path(), "about", "about");
    play(&dir.path().join("small.toml"), &["--set", "slots=20"], &dir.path().join("out"));
    let sim = ["run", "small.toml", "--backend", "sim"];
    for (arguments, part) in [
        (&["--log", "decisions"][..], "--log is for the problem `one-bit`"),
        (&["--versus", "toof"], "no policy of this run is called so"),
        (&["--policy", "toof"], "policies here: always-local"),
        (&["--nodes", "2"], "lists 1 helper node"),
    ] {
        let told = refused(dir.path(), &[&sim, arguments].concat());
        assert!(told.contains(part), "{arguments:?}: {told}");
    }
    for arguments in [
        &["explain", "out", "--policy", "rule", "--slot", "3"][..],
        &["compare", "out", "out"],
        &["graph", "small.toml", "--format", "svg"],
    ] {
        let told = refused(dir.path(), arguments);
        assert!(told.contains("`placement`") && told.contains("one-bit"), "{told}");
    }
}

#[test]
fn what_can_be_looked_at_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    topology(dir.path(), "about", "about");
    let shown = |arguments: &[&str]| {
        let output = fogbit().args(arguments).current_dir(dir.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    };
    let line = shown(&["validate", "small.toml"]);
    assert!(
        line.contains("1 helper node(s), 120 slots") && line.contains("lte then lte*"),
        "{line}"
    );
    let dot = shown(&["graph", "small.toml", "--format", "dot"]);
    assert!(dot.contains("\"phone\" -- \"edge\" [label=\"lte 70 ms\\nfrom slot 61: "), "{dot}");
    let chart = shown(&["graph", "small.toml"]);
    assert!(chart.contains("task ---|\"lte 70 ms<br/>from slot 61: "), "{chart}");
    // The resolved topology is one that can be read, and says the same.
    let resolved = shown(&["validate", "small.toml", "--resolved"]);
    assert_ne!(resolved, SMALL);
    std::fs::write(dir.path().join("small.toml"), &resolved).unwrap();
    assert_eq!(shown(&["validate", "small.toml", "--resolved"]), resolved);
}

#[test]
fn the_committed_schema_is_current() {
    let output = fogbit().args(["schema", "--problem", "placement"]).output().unwrap();
    let committed = include_str!("../../../docs/placement.schema.json");
    assert!(
        stdout(&output) == committed,
        "out of date: fogbit schema --problem placement > docs/placement.schema.json"
    );
}

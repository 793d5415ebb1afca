//! `fogbit init`: what it writes plays.

use std::path::Path;
use std::process::Output;

use crate::common::{files, fogbit, run, skip, stderr, stdout};
use crate::python_has;

fn init(folder: &Path, arguments: &[&str]) -> Output {
    fogbit().arg("init").args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn a_new_topology_plays() {
    for (arguments, file) in [
        (&[][..], "topology.toml"),
        (&["--topology"][..], "topology.toml"),
        (&["scenarios/mine.toml"][..], "scenarios/mine.toml"),
        (&["new/folder"][..], "new/folder/topology.toml"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let output = init(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let told = stdout(&output);
        assert!(told.contains(&format!("wrote {file}\n")), "{told}");
        assert!(told.contains(&format!("fogbit run {file}")), "{told}");
        let results = tempfile::tempdir().unwrap();
        let out = results.path().join("out");
        let summary = run(&dir.path().join(file), &["--backend", "sim"], &out);
        assert_eq!(summary["run"]["status"], "complete");
        // It says all there is to say of itself: every line of a key has a comment above or beside.
        let text = std::fs::read_to_string(dir.path().join(file)).unwrap();
        assert!(text.lines().filter(|line| line.starts_with('#')).count() > 15);

        let before = files(dir.path().join(file).parent().unwrap());
        let again = init(dir.path(), arguments);
        assert_eq!(again.status.code(), Some(2));
        assert!(stderr(&again).contains("exists already"), "{}", stderr(&again));
        assert_eq!(files(dir.path().join(file).parent().unwrap()), before);
    }
}

#[test]
fn a_new_policy_plays() {
    let dir = tempfile::tempdir().unwrap();
    let output = init(dir.path(), &["here", "--policy", "mine"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let folder = dir.path().join("here");
    let names: Vec<String> = files(&folder).into_keys().collect();
    assert_eq!(names, ["fogbit_policy.py", "mine_policy.py", "topology.toml"]);
    // A second one beside it shares the loop.
    let output = init(dir.path(), &["here/other.toml", "--policy", "other-policy"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(folder.join("other-policy.py").exists());
    assert!(!stdout(&output).contains("wrote here/fogbit_policy.py"), "{}", stdout(&output));
    if !python_has("json") {
        return skip("a_new_policy_plays", "there is no python3");
    }
    for file in ["topology.toml", "other.toml"] {
        let out = dir.path().join(format!("results-{file}"));
        let summary = run(&folder.join(file), &["--backend", "sim", "--set", "slots=500"], &out);
        assert_eq!(summary["run"]["status"], "complete");
        assert_eq!(summary["policies"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["", "toof", "fogbit", "fogbit_policy", "My", "a b", "../a", "-x=", "a.b"] {
        let output = init(dir.path(), &[&format!("--policy={name}")]);
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
    let output = init(dir.path(), &["--policy", "a", "--topology"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(files(dir.path()).is_empty());
    let help = stdout(&fogbit().args(["init", "--help"]).output().unwrap());
    assert!(help.contains("Examples"), "{help}");
}

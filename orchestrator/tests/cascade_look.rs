//! What can be done with a topology of the problem `cascade` without running it.

mod common;

use std::path::Path;
use std::process::Output;

use common::{fogbit, stderr, stdout};

const TOPOLOGY: &str = include_str!("../../scenario/tests/cascade/good.toml");
const TRACE: &str = "id,split,entropy,weak_loss,strong_loss\n0,train,0.1,0.2,0.1\n\
                     1,train,1.9,0.9,0.1\n2,test,0.3,0.1,0.3\n3,test,1.5,0.7,0.2\n";

/// A folder with a topology of every key, changed by one edit, and its trace.
fn folder(trace: &str, from: &str, to: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    assert!(TOPOLOGY.contains(from), "{from}");
    std::fs::write(dir.path().join("camera.toml"), TOPOLOGY.replacen(from, to, 1)).unwrap();
    std::fs::write(dir.path().join("trace.csv"), trace).unwrap();
    dir
}

fn fogbit_in(dir: &Path, arguments: &[&str]) -> Output {
    fogbit().args(arguments).current_dir(dir).output().unwrap()
}

fn shown(dir: &Path, arguments: &[&str]) -> String {
    let output = fogbit_in(dir, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

fn refused(dir: &Path, arguments: &[&str]) -> String {
    let output = fogbit_in(dir, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    stderr(&output)
}

#[test]
fn what_can_be_looked_at_is_shown() {
    let dir = folder(TRACE, "spread", "spread");
    let line = shown(dir.path(), &["validate", "camera.toml"]);
    assert!(line.contains("1000 images of 2 in the trace, 2 to learn from"), "{line}");
    assert!(line.contains("a bucket of 4 tokens in 41 levels, wall clock, 2 seed(s)"), "{line}");
    // 0.1 tokens a slot, 1.8007 slots an image.
    assert!(line.contains("a token for 18.0 % of them"), "{line}");
    let dot = shown(dir.path(), &["graph", "camera.toml", "--format", "dot"]);
    let edge = "\"cam\" -- \"cloud\" [label=\"0.1 tokens a slot, 4 at most\\nwifi ";
    assert!(dot.contains(edge) && dot.contains("from slot 10: "), "{dot}");
    let chart = shown(dir.path(), &["graph", "camera.toml"]);
    assert!(chart.contains("weak classifier, loss 0.4000<br/>an image every 1.80"), "{chart}");
    assert!(chart.contains("strong classifier, loss 0.2500<br/>2 workers"), "{chart}");
    let netem = shown(dir.path(), &["render", "camera.toml", "--target", "netem"]);
    assert!(netem.contains("## slot 1, task node cam"), "{netem}");
    assert!(refused(dir.path(), &["graph", "camera.toml", "--format", "svg"]).contains("cascade"));
    assert!(
        refused(dir.path(), &["validate", "camera.toml", "--nodes", "2"]).contains("one helper")
    );
    // The resolved topology is one that can be read, and says the same.
    let resolved = shown(dir.path(), &["validate", "camera.toml", "--resolved"]);
    assert_ne!(resolved, TOPOLOGY);
    std::fs::write(dir.path().join("camera.toml"), &resolved).unwrap();
    assert_eq!(shown(dir.path(), &["validate", "camera.toml", "--resolved"]), resolved);
}

#[test]
fn a_malformed_row_is_shown_with_its_line() {
    let dir = folder(&TRACE.replacen("0.3,0.1,0.3", "0.3,oops,0.3", 1), "spread", "spread");
    let told = refused(dir.path(), &["validate", "camera.toml"]);
    assert!(told.contains("line 4 of the trace") && told.contains("weak_loss = `oops`"), "{told}");
    assert!(told.contains("2,test,0.3,oops,0.3"), "the line is shown: {told}");
}

#[test]
fn pictures_that_are_missing_are_told() {
    let pictures = "[pictures]\nfrom = \"idx\"\nclassifiers = \"models\"\n\n[stream]";
    let dir = folder(TRACE, "[stream]", pictures);
    let told = refused(dir.path(), &["validate", "camera.toml"]);
    assert!(told.contains("there is no folder") && told.contains("--backend sim"), "{told}");
}

#[test]
fn policies_and_schema_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let list = shown(dir.path(), &["policy", "list"]);
    let (_, list) = list.split_once("\nproblem cascade:\n").expect("a part of its own");
    for kind in ["threshold", "mdp", "dqn", "belief", "lower-bound", "hidden-state", "clairvoyant"]
    {
        assert!(list.lines().any(|line| line.starts_with(&format!("{kind} "))), "{kind}: {list}");
    }
    assert!(
        shown(dir.path(), &["schema", "--problem", "cascade"])
            == include_str!("../../docs/cascade.schema.json"),
        "out of date: fogbit schema --problem cascade > docs/cascade.schema.json"
    );
}

//! The examples in Python.

use serde_json::Value;

use crate::common::{run, skip, topology};
use crate::{decisions, examples, external, python_has};

/// `--set` with an example as a policy.
fn example(name: &str, file: &str, arguments: &[&str]) -> String {
    let path = examples().join(file);
    let command = [&["python3", path.to_str().unwrap()], arguments].concat();
    external(name, &command)
}

/// The second implementation of TOOF makes the choices of the first, on drawn states, and on true
/// queues, where refused tasks teach nothing.
#[test]
fn toof_in_numpy_decides_as_the_built_in() {
    if !python_has("numpy") {
        return skip("toof_in_numpy_decides_as_the_built_in", "there is no python3 with numpy");
    }
    for file in ["paper.toml", "fifo.toml"] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let set = [
            "slots=2000".to_owned(),
            "expect=[]".into(),
            "policies.toof={kind=\"toof\",lambda=2,gamma={c=0.04}}".into(),
            example("numpy", "toof.py", &["2", "0.04"]),
        ];
        let mut arguments = vec!["--backend", "sim", "--policy", "toof", "--policy", "numpy"];
        arguments.extend(set.iter().flat_map(|set| ["--set", set.as_str()]));
        run(&topology(file), &arguments, &out);
        let built_in = decisions(&out, "toof-1");
        assert_eq!(built_in.lines().count(), 2001);
        assert!(built_in == decisions(&out, "numpy-1"), "{file}: the choices differ");
    }
}

/// They learn: under ten seeds they lose less than whoever asks the nodes in turn.
#[test]
fn the_other_examples_learn() {
    if !python_has("json") {
        return skip("the_other_examples_learn", "there is no python3");
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (mine, own) =
        (example("mine", "my_policy.py", &[]), example("own", "scikit_style.py", &["--own"]));
    let set = ["--set", mine.as_str(), "--set", own.as_str()];
    let summary = run(
        &topology("external.toml"),
        &[&["--backend", "sim", "--seeds", "10"], set.as_slice()].concat(),
        &out,
    );
    let regret = |name: &str| {
        let policies = summary["policies"].as_array().unwrap();
        let policy = policies.iter().find(|policy| policy["name"] == name).unwrap();
        policy["regret_linear"]["mean"].as_f64().unwrap()
    };
    let turns = regret("round-robin");
    for policy in ["mine", "own"] {
        assert!(regret(policy) < 0.9 * turns, "{policy}: {} of {turns}", regret(policy));
    }
}

/// The adapter takes scikit-learn's own estimator where there is one.
#[test]
fn the_adapter_works_with_scikit_learn() {
    if !python_has("sklearn") {
        // It is large, and nothing else here needs it.
        eprintln!("skipped the_adapter_works_with_scikit_learn: there is no scikit-learn");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let set = example("sklearn", "scikit_style.py", &[]);
    let arguments = ["--backend", "sim", "--policy", "sklearn", "--set", "slots=300"];
    let summary = run(
        &topology("external.toml"),
        &[arguments.as_slice(), &["--set", &set]].concat(),
        &dir.path().join("out"),
    );
    assert_eq!(summary["trials"][0]["status"], Value::from("complete"));
}

//! The JSON schema of the topology file: committed, and of one mind with the reader.

mod common;

use std::path::Path;

use fogbit_scenario::topology::Topology;
use jsonschema::Validator;
use serde_json::Value;

const COMMITTED: &str = include_str!("../../docs/topology.schema.json");

fn validator() -> Validator {
    jsonschema::validator_for(&Topology::json_schema()).expect("a valid schema")
}

/// A topology file as JSON, which is what editors check against the schema.
fn as_json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).expect("TOML")).expect("JSON")
}

#[test]
fn the_committed_schema_is_current() {
    let current = serde_json::to_string_pretty(&Topology::json_schema()).expect("JSON") + "\n";
    assert!(
        current == COMMITTED,
        "docs/topology.schema.json is out of date: run `fogbit schema > docs/topology.schema.json`"
    );
}

#[test]
fn every_shipped_topology_fits() {
    let validator = validator();
    for path in common::shipped() {
        let text = std::fs::read_to_string(&path).expect("a file");
        let errors: Vec<_> =
            validator.iter_errors(&as_json(&text)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn what_is_written_back_fits() {
    let validator = validator();
    for path in common::shipped() {
        let text = std::fs::read_to_string(&path).expect("a file");
        let resolved = common::read(&path, &text, &[]).expect("a scenario").resolved_toml();
        assert!(validator.is_valid(&as_json(&resolved)), "{}", path.display());
    }
}

/// What the schema refuses the reader refuses too, and what it accepts the reader can at least
/// read: only values out of range are left to the reader.
#[test]
fn schema_and_reader_agree() {
    const GOOD: &str = "slots = 5\n\n[nodes]\ncount = 2\nweights = { kind = \"sphere\" }\n\n\
                        [policies.toof]\nkind = \"toof\"\n";
    let cases: &[(bool, &str, &str)] = &[
        (true, "slots = 5", "slots = 5\nseeds = 3"),
        (true, "slots = 5", "slots = 5\nseeds = [3, 4]"),
        (true, "slots = 5", "slots = 5\nseeds = { first = 3, count = 2 }"),
        (true, "count = 2", "count = 2\ncpu_frequency_ghz = 2"),
        (true, "count = 2", "count = 2\ncpu_frequency_ghz = { min = 1, max = 2 }"),
        (true, "\"toof\"", "\"toof\"\ngamma = { kind = \"paper-eq15\" }"),
        (
            true,
            "slots = 5",
            "slots = 5\nclock = { kind = \"slot\" }\nfeedback = { kind = \"logit\" }",
        ),
        (true, "slots = 5", "slots = 5\nclock = { lookahead = 1 }\nfeatures = {}\nfeedback = {}"),
        (true, "\"toof\"", "\"toof\"\ngamma = { c = 0.1 }"),
        (false, "\"toof\"", "\"toof\"\ngamma = { delta = 0.1 }"),
        (false, "slots = 5", "slots = 5\nsolts = 5"),
        (false, "slots = 5\n", ""),
        (false, "slots = 5", "slots = \"5\""),
        (false, "slots = 5", "slots = 5.5"),
        (false, "slots = 5", "slots = -5"),
        (false, "slots = 5", "slots = 5\nseeds = { count = 2 }"),
        (false, "slots = 5", "slots = 5\nseeds = { first = 1, count = 2, step = 2 }"),
        (false, "slots = 5", "slots = 5\nseeds = \"all\""),
        (false, "count = 2", "count = 2\nwieghts = 3"),
        (false, "count = 2", "count = 2\ncpu_frequency_ghz = \"fast\""),
        (false, "count = 2", "count = 2\ncpu_frequency_ghz = { min = 1 }"),
        (false, "kind = \"sphere\"", "kind = \"cube\""),
        (false, "kind = \"sphere\"", "kind = \"sphere\", signs = [1]"),
        (false, "kind = \"sphere\"", "norm = 1"),
        (false, "\"toof\"", "\"toof\"\nlamda = 1"),
        (false, "\"toof\"", "\"toof\"\nlambda = \"1\""),
        (false, "\"toof\"", "\"round-robin\"\nlambda = 1"),
        (false, "\"toof\"", "\"toof\"\ngamma = { kind = \"tuned\", delta = 0.1 }"),
        (false, "\"toof\"", "\"toof\"\ngamma = 0.1"),
        (false, "[nodes]", "[[link]]\nfrom = \"task\"\n\n[nodes]"),
        (false, "[nodes]", "[clock]\nkind = \"wall\"\n\n[nodes]"),
    ];
    let validator = validator();
    for (good, old, new) in cases {
        let text = common::edited(GOOD, &[(old, new)]);
        assert_eq!(validator.is_valid(&as_json(&text)), *good, "the schema on `{new}`");
        let read = common::read(Path::new("test.toml"), &text, &[]);
        assert_eq!(read.is_ok(), *good, "the reader on `{new}`: {:?}", read.err());
    }
}

//! The guide to the format: its examples are read, and no key is missing from it.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use fogbit_scenario::topology::Topology;

const GUIDE: &str = include_str!("../../docs/topology.md");

/// The examples in one language, in the order of the guide.
fn examples(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    GUIDE.split(&fence).skip(1).map(|rest| rest.split("```").next().expect("an end")).collect()
}

#[test]
fn the_smallest_topology_is_one() {
    let scenario = common::read(Path::new("guide.toml"), examples("toml")[0], &[]);
    assert_eq!(scenario.expect("no fault").nodes(), 3);
}

#[test]
fn the_other_examples_are_topologies_with_what_they_leave_out() {
    for example in &examples("toml")[2..] {
        let text = format!(
            "slots = 5\nnodes = {{ count = 2, weights = {{ kind = \"sphere\" }} }}\n\
             policies.greedy.kind = \"greedy\"\n{example}\n"
        );
        let text = match example.contains("policy = \"toof\"") {
            true => text + "[policies.toof]\nkind = \"toof\"\n",
            false => text,
        };
        common::read(Path::new("guide.toml"), &text, &[]).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn the_examples_of_traces_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let json = examples("json");
    write("morning.jsonl", json[0]);
    write("header.jsonl", &(json[1].to_owned() + json[0]));
    write("morning.csv", examples("csv")[0]);
    for (name, weights) in [
        ("morning.jsonl", "nodes.weights = { kind = \"sphere\" }"),
        ("header.jsonl", ""),
        ("morning.csv", "nodes.weights = { kind = \"sphere\" }"),
    ] {
        let features = examples("toml")[1].replace("morning.jsonl", name);
        let text = format!("slots = 2\n{weights}\npolicies.toof.kind = \"toof\"\n{features}");
        let scenario = common::read(&folder.path().join("guide.toml"), &text, &[]);
        let scenario = scenario.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((scenario.nodes(), scenario.features()), (2, 5), "{name}");
    }
}

#[test]
fn every_key_and_kind_is_explained() {
    let mut names = BTreeSet::new();
    common::names_of(&Topology::json_schema(), &mut names);
    assert!(names.contains("lookahead") && names.contains("paper-eq15"), "{names:?}");
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let words: BTreeSet<&str> = GUIDE.split(|c| !letter(c)).collect();
    let missing: Vec<_> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/topology.md says nothing of {missing:?}");
}

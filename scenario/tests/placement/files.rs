//! The topologies that ship, the guide, and the schema.

use std::collections::BTreeSet;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::{PlacementTopology, Problem};

use crate::{common, good};

const GUIDE: &str = include_str!("../../../docs/placement.md");

#[test]
fn a_shipped_topology_reads_back_as_resolved_and_fits_the_schema() {
    let validator = jsonschema::validator_for(&PlacementTopology::json_schema()).expect("a schema");
    for path in common::shipped_of(Problem::Placement) {
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.starts_with("# "), "{path:?} says what it shows");
        assert!(text.contains("\n# What to look for: "), "{path:?} says what to look for");
        let file = TopologyFile::from_text(&path, text);
        let scenario = PlacementScenario::from_file(&file).unwrap_or_else(|e| panic!("{e}"));
        let resolved = scenario.resolved_toml();
        let again = good(&resolved);
        assert_eq!(scenario.topology(), again.topology());
        assert_eq!(scenario.helpers(), again.helpers());
        assert_eq!(scenario.links(), again.links());
        assert!(scenario.topology().about.is_some(), "{path:?} says what it is about");
        for text in [&resolved, &file.source().text.to_string()] {
            let table: toml::Table = toml::from_str(text).expect("TOML");
            let value = serde_json::to_value(table).expect("JSON");
            let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{path:?}: {errors:#?}");
        }
    }
}

/// The examples of the guide, in its order.
fn examples() -> Vec<&'static str> {
    GUIDE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect()
}

#[test]
fn the_smallest_topology_is_one() {
    assert_eq!(good(examples()[0]).helpers().len(), 1);
}

#[test]
fn the_other_examples_are_topologies_with_what_they_leave_out() {
    assert!(examples().len() > 2);
    for example in &examples()[1..] {
        let mut text = "problem = \"placement\"\nslots = 5\n".to_owned();
        if !example.contains("[[node]]") {
            text += "nodes.count = 1\n";
        }
        if !example.contains("[policies") {
            text += "policies.rule.kind = \"rule\"\n";
        }
        good(&(text + example));
    }
}

#[test]
fn every_key_and_kind_is_explained() {
    let mut names = BTreeSet::new();
    common::names_of(&PlacementTopology::json_schema(), &mut names);
    assert!(names.contains("drawn_rtt_ms") && names.contains("always-offload"), "{names:?}");
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let words: BTreeSet<&str> = GUIDE.split(|c| !letter(c)).collect();
    let missing: Vec<_> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/placement.md says nothing of {missing:?}");
}

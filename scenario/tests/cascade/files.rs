//! The guide, the schema, and topologies that are written back.

use std::collections::BTreeSet;
use std::path::Path;

use fogbit_scenario::topology::CascadeTopology;
use jsonschema::Validator;
use serde_json::Value;

use crate::common::{edited, names_of};
use crate::{GOOD, TRACE, folder, good};

const GUIDE: &str = include_str!("../../../docs/cascade.md");
const SCHEMA: &str = include_str!("../../../docs/cascade.schema.json");

fn validator() -> Validator {
    jsonschema::validator_for(&CascadeTopology::json_schema()).expect("a schema")
}

fn errors(text: &str) -> Vec<String> {
    let table: toml::Table = toml::from_str(text).expect("TOML");
    let value = serde_json::to_value(table).expect("JSON");
    validator().iter_errors(&value).map(|error| error.to_string()).collect()
}

#[test]
fn the_committed_schema_is_current() {
    let current = serde_json::to_string_pretty(&CascadeTopology::json_schema()).expect("JSON");
    assert!(
        current + "\n" == SCHEMA,
        "out of date: fogbit schema --problem cascade > docs/cascade.schema.json"
    );
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    assert_eq!(schema["type"], "object");
}

#[test]
fn the_schema_knows_what_the_reader_knows() {
    assert_eq!(errors(GOOD), [""; 0]);
    for (old, new) in [
        ("images = 1000\n", ""),
        ("images = 1000", "images = 1.5"),
        ("spread", "spraed"),
        ("\"markov\"", "\"constant\""),
        ("kind = \"mdp\"", "kind = \"toof\""),
        ("[0.001, 0.0005]", "[0.001]"),
        ("\"average_loss\"", "\"mean_latency_ms\""),
    ] {
        let text = edited(GOOD, &[(old, new)]);
        assert!(!errors(&text).is_empty(), "{new} fits");
        assert!(crate::read(Path::new("folder/test.toml"), &text).is_err(), "{new} is read");
    }
}

/// As a results directory keeps it: the resolved topology with trace and models beside it.
#[test]
fn what_is_resolved_reads_back_in_a_results_directory() {
    let gz = [("\"trace.csv\"", "\"sub/Trace.CSV.GZ\"")];
    let model = [("kind = \"dqn\"", "kind = \"dqn\"\nmodel = \"my.safetensors\"")];
    let pictures = [("[stream]", "[pictures]\nfrom = \"idx\"\nclassifiers = \"../c\"\n\n[stream]")];
    for edits in [&[][..], &gz, &model, &pictures] {
        let from = folder(TRACE);
        std::fs::create_dir_all(from.path().join("sub")).unwrap();
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        std::io::Write::write_all(&mut zip, TRACE.as_bytes()).unwrap();
        std::fs::write(from.path().join("sub/Trace.CSV.GZ"), zip.finish().unwrap()).unwrap();
        std::fs::write(from.path().join("my.safetensors"), "").unwrap();
        let scenario = good(from.path(), &edited(GOOD, edits));

        let results = tempfile::tempdir().unwrap();
        let resolved = scenario.resolved_toml();
        std::fs::copy(scenario.trace_file(), results.path().join(scenario.kept_trace())).unwrap();
        std::fs::create_dir_all(results.path().join("models")).unwrap();
        std::fs::write(results.path().join("models/network.safetensors"), "").unwrap();
        let again = good(results.path(), &resolved);
        assert_eq!(again.resolved_toml(), resolved);
        assert_eq!(errors(&resolved), [""; 0]);
        assert_eq!(again.instance(5), scenario.instance(5));
        assert_eq!(again.setting(), scenario.setting());
        assert_eq!(again.pictures().map(|(idx, _)| idx), scenario.pictures().map(|(idx, _)| idx));
    }
}

#[test]
fn expectations_about_policies_that_were_not_kept_are_left_out() {
    let from = folder(TRACE);
    let mut scenario = good(from.path(), GOOD);
    scenario.keep_policies(|name| name != "baseline");
    let again = good(from.path(), &scenario.resolved_toml());
    assert!(again.topology().expectations.is_empty());
    assert_eq!(again.policies().count(), 3);
}

/// The examples of the guide, in its order.
fn examples() -> Vec<&'static str> {
    GUIDE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect()
}

#[test]
fn the_examples_are_topologies_with_what_they_leave_out() {
    let folder = folder(TRACE);
    assert!(examples().len() > 2);
    good(folder.path(), examples()[0]);
    for example in &examples()[1..] {
        let mut text = "problem = \"cascade\"\nimages = 5\n".to_owned();
        if !example.contains("[trace]") {
            text += "trace.file = \"trace.csv\"\n";
        }
        if !example.contains("[bucket]") {
            text += "bucket = { rate = 0.1, depth = 4 }\n";
        }
        if !example.contains("[policies") {
            text += "policies.mdp.kind = \"mdp\"\n";
        }
        good(folder.path(), &(text + example));
    }
}

#[test]
fn every_key_and_kind_is_explained() {
    let mut names = BTreeSet::new();
    names_of(&CascadeTopology::json_schema(), &mut names);
    assert!(names.contains("other_setting") && names.contains("clairvoyant"), "{names:?}");
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let words: BTreeSet<&str> = GUIDE.split(|c| !letter(c)).collect();
    let missing: Vec<_> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/cascade.md says nothing of {missing:?}");
}

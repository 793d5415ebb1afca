//! The topologies that ship, the guide, and the schema.

use std::collections::BTreeSet;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::{PipelineTopology, Problem};

use crate::common;

const GUIDE: &str = include_str!("../../../docs/pipeline.md");
const SCHEMA: &str = include_str!("../../../docs/pipeline.schema.json");

/// What the examples of the guide leave out.
const SITES: &str = r#"problem = "pipeline"
applications = 10
policies.greedy.kind = "greedy"
task-node = { name = "device", cpu_frequency_ghz = 1 }
node = [{ name = "edge", cpu_frequency_ghz = 8 }, { name = "cloud", cpu_frequency_ghz = 20 }]
link = [
    { between = ["device", "edge"], mbit_s = { min = 1, max = 2 }, rtt_ms = { min = 1, max = 2 } },
    { between = ["device", "cloud"], mbit_s = { min = 1, max = 2 }, rtt_ms = { min = 1, max = 2 } },
    { between = ["edge", "cloud"], mbit_s = { min = 1, max = 2 }, rtt_ms = { min = 1, max = 2 } },
]
"#;

#[track_caller]
fn good(text: &str) -> PipelineScenario {
    let file = TopologyFile::from_text("folder/test.toml".as_ref(), text.to_owned());
    PipelineScenario::from_file(&file).unwrap_or_else(|faults| panic!("{text}\n{faults}"))
}

/// As in a results directory: the models and the label sweep of the topology are beside the text.
fn beside(scenario: &PipelineScenario) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("models")).expect("a folder");
    for (policy, _) in scenario.policies() {
        let model = folder.path().join(fogbit_scenario::kept_model(policy));
        std::fs::write(model, "").expect("a file");
    }
    let sweep = folder.path().join(PipelineScenario::KEPT_LABEL_SWEEP);
    std::fs::write(sweep, "").expect("a file");
    folder
}

#[test]
fn a_shipped_topology_reads_back_as_resolved_and_fits_the_schema() {
    let validator = jsonschema::validator_for(&PipelineTopology::json_schema()).expect("a schema");
    for path in common::shipped_of(Problem::Pipeline) {
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.starts_with("# "), "{path:?} says what it shows");
        assert!(text.contains("\n# What to look for: "), "{path:?} says what to look for");
        let file = TopologyFile::from_text(&path, text);
        let scenario = PipelineScenario::from_file(&file).unwrap_or_else(|e| panic!("{e}"));
        let resolved = scenario.resolved_toml();
        let folder = beside(&scenario);
        let again = TopologyFile::from_text(&folder.path().join("topology.toml"), resolved.clone());
        let again = PipelineScenario::from_file(&again).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(again.resolved_toml(), resolved);
        assert_eq!(again.instance(3), scenario.instance(3));
        assert_eq!(again.names_of(1), scenario.names_of(1));
        assert!(scenario.topology().about.is_some(), "{path:?} says what it is about");
        for text in [&resolved, &file.source().text.to_string()] {
            let table: toml::Table = toml::from_str(text).expect("TOML");
            let value = serde_json::to_value(table).expect("JSON");
            let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{path:?}: {errors:#?}");
        }
    }
}

#[test]
fn the_committed_schema_is_current() {
    let current = serde_json::to_string_pretty(&PipelineTopology::json_schema()).expect("JSON");
    assert!(
        current + "\n" == SCHEMA,
        "out of date: fogbit schema --problem pipeline > docs/pipeline.schema.json"
    );
}

/// The examples of the guide, in its order.
fn examples() -> Vec<&'static str> {
    GUIDE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("an end")).collect()
}

#[test]
fn the_examples_are_topologies_with_what_they_leave_out() {
    assert!(examples().len() > 1);
    assert_eq!(good(examples()[0]).sites(), ["device", "edge"]);
    for example in &examples()[1..] {
        good(&(SITES.to_owned() + example));
    }
}

#[test]
fn every_key_and_kind_is_explained() {
    let mut names = BTreeSet::new();
    common::names_of(&PipelineTopology::json_schema(), &mut names);
    assert!(names.contains("cost_weight") && names.contains("fork-join"), "{names:?}");
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let words: BTreeSet<&str> = GUIDE.split(|c| !letter(c)).collect();
    let missing: Vec<_> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/pipeline.md says nothing of {missing:?}");
}

//! Models that runs refuse, with a place and what would be right.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use fogbit::exit::Exit;
use fogbit::train::dqn::{check_models, prepare};
use fogbit_neural::{Metadata, Network};
use fogbit_scenario::TopologyFile;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::draw::{Key, Purpose};
use miette::Diagnostic;

use crate::{CORRELATED, MARKOV, QUICK, scenario, topology};

/// Trains the policy of a topology and keeps its model in `dir`.
fn keep(dir: &Path, more: &str) {
    let path = topology(dir, more, &format!("[policies.dqn]\nkind = \"dqn\"\ntrain = {QUICK}"));
    let models = prepare(&scenario(&path), true, &AtomicBool::new(false)).unwrap();
    std::fs::write(dir.join("m.safetensors"), &models.0["dqn"].bytes).unwrap();
    models.keep(&dir.join("results")).unwrap();
    let kept = std::fs::read(dir.join("results/models/dqn.safetensors")).unwrap();
    assert_eq!(&kept[..], &models.0["dqn"].bytes[..]);
}

fn with_model(dir: &Path, more: &str, other_setting: bool) -> CascadeScenario {
    let policy = format!(
        "[policies.dqn]\nkind = \"dqn\"\nmodel = \"m.safetensors\"\nother_setting = {other_setting}"
    );
    scenario(&topology(dir, more, &policy))
}

/// The model is refused, and underlined; gives the message and what would be right.
fn refused(dir: &Path, more: &str, other_setting: bool) -> (String, String) {
    let failure = check_models(&with_model(dir, more, other_setting)).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    let [report] = &failure.reports[..] else { panic!("one report: {:?}", failure.reports) };
    let label = report.labels().unwrap().next().unwrap();
    let source = std::fs::read_to_string(dir.join("topology.toml")).unwrap();
    let underlined = &source[label.offset()..][..label.len()];
    assert!(underlined.contains("m.safetensors"), "{underlined}");
    (report.to_string(), report.help().unwrap().to_string())
}

#[test]
fn a_model_of_its_own_setting_is_used() {
    let dir = tempfile::tempdir().unwrap();
    for more in [CORRELATED, MARKOV] {
        keep(dir.path(), more);
        check_models(&with_model(dir.path(), more, false)).unwrap();
        let stop = AtomicBool::new(false);
        let models = prepare(&with_model(dir.path(), more, false), true, &stop).unwrap();
        let bytes = std::fs::read(dir.path().join("m.safetensors")).unwrap();
        assert_eq!(models.0["dqn"].bytes[..], bytes[..]);
        assert!(models.0["dqn"].verdict.is_none());
    }
}

#[test]
fn another_setting_needs_an_explicit_choice() {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), CORRELATED);
    for (more, word) in [
        ("stream = { spread = 0.1, reset = 0.2 }", "reset 0.1"),
        ("stream = { spread = 0.2, reset = 0.1 }", "up to 30 beyond"),
        (&*format!("{CORRELATED}\narrivals = {{ kind = \"constant\", gap = 2 }}"), "a gap of 1"),
        (&*format!("{CORRELATED}\n{MARKOV}"), "a gap of 1"),
    ] {
        let (message, help) = refused(dir.path(), more, false);
        assert!(message.contains("another setting") && message.contains(word), "{message}");
        assert!(help.contains("other_setting = true"), "{help}");
        check_models(&with_model(dir.path(), more, true)).unwrap();
    }
    let bucket = format!("{CORRELATED}\nbucket = {{ rate = 0.1, depth = 3 }}");
    for other_setting in [false, true] {
        let (message, help) = refused(dir.path(), &bucket, other_setting);
        assert!(message.contains("another bucket") && message.contains("at most 2"), "{message}");
        assert!(help.contains("an output for each level"), "{help}");
    }
}

#[test]
fn other_images_are_another_setting() {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), CORRELATED);
    let path = topology(
        dir.path(),
        CORRELATED,
        "[policies.dqn]\nkind = \"dqn\"\nmodel = \"m.safetensors\"",
    );
    let trace = dir.path().join("trace.csv");
    let text = std::fs::read_to_string(&trace).unwrap();
    std::fs::write(&trace, text + "300,0.5,0.5\n").unwrap();
    let failure = check_models(&scenario(&path)).unwrap_err();
    assert!(failure.reports[0].to_string().contains("on other images"), "{:?}", failure.reports);
}

#[test]
fn files_that_are_no_models() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    keep(dir, CORRELATED);
    let path = dir.join("m.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let told = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        refused(dir, CORRELATED, true).0
    };
    assert!(told(&whole[..whole.len() - 3]).contains("truncated"));
    assert!(told(&whole[..5]).contains("truncated"));
    assert!(told(b"").contains("truncated"));
    assert!(told(b"just a text, no model").contains("no model of `dqn`"));
    let mut spoilt = whole.clone();
    let end = spoilt.len();
    spoilt[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(told(&spoilt).contains("NaN"));

    let (network, metadata) = Network::from_bytes(&whole).unwrap();
    let key = Key::derive(1, Purpose::NetworkWeights, 0);
    let other = Network::new(&[network.inputs(), network.outputs() - 1], &key);
    assert!(told(&other.to_bytes(&metadata).unwrap()).contains("expected 8 and 31"));
    assert!(told(&network.to_bytes(&Metadata::new()).unwrap()).contains("\"problem\""));
    let changed = |entry: &str, text: &str| {
        let mut metadata = metadata.clone();
        metadata.insert(entry.into(), text.into());
        network.to_bytes(&metadata).unwrap()
    };
    assert!(told(&changed("problem", "placement")).contains("placement"));
    assert!(told(&changed("policy", "mdp")).contains("mdp"));
    assert!(told(&changed("setting", "{}")).contains("no setting"));
    let setting = &metadata["setting"];
    for (from, to) in [
        ("\"refill\":1", "\"refill\":0"),
        ("\"price\":10", "\"price\":0"),
        ("\"depth\":20", "\"depth\":4294967295"),
        ("\"history\":9", "\"history\":1"),
        ("\"gaps\":[1,1]", "\"gaps\":[0,1]"),
    ] {
        let bad = setting.replace(from, to);
        assert_ne!(&bad, setting, "{from}");
        assert!(told(&changed("setting", &bad)).contains("no setting"), "{to}");
    }
    let longer = setting.replace("\"history\":9", "\"history\":10");
    assert!(told(&changed("setting", &longer)).contains("expected 9 and 31"));
    assert!(
        told(&changed("standardiser", "{\"mean\":[0],\"scale\":[0]}")).contains("scales above 0")
    );
    std::fs::remove_file(&path).unwrap();
    let file = TopologyFile::read(&dir.join("topology.toml")).unwrap();
    let missing = CascadeScenario::from_file(&file).unwrap_err();
    assert!(missing.0[0].message.contains("there is no model"), "{missing:?}");
}

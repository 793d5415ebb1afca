//! What is beyond the model is said: by `validate`, and in the report with its events marked.

use crate::common::{fogbit, run, stdout};
use crate::everything;

const FACTS: [&str; 6] = [
    "feedback by probit",
    "bits turned over with probability 0.1",
    "bits learnt 7 slots late",
    "drifting weights",
    "2 features that say nothing",
    "6 events",
];

#[test]
fn validate_says_it() {
    let output = fogbit().arg("validate").arg(everything()).output().unwrap();
    assert!(stdout(&output).contains(&FACTS.join(", ")), "{}", stdout(&output));
}

#[test]
fn reports_say_it_and_mark_events() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    // The last event is after the end.
    run(&everything(), &["--backend", "sim", "--seed", "1", "--set", "slots=299"], &out);
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    for fact in FACTS.map(|fact| fact.replace('6', "5")) {
        assert!(report.contains(&format!("<span>{fact}</span>")), "{fact}");
    }
    let title = |text: &str| report.matches(&format!("<title>{text}</title>")).count();
    // In the figures over slots: regret, reward, error of the estimates, bound, coverage.
    assert_eq!(title("slot 200: all nodes: other weights"), 5);
    assert_eq!(title("slot 260: anna joins"), 5);
    assert_eq!(report.matches("class='mark'").count(), 25);
    assert!(!report.contains("slot 300: bert leaves"));
    assert!(report.contains("100 dora joins; 150 anna leaves; 200 all nodes: other weights"));

    // Without the topology it is still a report.
    std::fs::remove_file(out.join("topology.toml")).unwrap();
    let again = fogbit().arg("report").arg(&out).output().unwrap();
    assert!(again.status.success());
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(!report.contains("class='mark'"));
}

//! `sim` and `process` write the same files, `verify` computes them in another way, and nothing is said
//! of weights that there are not.

use std::path::Path;

use serde_json::Value;

use crate::common::{assert_same_decisions, files, fogbit, run, stderr, stdout, topology};
use crate::everything;

fn verify(dir: &Path) -> (Option<i32>, String) {
    let output = fogbit().arg("verify").arg(dir).output().unwrap();
    (output.status.code(), stdout(&output))
}

/// Bit for bit, however far helper nodes look ahead. This test is never to be weakened.
#[test]
fn every_backend_draws_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let sim = dir.path().join("sim");
    let virtual_time = "clock={kind=\"slot\",lookahead=64}";
    let shipped = [
        ["--set", virtual_time, "--set", "slots=300", "--set", "event.0.at=150"].as_slice(),
        &["--set", "expect=[]", "--set", "policies.optimal={kind=\"optimal\"}"],
    ]
    .concat();
    for (file, arguments) in
        [(everything(), &[][..]), (topology("paper-over-lte.toml"), shipped.as_slice())]
    {
        let sim = sim.join(file.file_stem().unwrap());
        std::fs::create_dir_all(sim.parent().unwrap()).unwrap();
        run(&file, &[arguments, &["--backend", "sim"]].concat(), &sim);
        let (code, said) = verify(&sim);
        assert_eq!(code, Some(0), "{said}");
        for lookahead in [1, 64] {
            let what = format!("{}, lookahead {lookahead}", file.display());
            let out = sim.with_extension(lookahead.to_string());
            let clock = format!("clock={{kind=\"slot\",lookahead={lookahead}}}");
            run(&file, &[arguments, &["--set", &clock]].concat(), &out);
            assert_same_decisions(&sim, &out, &what);
            assert!(files(&sim.join("curves")) == files(&out.join("curves")), "{what}: curves");
        }
    }
}

#[test]
fn what_was_played_cannot_be_changed_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    run(&everything(), &["--backend", "sim", "--seed", "1"], &out);
    let path = out.join("topology.toml");
    let resolved = std::fs::read_to_string(&path).unwrap();
    for (old, new) in [
        ("deadline_ms = 175.0", "deadline_ms = 175.1"),
        ("full_queue_ms = 90.0", "full_queue_ms = 90.1"),
        ("response_bytes = 1500", "response_bytes = 1400"),
        ("delay_slots = 3", "delay_slots = 4"),
        ("length_kb = 30.0", "length_kb = 30.5"),
        ("bandwidth_mhz = 8.0", "bandwidth_mhz = 4.0"),
        ("down_mbit_s = 20.0", "down_mbit_s = 19.0"),
        ("at = 180", "at = 181"),
        ("jitter_ms = 12.5", "jitter_ms = 12.75"),
        ("profile = \"congested\"", "profile = \"hspa\""),
    ] {
        assert_eq!(resolved.matches(old).count(), 1, "`{old}` in\n{resolved}");
        std::fs::write(&path, resolved.replace(old, new)).unwrap();
        let (code, said) = verify(&out);
        assert_eq!(code, Some(1), "{old} -> {new}: {said}");
    }
}

/// Curves of what policies believe are there where nodes have weights, and here they have none.
#[test]
fn beliefs_have_nothing_to_be_compared_with() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let summary = run(&everything(), &["--backend", "sim", "--seed", "1"], &out);
    let policies = summary["policies"].as_array().unwrap();
    let of = |name: &str| policies.iter().find(|policy| policy["name"] == name).unwrap();
    let regret = |name: &str, kind: &str| of(name)[kind]["mean"].as_f64().unwrap();
    for policy in ["toof", "round-robin", "optimal", "full-information"] {
        let (linear, happiness) =
            (regret(policy, "regret_linear"), regret(policy, "regret_happiness"));
        assert_eq!(linear, happiness, "{policy}: both are P* - P");
        assert_eq!(linear == 0.0, policy == "optimal", "{policy}: {linear}");
    }
    assert!(regret("toof", "regret_linear") < regret("round-robin", "regret_linear"));
    for (name, content) in files(&out.join("curves")) {
        let points = content.iter().filter(|byte| **byte == b'\n').count();
        let of_weights = ["weight_error", "bound", "covered"].iter().any(|w| name.contains(w));
        assert!(of_weights == (points <= 1), "{name}: {points} lines");
    }

    let explain = |policy: &str| -> Value {
        let output = fogbit()
            .args(["explain", "--format", "json", "--slot", "290", "--policy", policy])
            .arg(&out)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    for policy in ["toof", "optimal"] {
        let told = explain(policy);
        for node in told["nodes"].as_array().unwrap() {
            assert_eq!(node["product"], node["happiness"], "{node}");
            assert_eq!(node["weights"], Value::Array(Vec::new()));
        }
        let is_best = told["chosen"] == told["best"];
        assert!(is_best || policy != "optimal", "{told}");
    }
    assert!(explain("optimal")["words"].as_str().unwrap().contains("its P of"));
    let output =
        fogbit().args(["explain", "--slot", "290", "--policy", "toof"]).arg(&out).output().unwrap();
    let table = stdout(&output);
    assert!(table.contains("estimated weight\n") && !table.contains("truth"), "{table}");

    let refused = fogbit()
        .arg("run")
        .arg(everything())
        .args(["--backend", "sim", "--log", "full", "--out"])
        .arg(dir.path().join("full"))
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("with a deadline there is no log"), "{}", stderr(&refused));
}

//! What is told of runs whose outcome is known.

use serde_json::Value;

use super::{play, policy, topology};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn counts_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), "[task]\n", "[task]\ndeadline_ms = 250\n");
    let summary = play(&file, &[], &dir.path().join("out"));
    let count = |kpis: &Value, name: &str| kpis[name].as_u64().unwrap();
    let adds_up = |kpis: &Value| {
        let all = count(kpis, "tasks");
        let fates = ["done", "deadline_missed", "timed_out", "refused"];
        assert_eq!(fates.iter().map(|name| count(kpis, name)).sum::<u64>(), all, "{kpis}");
        assert_eq!(count(kpis, "local") + count(kpis, "offloaded"), all, "{kpis}");
        let cells = kpis["confusion"].as_object().unwrap().values();
        assert_eq!(cells.map(|cell| cell.as_u64().unwrap()).sum::<u64>(), all, "{kpis}");
        all
    };
    for one in summary["policies"].as_array().unwrap() {
        assert_eq!(adds_up(&one["whole"]), 3 * 120);
        let segments = one["segments"].as_array().unwrap();
        assert_eq!(segments.iter().map(adds_up).collect::<Vec<_>>(), [180, 180]);
    }
    for trial in summary["trials"].as_array().unwrap() {
        assert_eq!(adds_up(trial), 120);
    }
    let missed = count(&policy(&summary, "always-local")["whole"], "deadline_missed");
    // Cycles are uniform from 50 to 500 million on 1 GHz: 5/9 take longer than 250 ms.
    assert!((170..230).contains(&missed), "{missed} of 360");
}

/// `always-local` waits for nothing but its own processor: cycles over frequency.
#[test]
fn what_runs_here_takes_cycles_over_frequency() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let file = topology(dir.path(), "slots = 120", "slots = 1000");
    let summary = play(&file, &["--policy", "always-local", "--seed", "1"], &out);
    let mut csv = csv::Reader::from_path(out.join("decisions/always-local-1.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    for row in &rows {
        let (latency, cycles): (f64, f64) = (row[3].parse().unwrap(), row[8].parse().unwrap());
        // Time is in whole nanoseconds, and virtual time rounds up.
        assert!((latency - cycles / 1e6).abs() < 1e-5, "{latency} {cycles}");
    }
    let whole = &policy(&summary, "always-local")["whole"];
    let local = &whole["latency_local_ms"];
    // The quantiles of a uniform distribution from 50 to 500 ms, within five standard errors.
    for (name, right, error) in [("mean", 275.0, 4.1), ("p50", 275.0, 7.1), ("p95", 477.5, 3.1)] {
        assert!((number(&local[name]) - right).abs() < 5.0 * error, "{name}: {local}");
    }
    assert!(whole["latency_offloaded_ms"].is_null() && whole["throughput_mbit_s"].is_null());
    assert_eq!(policy(&summary, "always-local")["degenerate"], "local");
}

/// The oracle decides by the truth: nothing is lost, everything is right.
#[test]
fn the_oracle_is_the_zero_of_regret() {
    let dir = tempfile::tempdir().unwrap();
    let summary = play(&topology(dir.path(), "about", "about"), &[], &dir.path().join("out"));
    let oracle = policy(&summary, "oracle");
    assert_eq!(oracle["degenerate"], Value::Null);
    for (key, right) in [
        ("mean_regret_ms", 0.0),
        ("worst_regret_ms", 0.0),
        ("accuracy", 1.0),
        ("balanced_accuracy", 1.0),
        ("auc", 1.0),
        ("accuracy_outside_band", 1.0),
    ] {
        assert_eq!(oracle["whole"][key], right, "{key}");
    }
    for name in ["always-local", "always-offload"] {
        let other = &policy(&summary, name)["whole"];
        assert!(number(&other["mean_regret_ms"]) > 1.0, "{name}");
        assert_eq!(other["balanced_accuracy"], 0.5, "{name}");
    }
    // What one always loses is right where the other is wrong.
    let share = |name: &str| number(&policy(&summary, name)["whole"]["accuracy"]);
    assert!((share("always-local") + share("always-offload") - 1.0).abs() < 1e-12);
}

/// Fluid transfer over a link without jitter is the formula itself, so what is measured at the
/// profile's round trip leads to the formula's break-even.
#[test]
fn break_even_as_measured_is_that_of_the_formula_where_the_model_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(
        dir.path(),
        "[links]\nprofile = \"lte\"",
        "[links]\ntransfer = \"fluid\"\nprofile = { rtt_ms = 80, up_mbit_s = 4, down_mbit_s = 8 }",
    );
    let summary =
        play(&file, &["--set", "event=[]", "--set", "slots=400"], &dir.path().join("out"));
    let found = &summary["break_even"][0];
    // By hand, of 275 million cycles, 21 kB in and 1 kB out: 275 - 27.5 - 1 - 42 - 1.
    assert!((number(&found["formula_ms"]) - 203.5).abs() < 1e-6, "{found}");
    assert!((number(&found["local_ms"]) - 275.0).abs() < 1e-9, "{found}");
    assert!((number(&found["offloaded_ms"]) - (28.5 + 43.0 + 80.0)).abs() < 1e-6, "{found}");
    let measured = &found["measured"];
    // A tenth of 1,200 tasks is tried on both sides.
    assert!((80..160).contains(&measured["pairs"].as_u64().unwrap()), "{measured}");
    let apart = number(&measured["measured_ms"]) - number(&measured["formula_ms"]);
    assert!(apart.abs() < 0.05, "{measured}");
}

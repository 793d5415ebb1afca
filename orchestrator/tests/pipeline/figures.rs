//! What is told of runs whose outcome is known.

use serde_json::Value;

use super::{play, policy, problem, topology};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Two applications of one sub-task that take turns, a phone of 1 GHz, an edge node of 4 GHz, and 8 Mbit/s
/// with 20 ms there and back between them.
const TWO: &str = r#"problem = "pipeline"
applications = 5
seeds = 2

[task-node]
name = "phone"
cpu_frequency_ghz = 1

[[node]]
name = "edge"
cpu_frequency_ghz = 4

[[link]]
between = ["phone", "edge"]
mbit_s = { min = 8, max = 8 }
rtt_ms = { min = 20, max = 20 }

[[graph]]
name = "heavy"
sub-task = [{ name = "work", cycles = 1e9, input_kb = 100, output_kb = 50 }]

[[graph]]
name = "light"
sub-task = [{ name = "work", cycles = 1e6, input_kb = 100, output_kb = 50 }]

[policies.best]
kind = "search"

[policies.local]
kind = "fixed"
site = "phone"

[policies.away]
kind = "fixed"
site = "edge"
"#;

/// By hand: the heavy one takes 1,000 ms on the phone, and at the edge 100 + 10 there, 250 in work, 50 + 10
/// back, 420 ms in all. The light one takes 1 ms, and 170.25 ms. Of five applications three are heavy.
#[test]
fn delays_of_two_applications_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let file = problem::changed(dir.path(), TWO, "seeds", "seeds");
    let summary = play(&file, &[], &dir.path().join("out"));
    let (best, local, away) = (3.0 * 420.0 + 2.0, 3.0 * 1000.0 + 2.0, 3.0 * 420.0 + 2.0 * 170.25);
    for (name, delay, as_best, at_edge) in
        [("best", best, 1.0, 0.6), ("local", local, 0.4, 0.0), ("away", away, 0.6, 1.0)]
    {
        let told = policy(&summary, name);
        let near = |pointer: &str, right: f64| {
            let found = number(told.pointer(pointer).expect(pointer));
            assert!((found - right).abs() < 1e-9 * right.max(1.0), "{name} {pointer}: {found}");
        };
        near("/delay_ratio/mean", delay / best);
        near("/delay_ratio/sd", 0.0);
        near("/mean_delay_ms/mean", delay / 5.0);
        near("/whole/mean_optimum_ms", best / 5.0);
        for share in ["label_accuracy", "exact_match", "optimal_share"] {
            near(&format!("/{share}/mean"), as_best);
        }
        near("/whole/site_share/1", at_edge);
        near("/whole/applications", 10.0);
        near("/whole/done", 10.0);
        assert!(told["whole"]["measured"].is_null());
    }
    assert_eq!(summary["run"]["most_sub_tasks"], 1);
    assert_eq!(number(&summary["exhaustive"]["placements"]), 2.0);
    // The edge node is the best one for the heavy application, the phone for the light one.
    let told = std::fs::read_to_string(dir.path().join("out/decisions/away-2.csv")).unwrap();
    let rows: Vec<&str> = told.lines().skip(1).take(2).collect();
    assert_eq!(rows, ["1,1,1,420000000,420000000,1,done,,", "2,1,0,170250000,1000000,0,done,,"]);
}

/// Work of others is waited for: until 200 ms the edge node is busy, 90 ms longer than data takes.
#[test]
fn a_busy_site_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let busy = "cpu_frequency_ghz = 4\nbusy_ms = { min = 200, max = 200 }";
    let file = problem::changed(dir.path(), TWO, "cpu_frequency_ghz = 4", busy);
    let out = dir.path().join("out");
    play(&file, &["--policy", "away", "--set", "applications=1", "--seed", "1"], &out);
    let told = std::fs::read_to_string(out.join("decisions/away-1.csv")).unwrap();
    assert_eq!(told.lines().nth(1), Some("1,1,1,510000000,510000000,1,done,,"));
}

/// Nobody is faster than the best placement, in any application.
#[test]
fn nobody_beats_search() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let summary = play(&topology(dir.path(), "about", "about"), &[], &out);
    for trial in summary["trials"].as_array().unwrap() {
        let (name, seed) = (trial["policy"].as_str().unwrap(), &trial["seed"]);
        let path = out.join(format!("decisions/{name}-{seed}.csv"));
        let mut csv = csv::Reader::from_path(path).unwrap();
        for row in csv.records() {
            let row = row.unwrap();
            let ns = |column: usize| -> u64 { row[column].parse().unwrap() };
            assert!(ns(3) >= ns(4), "{row:?}");
            let as_label = row[1].bytes().zip(row[2].bytes()).filter(|(a, b)| a == b).count();
            assert_eq!(ns(5), as_label as u64, "{row:?}");
            assert!(name != "best" || (row[1] == row[2] && ns(3) == ns(4)), "{row:?}");
        }
    }
    let best = policy(&summary, "best");
    for figure in ["delay_ratio", "label_accuracy", "exact_match", "optimal_share"] {
        assert_eq!(number(&best[figure]["mean"]), 1.0);
    }
    assert_eq!(number(&policy(&summary, "local")["whole"]["site_share"][0]), 1.0);
}

/// Both ways of searching find the same.
#[test]
fn both_searches_place_alike() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let file = topology(dir.path(), "about", "about");
    play(&file, &["--policy", "best"], &a);
    play(&file, &["--policy", "best", "--set", "policies.best.method=exhaustive"], &b);
    for seed in 1..=3 {
        let read = |dir: &std::path::Path| {
            std::fs::read_to_string(dir.join(format!("decisions/best-{seed}.csv"))).unwrap()
        };
        assert_eq!(read(&a), read(&b));
    }
}

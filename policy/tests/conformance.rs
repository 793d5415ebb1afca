//! TOOF and Greedy against traces of an independent reference implementation, and the projection
//! against cases solved with 50 digits (`conformance/README.md`).

use std::io::Read;
use std::path::PathBuf;

use fogbit_policy::Policy;
use fogbit_policy::one_bit::SequentialMlePolicy;
use fogbit_policy::one_bit::projection::{Workspace, packed, packed_len, project};
use fogbit_scenario::topology::{ExplorationWidth, PaperWidth, SequentialMle, TunedWidth};
use fogbit_scenario::{Bit, Contexts};
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conformance").join(name);
    let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    text
}

fn lines(name: &str) -> Vec<Value> {
    read(name).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// Plays one trace and checks every slot.
fn check(environment: &str, trace: &str, policy: &mut SequentialMlePolicy) {
    let (environment, trace) = (lines(environment), lines(trace));
    let truth: Vec<Vec<f64>> =
        environment[0]["w_true"].as_array().unwrap().iter().map(floats).collect();
    let (slots, end) = (&trace[1..trace.len() - 1], trace.last().unwrap());
    assert_eq!(slots.len(), environment.len() - 1);
    let (nodes, d) = (truth.len(), truth[0].len());
    let mut contexts = Contexts::new(nodes, d);
    let mut estimate = vec![0.0; d];
    let mut regret = 0.0;
    for (given, expected) in environment[1..].iter().zip(slots) {
        let t = given["t"].as_u64().unwrap();
        contexts.set_task(&floats(&given["task"]));
        for (node, state) in given["node"].as_array().unwrap().iter().enumerate() {
            contexts.set_state(node, &floats(state));
        }
        let node = policy.decide(t, &contexts);
        assert_eq!(node as u64, expected["n"].as_u64().unwrap(), "choice in slot {t}");
        for (got, want) in policy.scores().iter().zip(floats(&expected["s"])) {
            assert!((got - want).abs() <= TOLERANCE, "score {got} for {want} in slot {t}");
        }
        let product = |n: usize| contexts.dot(n, &truth[n]);
        let happy = given["u"].as_f64().unwrap() < 1.0 / (1.0 + libm::exp(-product(node)));
        let bit = if happy { Bit::Happy } else { Bit::Unhappy };
        assert_eq!(i64::from(bit.sign()), expected["y"].as_i64().unwrap(), "bit in slot {t}");
        policy.learn(t, &contexts, node, bit);
        policy.belief().unwrap().estimate(node, &mut estimate);
        for (got, want) in estimate.iter().zip(floats(&expected["w"])) {
            assert!((got - want).abs() <= TOLERANCE, "estimate {got} for {want} in slot {t}");
        }
        regret += (0..nodes).map(product).fold(f64::NEG_INFINITY, f64::max) - product(node);
    }
    for (node, want) in end["final_w"].as_array().unwrap().iter().enumerate() {
        policy.belief().unwrap().estimate(node, &mut estimate);
        for (got, want) in estimate.iter().zip(floats(want)) {
            assert!((got - want).abs() <= TOLERANCE, "final estimate of node {node}");
        }
    }
    let want = end["cum_regret"].as_f64().unwrap();
    assert!((regret - want).abs() <= TOLERANCE * want, "regret {regret} for {want}");
}

fn tuned() -> SequentialMle {
    let gamma = ExplorationWidth::Tuned(TunedWidth { c: 0.03 });
    SequentialMle { lambda: 1.0, gamma, prior: None }
}

#[test]
fn toof_follows_the_reference_with_3_10_and_30_nodes() {
    for n in [3, 10, 30] {
        let mut policy = SequentialMlePolicy::toof(&tuned(), n, 5);
        check(&format!("env_N{n}_s1.jsonl.gz"), &format!("toof_N{n}_s1.jsonl.gz"), &mut policy);
    }
}

#[test]
fn greedy_follows_the_reference_with_3_10_and_30_nodes() {
    for n in [3, 10, 30] {
        let mut policy = SequentialMlePolicy::greedy(&tuned(), n, 5);
        check(&format!("env_N{n}_s1.jsonl.gz"), &format!("greedyz_N{n}_s1.jsonl.gz"), &mut policy);
    }
}

#[test]
fn the_papers_radius_follows_the_reference() {
    let gamma = ExplorationWidth::PaperEq15(PaperWidth { delta: 0.05 });
    let mut policy =
        SequentialMlePolicy::toof(&SequentialMle { lambda: 1.0, gamma, prior: None }, 3, 5);
    check("env_N3_s1.jsonl.gz", "toof_eq15_N3_s1.jsonl.gz", &mut policy);
}

#[test]
fn projections_agree_with_fifty_digits() {
    let file: Value = serde_json::from_str(&read("projection_cases.json.gz")).expect("JSON");
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 50, "only {} cases", cases.len());
    let mut worst: f64 = 0.0;
    for (index, case) in cases.iter().enumerate() {
        let d = case["d"].as_u64().unwrap() as usize;
        let rows: Vec<Vec<f64>> = case["Z"].as_array().unwrap().iter().map(floats).collect();
        let mut z = vec![0.0; packed_len(d)];
        for i in 0..d {
            for j in i..d {
                z[packed(d, i, j)] = rows[i][j];
            }
        }
        let mut u = floats(&case["u"]);
        project(&z, &mut u, &mut Workspace::new(d));
        for (got, want) in u.iter().zip(floats(&case["w"])) {
            let error = (got - want).abs();
            worst = worst.max(error);
            assert!(error <= TOLERANCE, "case {index} (d = {d}): {got} for {want}");
        }
    }
    println!("{} cases, worst error {worst:e}", cases.len());
}

//! The rival policies against traces of an independent implementation in Python
//! (`reference/rivals.py`), slot by slot: choices, scores, propensities and estimates.

use std::io::Read;

use fogbit_policy::one_bit::{FullInformationPolicy, probability_of_largest};
use fogbit_policy::{Policy, build};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::PolicySpec;
use fogbit_scenario::{Bit, Contexts};
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

struct Reference(Value);

impl Reference {
    fn read() -> Reference {
        let packed: &[u8] = include_bytes!("reference/rivals.json.gz");
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("gzip");
        Reference(serde_json::from_str(&text).expect("JSON"))
    }

    fn list(&self, key: &str) -> &[Value] {
        self.0[key].as_array().expect("a list")
    }

    /// The contexts and potential bits of a slot, from 1.
    fn slot(&self, slot: usize, contexts: &mut Contexts) -> Vec<Bit> {
        for (node, x) in self.list("contexts")[slot - 1].as_array().unwrap().iter().enumerate() {
            contexts.set_state(node, &floats(x));
        }
        let bits = self.list("bits")[slot - 1].as_array().unwrap().iter();
        bits.map(|y| Bit::from_sign(y.as_i64().unwrap()).expect("1 or -1")).collect()
    }
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn close(got: &[f64], want: &Value, what: &str) {
    let want = floats(want);
    assert_eq!(got.len(), want.len(), "{what}");
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() <= TOLERANCE, "{what}: {got} for {want}");
    }
}

fn estimate(policy: &dyn Policy, node: usize, d: usize) -> Vec<f64> {
    let mut estimate = vec![0.0; d];
    policy.belief().expect("it estimates weights").estimate(node, &mut estimate);
    estimate
}

fn follow(reference: &Reference, trace: &Value) {
    let (nodes, d) = (3, 5);
    let spec: PolicySpec = serde_json::from_value(trace["policy"].clone()).expect("a policy");
    let key = Key::derive(
        reference.0["seed"].as_u64().unwrap(),
        Purpose::Policy(reference.0["name"].as_str().unwrap()),
        0,
    );
    let mut policy = match &spec {
        PolicySpec::FullInformation(p) => Box::new(FullInformationPolicy::new(p, nodes, d)),
        _ => build(&spec, nodes, d, &key).expect("it needs no truth"),
    };
    let mut contexts = Contexts::new(nodes, d);
    for (slot, row) in (1..).zip(trace["slots"].as_array().unwrap()) {
        let what = |what: &str| format!("{what} in slot {slot} of {}", trace["policy"]);
        let bits = reference.slot(slot, &mut contexts);
        let node = policy.decide(slot as u64, &contexts);
        close(policy.scores(), &row["s"], &what("scores"));
        assert_eq!(node as u64, row["n"].as_u64().unwrap(), "{}", what("choice"));
        if !row["p"].is_null() {
            let propensities: Vec<f64> =
                (0..nodes).map(|n| policy.propensity(n).expect("a random policy")).collect();
            close(&propensities, &row["p"], &what("propensities"));
        }
        if let Some(all) = row["all"].as_array() {
            for (node, want) in all.iter().enumerate() {
                policy.learn(slot as u64, &contexts, node, bits[node]);
                close(&estimate(&*policy, node, d), want, &what("estimate"));
            }
        } else {
            policy.learn(slot as u64, &contexts, node, bits[node]);
            close(&estimate(&*policy, node, d), &row["w"], &what("estimate"));
        }
    }
}

#[test]
fn every_rival_follows_the_reference() {
    let reference = Reference::read();
    let traces = reference.list("traces");
    let kind = |trace: &Value| trace["policy"]["kind"].as_str().unwrap().to_owned();
    for trace in traces {
        follow(&reference, trace);
    }
    let known: Vec<String> = traces.iter().map(kind).collect();
    let without_estimate = ["greedy", "round-robin", "random", "optimal", "external"];
    for kind in PolicySpec::KINDS.iter().filter(|kind| !without_estimate.contains(kind)) {
        assert!(known.iter().any(|known| known == kind), "no trace of {kind}");
    }
}

#[test]
fn the_probability_of_the_largest_is_that_of_scipy() {
    for case in Reference::read().list("largest") {
        let (means, deviations) = (floats(&case["means"]), floats(&case["deviations"]));
        let got: Vec<f64> = (0..means.len())
            .map(|node| probability_of_largest(&means, &deviations, node))
            .collect();
        close(&got, &case["p"], "probability");
        assert!((got.iter().sum::<f64>() - 1.0).abs() <= TOLERANCE);
    }
}

/// Certain numbers are steps where others are slopes: each case by hand.
#[test]
fn certain_and_absent_numbers_take_part_as_they_should() {
    let absent = f64::NEG_INFINITY;
    let p = |means: &[f64], deviations: &[f64]| -> Vec<f64> {
        (0..means.len()).map(|node| probability_of_largest(means, deviations, node)).collect()
    };
    assert_eq!(p(&[0.0, 0.0, -1.0], &[0.0; 3]), [1.0, 0.0, 0.0]);
    assert_eq!(p(&[absent, 0.1, 0.2], &[1.0, 0.0, 0.0]), [0.0, 0.0, 1.0]);
    // P(Z > 1) = 0.158655253931457: a normal number beside a certain 1 and an absent one.
    let got = p(&[0.0, 1.0, absent], &[1.0, 0.0, 5.0]);
    for (got, want) in got.iter().zip([0.158_655_253_931_457, 0.841_344_746_068_543, 0.0]) {
        assert!((got - want).abs() <= 1e-12, "{got} for {want}");
    }
    let got = p(&[0.3, 0.3, absent, absent], &[0.1, 0.1, 1.0, 0.0]);
    for (got, want) in got.iter().zip([0.5, 0.5, 0.0, 0.0]) {
        assert!((got - want).abs() <= 1e-12, "{got} for {want}");
    }
}

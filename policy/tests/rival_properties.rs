//! What must hold of the rival policies whatever they meet.

mod common;

use common::Numbers;
use fogbit_policy::{Policy, build};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::{Bit, Contexts};
use proptest::prelude::*;
use serde_json::{Value, json};

fn policy(spec: Value, nodes: usize, d: usize) -> Box<dyn Policy> {
    let spec = serde_json::from_value(spec).expect("a policy");
    build(&spec, nodes, d, &Key::derive(1, Purpose::Policy("p"), 0)).expect("it needs no truth")
}

fn contexts(nodes: usize, d: usize, numbers: &mut Numbers) -> Contexts {
    let mut contexts = Contexts::new(nodes, d);
    for node in 0..nodes {
        contexts.set_state(node, numbers.vector(d, 1.0).as_slice());
    }
    contexts
}

proptest! {
    /// Mostly the same answer drives the estimates outwards.
    #[test]
    fn estimates_stay_in_the_ball(seed: u64, d in prop::sample::select(vec![1usize, 3, 5, 6])) {
        for kind in ["ofu-ecolog", "thompson", "epsilon-greedy", "mle-ucb", "discounted-toof"] {
            let mut numbers = Numbers(seed);
            let mut policy = policy(json!({ "kind": kind, "lambda": 0.05 }), 3, d);
            let mut estimate = vec![0.0; d];
            for slot in 1..60 {
                let contexts = contexts(3, d, &mut numbers);
                let node = policy.decide(slot, &contexts);
                let bit = if numbers.bits().is_multiple_of(8) { Bit::Unhappy } else { Bit::Happy };
                policy.learn(slot, &contexts, node, bit);
                policy.belief().expect("estimates").estimate(node, &mut estimate);
                let norm = estimate.iter().map(|w| w * w).sum::<f64>().sqrt();
                prop_assert!(norm <= 1.0 + 1e-14, "{kind}: {norm}");
            }
        }
    }

    /// Without forgetting, and whatever slots are left out, it is TOOF.
    #[test]
    fn a_discount_of_1_is_toof(seed: u64, d in 1..7usize) {
        let mut numbers = Numbers(seed);
        let mut toof = policy(json!({ "kind": "toof", "lambda": 0.7 }), 4, d);
        let discounted = json!({ "kind": "discounted-toof", "lambda": 0.7, "discount": 1.0 });
        let mut discounted = policy(discounted, 4, d);
        for slot in (1..120).step_by(3) {
            let contexts = contexts(4, d, &mut numbers);
            let node = toof.decide(slot, &contexts);
            discounted.decide(slot, &contexts);
            for (got, want) in discounted.scores().iter().zip(toof.scores()) {
                prop_assert!((got - want).abs() <= 1e-9, "{got} for {want} in slot {slot}");
            }
            let bit = if numbers.bits().is_multiple_of(3) { Bit::Unhappy } else { Bit::Happy };
            toof.learn(slot, &contexts, node, bit);
            discounted.learn(slot, &contexts, node, bit);
        }
    }
}

/// A slot's draws do not depend on which slots were asked before, or on how many nodes there are.
#[test]
fn draws_belong_to_slot_and_node() {
    for kind in ["thompson", "epsilon-greedy"] {
        let contexts = contexts(5, 5, &mut Numbers(3));
        let spec = json!({ "kind": kind });
        let (mut all, mut some) = (policy(spec.clone(), 5, 5), policy(spec.clone(), 5, 5));
        let mut seen = Vec::new();
        for slot in 1..=300 {
            all.decide(slot, &contexts);
            seen.push(all.scores().to_vec());
        }
        for slot in (1..=300).rev().step_by(7) {
            some.decide(slot, &contexts);
            assert_eq!(some.scores(), seen[slot as usize - 1], "{kind} in slot {slot}");
        }
        let different = seen.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(different > 20, "{kind} draws only {different} times");
    }
    let wide = contexts(9, 5, &mut Numbers(4));
    let mut narrow = Contexts::new(2, 5);
    for node in 0..2 {
        narrow.set_state(node, &wide.node(node).take(5).collect::<Vec<_>>());
    }
    let mut few = policy(json!({ "kind": "thompson" }), 2, 5);
    let mut many = policy(json!({ "kind": "thompson" }), 9, 5);
    for slot in 1..100 {
        few.decide(slot, &narrow);
        many.decide(slot, &wide);
        assert_eq!(few.scores(), &many.scores()[..2]);
    }
}

/// Monte Carlo: how often each node is chosen is what its propensity says. The draws are keyed, so
/// this is no test that fails now and then.
#[test]
fn nodes_are_chosen_as_often_as_their_propensities_say() {
    const SLOTS: u64 = 100_000;
    let specs = [
        json!({ "kind": "random" }),
        json!({ "kind": "epsilon-greedy", "epsilon": 0.3, "decay": 0.0 }),
        json!({ "kind": "thompson", "scale": 1.0 }),
    ];
    for spec in specs {
        let mut numbers = Numbers(9);
        let mut policy = policy(spec.clone(), 6, 5);
        for slot in 1..40 {
            let contexts = contexts(6, 5, &mut numbers);
            policy.learn(slot, &contexts, (slot % 6) as usize, Bit::Happy);
        }
        let mut contexts = contexts(6, 5, &mut numbers);
        contexts.set_present(2, false);
        let mut counts = [0u64; 6];
        for slot in 1..=SLOTS {
            counts[policy.decide(slot, &contexts)] += 1;
        }
        for (node, count) in counts.iter().enumerate() {
            let p = policy.propensity(node).expect("a random policy");
            let deviation = (p * (1.0 - p) / SLOTS as f64).sqrt();
            let share = *count as f64 / SLOTS as f64;
            assert!((share - p).abs() <= 4.0 * deviation, "{spec}: node {node}: {share} for {p}");
        }
    }
}

/// The bonus of a node that nobody asks grows again, back to where it began.
#[test]
fn what_is_not_asked_is_forgotten() {
    let spec = json!({ "kind": "discounted-toof", "gamma": { "kind": "tuned", "c": 0.03 },
                       "discount": 0.99, "lambda": 0.1 });
    let mut policy = policy(spec, 1, 5);
    let contexts = one_node();
    // Without the logarithm that all bonuses grow by.
    let bonus = |policy: &mut Box<dyn Policy>, slot: u64| {
        policy.decide(slot, &contexts);
        let mut estimate = vec![0.0; 5];
        policy.belief().expect("estimates").estimate(0, &mut estimate);
        let width = policy.scores()[0] - contexts.dot(0, &estimate);
        width / libm::log(1.0 + slot as f64).sqrt()
    };
    let fresh = bonus(&mut policy, 1);
    for slot in 1..=200 {
        policy.learn(slot, &contexts, 0, Bit::Happy);
    }
    let known = bonus(&mut policy, 201);
    let later = bonus(&mut policy, 400);
    let much_later = bonus(&mut policy, 5000);
    assert!(known < 0.5 * fresh && known < later && later < much_later, "{known}, {later}");
    assert!((much_later - fresh).abs() < 1e-9, "{much_later} for {fresh}");
}

fn one_node() -> Contexts {
    let mut contexts = Contexts::new(1, 5);
    contexts.set_state(0, &[0.4, 0.3, 0.2, 0.1, 0.5]);
    contexts
}

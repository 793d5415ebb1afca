//! A helper node that is absent is chosen by no policy, and for those that are present nothing
//! changes by it.

mod common;

use common::Numbers;
use fogbit_policy::one_bit::{Random, RoundRobin, argmax, best_node};
use fogbit_policy::{CATALOGUE, Policy, build};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::PolicySpec;
use fogbit_scenario::{Bit, Contexts};
use proptest::prelude::*;
use serde_json::json;

/// Every policy that decides by itself and in this process, and TOOF also with its other width.
fn specs() -> Vec<PolicySpec> {
    let apart = ["optimal", "full-information", "external"];
    let kinds = CATALOGUE.iter().map(|entry| entry.kind).filter(|kind| !apart.contains(kind));
    let defaults = kinds.map(|kind| json!({ "kind": kind }));
    let paper = json!({ "kind": "toof", "gamma": { "kind": "paper-eq15", "delta": 0.05 } });
    let specs: Vec<PolicySpec> = defaults
        .chain([paper])
        .map(|spec| serde_json::from_value(spec).expect("a policy with its defaults"))
        .collect();
    assert!(specs.len() >= 11, "{specs:?}");
    specs
}

fn key(seed: u64) -> Key {
    Key::derive(seed, Purpose::Policy("p"), 0)
}

fn contexts(nodes: usize, d: usize, numbers: &mut Numbers) -> Contexts {
    let mut contexts = Contexts::new(nodes, d);
    for node in 0..nodes {
        contexts.set_state(node, numbers.vector(d, 1.0).as_slice());
    }
    contexts
}

fn set_mask(contexts: &mut Contexts, mask: &[bool]) {
    for (node, present) in mask.iter().enumerate() {
        contexts.set_present(node, *present);
    }
}

fn bit(numbers: &mut Numbers) -> Bit {
    if numbers.bits().is_multiple_of(2) { Bit::Happy } else { Bit::Unhappy }
}

/// For each of some slots who is present: at least one node always is.
fn masks() -> impl Strategy<Value = Vec<Vec<bool>>> {
    (1..=12usize).prop_flat_map(|nodes| {
        let mask = (prop::collection::vec(any::<bool>(), nodes), 0..nodes);
        let somebody = mask.prop_map(|(mut mask, node)| {
            mask[node] = true;
            mask
        });
        prop::collection::vec(somebody, 1..60)
    })
}

proptest! {
    #[test]
    fn only_nodes_that_are_present_are_chosen(
        masks in masks(),
        seed: u64,
        // Five features have code of their own.
        d in prop::sample::select(vec![1usize, 3, 5]),
    ) {
        let nodes = masks[0].len();
        for spec in specs() {
            let mut policy = build(&spec, nodes, d, &key(seed)).expect("it needs no truth");
            let mut numbers = Numbers(seed);
            for (slot, mask) in (1..).zip(&masks) {
                let mut contexts = contexts(nodes, d, &mut numbers);
                set_mask(&mut contexts, mask);
                prop_assert_eq!(contexts.present(), mask.iter().filter(|here| **here).count());
                let node = policy.decide(slot, &contexts);
                prop_assert!(mask[node], "{} chose node {node} of {mask:?}", spec.kind());
                prop_assert_eq!(node, argmax(policy.scores()), "{}", spec.kind());
                if let Some(of_chosen) = policy.propensity(node) {
                    prop_assert!(of_chosen > 0.0, "{}: {of_chosen}", spec.kind());
                    let all: Vec<f64> = (0..nodes).filter_map(|n| policy.propensity(n)).collect();
                    prop_assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{all:?}");
                    let absent = all.iter().zip(mask).filter(|(_, here)| !**here);
                    prop_assert!(absent.into_iter().all(|(p, _)| *p == 0.0), "{all:?}");
                }
                policy.learn(slot, &contexts, node, bit(&mut numbers));
            }
        }
    }

    /// The same for the door of `optimal` and for the ledger.
    #[test]
    fn the_best_node_is_one_that_is_present(masks in masks(), seed: u64) {
        let nodes = masks[0].len();
        let mut numbers = Numbers(seed);
        for mask in &masks {
            let mut contexts = contexts(nodes, 3, &mut numbers);
            let weights: Vec<Vec<f64>> =
                (0..nodes).map(|_| numbers.vector(3, 1.0).as_slice().to_vec()).collect();
            set_mask(&mut contexts, mask);
            let (node, product) = best_node(&contexts, &weights);
            prop_assert!(mask[node]);
            for other in (0..nodes).filter(|other| mask[*other]) {
                prop_assert!(contexts.dot(other, &weights[other]) <= product);
            }
        }
    }

    /// Where everybody is there, it is as if nobody could be absent: also for nodes that were
    /// absent before.
    #[test]
    fn with_all_present_nothing_changes(masks in masks(), seed: u64) {
        let nodes = masks[0].len();
        for spec in specs() {
            let policy = || build(&spec, nodes, 5, &key(seed)).expect("it needs no truth");
            let (mut plain, mut masked) = (policy(), policy());
            let mut numbers = Numbers(seed);
            for (slot, mask) in (1..).zip(&masks) {
                let untouched = contexts(nodes, 5, &mut numbers);
                let mut back = untouched.clone();
                set_mask(&mut back, mask);
                set_mask(&mut back, &vec![true; nodes]);
                prop_assert_eq!(&back, &untouched);
                let node = plain.decide(slot, &untouched);
                prop_assert_eq!(masked.decide(slot, &back), node, "{}", spec.kind());
                let bits = |policy: &dyn Policy| -> Vec<u64> {
                    policy.scores().iter().map(|score| score.to_bits()).collect()
                };
                prop_assert_eq!(bits(&*masked), bits(&*plain), "{}", spec.kind());
                let bit = bit(&mut numbers);
                plain.learn(slot, &untouched, node, bit);
                masked.learn(slot, &back, node, bit);
            }
        }
    }

    /// TOOF and Greedy take the best of those that are present, by the scores these have anyway.
    #[test]
    fn absent_nodes_change_no_score_of_the_others(mask in masks(), seed: u64) {
        let mask = &mask[0];
        let nodes = mask.len();
        for kind in ["toof", "greedy"] {
            let spec = serde_json::from_value(json!({ "kind": kind })).expect("a policy");
            let policy = || build(&spec, nodes, 5, &key(seed)).expect("it needs no truth");
            let (mut plain, mut masked) = (policy(), policy());
            let mut numbers = Numbers(seed);
            // Something is learnt first, so that the scores differ.
            for slot in 1..30 {
                let contexts = contexts(nodes, 5, &mut numbers);
                let node = plain.decide(slot, &contexts);
                masked.decide(slot, &contexts);
                let bit = bit(&mut numbers);
                plain.learn(slot, &contexts, node, bit);
                masked.learn(slot, &contexts, node, bit);
            }
            let mut contexts = contexts(nodes, 5, &mut numbers);
            plain.decide(30, &contexts);
            set_mask(&mut contexts, mask);
            masked.decide(30, &contexts);
            for (node, present) in mask.iter().enumerate() {
                let expected = if *present { plain.scores()[node] } else { f64::NEG_INFINITY };
                prop_assert_eq!(masked.scores()[node].to_bits(), expected.to_bits());
            }
        }
    }

    #[test]
    fn round_robin_takes_the_next_that_is_present(masks in masks(), first in 1..1_000_000u64) {
        let nodes = masks[0].len();
        let mut policy = RoundRobin::new(nodes);
        let mut contexts = Contexts::new(nodes, 1);
        for (slot, mask) in (first..).zip(&masks) {
            set_mask(&mut contexts, mask);
            let mut expected = ((slot - 1) % nodes as u64) as usize;
            while !mask[expected] {
                expected = (expected + 1) % nodes;
            }
            prop_assert_eq!(policy.decide(slot, &contexts), expected);
        }
    }
}

/// 99.9 % of chi-square with `1 <= freedom <= 3` degrees of freedom.
const LIMITS: [f64; 4] = [f64::INFINITY, 10.83, 13.82, 16.27];

#[test]
fn random_is_uniform_over_those_that_are_present() {
    const SLOTS: u64 = 40_000;
    // Who is present changes from slot to slot; for each set the choices are counted apart. The
    // key is fixed, so this is no test that fails once in a thousand times.
    let masks = [
        [true, false, true, true, false, true, false],
        [false, false, false, true, false, false, true],
        [false, true, false, false, true, true, false],
    ];
    let mut policy = Random::new(7, &key(1));
    let mut counts = [[0u64; 7]; 3];
    for slot in 1..=SLOTS * masks.len() as u64 {
        let which = (slot % masks.len() as u64) as usize;
        let mut contexts = Contexts::new(7, 1);
        set_mask(&mut contexts, &masks[which]);
        counts[which][policy.decide(slot, &contexts)] += 1;
    }
    for (mask, counts) in masks.iter().zip(&counts) {
        let present: Vec<u64> =
            counts.iter().zip(mask).filter(|(_, here)| **here).map(|(c, _)| *c).collect();
        assert_eq!(present.iter().sum::<u64>(), SLOTS, "an absent node was chosen: {counts:?}");
        let expected = SLOTS as f64 / present.len() as f64;
        let chi_square: f64 =
            present.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
        assert!(chi_square < LIMITS[present.len() - 1], "{chi_square}: {counts:?}");
    }
}

/// A slot has one draw, whoever is there: with the same set of nodes the choice of a slot does not
/// depend on who was absent before.
#[test]
fn random_draws_by_the_slot_alone() {
    let all = Contexts::new(6, 1);
    let mut some = all.clone();
    set_mask(&mut some, &[false, true, true, false, true, true]);
    let (mut steady, mut shaken) = (Random::new(6, &key(3)), Random::new(6, &key(3)));
    for slot in 1..=1000 {
        let expected = steady.decide(slot, &all);
        if slot % 3 == 0 {
            shaken.decide(slot, &some);
        } else {
            assert_eq!(shaken.decide(slot, &all), expected);
        }
    }
}

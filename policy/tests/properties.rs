//! The policies against what they are meant to be: TOOF and Greedy against the equations written
//! down once more without haste, and the others against their definitions.

mod common;

use common::Numbers;
use fogbit_policy::one_bit::{Random, RoundRobin, SequentialMlePolicy, argmax, best_node};
use fogbit_policy::{CATALOGUE, Policy, build};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::{
    ExplorationWidth, PaperWidth, PolicySpec, SequentialMle, TunedWidth,
};
use fogbit_scenario::{Bit, Contexts};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use serde_json::json;

/// Equations (8) to (16) of arXiv 1806.10547, one node: every matrix in full, inverted anew.
struct Reference {
    d: usize,
    lambda: f64,
    width: ExplorationWidth,
    frozen: bool,
    z: DMatrix<f64>,
    w: DVector<f64>,
}

impl Reference {
    fn new(parameters: &SequentialMle, d: usize, frozen: bool) -> Reference {
        let SequentialMle { lambda, gamma, prior: _ } = parameters.clone();
        let (z, w) = (DMatrix::identity(d, d) * lambda, DVector::zeros(d));
        Reference { d, lambda, width: gamma, frozen, z, w }
    }

    fn beta() -> f64 {
        0.5 / (1.0 + std::f64::consts::E)
    }

    fn gamma(&self, t: u64) -> f64 {
        let d = self.d as f64;
        match &self.width {
            ExplorationWidth::Tuned(tuned) => tuned.c * d * libm::log(1.0 + t as f64),
            ExplorationWidth::PaperEq15(_) if t == 1 => self.lambda,
            ExplorationWidth::PaperEq15(paper) => {
                let before = (t - 1) as f64;
                let steps = libm::ceil(2.0 * libm::log2(before)).max(1.0);
                let tau = libm::log(2.0 * steps * before * before / paper.delta);
                let growth = self.z.determinant() / self.lambda.powi(self.d as i32);
                let beta = Reference::beta();
                self.lambda + 8.0 + (8.0 / beta + 16.0 / 3.0) * tau + 2.0 / beta * libm::log(growth)
            }
        }
    }

    fn score(&self, t: u64, x: &DVector<f64>) -> f64 {
        let inverse = self.z.clone().try_inverse().expect("positive definite");
        x.dot(&self.w) + (self.gamma(t) * x.dot(&(inverse * x))).sqrt()
    }

    fn learn(&mut self, x: &DVector<f64>, bit: Bit) {
        if !self.frozen {
            self.z += x * x.transpose() * (0.5 * Reference::beta());
        }
        let y = f64::from(bit.sign());
        let gradient = x * (-y / (1.0 + libm::exp(y * x.dot(&self.w))));
        let inverse = self.z.clone().try_inverse().expect("positive definite");
        self.w = common::projection(&self.z, &(&self.w - inverse * gradient));
    }
}

fn contexts(nodes: usize, d: usize, numbers: &mut Numbers) -> (Contexts, Vec<DVector<f64>>) {
    let mut contexts = Contexts::new(nodes, d);
    let vectors: Vec<_> = (0..nodes).map(|_| numbers.vector(d, 1.0)).collect();
    for (node, x) in vectors.iter().enumerate() {
        for (feature, value) in x.iter().enumerate() {
            contexts.set(node, feature, *value);
        }
    }
    (contexts, vectors)
}

/// Plays `slots` slots; the choice, the scores and the estimate of each must be the reference's.
fn follow(parameters: &SequentialMle, frozen: bool, nodes: usize, d: usize, slots: u64, seed: u64) {
    let mut policy = match frozen {
        false => SequentialMlePolicy::toof(parameters, nodes, d),
        true => SequentialMlePolicy::greedy(parameters, nodes, d),
    };
    let mut reference: Vec<_> = (0..nodes).map(|_| Reference::new(parameters, d, frozen)).collect();
    let mut numbers = Numbers(seed);
    let mut estimate = vec![0.0; d];
    for t in 1..=slots {
        let (contexts, vectors) = contexts(nodes, d, &mut numbers);
        let node = policy.decide(t, &contexts);
        let scores: Vec<f64> = reference.iter().zip(&vectors).map(|(r, x)| r.score(t, x)).collect();
        let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!(scores[node] >= best - 1e-9, "choice in slot {t} of N = {nodes}, d = {d}");
        for (got, want) in policy.scores().iter().zip(&scores) {
            assert!((got - want).abs() <= 1e-9, "score in slot {t} of N = {nodes}, d = {d}");
        }
        // Always the same answer drives the estimates out of the ball, and the projection to work.
        let bit = if numbers.bits().is_multiple_of(4) { Bit::Unhappy } else { Bit::Happy };
        policy.learn(t, &contexts, node, bit);
        reference[node].learn(&vectors[node], bit);
        policy.belief().expect("estimates").estimate(node, &mut estimate);
        let error = (DVector::from_column_slice(&estimate) - &reference[node].w).amax();
        assert!(error <= 1e-9, "estimate in slot {t} of N = {nodes}, d = {d}: {error:e}");
    }
}

#[test]
fn toof_and_greedy_are_their_equations() {
    let widths = [
        ExplorationWidth::Tuned(TunedWidth { c: 0.03 }),
        ExplorationWidth::Tuned(TunedWidth { c: 0.0 }),
        ExplorationWidth::PaperEq15(PaperWidth { delta: 0.05 }),
    ];
    // Whole groups of nodes and what is left over; the unrolled dimension and others.
    for (nodes, d) in [(1, 1), (2, 2), (3, 5), (4, 3), (5, 5), (7, 4), (8, 5), (10, 5), (13, 7)] {
        for (index, gamma) in widths.iter().enumerate() {
            for lambda in [0.2, 1.0, 5.0] {
                let parameters = SequentialMle { lambda, gamma: gamma.clone(), prior: None };
                let seed = (nodes * 100 + index) as u64;
                follow(&parameters, false, nodes, d, 150, seed);
                if index < 2 {
                    follow(&parameters, true, nodes, d, 150, seed);
                }
            }
        }
    }
}

proptest! {
    /// What a node's neighbours are, and how many, changes no bit of its score or estimate.
    #[test]
    fn a_node_is_scored_by_itself(seed: u64, nodes in 1..9usize, more in 1..9usize) {
        let parameters = SequentialMle::default();
        let mut numbers = Numbers(seed);
        let mut few = SequentialMlePolicy::toof(&parameters, nodes, 5);
        let mut many = SequentialMlePolicy::toof(&parameters, nodes + more, 5);
        for t in 1..40 {
            let (wide, vectors) = contexts(nodes + more, 5, &mut numbers);
            let mut narrow = Contexts::new(nodes, 5);
            for (node, x) in vectors[..nodes].iter().enumerate() {
                narrow.set_state(node, x.as_slice());
            }
            few.decide(t, &narrow);
            many.decide(t, &wide);
            for node in 0..nodes {
                prop_assert_eq!(few.scores()[node].to_bits(), many.scores()[node].to_bits());
            }
            let node = (numbers.bits() % nodes as u64) as usize;
            let bit = if numbers.bits().is_multiple_of(2) { Bit::Happy } else { Bit::Unhappy };
            few.learn(t, &narrow, node, bit);
            many.learn(t, &wide, node, bit);
        }
    }

    #[test]
    fn estimates_stay_in_the_ball(seed: u64, lambda in 0.01..2.0f64, d in 1..=8usize) {
        let parameters = SequentialMle { lambda, ..SequentialMle::default() };
        let mut policy = SequentialMlePolicy::toof(&parameters, 2, d);
        let mut numbers = Numbers(seed);
        let mut estimate = vec![0.0; d];
        for t in 1..200 {
            let (contexts, _) = contexts(2, d, &mut numbers);
            let node = policy.decide(t, &contexts);
            policy.learn(t, &contexts, node, Bit::Happy);
            policy.belief().expect("estimates").estimate(node, &mut estimate);
            let norm = estimate.iter().map(|w| w * w).sum::<f64>().sqrt();
            prop_assert!(norm <= 1.0 + 1e-15, "{}", norm);
        }
    }

    #[test]
    fn the_first_of_the_largest_scores_wins(scores in prop::collection::vec(0..4i8, 1..20)) {
        let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
        let node = argmax(&scores);
        prop_assert!(scores.iter().all(|s| *s <= scores[node]));
        prop_assert!(scores[..node].iter().all(|s| *s < scores[node]));
    }

    #[test]
    fn the_best_node_is_the_first_with_the_largest_product(seed: u64, nodes in 1..12usize) {
        let mut numbers = Numbers(seed);
        let (contexts, vectors) = contexts(nodes, 3, &mut numbers);
        let weights: Vec<DVector<f64>> = (0..nodes).map(|_| numbers.vector(3, 1.0)).collect();
        let products: Vec<f64> = vectors.iter().zip(&weights).map(|(x, w)| x.dot(w)).collect();
        let weights: Vec<Vec<f64>> = weights.iter().map(|w| w.as_slice().to_vec()).collect();
        let (node, product) = best_node(&contexts, &weights);
        prop_assert_eq!(node, argmax(&products));
        prop_assert!((product - products[node]).abs() < 1e-15);
    }

    #[test]
    fn round_robin_takes_turns(nodes in 1..40usize, first in 1..1_000_000u64) {
        let mut policy = RoundRobin::new(nodes);
        let contexts = Contexts::new(nodes, 1);
        for slot in first..first + 100 {
            let node = policy.decide(slot, &contexts);
            prop_assert_eq!(node as u64, (slot - 1) % nodes as u64);
            prop_assert_eq!(node, argmax(policy.scores()));
        }
    }
}

#[test]
fn equal_nodes_are_tried_from_the_lowest() {
    let mut contexts = Contexts::new(6, 5);
    for node in 0..6 {
        contexts.set_state(node, &[0.1, 0.2, 0.3, 0.2, 0.1]);
    }
    let mut policy = SequentialMlePolicy::toof(&SequentialMle::default(), 6, 5);
    assert_eq!(policy.decide(1, &contexts), 0);
    let weights = vec![vec![0.3; 5]; 6];
    assert_eq!(best_node(&contexts, &weights).0, 0);
    // Each answer that is not wanted makes way for the next.
    for expected in 0..6 {
        let node = policy.decide(1, &contexts);
        assert_eq!(node, expected);
        policy.learn(1, &contexts, node, Bit::Unhappy);
    }
}

#[test]
fn random_is_uniform_and_keyed() {
    const SLOTS: u64 = 70_000;
    let choices = |name| {
        let key = Key::derive(1, Purpose::Policy(name), 0);
        let mut policy = Random::new(7, &key);
        let contexts = Contexts::new(7, 1);
        (1..=SLOTS).map(|slot| policy.decide(slot, &contexts)).collect::<Vec<_>>()
    };
    let (one, other) = (choices("random"), choices("other"));
    assert_eq!(one, choices("random"), "the same key gives the same choices");
    let expected = SLOTS as f64 / 7.0;
    let chi_square = |counts: &[u64]| {
        let expected = SLOTS as f64 / counts.len() as f64;
        counts.iter().map(|c| (*c as f64 - expected).powi(2) / expected).sum::<f64>()
    };
    let mut counts = [0; 7];
    one.iter().for_each(|node| counts[*node] += 1);
    // 99.9 % of chi-square with 6 and with 48 degrees of freedom.
    assert!(chi_square(&counts) < 22.5, "{counts:?} around {expected}");
    // One slot and the next, and one key and the other, are independent.
    let mut pairs = [[0; 49], [0; 49]];
    for (slot, node) in one.iter().enumerate() {
        pairs[0][node * 7 + one[(slot + 1) % one.len()]] += 1;
        pairs[1][node * 7 + other[slot]] += 1;
    }
    for pairs in pairs {
        assert!(chi_square(&pairs) < 84.0, "{}", chi_square(&pairs));
    }
}

#[test]
fn the_catalogue_lists_what_can_be_built() {
    let kinds: Vec<_> = CATALOGUE.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, PolicySpec::KINDS);
    let key = Key::derive(1, Purpose::Policy("x"), 0);
    // A program has no default.
    for kind in kinds.into_iter().filter(|kind| *kind != "external") {
        let spec: PolicySpec =
            serde_json::from_value(json!({ "kind": kind })).expect("a policy with its defaults");
        let Some(policy) = build(&spec, 9, 5, &key) else {
            assert!(["optimal", "full-information"].contains(&kind), "{kind}");
            continue;
        };
        assert_eq!(policy.scores().len(), 9, "{kind}");
        let estimates = !["round-robin", "random"].contains(&kind);
        assert_eq!(policy.belief().is_some(), estimates, "{kind}");
    }
    let command = ["command=[\"sh\"]".to_owned()];
    let external = PolicySpec::from_assignments("external", &command).expect("a program");
    assert!(build(&external, 9, 5, &key).is_none());
}

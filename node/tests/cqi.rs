//! Channel quality with a memory: what it shares with channel quality without.

use fogbit_node::Helper;
use fogbit_scenario::draw::{Key, Purpose, normal};
use fogbit_scenario::feedback::FeedbackModel;
use fogbit_scenario::instance::{
    CqiSpec, FeedbackDraws, HelperSpec, QueueSpec, StateSpec, UniformFeature,
};
use fogbit_scenario::weights::WeightMotion;

/// A node whose channel quality is uniform on [0, 1).
fn helper(seed: u64, correlation: f64) -> Helper {
    let feature =
        |purpose| UniformFeature { key: Key::derive(seed, purpose, 0), low: 0.0, span: 1.0 };
    Helper::new(&HelperSpec {
        node: 0,
        name: "h0".into(),
        weights: vec![0.0; 5],
        motion: WeightMotion::default(),
        state: StateSpec::Model {
            queue: QueueSpec::Drawn(feature(Purpose::Queue)),
            cpu_frequency: 0.0,
            cqi: CqiSpec::Autoregressive { feature: feature(Purpose::Cqi), correlation },
            noise: vec![],
        },
        feedback: FeedbackDraws::Keyed(Key::derive(seed, Purpose::Feedback, 0)),
        model: FeedbackModel::default(),
        link: None,
    })
}

/// The values of the slots from 1 on.
fn values(seed: u64, correlation: f64, slots: usize) -> Vec<f64> {
    let mut helper = helper(seed, correlation);
    let mut step = || {
        let value = helper.state()[2];
        helper.advance();
        value
    };
    (0..slots).map(|_| step()).collect()
}

/// The largest distance between the distribution of `values` and the uniform one.
fn distance_from_uniform(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let gap = |(i, v): (usize, &f64)| (v - i as f64 / count).max((i + 1) as f64 / count - v);
    values.iter().enumerate().map(gap).fold(0.0, f64::max)
}

/// In any one slot, over the seeds: the first slot is no different from the later ones.
#[test]
fn each_slot_is_uniform() {
    const SEEDS: u64 = 3000;
    for correlation in [-0.7, 0.0, 0.5, 0.99] {
        let trials: Vec<_> = (1..=SEEDS).map(|seed| values(seed, correlation, 40)).collect();
        for slot in [0, 1, 5, 39] {
            let distance = distance_from_uniform(trials.iter().map(|t| t[slot]).collect());
            // 1.95 / sqrt(n) is exceeded once in a thousand times; these seeds are fixed.
            assert!(distance < 1.95 / (SEEDS as f64).sqrt(), "{correlation} {slot}: {distance}");
        }
    }
}

#[test]
fn one_slot_is_correlated_with_the_next_as_asked() {
    const SLOTS: usize = 40_000;
    for correlation in [-0.9, -0.3, 0.0, 0.5, 0.9, 0.99f64] {
        // Back from uniform to the latent process: its correlation is the parameter.
        let latent: Vec<f64> = values(7, correlation, SLOTS)
            .iter()
            .map(|u| normal((u * 2f64.powi(64)) as u64))
            .collect();
        let products = |lag: usize| {
            let pairs = latent.iter().zip(&latent[lag..]);
            pairs.map(|(a, b)| a * b).sum::<f64>() / (SLOTS - lag) as f64
        };
        for lag in [1, 2] {
            let (got, want) = (products(lag) / products(0), correlation.powi(lag as i32));
            // Bartlett's standard error of a sample correlation, with room for the lag of 2.
            let error = ((1.0 - correlation * correlation) * lag as f64 / SLOTS as f64).sqrt();
            assert!((got - want).abs() < 4.0 * error.max(1e-3), "{correlation}^{lag}: {got}");
        }
        // The variance stays 1, with a standard error that grows with the memory.
        let square = correlation * correlation;
        let error = (2.0 * (1.0 + square) / (1.0 - square) / SLOTS as f64).sqrt();
        assert!((products(0) - 1.0).abs() < 4.0 * error, "{correlation}: {}", products(0));
    }
}

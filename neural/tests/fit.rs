//! Training: first weights, shuffles, Adam over many steps, and whole trainings.

mod common;

use std::ops::ControlFlow;

use common::{assert_close, infer_all, key, normals, singles, wholes};
use fogbit_neural::{
    Adam, AdamState, CrossEntropy, Dense, Distillation, Epoch, Fit, FitError, Layer, MeanSquare,
    Network, Parameters, Standardiser, argmax, fit, shuffle, softmax,
};
use fogbit_scenario::draw::{Key, Purpose};
use serde_json::Value;

fn shuffles() -> Key {
    Key::derive(1, Purpose::NetworkShuffle, 0)
}

/// What `reference/draws.py` prints.
fn draws() -> Value {
    serde_json::from_str(include_str!("reference/draws.json")).expect("JSON")
}

#[test]
fn first_weights_are_as_frozen() {
    let network = Network::new(&[4, 32, 16, 2], &key(1));
    for (number, want) in draws()["layers"].as_object().expect("layers") {
        let layer = &network.layers()[number.parse::<usize>().expect("a number")];
        let own: Vec<f32> = layer.parameters().expect("a dense layer").iter().copied().collect();
        assert_eq!(own[..3], singles(&want["first"]), "layer {number}");
        assert_eq!(own[own.len() - 2..], singles(&want["last"]), "layer {number}");
    }
    assert_eq!(network.parameters(), 4 * 32 + 32 + 32 * 16 + 16 + 16 * 2 + 2);
}

#[test]
fn shuffles_are_as_frozen() {
    for (number, want) in draws()["orders"].as_object().expect("orders") {
        let mut rows: Vec<u32> = (0..20).collect();
        shuffle(&mut rows, &shuffles().child(number.parse().expect("a number")));
        assert_eq!(rows, wholes(want), "epoch {number}");
    }
}

#[test]
fn every_order_is_as_likely_as_any_other() {
    let mut counts = [0; 27];
    for seed in 0..6000 {
        let mut rows = [0, 1, 2];
        shuffle(&mut rows, &shuffles().child(seed));
        counts[rows[0] * 9 + rows[1] * 3 + rows[2]] += 1;
    }
    let seen: Vec<_> = counts.into_iter().filter(|count| *count > 0).collect();
    assert_eq!(seen.len(), 6);
    // 1000 each, and five standard deviations of 28.9.
    assert!(seen.iter().all(|count| (855..1145).contains(count)), "{seen:?}");
}

/// With a gradient that stays the same, both moments are it and its square, and every step is the
/// rate. Were 1 - beta2 computed in single precision, the first would be off by 6e-6.
#[test]
fn adam_is_right_over_many_steps() {
    let mut network = Network::from_layers(1, vec![Layer::Dense(Dense::zeros(1, 1))]).unwrap();
    let adam = Adam { rate: 1.0, ..Adam::default() };
    let mut state = AdamState::new(&network);
    let gradients = [Some(Parameters { weight: vec![1.0], bias: vec![-0.25] })];
    for step in 1..=100 {
        adam.step(&mut network, &gradients, &mut state);
        let own = network.layers()[0].parameters().unwrap();
        let way = f64::from(step);
        assert_close(&[own.weight[0], own.bias[0]], &[-way, way], 2e-6, "parameter");
    }
}

/// Rows whose class is told by a circle, which no line does.
fn circle() -> (Vec<f32>, Vec<u32>) {
    let features = normals(5, 2000);
    let inside = |row: &[f32]| u32::from(row[0] * row[0] + row[1] * row[1] < 1.4);
    let labels = features.chunks_exact(2).map(inside).collect();
    (features, labels)
}

fn go_on(_: &Epoch, _: &Network) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

const SETTING: Fit = Fit {
    epochs: 30,
    batch: 64,
    adam: Adam { rate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
};

#[test]
fn a_network_learns_what_no_line_tells_and_the_same_bits_again() {
    let (features, labels) = circle();
    let train = |seed| {
        let mut network = Network::new(&[2, 16, 2], &key(seed));
        let loss = CrossEntropy { labels: &labels };
        let epochs = fit(&mut network, &features, &loss, &SETTING, &shuffles(), go_on).unwrap();
        (network, epochs)
    };
    let (network, epochs) = train(1);
    assert_eq!(epochs.len(), 30);
    // Whoever knows nothing loses ln 2 = 0.69.
    assert!(epochs[29].loss < 0.15, "{epochs:?}");
    let outputs = infer_all(&network, &features);
    let hits =
        outputs.chunks_exact(2).zip(&labels).filter(|(z, label)| argmax(z) == **label as usize);
    let share = hits.count() as f64 / 1000.0;
    assert!(share > 0.97, "{share}");
    // What is told of the last epoch was measured while weights still moved a little.
    assert!((epochs[29].accuracy.unwrap() - share).abs() < 0.03, "{epochs:?}");
    assert_eq!(train(1), (network.clone(), epochs));
    assert_ne!(train(2).0, network);
}

#[test]
fn one_epoch_after_another_is_told_and_a_training_can_be_ended() {
    let (features, labels) = circle();
    let loss = CrossEntropy { labels: &labels };
    let mut network = Network::new(&[2, 16, 2], &key(1));
    let mut seen = Vec::new();
    let epochs = fit(&mut network, &features, &loss, &SETTING, &shuffles(), |epoch, now| {
        seen.push((*epoch, now.clone()));
        if epoch.number == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(epochs.unwrap(), seen.iter().map(|(epoch, _)| *epoch).collect::<Vec<_>>());
    assert_eq!(seen.iter().map(|(epoch, _)| epoch.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(seen[2].1, network);
    // And three epochs are the first three of thirty.
    let mut again = Network::new(&[2, 16, 2], &key(1));
    let three = Fit { epochs: 3, ..SETTING };
    fit(&mut again, &features, &loss, &three, &shuffles(), go_on).unwrap();
    assert_eq!(again, network);
}

#[test]
fn a_network_learns_numbers() {
    let features = normals(6, 1000);
    let targets: Vec<f32> =
        features.chunks_exact(2).map(|row| row[0].abs() - 0.5 * row[1]).collect();
    let mut network = Network::new(&[2, 16, 1], &key(1));
    let loss = MeanSquare { targets: &targets };
    let epochs = fit(&mut network, &features, &loss, &SETTING, &shuffles(), go_on).unwrap();
    assert!(epochs[29].loss < 0.01, "{epochs:?}");
    assert_eq!(epochs[29].accuracy, None);
}

/// The labels say nothing: all a student can learn it has from its teacher.
#[test]
fn a_student_learns_from_its_teacher() {
    let (features, labels) = circle();
    let mut teacher = Network::new(&[2, 32, 2], &key(1));
    let loss = CrossEntropy { labels: &labels };
    fit(&mut teacher, &features, &loss, &SETTING, &shuffles(), go_on).unwrap();
    let answers = infer_all(&teacher, &features);
    let nothing = vec![0; labels.len()];
    let loss = Distillation {
        labels: &nothing,
        teacher: &answers,
        temperature: 2.0,
        soft: 1.0,
        hard: 0.0,
    };
    let mut student = Network::new(&[2, 8, 2], &key(2));
    fit(&mut student, &features, &loss, &SETTING, &shuffles(), go_on).unwrap();
    let learnt = infer_all(&student, &features);
    let same = learnt.chunks_exact(2).zip(answers.chunks_exact(2));
    let share = same.filter(|(a, b)| argmax(a) == argmax(b)).count() as f64 / 1000.0;
    assert!(share > 0.95, "{share}");
}

#[test]
fn what_cannot_be_learnt_is_refused() {
    let attempt = |features: &[f32], labels: &[u32], setting: &Fit| {
        let mut network = Network::new(&[2, 3, 2], &key(1));
        fit(&mut network, features, &CrossEntropy { labels }, setting, &shuffles(), go_on)
            .unwrap_err()
            .to_string()
    };
    let fine = Fit::default();
    assert_eq!(attempt(&[], &[], &fine), "there are no rows to learn from");
    assert_eq!(attempt(&[0.0; 5], &[0, 1], &fine), "there are 5 features, expected 4");
    assert_eq!(attempt(&[0.0; 4], &[0], &fine), "there are 1 labels, expected 2");
    assert_eq!(
        attempt(&[0.0; 4], &[0, 2], &fine),
        "row 1 has the label 2: the network has outputs 0 to 1"
    );
    assert_eq!(
        attempt(&[0.0, 0.0, f32::NAN, 0.0], &[0, 1], &fine),
        "feature 0 of row 1 is NaN: features are finite"
    );
    let none = Fit { batch: 0, ..fine };
    assert_eq!(attempt(&[0.0; 4], &[0, 1], &none), "a batch needs at least one row");
    let wild = Fit { adam: Adam { rate: 1e38, ..Adam::default() }, ..fine };
    assert!(attempt(&[1.0, 2.0, 3.0, 4.0], &[0, 1], &wild).contains("lower learning rate"));
    let mut network = Network::new(&[2, 3, 2], &key(1));
    let cold =
        Distillation { labels: &[0], teacher: &[0.0; 2], temperature: 0.0, soft: 1.0, hard: 1.0 };
    let error = fit(&mut network, &[0.0; 2], &cold, &fine, &shuffles(), go_on).unwrap_err();
    assert_eq!(error, FitError::Temperature(0.0));
}

#[test]
fn a_last_batch_that_is_smaller_counts_row_by_row() {
    let (features, labels) = ([1.0, -1.0, 0.5, 2.0, 0.25, 0.75], [0, 1, 1]);
    let loss = CrossEntropy { labels: &labels };
    let train = |batch| {
        let mut network = Network::new(&[2, 3, 2], &key(1));
        let setting = Fit { epochs: 1, batch, adam: Adam { rate: 0.0, ..Adam::default() } };
        fit(&mut network, &features, &loss, &setting, &shuffles(), go_on).unwrap()[0]
    };
    // Nothing moves, so it must not matter that three rows are a batch of two and one of one.
    assert!((train(2).loss - train(64).loss).abs() < 1e-7);
    assert_eq!(train(2).accuracy, train(1).accuracy);
}

#[test]
fn the_largest_output_is_the_answer() {
    assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
    assert_eq!(argmax(&[f32::NAN, -1.0, -2.0]), 1);
    assert_eq!(argmax(&[0.0, f32::NAN]), 0);
    assert_eq!(argmax(&[f32::NAN; 2]), 0);
    assert_eq!(argmax(&[]), 0);
    let mut shares = [0.0, libm::logf(3.0), -1e30];
    softmax(&mut shares);
    assert_close(&shares, &[0.25, 0.75, 0.0], 1e-7, "share");
}

#[test]
fn features_that_never_vary_are_safe() {
    let rows = [5.0, 1.0, 5.0, 3.0];
    let standardiser = Standardiser::fit(&rows, 2);
    let mut scores = [0.0; 4];
    standardiser.apply(&rows, &mut scores);
    assert_eq!(scores, [0.0, -1.0, 0.0, 1.0]);
    standardiser.apply(&[7.0, 2.0], &mut scores[..2]);
    assert_eq!(scores[..2], [2.0, 0.0]);
}

//! Gradients against finite differences of the same formulas, written in the plainest way and in
//! double precision; and the two ways forward against that.

mod common;

use common::{assert_close, infer_all, key, normals, plainly};
use fogbit_neural::{
    Conv2d, CrossEntropy, Dense, Distillation, Initial, Layer, Loss, MaxPool2d, MeanSquare,
    Network, Planes, Tape,
};
use proptest::prelude::*;

/// The loss of one row, of its number and its outputs.
type RowLoss<'a> = &'a dyn Fn(usize, &[f64]) -> f64;

/// Parameters are moved by this both ways. It is a power of two: a weight of single precision moves
/// by it almost exactly, and the move that was made is what counts.
const STEP: f32 = 1.0 / 4096.0;

/// The mean loss over the rows.
fn mean_loss(network: &Network, features: &[f32], loss: RowLoss<'_>) -> f64 {
    let rows = features.chunks_exact(network.inputs());
    let count = rows.len() as f64;
    let value = |(row, x)| loss(row, &plainly(network.layers(), x));
    rows.enumerate().map(value).sum::<f64>() / count
}

/// The network with parameter `place` (weights, then biases) of layer `layer` moved; and its value.
fn moved(network: &Network, layer: usize, place: usize, by: f32) -> (Network, f64) {
    let mut layers = network.layers().to_vec();
    let own = layers[layer].parameters_mut().expect("a layer with parameters");
    let value = own.iter_mut().nth(place).expect("a parameter");
    *value += by;
    let value = f64::from(*value);
    (Network::from_layers(network.inputs(), layers).expect("the same widths"), value)
}

/// Holds the gradients of `loss` against differences of `plain`.
fn check(network: &Network, features: &[f32], loss: &impl Loss, plain: RowLoss<'_>) {
    let rows = features.len() / network.inputs();
    loss.check(rows, network.outputs()).expect("targets fit");
    let mut tape = Tape::new(network, rows);
    tape.inputs(rows).copy_from_slice(features);
    tape.forward(network);
    let (outputs, slope) = tape.outputs_and_slope();
    let numbers: Vec<u32> = (0..rows as u32).collect();
    let value = loss.evaluate(&numbers, outputs, slope);
    let want = mean_loss(network, features, plain);
    assert!((value - want).abs() < 1e-5 * want.max(1.0), "loss {value}, expected {want}");
    tape.backward(network);
    let mut largest = 0f64;
    for (layer, gradients) in tape.gradients().iter().enumerate() {
        let Some(gradients) = gradients else { continue };
        let difference = |place| {
            let (above, high) = moved(network, layer, place, STEP);
            let (below, low) = moved(network, layer, place, -STEP);
            let rise = mean_loss(&above, features, plain) - mean_loss(&below, features, plain);
            rise / (high - low)
        };
        let got: Vec<f32> = gradients.iter().copied().collect();
        let want: Vec<f64> = (0..got.len()).map(difference).collect();
        assert_close(&got, &want, 2e-5, &format!("gradient of layer {layer}"));
        largest = want.iter().fold(largest, |largest, value| largest.max(value.abs()));
    }
    // Against a loss that is flat everything would agree.
    assert!(largest > 0.01, "the largest gradient is {largest}");
}

/// Without ReLU there are no kinks for a difference to step over; with it, rows that are clear of
/// them are chosen by the seed.
fn networks() -> [Network; 2] {
    let layers = Network::new(&[3, 7, 5, 4], &key(3)).layers().to_vec();
    let smooth = layers.iter().filter(|layer| !matches!(layer, Layer::Relu)).cloned().collect();
    [layers, smooth].map(|layers| Network::from_layers(3, layers).expect("a network"))
}

fn log_softmax(z: &[f64]) -> Vec<f64> {
    let sum: f64 = z.iter().map(|z| libm::exp(*z)).sum();
    z.iter().map(|z| z - libm::log(sum)).collect()
}

const LABELS: [u32; 6] = [0, 3, 1, 1, 2, 0];

#[test]
fn gradients_of_cross_entropy_are_its_differences() {
    for network in networks() {
        let plain = |row: usize, z: &[f64]| -log_softmax(z)[LABELS[row] as usize];
        check(&network, &normals(1, 18), &CrossEntropy { labels: &LABELS }, &plain);
    }
}

#[test]
fn gradients_of_mean_square_are_its_differences() {
    for network in networks() {
        let targets = normals(2, 24);
        let plain = |row: usize, z: &[f64]| {
            let square = |(z, t): (&f64, &f32)| (z - f64::from(*t)) * (z - f64::from(*t));
            z.iter().zip(&targets[row * 4..]).map(square).sum::<f64>() / 4.0
        };
        check(&network, &normals(1, 18), &MeanSquare { targets: &targets }, &plain);
    }
}

#[test]
fn gradients_of_distillation_are_its_differences() {
    for network in networks() {
        let teacher: Vec<f32> = normals(2, 24).iter().map(|z| 3.0 * z).collect();
        let (labels, temperature, soft, hard) = (&LABELS, 3.0, 0.6, 0.5);
        let plain = |row: usize, z: &[f64]| {
            let soften = |z: f64| z / 3.0;
            let student = log_softmax(&z.iter().map(|z| soften(*z)).collect::<Vec<_>>());
            let teacher: Vec<_> =
                teacher[row * 4..][..4].iter().map(|z| soften(f64::from(*z))).collect();
            let divergence: f64 = log_softmax(&teacher)
                .iter()
                .zip(&student)
                .map(|(teacher, student)| libm::exp(*teacher) * (teacher - student))
                .sum();
            0.6 * 9.0 * divergence - 0.5 * log_softmax(z)[LABELS[row] as usize]
        };
        let loss = Distillation { labels, teacher: &teacher, temperature, soft, hard };
        check(&network, &normals(1, 18), &loss, &plain);
    }
}

/// Activations are computed with the dense layer before them, and their gradients with the one behind
/// them, where that can be: here it can, it cannot since the slope is negative, two follow each other,
/// another layer is in between, and nothing is behind.
#[test]
fn gradients_through_activations_at_all_places_are_their_differences() {
    let leaky = |slope| Layer::LeakyRelu { slope };
    let layers = vec![
        Layer::Dense(Dense::zeros(3, 7)),
        leaky(0.3),
        Layer::Dense(Dense::zeros(7, 6)),
        leaky(-0.4),
        Layer::Dense(Dense::zeros(6, 16)),
        leaky(0.5),
        leaky(0.6),
        Layer::Dense(Dense::zeros(16, 7)),
        leaky(0.2),
        Layer::Flatten,
        Layer::Dense(Dense::zeros(7, 4)),
        leaky(0.7),
    ];
    let mut network = Network::from_layers(3, layers).expect("a network");
    network.draw(Initial::PyTorch, &key(5));
    let plain = |row: usize, z: &[f64]| -log_softmax(z)[LABELS[row] as usize];
    check(&network, &normals(1, 18), &CrossEntropy { labels: &LABELS }, &plain);
}

/// A convolution behind a convolution, pooling and an activation that is never flat.
#[test]
fn gradients_of_a_network_of_images_are_its_differences() {
    let image = Planes { channels: 2, height: 6, width: 5 };
    let middle = Planes { channels: 3, height: 6, width: 5 };
    let pooled = Planes { channels: 3, height: 3, width: 2 };
    let layers = vec![
        Layer::Conv2d(Conv2d::zeros(image, 3, 3, 1, 1)),
        Layer::MaxPool2d(MaxPool2d { inputs: middle }),
        Layer::LeakyRelu { slope: 0.2 },
        Layer::Conv2d(Conv2d::zeros(pooled, 4, 3, 2, 1)),
        Layer::Flatten,
        Layer::Dense(Dense::zeros(8, 4)),
    ];
    let mut network = Network::from_layers(60, layers).expect("a network");
    network.draw(Initial::PyTorch, &key(4));
    let plain = |row: usize, z: &[f64]| -log_softmax(z)[LABELS[row] as usize];
    check(&network, &normals(1, 360), &CrossEntropy { labels: &LABELS }, &plain);
}

#[test]
fn logits_of_any_size_give_finite_losses() {
    let outputs = [1e4, -1e4, 0.0, 3e38, -3e38, 0.0, -1e-30, 0.0, 1e-30];
    let mut slope = [0.0; 9];
    let loss = CrossEntropy { labels: &[0, 0, 0] };
    let value = loss.evaluate(&[0, 1, 2], &outputs, &mut slope);
    assert!((value - 1.0986123 / 3.0).abs() < 1e-6, "{value}");
    assert!(slope.iter().all(|slope| slope.abs() <= 1.0 / 3.0), "{slope:?}");
}

proptest! {
    /// All widths: what is left over in lanes and groups of rows is summed too.
    #[test]
    fn one_row_and_a_batch_give_what_the_plain_sums_give(
        widths in prop::collection::vec(1..40usize, 2..5),
        rows in 1..9usize,
        seed: u64,
    ) {
        let network = Network::new(&widths, &key(seed));
        let features = normals(seed, rows * widths[0]);
        let want: Vec<f64> = features
            .chunks_exact(widths[0])
            .flat_map(|row| plainly(network.layers(), row))
            .collect();
        assert_close(&infer_all(&network, &features), &want, 2e-6, "output of infer");
        let mut tape = Tape::new(&network, rows);
        tape.inputs(rows).copy_from_slice(&features);
        tape.forward(&network);
        assert_close(tape.outputs(), &want, 2e-6, "output");
    }
}

//! Decisions of prepared networks: bit by bit the sums that are promised, and close to exact ones.

mod common;

use common::{assert_close, infer_all, key, normals, plainly, singles, wholes};
use fogbit_neural::{Dense, Initial, Layer, Network};
use proptest::prelude::*;
use serde_json::Value;

const LEAKY: Layer = Layer::LeakyRelu { slope: 0.2 };

/// The decision network of the cascade problem.
const WIDTHS: [usize; 7] = [96, 64, 64, 64, 64, 64, 71];

fn leaky(widths: &[usize]) -> Network {
    Network::dense(widths, &LEAKY, Initial::HeUniform, &key(1))
}

/// `reference/draws.py` sums in its own arithmetic of single precision, from first weights of its
/// own.
#[test]
fn first_weights_and_decisions_are_as_frozen() {
    let draws: Value = serde_json::from_str(include_str!("reference/draws.json")).expect("JSON");
    for decision in draws["prepared"].as_array().expect("decisions") {
        let widths: Vec<_> = wholes(&decision["widths"]).iter().map(|own| *own as usize).collect();
        let outputs = leaky(&widths).prepare().infer(&singles(&decision["row"])).to_vec();
        assert_eq!(outputs, singles(&decision["outputs"]), "{widths:?}");
    }
}

#[test]
fn first_weights_of_he_fill_their_range_and_biases_are_zero() {
    let network = leaky(&WIDTHS);
    assert_eq!(network.parameters(), 27_463);
    for (layer, inputs) in network.layers().iter().step_by(2).zip(WIDTHS) {
        let own = layer.parameters().expect("a dense layer");
        let bound = (6.0 / inputs as f64).sqrt();
        let largest = own.weight.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        assert!((0.99 * bound..=bound * 1.000_001).contains(&f64::from(largest)), "{largest}");
        let mean = own.weight.iter().copied().map(f64::from).sum::<f64>() / own.weight.len() as f64;
        // Five standard deviations of a mean of so many.
        assert!(mean.abs() < 5.0 * bound / (3.0 * own.weight.len() as f64).sqrt(), "{mean}");
        assert!(own.bias.iter().all(|value| *value == 0.0));
    }
}

/// The sums that [`fogbit_neural::Prepared`] promises, in a plain loop.
fn in_order(layers: &[Layer], row: &[f32]) -> Vec<f32> {
    let mut values = row.to_vec();
    for layer in layers {
        values = match layer {
            Layer::Dense(Dense { inputs, parameters, .. }) => {
                let rows = parameters.weight.chunks_exact(*inputs);
                let sum = |(row, bias): (&[f32], &f32)| {
                    let mut sum = 0.0;
                    for (w, x) in row.iter().zip(&values) {
                        sum += w * x;
                    }
                    sum + bias
                };
                rows.zip(&parameters.bias).map(sum).collect()
            }
            Layer::LeakyRelu { slope } => {
                values.iter().map(|x| if *x < 0.0 { slope * x } else { *x }).collect()
            }
            other => panic!("no {other:?} here"),
        };
    }
    values
}

#[test]
fn decisions_are_plain_sums_in_order_bit_by_bit_alone_and_in_batches() {
    for widths in [&WIDTHS[..], &[4, 32, 16, 2], &[1, 1], &[3, 130, 5], &[17, 15, 81]] {
        let network = leaky(widths);
        let mut prepared = network.prepare();
        let rows = normals(7, 13 * widths[0]);
        let one_by_one: Vec<f32> =
            rows.chunks_exact(widths[0]).flat_map(|row| prepared.infer(row).to_vec()).collect();
        let want: Vec<f32> =
            rows.chunks_exact(widths[0]).flat_map(|row| in_order(network.layers(), row)).collect();
        assert_eq!(one_by_one, want, "{widths:?}");
        assert_eq!(prepared.infer_batch(&rows), want, "{widths:?}");
        assert_eq!((prepared.inputs(), prepared.outputs()), (widths[0], network.outputs()));
    }
}

#[test]
fn a_prepared_network_changes_when_it_is_told_to() {
    let [first, second] = [1, 2].map(|seed| Network::new(&[5, 20, 3], &key(seed)));
    let row = normals(1, 5);
    let mut prepared = first.prepare();
    let before = prepared.infer(&row).to_vec();
    prepared.update(&second);
    let after = prepared.infer(&row).to_vec();
    assert_ne!(before, after);
    assert_eq!(second.prepare().infer(&row), after);
    prepared.update(&first);
    assert_eq!(prepared.infer(&row), before);
}

#[test]
#[should_panic(expected = "values in a row")]
fn a_row_of_another_width_is_refused() {
    leaky(&[3, 2]).prepare().infer(&[0.0; 6]);
}

proptest! {
    #[test]
    fn prepared_or_not_it_is_what_double_precision_gives(
        widths in prop::collection::vec(1..80usize, 2..5),
        rows in 1..5usize,
        seed: u64,
    ) {
        let network = Network::dense(&widths, &LEAKY, Initial::PyTorch, &key(seed));
        let features = normals(seed, rows * widths[0]);
        let want: Vec<f64> = features
            .chunks_exact(widths[0])
            .flat_map(|row| plainly(network.layers(), row))
            .collect();
        assert_close(network.prepare().infer_batch(&features), &want, 2e-6, "output");
        assert_close(&infer_all(&network, &features), &want, 2e-6, "output of infer");
    }
}

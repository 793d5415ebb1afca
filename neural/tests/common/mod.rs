//! What several tests need.
#![allow(dead_code)]

use fogbit_neural::{Dense, Layer, Network};
use fogbit_scenario::draw::{Key, Purpose, Stream};
use serde_json::Value;

/// Numbers of a JSON array.
pub(crate) fn floats(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap_or_else(|| panic!("no array: {value}"));
    values.iter().map(|value| value.as_f64().expect("a number")).collect()
}

/// Numbers of a JSON array that are of single precision.
pub(crate) fn singles(value: &Value) -> Vec<f32> {
    floats(value).into_iter().map(|value| value as f32).collect()
}

/// Whole numbers of a JSON array.
pub(crate) fn wholes(value: &Value) -> Vec<u32> {
    floats(value).into_iter().map(|value| value as u32).collect()
}

/// A key for weights.
pub(crate) fn key(seed: u64) -> Key {
    Key::derive(seed, Purpose::NetworkWeights, 0)
}

/// Normal numbers of single precision.
pub(crate) fn normals(seed: u64, count: usize) -> Vec<f32> {
    let mut stream = Stream::new(&Key::derive(seed, Purpose::Noise(0), 0));
    (1..=count as u64).map(|slot| stream.normal(slot) as f32).collect()
}

/// What the network gives for one row, written in the plainest way and in double precision.
pub(crate) fn plainly(layers: &[Layer], row: &[f32]) -> Vec<f64> {
    let mut values: Vec<f64> = row.iter().copied().map(f64::from).collect();
    for layer in layers {
        values = match layer {
            Layer::Relu => values.iter().map(|value| value.max(0.0)).collect(),
            Layer::Dense(dense) => apply(dense, &values),
        };
    }
    values
}

fn apply(dense: &Dense, values: &[f64]) -> Vec<f64> {
    let output = |n: usize| {
        let row = &dense.parameters.weight[n * dense.inputs..(n + 1) * dense.inputs];
        let sum: f64 = row.iter().zip(values).map(|(w, x)| f64::from(*w) * x).sum();
        sum + f64::from(dense.parameters.bias[n])
    };
    (0..dense.outputs).map(output).collect()
}

/// What [`Network::infer`] gives for each row, one after the other.
pub(crate) fn infer_all(network: &Network, rows: &[f32]) -> Vec<f32> {
    let mut scratch = network.scratch();
    let rows = rows.chunks_exact(network.inputs());
    rows.flat_map(|row| network.infer(row, &mut scratch).to_vec()).collect()
}

/// Asserts that numbers agree within `tolerance`, absolute below 1 and relative above.
#[track_caller]
pub(crate) fn assert_close(got: &[f32], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "how many of {what}");
    for (place, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(*got) - want).abs();
        assert!(off <= tolerance * want.abs().max(1.0), "{what} {place}: {got}, expected {want}");
    }
}

//! What several tests need.
#![allow(dead_code)]

use fogbit_neural::{Conv2d, Dense, Layer, MaxPool2d, Network};
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
            Layer::LeakyRelu { slope } => {
                values.iter().map(|x| if *x < 0.0 { f64::from(*slope) * x } else { *x }).collect()
            }
            Layer::Dense(dense) => apply(dense, &values),
            Layer::Conv2d(conv) => convolve(conv, &values),
            Layer::MaxPool2d(pool) => pooled(pool, &values),
            Layer::Flatten => values,
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

fn convolve(conv: &Conv2d, values: &[f64]) -> Vec<f64> {
    let (own, result) = (conv.inputs, conv.result().expect("a kernel that fits"));
    let at = |c: usize, y: usize, x: usize| {
        let (y, x) = (y.checked_sub(conv.padding)?, x.checked_sub(conv.padding)?);
        let inside = y < own.height && x < own.width;
        inside.then(|| values[(c * own.height + y) * own.width + x])
    };
    let mut outputs = Vec::new();
    for (o, y, x) in places(result.channels, result.height, result.width) {
        let mut sum = f64::from(conv.parameters.bias[o]);
        for (c, i, j) in places(own.channels, conv.kernel, conv.kernel) {
            let weight = ((o * own.channels + c) * conv.kernel + i) * conv.kernel + j;
            let value = at(c, y * conv.stride + i, x * conv.stride + j).unwrap_or(0.0);
            sum += f64::from(conv.parameters.weight[weight]) * value;
        }
        outputs.push(sum);
    }
    outputs
}

fn pooled(pool: &MaxPool2d, values: &[f64]) -> Vec<f64> {
    let (own, result) = (pool.inputs, pool.result());
    let largest = |(c, y, x)| {
        let all = places(1, 2, 2)
            .map(|(_, i, j)| values[(c * own.height + 2 * y + i) * own.width + 2 * x + j]);
        all.fold(f64::NEG_INFINITY, f64::max)
    };
    places(result.channels, result.height, result.width).map(largest).collect()
}

fn places(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
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

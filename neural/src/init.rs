//! First weights, from keyed draws.

use fogbit_scenario::draw::{Key, Stream};

use crate::layer::{Dense, Layer};

/// Draws the first weights of layer number `index` (layers without weights count) with child
/// `index` of `key`: uniform between -1/sqrt(inputs) and 1/sqrt(inputs), biases too, as PyTorch
/// does for `nn.Linear`. Draw 1 is the first weight; biases follow the weights.
pub(crate) fn draw(layer: &mut Layer, index: usize, key: &Key) {
    match layer {
        Layer::Dense(dense) => draw_dense(dense, &key.child(index as u64)),
        Layer::Relu => {}
    }
}

fn draw_dense(dense: &mut Dense, key: &Key) {
    let bound = 1.0 / (dense.inputs as f64).sqrt();
    let mut stream = Stream::new(key);
    for (number, value) in (1..).zip(dense.parameters.iter_mut()) {
        *value = ((2.0 * stream.uniform(number) - 1.0) * bound) as f32;
    }
}

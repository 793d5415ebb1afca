//! First weights, from keyed draws.

use fogbit_scenario::draw::{Key, Stream};

use crate::layer::Layer;

/// How first weights are drawn. "Inputs" are the values that one output is made of: of a convolution
/// channels times the places of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Initial {
    /// Uniform between -1/sqrt(inputs) and 1/sqrt(inputs), biases too, as PyTorch does for
    /// `nn.Linear` and `nn.Conv2d`.
    #[default]
    PyTorch,
    /// Uniform between -sqrt(6/inputs) and sqrt(6/inputs), and biases 0, as Keras' `he_uniform` (He,
    /// Zhang, Ren and Sun, ICCV 2015).
    HeUniform,
}

/// Draws the first weights of layer number `index` (layers without weights count) with child
/// `index` of `key`. Draw 1 is the first weight; biases follow the weights.
pub(crate) fn draw(layer: &mut Layer, index: usize, initial: Initial, key: &Key) {
    let inputs = match layer {
        Layer::Dense(dense) => dense.inputs,
        Layer::Conv2d(conv) => conv.fan_in(),
        _ => return,
    } as f64;
    let own = layer.parameters_mut().expect("a layer with weights");
    let mut stream = Stream::new(&key.child(index as u64));
    match initial {
        Initial::PyTorch => fill(own.iter_mut(), 1.0 / inputs.sqrt(), &mut stream),
        Initial::HeUniform => {
            fill(own.weight.iter_mut(), (6.0 / inputs).sqrt(), &mut stream);
            own.bias.fill(0.0);
        }
    }
}

fn fill<'a>(values: impl Iterator<Item = &'a mut f32>, bound: f64, stream: &mut Stream) {
    for (number, value) in (1..).zip(values) {
        *value = ((2.0 * stream.uniform(number) - 1.0) * bound) as f32;
    }
}

//! Batches forward and back.

use crate::conv::ConvRoom;
use crate::kernel::{self, Shape};
use crate::layer::{Layer, Parameters};
use crate::network::Network;
use crate::product::{Finish, Packed, Rounding};
use crate::vector::{rectify_gradient, rectify_into};

/// What a batch leaves behind in a network: the values between the layers, and the gradients. Made
/// once for a network and a largest batch, and used for every step: after the first one nothing is
/// allocated.
///
/// A step is: write rows into [`Tape::inputs`], [`Tape::forward`], write the gradient of the loss
/// into what [`Tape::outputs_and_slope`] gives, [`Tape::backward`], read [`Tape::gradients`].
#[derive(Debug, Clone)]
pub struct Tape {
    capacity: usize,
    rows: usize,
    widths: Vec<usize>,
    /// What goes into each layer, and at the end what comes out of the last; row by row. What a dense
    /// layer gives is not there where the layer behind it is computed with it ([`gate`]).
    values: Vec<Vec<f32>>,
    /// Gradient of what came out of the layer that is looked at.
    slope: Vec<f32>,
    /// Gradient of what went into it.
    before: Vec<f32>,
    gradients: Vec<Option<Parameters>>,
    packed: Packed,
    conv: ConvRoom,
}

impl Tape {
    /// Room for batches of up to `capacity` rows.
    pub fn new(network: &Network, capacity: usize) -> Tape {
        let widths = network.widths().to_vec();
        let widest = widths.iter().copied().max().unwrap_or(0);
        let zeros = |layer: &Layer| layer.parameters().map(Parameters::zeros_like);
        Tape {
            capacity,
            rows: 0,
            values: widths.iter().map(|width| vec![0.0; width * capacity]).collect(),
            slope: vec![0.0; widest * capacity],
            before: vec![0.0; widest * capacity],
            gradients: network.layers().iter().map(zeros).collect(),
            widths,
            packed: Packed::default(),
            conv: ConvRoom::default(),
        }
    }

    /// Room for the rows of the next batch, `[rows, inputs]`.
    ///
    /// # Panics
    /// With more rows than there is room for.
    pub fn inputs(&mut self, rows: usize) -> &mut [f32] {
        assert!(rows <= self.capacity, "{rows} rows, room for {}", self.capacity);
        self.rows = rows;
        &mut self.values[0][..rows * self.widths[0]]
    }

    /// Takes the batch through the network.
    ///
    /// # Panics
    /// If the network has other widths than the one that this was made for.
    pub fn forward(&mut self, network: &Network) {
        assert_eq!(network.widths(), self.widths, "widths of the network");
        let layers = network.layers();
        for (number, layer) in layers.iter().enumerate() {
            let shape = self.shape(number);
            let (done, ahead) = self.values.split_at_mut(number + 1);
            let x = &done[number][..shape.rows * shape.inputs];
            let y = &mut ahead[0][..shape.rows * shape.outputs];
            match layer {
                Layer::Dense(dense) => {
                    let own = &dense.parameters;
                    self.packed.pack_transposed(&own.weight, shape.inputs, shape.outputs);
                    let (weight, rounding) = (&self.packed, Rounding::Fused);
                    let (slope, y) = match layers.get(number + 1).and_then(gate) {
                        Some(slope) => (slope, &mut ahead[1][..shape.rows * shape.outputs]),
                        None => (1.0, y),
                    };
                    kernel::forward(shape.rows, x, weight, (&own.bias, slope), rounding, y);
                }
                // Done with the layer before.
                _ if gate(layer).is_some() && is_dense(layers, number.wrapping_sub(1)) => {}
                Layer::Relu => rectify_into(x, 0.0, y),
                Layer::LeakyRelu { slope } => rectify_into(x, *slope, y),
                Layer::Conv2d(conv) => {
                    for (x, y) in images(shape, x, y) {
                        conv.forward(x, Rounding::Fused, &mut self.conv, y);
                    }
                }
                Layer::MaxPool2d(pool) => {
                    images(shape, x, y).for_each(|(x, y)| pool.forward(x, y));
                }
                Layer::Flatten => y.copy_from_slice(x),
            }
        }
    }

    /// What came out, `[rows, outputs]`.
    pub fn outputs(&self) -> &[f32] {
        let last = self.widths.len() - 1;
        &self.values[last][..self.rows * self.widths[last]]
    }

    /// What came out, and room for the gradient of the loss by it; both `[rows, outputs]`.
    pub fn outputs_and_slope(&mut self) -> (&[f32], &mut [f32]) {
        let last = self.widths.len() - 1;
        let length = self.rows * self.widths[last];
        (&self.values[last][..length], &mut self.slope[..length])
    }

    /// Takes the gradient of the loss back through the network that the batch went through.
    pub fn backward(&mut self, network: &Network) {
        let layers = network.layers();
        for (number, layer) in layers.iter().enumerate().rev() {
            let shape = self.shape(number);
            let slope = &mut self.slope[..shape.rows * shape.outputs];
            let x = &self.values[number][..shape.rows * shape.inputs];
            let before = &mut self.before[..shape.rows * shape.inputs];
            // Nobody asks for the gradient of the rows themselves.
            let wanted = number > 0;
            match layer {
                Layer::Dense(dense) => {
                    let gradient = self.gradients[number].as_mut().expect("a dense layer has some");
                    let room = &mut self.packed;
                    kernel::weight_gradient(shape, slope, x, room, &mut gradient.weight);
                    kernel::bias_gradient(slope, &mut gradient.bias);
                    if wanted {
                        let weight = &dense.parameters.weight;
                        let finish = match gate(&layers[number - 1]) {
                            Some(slope) => Finish::Gated { values: x, slope },
                            None => Finish::Store,
                        };
                        kernel::input_gradient(shape, slope, weight, finish, room, before);
                    }
                }
                Layer::Relu | Layer::LeakyRelu { .. } => {
                    match gate(layer) {
                        // Done with the layer behind.
                        Some(_) if is_dense(layers, number + 1) => {}
                        Some(own) => {
                            let y = &self.values[number + 1][..shape.rows * shape.outputs];
                            rectify_gradient(y, own, slope);
                        }
                        None => rectify_gradient(x, layer.slope().expect("it has one"), slope),
                    }
                    continue;
                }
                Layer::Conv2d(conv) => {
                    let gradient = self.gradients[number].as_mut().expect("a convolution has some");
                    gradient.weight.fill(0.0);
                    gradient.bias.fill(0.0);
                    let images =
                        x.chunks_exact(shape.inputs).zip(slope.chunks_exact(shape.outputs));
                    let before = before.chunks_exact_mut(shape.inputs);
                    for ((x, slope), before) in images.zip(before) {
                        conv.add_gradient(x, slope, &mut self.conv, gradient);
                        if wanted {
                            conv.input_gradient(slope, &mut self.conv, before);
                        }
                    }
                }
                Layer::MaxPool2d(pool) => {
                    let images =
                        x.chunks_exact(shape.inputs).zip(slope.chunks_exact(shape.outputs));
                    let before = before.chunks_exact_mut(shape.inputs);
                    images.zip(before).for_each(|((x, slope), before)| {
                        pool.backward(x, slope, before);
                    });
                }
                Layer::Flatten => continue,
            }
            std::mem::swap(&mut self.slope, &mut self.before);
        }
    }

    /// The gradients of each layer that has parameters, summed over the batch: a loss that is a mean
    /// has divided by the number of rows.
    pub fn gradients(&self) -> &[Option<Parameters>] {
        &self.gradients
    }

    fn shape(&self, layer: usize) -> Shape {
        Shape { rows: self.rows, inputs: self.widths[layer], outputs: self.widths[layer + 1] }
    }
}

/// The slope of a ReLU or LeakyReLU, where it can be computed with a dense layer before or, backward,
/// behind it: what comes out must be above 0 where and only where that is so of what went in.
fn gate(layer: &Layer) -> Option<f32> {
    layer.slope().filter(|slope| *slope >= 0.0)
}

fn is_dense(layers: &[Layer], number: usize) -> bool {
    matches!(layers.get(number), Some(Layer::Dense(_)))
}

/// Each image of a batch, and the place of what comes of it.
fn images<'a>(
    shape: Shape,
    x: &'a [f32],
    y: &'a mut [f32],
) -> impl Iterator<Item = (&'a [f32], &'a mut [f32])> {
    x.chunks_exact(shape.inputs).zip(y.chunks_exact_mut(shape.outputs))
}

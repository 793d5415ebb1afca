//! A network, and the decision for a single row.

use fogbit_scenario::draw::Key;

use crate::conv::ConvRoom;
use crate::init::{self, Initial};
use crate::kernel::forward_one;
use crate::layer::{Dense, Layer};
use crate::prepared::Prepared;
use crate::product::Rounding;
use crate::vector::rectify;

/// Layers that follow one another.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    layers: Vec<Layer>,
    /// Values that go into each layer, and at the end those that come out of the last.
    widths: Vec<usize>,
}

/// Why layers make no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayersError {
    /// A layer, by its number from 0, does not take what the one before gives.
    #[error("layer {layer} does not take the {width} values that come to it")]
    Width {
        /// Number of the layer.
        layer: usize,
        /// Values that come to it.
        width: usize,
    },
    /// There is no layer, or nothing comes to one.
    #[error("a network needs a layer, and each layer at least one value")]
    Empty,
}

/// Room for what is computed between the layers of one network: [`Network::scratch`].
#[derive(Debug, Clone)]
pub struct Scratch {
    now: Vec<f32>,
    next: Vec<f32>,
    conv: ConvRoom,
}

impl Network {
    /// Dense layers of these widths with ReLU between them and none after the last. The first
    /// weights are drawn with children of `key`, one for each layer (ReLU counts), as PyTorch does.
    ///
    /// # Panics
    /// With fewer than two widths, or a width of 0.
    pub fn new(widths: &[usize], key: &Key) -> Network {
        Network::dense(widths, &Layer::Relu, Initial::PyTorch, key)
    }

    /// Dense layers of these widths with `between` between them, such as [`Layer::LeakyRelu`], and
    /// nothing after the last. For first weights see [`Network::draw`].
    ///
    /// # Panics
    /// With fewer than two widths, a width of 0, or a layer that does not fit between.
    pub fn dense(widths: &[usize], between: &Layer, initial: Initial, key: &Key) -> Network {
        let mut layers = Vec::new();
        for pair in widths.windows(2) {
            if !layers.is_empty() {
                layers.push(between.clone());
            }
            layers.push(Layer::Dense(Dense::zeros(pair[0], pair[1])));
        }
        let inputs = widths.first().copied().unwrap_or(0);
        let mut network =
            Network::from_layers(inputs, layers).expect("at least two widths above 0");
        network.draw(initial, key);
        network
    }

    /// Draws first weights for all layers with children of `key`, one for each layer (layers without
    /// weights count).
    pub fn draw(&mut self, initial: Initial, key: &Key) {
        for (index, layer) in self.layers.iter_mut().enumerate() {
            init::draw(layer, index, initial, key);
        }
    }

    /// These layers, to which rows of `inputs` values come.
    ///
    /// # Errors
    /// If one does not take what comes to it.
    pub fn from_layers(inputs: usize, layers: Vec<Layer>) -> Result<Network, LayersError> {
        let mut widths = vec![inputs];
        let mut width = inputs;
        for (number, layer) in layers.iter().enumerate() {
            width = layer.outputs(width).ok_or(LayersError::Width { layer: number, width })?;
            widths.push(width);
        }
        if layers.is_empty() || widths.contains(&0) {
            return Err(LayersError::Empty);
        }
        Ok(Network { layers, widths })
    }

    /// Width of a row that goes in.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    /// Width of a row that comes out.
    pub fn outputs(&self) -> usize {
        self.widths[self.layers.len()]
    }

    /// The layers, in their order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Values that go into each layer, and at the end those that come out of the last.
    pub(crate) fn widths(&self) -> &[usize] {
        &self.widths
    }

    pub(crate) fn layers_mut(&mut self) -> &mut [Layer] {
        &mut self.layers
    }

    /// How many numbers are trained.
    pub fn parameters(&self) -> usize {
        let counts = self.layers.iter().filter_map(Layer::parameters);
        counts.map(|own| own.weight.len() + own.bias.len()).sum()
    }

    /// Room for [`Network::infer`].
    pub fn scratch(&self) -> Scratch {
        let widest = self.widths.iter().copied().max().unwrap_or(0);
        let conv = ConvRoom::default();
        Scratch { now: vec![0.0; widest], next: vec![0.0; widest], conv }
    }

    /// What comes out for one row: logits, where the network decides. Nothing is allocated (but by
    /// the first image that meets a convolution), and sums run in an order that is the same on every
    /// host (`docs/determinism.md`). For many decisions with the same weights
    /// [`Network::prepare`] is faster.
    ///
    /// # Panics
    /// If the row has another width than [`Network::inputs`], or `scratch` is that of a smaller
    /// network.
    pub fn infer<'s>(&self, row: &[f32], scratch: &'s mut Scratch) -> &'s [f32] {
        assert_eq!(row.len(), self.inputs(), "values in a row");
        scratch.now[..row.len()].copy_from_slice(row);
        for (layer, widths) in self.layers.iter().zip(self.widths.windows(2)) {
            let (x, y) = (&mut scratch.now[..widths[0]], &mut scratch.next[..widths[1]]);
            match layer {
                Layer::Dense(dense) => {
                    forward_one(x, &dense.parameters.weight, &dense.parameters.bias, y);
                }
                Layer::Conv2d(conv) => conv.forward(x, Rounding::Each, &mut scratch.conv, y),
                Layer::MaxPool2d(pool) => pool.forward(x, y),
                Layer::Relu => {
                    relu(x);
                    continue;
                }
                Layer::LeakyRelu { slope } => {
                    rectify(x, *slope);
                    continue;
                }
                Layer::Flatten => continue,
            }
            std::mem::swap(&mut scratch.now, &mut scratch.next);
        }
        &scratch.now[..self.outputs()]
    }

    /// The network as it is now, its weights laid out for decisions.
    pub fn prepare(&self) -> Prepared {
        Prepared::new(self)
    }
}

/// `max(x, 0)` in place; what is no number stays none.
fn relu(values: &mut [f32]) {
    for value in values {
        *value = if *value < 0.0 { 0.0 } else { *value };
    }
}

//! A network laid out for decisions.

use crate::conv::{Conv2d, ConvRoom, MaxPool2d};
use crate::kernel::forward;
use crate::layer::Layer;
use crate::network::Network;
use crate::product::{Packed, Rounding};
use crate::vector::rectify;

/// A network whose weights lie as decisions read them, with the room that those need; made by
/// [`Network::prepare`]. It knows nothing of later changes of the network before
/// [`Prepared::update`].
///
/// Each output of a layer is one sum, in the order of its inputs from 0, each product and each sum
/// rounded, and the bias comes last. So a row gives the same bits on every host, alone or in a
/// batch. [`Network::infer`] has another order: last digits differ from it.
#[derive(Debug, Clone)]
pub struct Prepared {
    steps: Vec<Step>,
    /// Values that go into each layer, and at the end those that come out of the last.
    widths: Vec<usize>,
    now: Vec<f32>,
    next: Vec<f32>,
    room: ConvRoom,
}

#[derive(Debug, Clone)]
enum Step {
    Dense { weight: Packed, bias: Vec<f32> },
    Rectify(f32),
    Conv(Conv2d),
    Pool(MaxPool2d),
    Nothing,
}

impl Step {
    fn new(layer: &Layer) -> Step {
        match layer {
            Layer::Dense(dense) => {
                let mut weight = Packed::default();
                let own = &dense.parameters;
                weight.pack_transposed(&own.weight, dense.inputs, dense.outputs);
                Step::Dense { weight, bias: own.bias.clone() }
            }
            Layer::Relu => Step::Rectify(0.0),
            Layer::LeakyRelu { slope } => Step::Rectify(*slope),
            Layer::Conv2d(conv) => Step::Conv(conv.clone()),
            Layer::MaxPool2d(pool) => Step::Pool(*pool),
            Layer::Flatten => Step::Nothing,
        }
    }
}

impl Prepared {
    pub(crate) fn new(network: &Network) -> Prepared {
        let widths = network.widths().to_vec();
        let widest = widths.iter().copied().max().unwrap_or(0);
        Prepared {
            steps: network.layers().iter().map(Step::new).collect(),
            now: vec![0.0; widest],
            next: vec![0.0; widest],
            widths,
            room: ConvRoom::default(),
        }
    }

    /// Takes over the weights of `network`. Nothing is allocated.
    ///
    /// # Panics
    /// If it has other layers than the network that this was made of.
    pub fn update(&mut self, network: &Network) {
        assert_eq!(network.widths(), self.widths, "widths of the network");
        for (step, layer) in self.steps.iter_mut().zip(network.layers()) {
            match (step, layer) {
                (Step::Dense { weight, bias }, Layer::Dense(dense)) => {
                    let own = &dense.parameters;
                    weight.pack_transposed(&own.weight, dense.inputs, dense.outputs);
                    bias.copy_from_slice(&own.bias);
                }
                (Step::Conv(own), Layer::Conv2d(conv)) => {
                    own.parameters.weight.copy_from_slice(&conv.parameters.weight);
                    own.parameters.bias.copy_from_slice(&conv.parameters.bias);
                }
                (Step::Rectify(own), layer) => {
                    *own = layer.slope().expect("the same layers");
                }
                (Step::Pool(own), Layer::MaxPool2d(pool)) => assert_eq!(own, pool, "pooling"),
                (Step::Nothing, Layer::Flatten) => {}
                _ => panic!("the network has other layers"),
            }
        }
    }

    /// Width of a row that goes in.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    /// Width of a row that comes out.
    pub fn outputs(&self) -> usize {
        self.widths[self.steps.len()]
    }

    /// What comes out for one row: logits, where the network decides. Nothing is allocated, but by
    /// the first image that meets a convolution.
    ///
    /// # Panics
    /// If the row has another width than [`Prepared::inputs`].
    pub fn infer(&mut self, row: &[f32]) -> &[f32] {
        assert_eq!(row.len(), self.inputs(), "values in a row");
        self.infer_batch(row)
    }

    /// What comes out for each of some rows, `[rows, inputs]`: `[rows, outputs]`, row by row the bits
    /// of [`Prepared::infer`]. Room is asked for where there were never as many rows.
    ///
    /// # Panics
    /// If it is not a whole number of rows.
    pub fn infer_batch(&mut self, rows: &[f32]) -> &[f32] {
        let count = rows.len() / self.inputs();
        assert_eq!(rows.len(), count * self.inputs(), "whole rows");
        self.make_room(count);
        self.now[..rows.len()].copy_from_slice(rows);
        for (step, widths) in self.steps.iter().zip(self.widths.windows(2)) {
            let x = &mut self.now[..count * widths[0]];
            let y = &mut self.next[..count * widths[1]];
            let images = x.chunks_exact(widths[0]).zip(y.chunks_exact_mut(widths[1]));
            match step {
                Step::Dense { weight, bias } => {
                    forward(count, x, weight, (bias, 1.0), Rounding::Each, y);
                }
                Step::Conv(conv) => images.for_each(|(x, y)| {
                    conv.forward(x, Rounding::Each, &mut self.room, y);
                }),
                Step::Pool(pool) => images.for_each(|(x, y)| pool.forward(x, y)),
                Step::Rectify(slope) => {
                    rectify(x, *slope);
                    continue;
                }
                Step::Nothing => continue,
            }
            std::mem::swap(&mut self.now, &mut self.next);
        }
        &self.now[..count * self.outputs()]
    }

    fn make_room(&mut self, rows: usize) {
        let widest = self.widths.iter().copied().max().unwrap_or(0);
        let wanted = rows * widest;
        if self.now.len() < wanted {
            self.now.resize(wanted, 0.0);
            self.next.resize(wanted, 0.0);
        }
    }
}

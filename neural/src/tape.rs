//! Batches forward and back.

use crate::kernel::{self, Shape};
use crate::layer::{Layer, Parameters};
use crate::network::{Network, relu};

/// What a batch leaves behind in a network: the values between the layers, and the gradients. Made
/// once for a network and a largest batch, and used for every step.
///
/// A step is: write rows into [`Tape::inputs`], [`Tape::forward`], write the gradient of the loss
/// into what [`Tape::outputs_and_slope`] gives, [`Tape::backward`], read [`Tape::gradients`].
#[derive(Debug, Clone)]
pub struct Tape {
    capacity: usize,
    rows: usize,
    widths: Vec<usize>,
    /// What goes into each layer, and at the end what comes out of the last; row by row.
    values: Vec<Vec<f32>>,
    /// Gradient of what came out of the layer that is looked at.
    slope: Vec<f32>,
    /// Gradient of what went into it.
    before: Vec<f32>,
    gradients: Vec<Option<Parameters>>,
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
        for (number, layer) in network.layers().iter().enumerate() {
            let shape = self.shape(number);
            let (done, ahead) = self.values.split_at_mut(number + 1);
            let x = &done[number][..shape.rows * shape.inputs];
            let y = &mut ahead[0][..shape.rows * shape.outputs];
            match layer {
                Layer::Dense(dense) => {
                    let own = &dense.parameters;
                    kernel::forward(shape, x, &own.weight, &own.bias, y);
                }
                Layer::Relu => {
                    y.copy_from_slice(x);
                    relu(y);
                }
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
        for (number, layer) in network.layers().iter().enumerate().rev() {
            let shape = self.shape(number);
            let slope = &mut self.slope[..shape.rows * shape.outputs];
            match layer {
                Layer::Dense(dense) => {
                    let x = &self.values[number][..shape.rows * shape.inputs];
                    let gradient = self.gradients[number].as_mut().expect("a dense layer has some");
                    kernel::weight_gradient(shape, slope, x, &mut gradient.weight);
                    kernel::bias_gradient(slope, &mut gradient.bias);
                    // Nobody asks for the gradient of the rows themselves.
                    if number > 0 {
                        let before = &mut self.before[..shape.rows * shape.inputs];
                        kernel::input_gradient(shape, slope, &dense.parameters.weight, before);
                        std::mem::swap(&mut self.slope, &mut self.before);
                    }
                }
                Layer::Relu => {
                    for (slope, y) in slope.iter_mut().zip(&self.values[number + 1]) {
                        *slope = if *y > 0.0 { *slope } else { 0.0 };
                    }
                }
            }
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

//! The layers of a network: their parameters, and how wide they are.

use crate::conv::{Conv2d, MaxPool2d};

/// Weights and biases of one layer, or something that has one number for each of them: gradients,
/// moments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    /// Weights; of a dense layer `[outputs, inputs]`, of a convolution `[outputs, channels, kernel,
    /// kernel]`, row by row.
    pub weight: Vec<f32>,
    /// Biases, one for each output.
    pub bias: Vec<f32>,
}

impl Parameters {
    /// As many zeros.
    pub fn zeros_like(&self) -> Parameters {
        Parameters { weight: vec![0.0; self.weight.len()], bias: vec![0.0; self.bias.len()] }
    }

    /// Weights, then biases.
    pub fn iter(&self) -> impl Iterator<Item = &f32> {
        self.weight.iter().chain(&self.bias)
    }

    /// Weights, then biases.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut f32> {
        self.weight.iter_mut().chain(&mut self.bias)
    }
}

/// A fully connected layer, `y = W x + b`, as PyTorch's `nn.Linear`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Width of x.
    pub inputs: usize,
    /// Width of y.
    pub outputs: usize,
    /// W, of shape `[outputs, inputs]`, and b.
    pub parameters: Parameters,
}

impl Dense {
    /// A layer of zeros.
    pub fn zeros(inputs: usize, outputs: usize) -> Dense {
        let parameters =
            Parameters { weight: vec![0.0; inputs * outputs], bias: vec![0.0; outputs] };
        Dense { inputs, outputs, parameters }
    }
}

/// One step of a network. A new sort of layer is a variant here, and an arm in `network.rs` and
/// `prepared.rs` (one row), `tape.rs` (batches, and back), `init.rs` (first weights) and
/// `architecture.rs` (in files).
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// Fully connected.
    Dense(Dense),
    /// `max(x, 0)`, value by value.
    Relu,
    /// `max(x, 0) + slope * min(x, 0)`, value by value, as PyTorch's `nn.LeakyReLU`.
    LeakyRelu {
        /// What negative values are multiplied with; finite.
        slope: f32,
    },
    /// A convolution of images.
    Conv2d(Conv2d),
    /// The largest of each 2 x 2 values of an image.
    MaxPool2d(MaxPool2d),
    /// Nothing is done: values lie as PyTorch's `nn.Flatten` lays them. It has a number, so that
    /// those of the layers after it are PyTorch's.
    Flatten,
}

impl Layer {
    /// Width of what comes out where `inputs` values go in, or `None` where that many do not fit.
    pub fn outputs(&self, inputs: usize) -> Option<usize> {
        match self {
            Layer::Dense(dense) => (dense.inputs == inputs).then_some(dense.outputs),
            Layer::Relu | Layer::LeakyRelu { .. } | Layer::Flatten => Some(inputs),
            Layer::Conv2d(conv) => {
                let fits = conv.inputs.values() == Some(inputs);
                conv.result().filter(|_| fits)?.values()
            }
            Layer::MaxPool2d(pool) => {
                let fits = pool.inputs.values() == Some(inputs);
                fits.then(|| pool.result().values())?
            }
        }
    }

    /// What of it is trained.
    pub fn parameters(&self) -> Option<&Parameters> {
        match self {
            Layer::Dense(dense) => Some(&dense.parameters),
            Layer::Conv2d(conv) => Some(&conv.parameters),
            Layer::Relu | Layer::LeakyRelu { .. } | Layer::MaxPool2d(_) | Layer::Flatten => None,
        }
    }

    /// What of it is trained.
    pub fn parameters_mut(&mut self) -> Option<&mut Parameters> {
        match self {
            Layer::Dense(dense) => Some(&mut dense.parameters),
            Layer::Conv2d(conv) => Some(&mut conv.parameters),
            Layer::Relu | Layer::LeakyRelu { .. } | Layer::MaxPool2d(_) | Layer::Flatten => None,
        }
    }

    /// What negative values are multiplied with, if that is what it does.
    pub(crate) fn slope(&self) -> Option<f32> {
        match self {
            Layer::Relu => Some(0.0),
            Layer::LeakyRelu { slope } => Some(*slope),
            _ => None,
        }
    }

    /// The shape of its weights, as PyTorch has it, if it has some.
    pub(crate) fn weight_shape(&self) -> Option<Vec<usize>> {
        match self {
            Layer::Dense(dense) => Some(vec![dense.outputs, dense.inputs]),
            Layer::Conv2d(conv) => {
                Some(vec![conv.outputs, conv.inputs.channels, conv.kernel, conv.kernel])
            }
            _ => None,
        }
    }
}

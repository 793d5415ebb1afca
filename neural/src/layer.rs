//! The layers of a network: their parameters, and how wide they are.

/// Weights and biases of one layer, or something that has one number for each of them: gradients,
/// moments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    /// Weights; of a dense layer `[outputs, inputs]`, row by row.
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

/// One step of a network. A new sort of layer is a variant here, and an arm in `network.rs` (one
/// row), `tape.rs` (batches, and back), `init.rs` (first weights) and `model.rs` (in files).
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// Fully connected.
    Dense(Dense),
    /// `max(x, 0)`, value by value.
    Relu,
}

impl Layer {
    /// Width of what comes out where `inputs` values go in, or `None` where that many do not fit.
    pub fn outputs(&self, inputs: usize) -> Option<usize> {
        match self {
            Layer::Dense(dense) => (dense.inputs == inputs).then_some(dense.outputs),
            Layer::Relu => Some(inputs),
        }
    }

    /// What of it is trained.
    pub fn parameters(&self) -> Option<&Parameters> {
        match self {
            Layer::Dense(dense) => Some(&dense.parameters),
            Layer::Relu => None,
        }
    }

    /// What of it is trained.
    pub fn parameters_mut(&mut self) -> Option<&mut Parameters> {
        match self {
            Layer::Dense(dense) => Some(&mut dense.parameters),
            Layer::Relu => None,
        }
    }
}

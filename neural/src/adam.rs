//! The optimiser Adam.

use crate::layer::{Layer, Parameters};
use crate::network::Network;
use crate::vector::run;

/// Adam with bias correction (Kingma and Ba, ICLR 2015, algorithm 1), in the arrangement of
/// PyTorch: epsilon is added to the corrected root. `Default` has PyTorch's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Learning rate, `alpha` in the paper.
    pub rate: f64,
    /// Decay of the first moments.
    pub beta1: f64,
    /// Decay of the second moments.
    pub beta2: f64,
    /// What keeps the denominator from 0.
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Adam {
        Adam { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// What Adam remembers from step to step about one network.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamState {
    pub(crate) steps: u64,
    pub(crate) first: Vec<Option<Parameters>>,
    pub(crate) second: Vec<Option<Parameters>>,
}

impl AdamState {
    /// Before the first step.
    pub fn new(network: &Network) -> AdamState {
        let zeros = |layer: &Layer| layer.parameters().map(Parameters::zeros_like);
        let first: Vec<_> = network.layers().iter().map(zeros).collect();
        AdamState { steps: 0, second: first.clone(), first }
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

impl Adam {
    /// Moves the parameters of `network` by one step against `gradients`
    /// ([`Tape::gradients`](crate::Tape::gradients)).
    pub fn step(
        &self,
        network: &mut Network,
        gradients: &[Option<Parameters>],
        state: &mut AdamState,
    ) {
        state.steps += 1;
        let factors = Factors::new(self, state.steps);
        let moments = state.first.iter_mut().zip(&mut state.second);
        for ((layer, gradient), (first, second)) in
            network.layers_mut().iter_mut().zip(gradients).zip(moments)
        {
            let (Some(own), Some(gradient)) = (layer.parameters_mut(), gradient) else { continue };
            let (Some(first), Some(second)) = (first, second) else { continue };
            let (m, v) = (&mut first.weight, &mut second.weight);
            factors.apply(&mut own.weight, &gradient.weight, m, v);
            factors.apply(&mut own.bias, &gradient.bias, &mut first.bias, &mut second.bias);
        }
    }
}

/// The numbers of one step, rounded to single precision once. `1 - 0.999` computed in single
/// precision would be wrong in the fifth digit, which can be seen in the loss.
struct Factors {
    beta1: f32,
    beta2: f32,
    rest1: f32,
    rest2: f32,
    stride: f32,
    root: f32,
    epsilon: f32,
}

impl Factors {
    fn new(adam: &Adam, steps: u64) -> Factors {
        let correction1 = 1.0 - libm::pow(adam.beta1, steps as f64);
        let correction2 = 1.0 - libm::pow(adam.beta2, steps as f64);
        Factors {
            beta1: adam.beta1 as f32,
            beta2: adam.beta2 as f32,
            rest1: (1.0 - adam.beta1) as f32,
            rest2: (1.0 - adam.beta2) as f32,
            stride: (adam.rate / correction1) as f32,
            root: (1.0 / correction2.sqrt()) as f32,
            epsilon: adam.epsilon as f32,
        }
    }

    fn apply(&self, values: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        run(
            #[inline(always)]
            || {
                let moments = first.iter_mut().zip(second);
                for ((value, gradient), (m, v)) in values.iter_mut().zip(gradients).zip(moments) {
                    *m = self.beta1 * *m + self.rest1 * gradient;
                    *v = self.beta2 * *v + self.rest2 * gradient * gradient;
                    *value -= self.stride * *m / (v.sqrt() * self.root + self.epsilon);
                }
            },
        );
    }
}

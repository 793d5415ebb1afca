//! Steps of a training whose targets change from step to step.

use crate::adam::{Adam, AdamState};
use crate::network::Network;
use crate::tape::Tape;
use crate::vector::square_error;

/// Trains a network towards numbers, batch by batch, by the mean square over all outputs: what
/// Q-learning needs, whose targets come from a network too. Adam's moments are kept here.
#[derive(Debug, Clone)]
pub struct Regression {
    tape: Tape,
    state: AdamState,
}

impl Regression {
    /// Room for batches of up to `rows` rows, before the first step.
    pub fn new(network: &Network, rows: usize) -> Regression {
        Regression { tape: Tape::new(network, rows), state: AdamState::new(network) }
    }

    /// As [`Regression::new`], going on where a former training stood
    /// ([`Checkpoint`](crate::Checkpoint)).
    pub fn resume(network: &Network, rows: usize, state: AdamState) -> Regression {
        Regression { tape: Tape::new(network, rows), state }
    }

    /// What Adam remembers.
    pub fn state(&self) -> &AdamState {
        &self.state
    }

    /// Moves the network by one step: `inputs` is `[rows, inputs]`, `targets` `[rows, outputs]`. The
    /// rate of `adam` may be another each time. Gives the loss before the step, the mean of the
    /// squared differences over rows and outputs (PyTorch's `nn.MSELoss`). After the first step
    /// nothing is allocated. The same network, rows and state give the same bits on one host.
    ///
    /// # Panics
    /// Without rows, if rows and targets are not whole rows and as many, or there are more than there
    /// is room for; and if the network has other widths than the one that this was made for.
    pub fn step(
        &mut self,
        network: &mut Network,
        adam: &Adam,
        inputs: &[f32],
        targets: &[f32],
    ) -> f64 {
        let rows = inputs.len() / network.inputs();
        assert!(rows > 0, "a step needs rows");
        assert_eq!(inputs.len(), rows * network.inputs(), "values of whole rows");
        assert_eq!(targets.len(), rows * network.outputs(), "targets of {rows} rows");
        self.tape.inputs(rows).copy_from_slice(inputs);
        self.tape.forward(network);
        let (outputs, slope) = self.tape.outputs_and_slope();
        let factor = 2.0 / outputs.len() as f32;
        let loss = square_error(outputs, targets, factor, slope) / outputs.len() as f64;
        self.tape.backward(network);
        adam.step(network, self.tape.gradients(), &mut self.state);
        loss
    }
}

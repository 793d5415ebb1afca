//! Training.

use std::ops::ControlFlow;

use fogbit_scenario::draw::{Key, Stream};

use crate::adam::{Adam, AdamState};
use crate::loss::Loss;
use crate::network::Network;
use crate::tape::Tape;

/// How to train. `Default` is the setting of the notebook of the placement problem: 10 epochs,
/// batches of 64 rows, Adam with PyTorch's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// How often each row is seen.
    pub epochs: usize,
    /// Rows in a batch; the last of an epoch has what is left.
    pub batch: usize,
    /// The optimiser.
    pub adam: Adam,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit { epochs: 10, batch: 64, adam: Adam::default() }
    }
}

/// What an epoch came to, on the rows it was trained on and while it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: usize,
    /// Mean loss over the rows.
    pub loss: f64,
    /// Share of the rows whose largest output was the right one, where there is a right one.
    pub accuracy: Option<f64>,
}

/// Why nothing, or no more, can be learnt.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// There are no rows.
    #[error("there are no rows to learn from")]
    Empty,
    /// Batches of no rows.
    #[error("a batch needs at least one row")]
    Batch,
    /// Features or targets do not fit the network or one another.
    #[error("there are {found} {what}, expected {expected}")]
    Length {
        /// Of what.
        what: &'static str,
        /// How many values there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A label that is no output.
    #[error("row {row} has the label {label}: the network has outputs 0 to {}", outputs - 1)]
    Label {
        /// Number of the row, from 0.
        row: usize,
        /// Its label.
        label: u32,
        /// How many outputs there are.
        outputs: usize,
    },
    /// A feature that is not finite.
    #[error("feature {feature} of row {row} is {value}: features are finite")]
    Feature {
        /// Number of the row, from 0.
        row: usize,
        /// Number of the feature, from 0.
        feature: usize,
        /// What it is.
        value: f32,
    },
    /// A temperature that none can have.
    #[error("the temperature is {0}, expected a finite number above 0")]
    Temperature(f32),
    /// The loss is not finite any more.
    #[error("the loss is not finite in epoch {epoch}: try a lower learning rate")]
    Diverged {
        /// Number of the epoch, from 1.
        epoch: usize,
    },
}

/// Trains `network` on `features`, `[rows, inputs]`, towards `loss`, and tells what each epoch came
/// to. `watch` is called after each epoch, and ends the training with [`ControlFlow::Break`].
///
/// Epoch e takes the rows in an order drawn with child e of `key`. The same key, rows and setting
/// give the same bits on one host.
///
/// # Errors
/// If features or targets do not fit, or the loss stops being finite; the network is then as the
/// last batch left it.
pub fn fit(
    network: &mut Network,
    features: &[f32],
    loss: &impl Loss,
    setting: &Fit,
    key: &Key,
    mut watch: impl FnMut(&Epoch, &Network) -> ControlFlow<()>,
) -> Result<Vec<Epoch>, FitError> {
    let rows = check(network, features, setting)?;
    loss.check(rows, network.outputs())?;
    let mut order: Vec<u32> = (0..rows as u32).collect();
    let mut tape = Tape::new(network, setting.batch.min(rows));
    let mut state = AdamState::new(network);
    let mut epochs = Vec::new();
    for number in 1..=setting.epochs {
        // From the same order each time: an epoch does not depend on the ones before.
        order.iter_mut().zip(0..).for_each(|(row, own)| *row = own);
        shuffle(&mut order, &key.child(number as u64));
        let (mut sum, mut hits) = (0.0, Some(0));
        for batch in order.chunks(setting.batch) {
            let (value, own) = step(network, features, batch, loss, &mut tape);
            if !value.is_finite() {
                return Err(FitError::Diverged { epoch: number });
            }
            setting.adam.step(network, tape.gradients(), &mut state);
            sum += value * batch.len() as f64;
            hits = hits.zip(own).map(|(hits, own)| hits + own);
        }
        let accuracy = hits.map(|hits| hits as f64 / rows as f64);
        let epoch = Epoch { number, loss: sum / rows as f64, accuracy };
        let flow = watch(&epoch, network);
        epochs.push(epoch);
        if flow.is_break() {
            break;
        }
    }
    Ok(epochs)
}

/// Takes one batch forward and back; gives its loss and hits, and leaves the gradients in `tape`.
fn step(
    network: &Network,
    features: &[f32],
    batch: &[u32],
    loss: &impl Loss,
    tape: &mut Tape,
) -> (f64, Option<usize>) {
    let width = network.inputs();
    let room = tape.inputs(batch.len()).chunks_exact_mut(width);
    for (row, place) in batch.iter().zip(room) {
        place.copy_from_slice(&features[*row as usize * width..][..width]);
    }
    tape.forward(network);
    let (outputs, slope) = tape.outputs_and_slope();
    let value = loss.evaluate(batch, outputs, slope);
    let hits = loss.hits(batch, outputs);
    tape.backward(network);
    (value, hits)
}

/// The number of rows.
fn check(network: &Network, features: &[f32], setting: &Fit) -> Result<usize, FitError> {
    let width = network.inputs();
    let rows = features.len() / width;
    if rows == 0 {
        return Err(FitError::Empty);
    }
    if setting.batch == 0 {
        return Err(FitError::Batch);
    }
    if features.len() != rows * width {
        let (found, expected) = (features.len(), rows * width);
        return Err(FitError::Length { what: "features", found, expected });
    }
    if let Some(place) = features.iter().position(|value| !value.is_finite()) {
        let (row, feature) = (place / width, place % width);
        return Err(FitError::Feature { row, feature, value: features[place] });
    }
    Ok(rows)
}

/// Brings `values` into an order drawn with `key` (Fisher and Yates): from the last place on down
/// each changes places with one that is drawn from those up to itself, draw 1 first.
pub fn shuffle<T>(values: &mut [T], key: &Key) {
    let mut stream = Stream::new(key);
    for (draw, place) in (1..).zip((1..values.len()).rev()) {
        let choices = place as u128 + 1;
        let other = (u128::from(stream.at(draw)) * choices) >> 64;
        values.swap(place, other as usize);
    }
}

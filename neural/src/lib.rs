//! Small neural networks: what learned policies train and decide with.
//!
//! A [`Network`] is data, a list of layers with their weights in single precision, row by row, in
//! the layout of PyTorch. [`fit`] trains one from keyed draws: the same key gives the same bits on
//! one host. [`Network::infer`] is a single decision, plain arithmetic in a fixed order that gives
//! the same bits on every host. [`Network::save`] writes safetensors that PyTorch reads.
//!
//! What to train towards is a [`Loss`]. Features are scaled by a [`Standardiser`], which is kept
//! beside the weights.

mod adam;
mod architecture;
mod classifier;
mod fit;
mod init;
mod kernel;
mod layer;
mod loss;
mod metrics;
mod model;
mod network;
mod safetensors;
mod standardiser;
mod tape;

pub use adam::{Adam, AdamState};
pub use classifier::{
    CLASSES, Classifier, ClassifierError, ClassifierScratch, PIXELS, Preparation, SIDE, answer,
    probabilities,
};
pub use fit::{Epoch, Fit, FitError, fit, shuffle};
pub use layer::{Dense, Layer, Parameters};
pub use loss::{CrossEntropy, Distillation, Loss, MeanSquare, argmax, softmax};
pub use metrics::{Confusion, area_under_curve};
pub use model::{LoadError, Metadata, ModelFault, SaveError, read_bytes};
pub use network::{LayersError, Network, Scratch};
pub use standardiser::{Standardiser, StandardiserError};
pub use tape::Tape;

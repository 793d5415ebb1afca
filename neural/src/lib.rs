//! Small neural networks: what learned policies train and decide with, and classifiers of images.
//!
//! A [`Network`] is data, a list of layers with their weights in single precision, row by row, in
//! the layout of PyTorch. [`fit`] trains one from keyed draws, [`Regression`] takes single steps
//! towards targets that change, and a [`Checkpoint`] keeps where a training stands: the same key
//! gives the same bits on one host. [`Network::infer`] is a single decision, plain arithmetic in a
//! fixed order that gives the same bits on every host; so does [`Prepared::infer`], in another order
//! and several times faster. [`Network::save`] writes safetensors that PyTorch reads.
//!
//! What to train towards is a [`Loss`]. Features are scaled by a [`Standardiser`], which is kept
//! beside the weights. How sure a classifier may be of itself says [`calibration`].

mod adam;
mod architecture;
pub mod calibration;
mod checkpoint;
mod choices;
mod classifier;
mod conv;
mod fit;
mod init;
mod kernel;
mod layer;
mod loss;
mod metrics;
mod model;
mod network;
mod prepared;
mod product;
mod regression;
mod safetensors;
mod standardiser;
mod tape;
mod vector;

pub use adam::{Adam, AdamState};
pub use checkpoint::Checkpoint;
pub use choices::{Choices, Softened};
pub use classifier::{
    CLASSES, Classifier, ClassifierError, ClassifierScratch, PIXELS, Preparation, SIDE, answer,
    entropy_of, probabilities,
};
pub use conv::{Conv2d, MaxPool2d, Planes};
pub use fit::{Epoch, Fit, FitError, fit, shuffle};
pub use init::Initial;
pub use layer::{Dense, Layer, Parameters};
pub use loss::{CrossEntropy, Distillation, Loss, MeanSquare, argmax, softmax};
pub use metrics::{Confusion, area_under_curve};
pub use model::{LoadError, Metadata, ModelFault, SaveError, read_bytes};
pub use network::{LayersError, Network, Scratch};
pub use prepared::Prepared;
pub use regression::Regression;
pub use standardiser::{Standardiser, StandardiserError};
pub use tape::Tape;

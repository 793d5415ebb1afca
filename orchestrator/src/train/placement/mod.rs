//! The decision network of the problem `placement`: local, or offload?

mod evaluation;
mod fit;
mod origin;
mod prepare;
mod probes;
mod timing;

pub use evaluation::{Baselines, Counts, Evaluation, Loss};
pub use fit::{TrainError, Trained, train};
pub use origin::Origin;
pub use prepare::{PlacementModels, PreparedModel, check_models, prepare};
pub use probes::Probe;
pub use timing::decision_seconds;

//! The deep Q-network of the problem `cascade`: which images are worth a token?

mod checkpoint;
mod fit;
mod origin;
mod prepare;
mod referee;
mod stream;
mod targets;
mod timing;
mod trainer;

pub use checkpoint::{CheckpointError, load_checkpoint, save_checkpoint};
pub use fit::{DqnProgress, TrainedDqn, train};
pub use origin::{differences, origin, summary};
pub use prepare::{DqnModels, PreparedDqn, check_models, prepare};
pub(crate) use prepare::{exit, warn};
pub use referee::{Referee, Verdict, average_loss};
pub use stream::{Outcome, TrainingStream};
pub use targets::{Targets, centre};
pub use timing::decision_seconds;
pub use trainer::{DqnTrainError, DqnTrainer};

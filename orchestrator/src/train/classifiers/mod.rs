//! The two classifiers of the problem `cascade`, and the trace of what they say.

mod evaluation;
mod fit;
mod keep;
mod networks;
mod outcome;
mod timing;
mod trace;

pub use evaluation::{Categories, ClassifierFigures, Evaluation, expected_calibration_error};
pub use fit::{ClassifierTraining, TrainError, Trained, Which, train};
pub use keep::{FILES, KeepError, STRONG_FILE, TRACE_FILE, WEAK_FILE, check_room, keep};
pub use networks::multiply_adds;
pub use outcome::Outcome;
pub use timing::classification_seconds;
pub use trace::{TracedImage, write_trace};

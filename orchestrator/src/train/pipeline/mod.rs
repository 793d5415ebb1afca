//! The networks of the problem `pipeline`: optimal placements to learn from, teachers and students.

mod fit;
mod judge;
mod label_file;
mod labels;
mod learn;
mod origin;
mod prepare;
mod rows;
mod sweep;
mod table;

pub use fit::{Lesson, PipelineTrainError, STAGES, Teaching, train};
pub use judge::{Judge, Judgement};
pub use label_file::{LabelFile, LabelFileError};
pub use labels::{Examples, LabelError, LabelSet, PIECE, Part};
pub use learn::{LearnError, Learner, Learnt, Told, Trainee, learn};
pub use origin::Origin;
pub use prepare::{PipelineModels, PreparedNet, check_models, prepare};
pub(crate) use prepare::{Progress, failure};
pub use rows::Rows;
pub use sweep::{SweepError, SweepPlan, sweep};
pub use table::{LabelRow, MODELS, read_rows, rows_so_far, to_csv};

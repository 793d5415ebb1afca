//! The problem `pipeline`: applications of many sub-tasks.

mod sim;
mod trial;

pub use sim::SimSites;
pub use trial::{PipelineFog, PipelineRecorder, PipelineTrial};

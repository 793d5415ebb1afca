//! The problem `pipeline`: applications of many sub-tasks.

mod nodes;
mod parts;
mod service;
mod sim;
mod trial;

pub use sim::SimSites;
pub use trial::{PipelineFog, PipelineRecorder, PipelineTrial, Placer};

//! The problem `placement`: each task runs on the task node or on a helper node, and what counts is
//! how long it takes.
//!
//! [`PlacementScenario`] is a checked topology, [`PlacementInstance`] that under one seed. [`cost`]
//! says how long a task is expected to take where; [`Channel`] lets a payload travel in virtual time.

pub mod cost;
mod instance;
mod monitor;
mod receiver;
mod scenario;
mod sender;
mod step;
mod training;
mod transfer;

pub use cost::CostModel;
pub use instance::{
    HelperPart, PlacementInstance, Shadows, TaskDraws, TaskNodePart, Uniform, UniformSpec,
};
pub use monitor::RttMonitor;
pub use scenario::{HelperNode, LocalNode, PAYLOAD_LIMIT, PlacementScenario};
pub use step::{Execution, Fate, QUEUE_FULL, Site, SiteSight, Step, Task};
pub use training::{Example, Examples};
pub use transfer::{Channel, GIVE_UP_NS, Way};

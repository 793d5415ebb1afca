//! The trial loop of the problem `placement`: observe, decide, run, learn, record, task after task.
//! Written once for all backends.

mod sim;
mod trial;

pub use sim::SimFog;
pub use trial::{
    InstanceOracle, NoPlacementOracle, PlacementDecider, PlacementFog, PlacementOracle,
    PlacementRecorder, PlacementTrial,
};

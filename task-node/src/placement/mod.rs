//! The trial loop of the problem `placement`: observe, decide, run, learn, record, task after task.
//! Written once for all backends.

mod service;
mod sim;
mod trial;
mod wall;

pub use sim::{SimFog, VirtualServer};
pub use trial::{
    InstanceOracle, NoPlacementOracle, PlacementDecider, PlacementFog, PlacementOracle,
    PlacementRecorder, PlacementTrial,
};

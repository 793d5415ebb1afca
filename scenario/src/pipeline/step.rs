//! What is recorded of each application.

use serde::{Deserialize, Serialize};

use super::schedule::Schedule;

/// What became of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplicationFate {
    /// All its sub-tasks ran, and its output came to the device.
    Done,
    /// It was not done in time.
    TimedOut,
    /// A site refused its part, with this code.
    Refused(u32),
}

/// What really happened, in real time over processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// From its arrival to its end, in nanoseconds.
    pub delay_ns: u64,
    /// When what happened, in nanoseconds since it arrived.
    pub schedule: Schedule,
}

/// One application of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationStep {
    /// Number of the application, from 1.
    pub application: u64,
    /// The site of each sub-task.
    pub placement: Vec<u8>,
    /// What became of it.
    pub fate: ApplicationFate,
    /// What was measured of it; nothing in virtual time, or if it was not done.
    pub measured: Option<Measured>,
}

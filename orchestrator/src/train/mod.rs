//! Models that policies learn before a run: training and judging them.

pub mod classifiers;
pub mod dqn;
mod kept;
pub mod lock;
pub mod pipeline;
pub mod placement;
pub mod progress;

//! Compute: tasks with work, executed first come, first served. The same service stands behind a
//! helper node's streams ([`serve_compute_stream`]) and inside a task node.
//!
//! Work is really done, on threads of its own, or timed; see
//! [`Execution`](fogbit_scenario::work::Execution).

mod calibrate;
pub(crate) mod clock;
mod counts;
mod error;
mod images;
mod pool;
mod service;
mod stream;
mod timed;

pub use calibrate::calibration;
pub use counts::ComputeCounts;
pub use error::{ComputeError, ComputeSetupError};
pub use images::ImageSpec;
pub use service::{ComputeService, ComputeState, ComputeTask, Finished};
pub use stream::{ComputeEnd, serve_compute, serve_compute_stream, serve_image};

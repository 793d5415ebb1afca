//! What can become of a task but its result.

use fogbit_scenario::work::{BadCompute, UnknownWork};
use fogbit_transport::compute::ComputeCode;

/// Why a task was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// As many tasks wait as may.
    #[error("the queue is full: {0} tasks may wait")]
    QueueFull(u32),
    /// It was not done by its deadline, or could not have been.
    #[error("it is not done by its deadline")]
    DeadlineMissed,
    /// Its input or output is too long.
    #[error("{bytes} bytes of {what} where at most {limit} are allowed")]
    PayloadTooLarge {
        /// `input` or `output`.
        what: &'static str,
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        limit: u64,
    },
    /// Nobody knows this kind of work.
    #[error(transparent)]
    UnknownWork(#[from] UnknownWork),
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// It was taken back, or its trial is over.
    #[error("it was cancelled")]
    Cancelled,
    /// Something failed on this node.
    #[error("{0}")]
    Failed(String),
}

impl ComputeError {
    /// The code that travels and is counted.
    pub fn code(&self) -> ComputeCode {
        match self {
            ComputeError::QueueFull(_) => ComputeCode::QueueFull,
            ComputeError::DeadlineMissed => ComputeCode::DeadlineMissed,
            ComputeError::PayloadTooLarge { .. } => ComputeCode::PayloadTooLarge,
            ComputeError::UnknownWork(_) => ComputeCode::UnknownWork,
            ComputeError::BadRequest(_) => ComputeCode::BadRequest,
            ComputeError::Cancelled => ComputeCode::Cancelled,
            ComputeError::Failed(_) => ComputeCode::Failed,
        }
    }
}

/// Why a service could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ComputeSetupError {
    /// It was described wrongly.
    #[error(transparent)]
    Spec(#[from] BadCompute),
    /// The system gave no timer or no thread.
    #[error("no timer or thread for compute: {0}")]
    System(#[from] std::io::Error),
}

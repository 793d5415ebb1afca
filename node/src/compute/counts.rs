//! What became of all tasks, counted.

use fogbit_transport::compute::ComputeCode;

use super::error::ComputeError;
use super::service::Finished;

/// Counts since the service was made. They add up: whatever was accepted is finished, cancelled,
/// missed, failed, or not over yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ComputeCounts {
    /// Tasks that got a place.
    pub accepted: u64,
    /// Of these: done.
    pub finished: u64,
    /// Of these: taken back before they were done.
    pub cancelled: u64,
    /// Of these: not done by their deadline.
    pub missed: u64,
    /// Of these: failed.
    pub failed: u64,
    /// Tasks that got no place, by the reason, in the order of [`ComputeCode::ALL`].
    pub refused: [u64; ComputeCode::ALL.len()],
}

impl ComputeCounts {
    /// Tasks that were refused for this reason.
    pub fn refused(&self, code: ComputeCode) -> u64 {
        self.refused[code as usize]
    }

    /// Tasks that were refused.
    pub fn all_refused(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// Tasks that are accepted and not over.
    pub fn open(&self) -> u64 {
        self.accepted - self.finished - self.cancelled - self.missed - self.failed
    }

    pub(super) fn note_refused(&mut self, code: ComputeCode) {
        self.refused[code as usize] += 1;
    }

    pub(super) fn note_end(&mut self, end: &Result<Finished, ComputeError>) {
        let count = match end {
            Ok(_) => &mut self.finished,
            Err(ComputeError::DeadlineMissed) => &mut self.missed,
            Err(ComputeError::Cancelled) => &mut self.cancelled,
            Err(_) => &mut self.failed,
        };
        *count += 1;
    }
}

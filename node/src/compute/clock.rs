//! The one place where compute, and sites of the problem `pipeline`, ask for the time.

use std::time::{Duration, Instant};

/// The time.
#[expect(clippy::disallowed_methods, reason = "real work takes real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Whole nanoseconds; the largest number after 584 years.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

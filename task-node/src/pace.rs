//! Holding a trial in virtual time back, so that one can watch it.

use std::time::{Duration, Instant};

/// When each slot may begin at the earliest.
#[derive(Debug, Clone, Copy)]
pub struct Pacer {
    start: Instant,
    slots_per_second: f64,
}

impl Pacer {
    /// Begins now; `slots_per_second` is above 0.
    pub fn new(slots_per_second: f64) -> Pacer {
        Pacer { start: Instant::now(), slots_per_second }
    }

    /// When `slot` may begin. Slots that were late do not delay those after them.
    pub fn due(&self, slot: u64) -> Instant {
        let seconds = (slot - 1) as f64 / self.slots_per_second;
        self.start + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
    }
}

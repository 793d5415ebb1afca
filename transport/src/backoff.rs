//! How long to wait between attempts.

use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses that double from 100 ms to 2 s, each shortened at random by up to a half, so that nodes
/// that were started together do not knock together.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { next: FIRST }
    }
}

impl Backoff {
    /// The pause before the next attempt.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        let mut chance = [0; 4];
        // Without randomness from the system the pauses are merely all alike.
        let _ = SysRng.try_fill_bytes(&mut chance);
        let part = f64::from(u32::from_le_bytes(chance)) / f64::from(u32::MAX);
        pause.mul_f64(1.0 - part / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_never_longer_than_two_seconds() {
        let mut backoff = Backoff::default();
        for whole in [100, 200, 400, 800, 1600, 2000, 2000, 2000] {
            let pause = backoff.pause().as_secs_f64() * 1000.0;
            assert!((whole as f64 / 2.0..=whole as f64).contains(&pause), "{pause} of {whole} ms");
        }
    }
}

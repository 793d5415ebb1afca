//! Tasks that a node keeps for as long as they take, and then answers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Tasks kept at once: far more than come in any time that somebody waits for an answer.
const MOST: usize = 1 << 16;
/// Nobody waits this long for an answer, and a task that takes longer is never answered.
const LONGEST: Duration = Duration::from_secs(3600);

/// The tasks that are kept, by the slots in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Kept(BinaryHeap<Reverse<(Instant, u64)>>);

impl Kept {
    /// Keeps the task of `slot` for so many nanoseconds from `now` on. `false` if there are too many.
    pub(super) fn keep(&mut self, slot: u64, now: Instant, nanoseconds: f64) -> bool {
        if self.0.len() >= MOST {
            return false;
        }
        if nanoseconds <= LONGEST.as_nanos() as f64 {
            // A cast of what is below 0 gives 0.
            let due = now + Duration::from_nanos(nanoseconds as u64);
            self.0.push(Reverse((due, slot)));
        }
        true
    }

    /// When the next task is done.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes out a task that is done by `now`.
    pub(super) fn done(&mut self, now: Instant) -> Option<u64> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, slot))| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any moment will do")]
    fn tasks_are_done_in_the_order_of_their_times() {
        let now = Instant::now();
        let after = |nanoseconds| now + Duration::from_nanos(nanoseconds);
        let mut kept = Kept::default();
        for (slot, nanoseconds) in [(1, 500.0), (2, 20.0), (3, f64::INFINITY), (4, 20.0)] {
            assert!(kept.keep(slot, now, nanoseconds));
        }
        assert_eq!((kept.next(), kept.done(after(19))), (Some(after(20)), None));
        assert_eq!(kept.done(after(20)), Some(2));
        assert_eq!(kept.done(after(600)), Some(4));
        assert_eq!(kept.done(after(600)), Some(1));
        assert_eq!((kept.next(), kept.done(after(u64::MAX / 2))), (None, None));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any moment will do")]
    fn no_more_are_kept_than_there_is_room_for() {
        let (now, mut kept) = (Instant::now(), Kept::default());
        assert!((0..MOST as u64).all(|slot| kept.keep(slot, now, 1.0)));
        assert!(!kept.keep(0, now, 1.0));
    }
}

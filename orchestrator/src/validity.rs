//! Whether a run in real time is to be believed: whether the host kept up with the slots.

use std::collections::VecDeque;
use std::time::Duration;

/// A run is invalid if more than this share of its slots began late (later than a tenth of a slot).
pub const MOST_LATE: f64 = 0.01;
/// Of an endless run the last minute counts.
const WINDOW: Duration = Duration::from_secs(60);

/// How many slots began, and how many of them late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Begun {
    /// All of them.
    pub slots: u64,
    /// Those that began later than a tenth of a slot.
    pub late: u64,
}

impl Begun {
    /// The share of late ones; 0 before the first.
    pub fn late_share(&self) -> f64 {
        if self.slots == 0 { 0.0 } else { self.late as f64 / self.slots as f64 }
    }

    /// Whether no more were late than a run to be believed may have.
    pub fn valid(&self) -> bool {
        self.late_share() <= MOST_LATE
    }

    /// Those of another part of the run too.
    pub fn add(&mut self, other: Begun) {
        self.slots += other.slots;
        self.late += other.late;
    }
}

/// Judges a run as it goes on.
#[derive(Debug, Clone)]
pub struct Validity {
    /// Of an endless run only the last minute counts.
    endless: bool,
    /// Over the whole run.
    all: Begun,
    /// Second after second, the last minute of an endless run.
    seconds: VecDeque<(u64, Begun)>,
}

impl Validity {
    /// Before the first slot.
    pub fn new(endless: bool) -> Validity {
        Validity { endless, all: Begun::default(), seconds: VecDeque::new() }
    }

    /// Takes note of slots that began; `now` is the time since the run began.
    pub fn note(&mut self, now: Duration, begun: Begun) {
        self.all.add(begun);
        if !self.endless {
            return;
        }
        let second = now.as_secs();
        match self.seconds.back_mut() {
            Some((last, count)) if *last == second => count.add(begun),
            _ => self.seconds.push_back((second, begun)),
        }
        self.forget(now);
    }

    /// The slots that count at `now`.
    pub fn counted(&mut self, now: Duration) -> Begun {
        if !self.endless {
            return self.all;
        }
        self.forget(now);
        let mut sum = Begun::default();
        for (_, begun) in &self.seconds {
            sum.add(*begun);
        }
        sum
    }

    fn forget(&mut self, now: Duration) {
        let first = now.as_secs().saturating_sub(WINDOW.as_secs() - 1);
        while self.seconds.front().is_some_and(|(second, _)| *second < first) {
            self.seconds.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(slots: u64, late: u64) -> Begun {
        Begun { slots, late }
    }

    #[test]
    fn one_in_a_hundred_may_be_late() {
        let mut validity = Validity::new(false);
        assert!(validity.counted(Duration::ZERO).valid(), "nothing has begun");
        validity.note(Duration::ZERO, begun(99, 1));
        assert!(!validity.counted(Duration::ZERO).valid());
        validity.note(Duration::from_secs(1000), begun(1, 0));
        assert!(validity.counted(Duration::from_secs(1000)).valid(), "1 of 100");
    }

    #[test]
    fn of_an_endless_run_the_last_minute_counts() {
        let mut validity = Validity::new(true);
        let second = Duration::from_secs;
        validity.note(second(3), begun(10, 10));
        for now in 4..=62 {
            validity.note(second(now), begun(10, 0));
            assert!(!validity.counted(second(now)).valid(), "second {now}");
        }
        assert_eq!(validity.counted(second(62)), begun(600, 10));
        assert_eq!(validity.counted(second(63)), begun(590, 0));
        assert!(validity.counted(second(63)).valid());
        assert_eq!(validity.counted(second(1000)), begun(0, 0), "all is forgotten");
        assert!(validity.seconds.is_empty());
    }
}

//! Propagation: delay and jitter, and who may overtake whom.

use super::Direction;
use super::chance::Chance;
use crate::draw::{Key, Stream};

/// What lies behind the line.
#[derive(Debug, Clone)]
pub struct Propagation {
    direction: Direction,
    /// The latest arrival of any packet so far.
    latest_ns: u64,
    skips: Chance,
    jitter: Stream,
}

/// When a packet arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// In nanoseconds.
    pub due_ns: u64,
    /// Whether it arrives before one that was sent earlier.
    pub overtakes: bool,
}

impl Propagation {
    /// By the settings of `direction`; who skips the delay is drawn with `skips`, jitter with
    /// `jitter`.
    pub fn new(direction: Direction, skips: &Key, jitter: &Key) -> Propagation {
        Propagation {
            direction,
            latest_ns: 0,
            skips: Chance::new(skips),
            jitter: Stream::new(jitter),
        }
    }

    /// Changes the settings for packets to come.
    pub fn set(&mut self, direction: Direction) {
        self.direction = direction;
    }

    /// When packet `number` (from 1) arrives that has left at `left_ns`. Unless jitter may turn
    /// packets round it is never before an earlier packet, also when the delay has become shorter;
    /// only packets that skip the delay are.
    pub fn arrival(&mut self, number: u64, left_ns: u64) -> Arrival {
        let due_ns = if self.skips.happens(number, self.direction.reorder) {
            left_ns
        } else {
            let jittered = left_ns.saturating_add(self.delay(number));
            if self.direction.jitter_reorders { jittered } else { jittered.max(self.latest_ns) }
        };
        let overtakes = due_ns < self.latest_ns;
        self.latest_ns = self.latest_ns.max(due_ns);
        Arrival { due_ns, overtakes }
    }

    /// Uniform over the integers from `delay - jitter` to `delay + jitter`, both included.
    fn delay(&mut self, number: u64) -> u64 {
        let Direction { delay_ns, jitter_ns, .. } = self.direction;
        if jitter_ns == 0 {
            return delay_ns;
        }
        // Half of all time, so that the number of values fits as well.
        let jitter_ns = jitter_ns.min(delay_ns).min(u64::MAX / 4);
        let values = u128::from(2 * jitter_ns + 1);
        let offset = (u128::from(self.jitter.at(number)) * values) >> 64;
        let delay = u128::from(delay_ns - jitter_ns) + offset;
        u64::try_from(delay).unwrap_or(u64::MAX)
    }
}

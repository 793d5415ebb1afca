//! Serialisation: packets leave one after another at a rate, and wait for their turn in a queue.

use std::collections::VecDeque;

/// A line with a rate, and the queue before it.
#[derive(Debug, Clone)]
pub struct Line {
    rate_bits_s: Option<u64>,
    queue_bytes: u64,
    /// When the last packet accepted has left, rounded down to nanoseconds.
    free_ns: u64,
    /// What was rounded off, in `1 / rate` nanoseconds: carried forward, or many small packets
    /// would leave faster than the rate.
    remainder: u64,
    /// Packets that have not begun to leave, as (begin in nanoseconds, bytes).
    waiting: VecDeque<(u64, u64)>,
    waiting_bytes: u64,
}

impl Line {
    /// A free line. No rate is an unlimited one.
    pub fn new(rate_bits_s: Option<u64>, queue_bytes: u64) -> Line {
        Line {
            rate_bits_s,
            queue_bytes,
            free_ns: 0,
            remainder: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Changes rate and queue for packets to come. What waits already leaves as it would have, and
    /// packets to come at the new rate leave after it; without a rate they leave at once.
    pub fn set(&mut self, rate_bits_s: Option<u64>, queue_bytes: u64) {
        if rate_bits_s != self.rate_bits_s {
            self.remainder = 0;
        }
        self.rate_bits_s = rate_bits_s;
        self.queue_bytes = queue_bytes;
    }

    /// When a packet of `bytes` bytes on the wire that is offered at `now_ns` has left; `None` if
    /// it has to wait and finds no room. A packet that finds the line free does not wait. Times of
    /// calls must not fall.
    pub fn send(&mut self, now_ns: u64, bytes: u64) -> Option<u64> {
        self.begin(now_ns);
        let Some(rate) = self.rate_bits_s else { return Some(now_ns) };
        let begin = self.free_ns.max(now_ns);
        if begin > now_ns {
            let waiting = self.waiting_bytes.checked_add(bytes);
            self.waiting_bytes = waiting.filter(|bytes| *bytes <= self.queue_bytes)?;
            self.waiting.push_back((begin, bytes));
        } else if self.free_ns < now_ns {
            self.remainder = 0;
        }
        let rate = u128::from(rate.max(1));
        let work = u128::from(bytes) * 8 * 1_000_000_000 + u128::from(self.remainder);
        self.remainder = u64::try_from(work % rate).expect("less than the rate");
        let took = u64::try_from(work / rate).unwrap_or(u64::MAX);
        self.free_ns = begin.saturating_add(took);
        Some(self.free_ns)
    }

    /// Bytes that wait at `now_ns`; what is leaving is not among them.
    pub fn waiting_bytes(&mut self, now_ns: u64) -> u64 {
        self.begin(now_ns);
        self.waiting_bytes
    }

    /// How long after `now_ns` all that was accepted has left, in nanoseconds.
    pub fn backlog_ns(&self, now_ns: u64) -> u64 {
        self.free_ns.saturating_sub(now_ns)
    }

    /// Lets packets begin to leave until `now_ns`.
    fn begin(&mut self, now_ns: u64) {
        while let Some((_, bytes)) = self.waiting.pop_front_if(|(begin, _)| *begin <= now_ns) {
            self.waiting_bytes -= bytes;
        }
    }
}

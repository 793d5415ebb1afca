//! One direction of a link at work: what becomes of each packet.
//!
//! A packet passes the elements in this order: loss, duplication, queue and rate ([`Line`]), delay,
//! jitter and reordering ([`Propagation`]). A lost packet takes no time on the line; the copy of a
//! duplicated one does. The process over QUIC and `sim` use this same code.

use serde::{Deserialize, Serialize};

use super::chance::{Chance, Losses};
use super::line::Line;
use super::propagation::Propagation;
use super::{Direction, HEADER_BYTES};
use crate::draw::Key;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never arrives.
    Dropped(DropCause),
    /// It arrives.
    Arrives {
        /// When, in nanoseconds.
        due_ns: u64,
        /// When its copy does, if there is one.
        copy_due_ns: Option<u64>,
    },
}

/// Why a packet never arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropCause {
    /// Lost by chance.
    Loss,
    /// No room in the queue.
    Queue,
}

/// What happened to all packets so far. Bytes are those of UDP payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Packets offered.
    pub offered: u64,
    /// Bytes of packets offered.
    pub offered_bytes: u64,
    /// Packets lost by chance.
    pub lost: u64,
    /// Packets, and copies of packets, that found no room in the queue.
    pub tail_dropped: u64,
    /// Packets that were given a copy; the copy may have found no room.
    pub duplicated: u64,
    /// Packets, and copies of packets, that arrive before one sent earlier.
    pub reordered: u64,
    /// Packets, and copies of packets, that arrive sooner or later:
    /// `offered + duplicated - lost - tail_dropped`.
    pub passed: u64,
    /// Bytes of packets that arrive sooner or later.
    pub passed_bytes: u64,
}

/// One direction of a link.
#[derive(Debug, Clone)]
pub struct Shaper {
    direction: Direction,
    losses: Losses,
    copies: Chance,
    line: Line,
    propagation: Propagation,
    counters: Counters,
}

/// The children of a direction's key, one for each element that draws.
mod child {
    pub(super) const LOSS: u64 = 0;
    pub(super) const STEPS: u64 = 1;
    pub(super) const COPIES: u64 = 2;
    pub(super) const SKIPS: u64 = 3;
    pub(super) const JITTER: u64 = 4;
}

impl Shaper {
    /// A direction with the draws of `key`, that of
    /// [`Purpose::LinkUp`](crate::draw::Purpose::LinkUp) or
    /// [`Purpose::LinkDown`](crate::draw::Purpose::LinkDown).
    pub fn new(direction: Direction, key: &Key) -> Shaper {
        Shaper {
            direction,
            losses: Losses::new(direction.loss, &key.child(child::LOSS), &key.child(child::STEPS)),
            copies: Chance::new(&key.child(child::COPIES)),
            line: Line::new(direction.rate_bits_s, direction.queue_bytes),
            propagation: Propagation::new(
                direction,
                &key.child(child::SKIPS),
                &key.child(child::JITTER),
            ),
            counters: Counters::default(),
        }
    }

    /// Changes the direction for packets to come. Packets under way keep their times, packets to
    /// come at a new rate leave after those that wait, and the numbers of packets go on.
    pub fn set(&mut self, direction: Direction) {
        self.direction = direction;
        self.losses.set(direction.loss);
        self.line.set(direction.rate_bits_s, direction.queue_bytes);
        self.propagation.set(direction);
    }

    /// What becomes of a packet of `payload` bytes of UDP payload that is sent at `now_ns`. Times
    /// of calls must not fall; they count from any moment.
    pub fn send(&mut self, now_ns: u64, payload: u64) -> Fate {
        self.counters.offered += 1;
        self.counters.offered_bytes = self.counters.offered_bytes.saturating_add(payload);
        let number = self.counters.offered;
        if self.losses.loses(number) {
            self.counters.lost += 1;
            return Fate::Dropped(DropCause::Loss);
        }
        let twice = self.copies.happens(number, self.direction.duplicate);
        self.counters.duplicated += u64::from(twice);
        let first = self.pass(number, now_ns, payload);
        // The copy shares the draws of its packet, but queues by itself.
        let copy = if twice { self.pass(number, now_ns, payload) } else { None };
        match first {
            Some(due_ns) => Fate::Arrives { due_ns, copy_due_ns: copy },
            // Behind a packet without room its copy has none either: nothing left in between.
            None => Fate::Dropped(DropCause::Queue),
        }
    }

    /// Queue, rate, delay, jitter and reordering.
    fn pass(&mut self, number: u64, now_ns: u64, payload: u64) -> Option<u64> {
        let Some(left_ns) = self.line.send(now_ns, payload.saturating_add(HEADER_BYTES)) else {
            self.counters.tail_dropped += 1;
            return None;
        };
        let arrival = self.propagation.arrival(number, left_ns);
        self.counters.reordered += u64::from(arrival.overtakes);
        self.counters.passed += 1;
        self.counters.passed_bytes = self.counters.passed_bytes.saturating_add(payload);
        Some(arrival.due_ns)
    }

    /// What it does to packets now.
    pub fn direction(&self) -> &Direction {
        &self.direction
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes, headers included, that wait in the queue at `now_ns`.
    pub fn waiting_bytes(&mut self, now_ns: u64) -> u64 {
        self.line.waiting_bytes(now_ns)
    }

    /// How long after `now_ns` the line is free again, in nanoseconds.
    pub fn backlog_ns(&self, now_ns: u64) -> u64 {
        self.line.backlog_ns(now_ns)
    }
}

//! Links between a task node and a helper node: what they do to packets, in integer nanoseconds,
//! fed with time from outside.
//!
//! A link has two [`Direction`]s; `up` leads from the task node to the helper node. A [`LinkState`]
//! is a link under a name (its profile), a [`LinkPath`] a link with its changes over a trial.

mod chance;
mod line;
mod profiles;
mod propagation;
mod shaper;
pub mod verdict;

use serde::{Deserialize, Serialize};

use crate::draw::{Key, Purpose};

pub use chance::{Chance, Losses};
pub use line::Line;
pub use profiles::{Profile, profile, profiles};
pub use propagation::{Arrival, Propagation};
pub use shaper::{Counters, DropCause, Fate, Shaper};

/// One direction of a link. Serialisation (by `rate_bits_s`, one packet after another) comes
/// first, propagation (`delay_ns` and jitter) after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Mean propagation delay, one way, in nanoseconds.
    pub delay_ns: u64,
    /// Half width of the jitter in nanoseconds, at most `delay_ns`: the propagation of each packet
    /// is uniform between `delay_ns - jitter_ns` and `delay_ns + jitter_ns`, as with the kernel's
    /// netem.
    pub jitter_ns: u64,
    /// Whether jitter may turn packets round. If not, no packet arrives before one sent earlier.
    pub jitter_reorders: bool,
    /// Which packets are lost.
    pub loss: Loss,
    /// Probability that a packet arrives twice.
    pub duplicate: f64,
    /// Probability that a packet skips its propagation delay and so overtakes others.
    pub reorder: f64,
    /// Bits a second on the wire (UDP payload and [`HEADER_BYTES`] a packet); none is unlimited.
    pub rate_bits_s: Option<u64>,
    /// Bytes that wait for serialisation, headers included; a packet that finds no room is dropped
    /// (tail drop). Of no meaning without a rate.
    pub queue_bytes: u64,
}

/// Bytes of the IPv4 and UDP headers of a packet, which count for the rate.
pub const HEADER_BYTES: u64 = 28;

/// Which packets are lost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Loss {
    /// Each packet by itself, with this probability; 0 is no loss.
    Independent(f64),
    /// In bursts, by the model of Gilbert (1960) and Elliott (1963): a chain with a good and a bad
    /// state that makes a step with each packet.
    Bursts {
        /// Probability to turn bad.
        good_to_bad: f64,
        /// Probability to turn good again.
        bad_to_good: f64,
        /// Loss in the good state.
        good_loss: f64,
        /// Loss in the bad state.
        bad_loss: f64,
    },
}

impl Loss {
    /// The share of packets that is lost in the long run.
    pub fn mean(&self) -> f64 {
        match *self {
            Loss::Independent(share) => share,
            Loss::Bursts { good_to_bad, bad_to_good, good_loss, bad_loss } => {
                let steps = good_to_bad + bad_to_good;
                let bad = if steps > 0.0 { good_to_bad / steps } else { 0.0 };
                bad * bad_loss + (1.0 - bad) * good_loss
            }
        }
    }
}

impl Direction {
    /// One that does nothing to packets.
    pub const UNIMPAIRED: Direction = Direction {
        delay_ns: 0,
        jitter_ns: 0,
        jitter_reorders: false,
        loss: Loss::Independent(0.0),
        duplicate: 0.0,
        reorder: 0.0,
        rate_bits_s: None,
        queue_bytes: 0,
    };

    /// Whether it does nothing to packets.
    pub fn is_unimpaired(&self) -> bool {
        self.delay_ns == 0
            && self.jitter_ns == 0
            && self.loss.mean() == 0.0
            && self.duplicate == 0.0
            && self.rate_bits_s.is_none()
    }

    /// Whether no connection could be opened over it within reason: more is lost than gets through.
    pub fn is_dead(&self) -> bool {
        self.loss.mean() > 0.5
    }

    /// The shortest propagation of a packet that does not skip it, in nanoseconds.
    pub fn floor_ns(&self) -> u64 {
        self.delay_ns - self.jitter_ns.min(self.delay_ns)
    }

    /// How long a packet of `bytes` bytes of UDP payload takes to serialise, in nanoseconds,
    /// rounded down; 0 without a rate.
    pub fn serialisation_ns(&self, bytes: u64) -> u64 {
        let bits = u128::from(bytes + HEADER_BYTES) * 8;
        self.rate_bits_s.map_or(0, |rate| (bits * 1_000_000_000 / u128::from(rate.max(1))) as u64)
    }
}

/// Both directions of a link.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LinkSpec {
    /// From the task node to the helper node.
    pub up: Direction,
    /// From the helper node to the task node.
    pub down: Direction,
}

impl LinkSpec {
    /// A link that does nothing to packets.
    pub const UNIMPAIRED: LinkSpec =
        LinkSpec { up: Direction::UNIMPAIRED, down: Direction::UNIMPAIRED };

    /// The same link with a round-trip time of `rtt_ns` nanoseconds for a small packet, half of it
    /// each way, and without jitter.
    pub fn with_round_trip(mut self, rtt_ns: u64) -> LinkSpec {
        for (direction, delay) in
            [(&mut self.up, rtt_ns / 2), (&mut self.down, rtt_ns - rtt_ns / 2)]
        {
            direction.delay_ns = delay;
            direction.jitter_ns = 0;
        }
        self
    }

    /// Mean round-trip time of a small packet without serialisation, in nanoseconds.
    pub fn round_trip_ns(&self) -> u64 {
        self.up.delay_ns + self.down.delay_ns
    }
}

/// A link under a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkState {
    /// Name of its profile; with settings of its own, that of the profile they start from with a
    /// `*`, or `own` where they start from none.
    pub profile: String,
    /// What it does.
    pub spec: LinkSpec,
}

/// A link over a trial: what it is at first, and what it becomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkPath {
    /// In slot 1.
    pub first: LinkState,
    /// From which slot on it is something else, in the order of slots; of two with the same slot
    /// the later one holds.
    pub changes: Vec<LinkChange>,
}

/// A change of a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkChange {
    /// The first slot in which it holds.
    pub at: u64,
    /// What the link is from then on.
    pub state: LinkState,
}

impl LinkPath {
    /// A link that never changes.
    pub fn constant(state: LinkState) -> LinkPath {
        LinkPath { first: state, changes: Vec::new() }
    }

    /// What the link is in `slot`.
    pub fn at(&self, slot: u64) -> &LinkState {
        let held = self.changes.iter().rev().find(|change| change.at <= slot);
        held.map_or(&self.first, |change| &change.state)
    }

    /// All that the link is, in order, each with its first slot; the first with slot 1.
    pub fn states(&self) -> impl Iterator<Item = (u64, &LinkState)> {
        let changes = self.changes.iter().map(|change| (change.at, &change.state));
        std::iter::once((1, &self.first)).chain(changes)
    }
}

/// The keys of a link's two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkKeys {
    /// From the task node to the helper node.
    pub up: Key,
    /// From the helper node to the task node.
    pub down: Key,
}

impl LinkKeys {
    /// Those of the link to helper node `node` under `seed`.
    pub fn derive(seed: u64, node: usize) -> LinkKeys {
        let key = |purpose| Key::derive(seed, purpose, node);
        LinkKeys { up: key(Purpose::LinkUp), down: key(Purpose::LinkDown) }
    }
}

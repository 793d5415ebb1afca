//! Feedback by a deadline: a node is happy with a task if it is answered in time.
//!
//! The time from the task's leaving to its answer's coming is
//!
//! ```text
//! T = S_up + d_up + J_up  +  W + E  +  S_down + d_down + J_down
//! ```
//!
//! with S the serialisation of all packets at the rate of the direction, d its propagation delay, J
//! its jitter, W the waiting in the node's queue and E the execution. The jitters are uniform between
//! -a and a, and -b and b, and independent of each other, so that their sum is distributed as
//! [`JitterSum`] says. With probability q no packet is lost; else the task comes one round of
//! retransmission R later:
//!
//! ```text
//! P(in time) = q F(D - T0) + (1 - q) F(D - T0 - R),      q = (1 - p_up)^m (1 - p_down)^k
//! ```
//!
//! where T0 is T without jitter, F the distribution function of the sum of the jitters, p the mean loss
//! of a direction and m, k the packets of task and answer. R is the probe timeout of RFC 9002, section
//! 6.2.1: `RTT + max(4 rttvar, 1 ms) + 25 ms`, with the mean round-trip time of the link for RTT and
//! the mean deviation of its jitter for rttvar, and the 25 ms by which a QUIC receiver may delay an
//! acknowledgement.
//!
//! What the model takes for granted: the connection is warm and its congestion window holds the whole
//! task; nothing else waits for the link; the jitter of the last packet counts, not that of those
//! before it; packets are lost one by one, also where they are lost in bursts, and none is lost twice;
//! none is duplicated or overtakes.

mod jitter;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use jitter::JitterSum;

use crate::link::{Direction, HEADER_BYTES, LinkPath, LinkSpec};

/// UDP payload of a full packet: what path MTU discovery of QUIC finds on Ethernet (1,500 bytes less
/// [`HEADER_BYTES`] and less the 20 that it leaves for IPv6).
pub const PACKET_BYTES: u64 = 1452;

/// What of the UDP payload of a packet is not the task's: short header with connection identifier and
/// packet number, stream frame header, and the 16 bytes of the authentication tag.
pub const OVERHEAD_BYTES: u64 = 37;

/// How long a QUIC receiver may delay an acknowledgement: the default `max_ack_delay` of RFC 9000.
const ACK_DELAY_NS: f64 = 25e6;
/// The least deviation that counts in a probe timeout: `kGranularity` of RFC 9002.
const GRANULARITY_NS: f64 = 1e6;

/// The largest task and the largest answer, in bytes: with what goes along with them they fit into one
/// message between a task node and a helper node.
pub const MOST_BYTES: u64 = 1_000_000;

/// What a deadline asks for, and how features are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Deadline {
    /// From a task's leaving to its answer's coming, at most, in nanoseconds.
    pub deadline_ns: u64,
    /// How long a task waits in a full queue, in nanoseconds; in another one as long as it is full.
    pub full_queue_ns: u64,
    /// Bytes of an answer.
    pub response_bytes: u64,
    /// How features are to be read.
    pub scales: Scales,
}

/// The raw values that features of 1 stand for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    /// Length of a task in bytes.
    pub bytes: f64,
    /// Complexity of a task in CPU cycles.
    pub cycles: f64,
    /// Length of a queue as a share of its capacity.
    pub queue: f64,
    /// CPU frequency in GHz.
    pub gigahertz: f64,
}

/// The features that time depends on: the first four of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Task length.
    pub length: f64,
    /// Task complexity.
    pub complexity: f64,
    /// Queue length.
    pub queue: f64,
    /// CPU frequency.
    pub cpu_frequency: f64,
}

impl Demand {
    /// Those of a task and of a node's own features, both in the order of the model.
    #[inline]
    pub fn of(task: &[f64], state: &[f64]) -> Demand {
        Demand { length: task[0], complexity: task[1], queue: state[0], cpu_frequency: state[1] }
    }
}

impl Deadline {
    /// Bytes of a task of this length feature, at most [`MOST_BYTES`].
    #[inline]
    pub fn task_bytes(&self, length: f64) -> u64 {
        // A cast of what is no length gives 0.
        (libm::round(length * self.scales.bytes) as u64).min(MOST_BYTES)
    }

    /// How long a node keeps a task: waiting and execution, in nanoseconds. Without end where its CPU
    /// stands still.
    #[inline]
    pub fn service_ns(&self, demand: &Demand) -> f64 {
        let waiting = demand.queue * self.scales.queue * self.full_queue_ns as f64;
        let cycles = demand.complexity * self.scales.cycles;
        let gigahertz = demand.cpu_frequency * self.scales.gigahertz;
        // A GHz is a cycle a nanosecond.
        let execution = if cycles > 0.0 { cycles / gigahertz } else { 0.0 };
        waiting + execution
    }
}

/// How many packets carry `bytes` bytes; a message without any is one too.
#[inline]
pub fn packets(bytes: u64) -> u64 {
    bytes.div_ceil(PACKET_BYTES - OVERHEAD_BYTES).max(1)
}

/// Bits on the wire of a message of `bytes` bytes, all headers included.
#[inline]
pub fn wire_bits(bytes: u64) -> u64 {
    (bytes + packets(bytes) * (OVERHEAD_BYTES + HEADER_BYTES)) * 8
}

/// How long the packets of a message take to serialise, in nanoseconds.
#[inline]
fn serialisation_ns(direction: &Direction, bytes: u64) -> f64 {
    direction.rate_bits_s.map_or(0.0, |rate| wire_bits(bytes) as f64 * 1e9 / rate as f64)
}

/// The share of messages of `bytes` bytes of which no packet is lost.
#[inline]
fn whole(direction: &Direction, bytes: u64) -> f64 {
    libm::pow(1.0 - direction.loss.mean(), packets(bytes) as f64)
}

/// How much later an answer comes if a packet is lost, in nanoseconds: the probe timeout of RFC 9002.
fn retransmission_ns(link: &LinkSpec, jitter: &JitterSum) -> f64 {
    let deviation = (4.0 * jitter.mean_deviation()).max(GRANULARITY_NS);
    link.round_trip_ns() as f64 + deviation + ACK_DELAY_NS
}

/// The probability that a node answers in time, slot after slot.
#[derive(Debug, Clone)]
pub struct InTime {
    deadline: Deadline,
    link: Option<Arc<LinkPath>>,
    /// What holds for the slots from `since` up to, but not including, `until`.
    now: Now,
    since: u64,
    until: u64,
}

/// What of a link does not depend on the task.
#[derive(Debug, Clone, Copy)]
struct Now {
    up: Direction,
    /// Propagation of both directions and serialisation of the answer, in nanoseconds.
    fixed_ns: f64,
    jitter: JitterSum,
    /// The share of answers of which no packet is lost.
    answers: f64,
    retransmission_ns: f64,
}

impl InTime {
    /// Over `link`, or where nothing is emulated.
    pub fn new(deadline: Deadline, link: Option<&LinkPath>) -> InTime {
        let now = Now::new(&deadline, &LinkSpec::UNIMPAIRED);
        let link = link.map(|link| Arc::new(link.clone()));
        let mut path = InTime { deadline, link, now, since: 0, until: 0 };
        path.turn_to(1);
        path
    }

    /// The deadline.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// The probability that a task sent in `slot` to a node in this state is answered in time.
    #[inline]
    pub fn probability(&mut self, slot: u64, demand: &Demand) -> f64 {
        if !(self.since..self.until).contains(&slot) {
            self.turn_to(slot);
        }
        let (deadline, now) = (&self.deadline, &self.now);
        let bytes = deadline.task_bytes(demand.length);
        let time = serialisation_ns(&now.up, bytes) + deadline.service_ns(demand) + now.fixed_ns;
        let slack = deadline.deadline_ns as f64 - time;
        let whole = whole(&now.up, bytes) * now.answers;
        let in_time = now.jitter.at_most(slack);
        if whole >= 1.0 {
            return in_time;
        }
        let late = now.jitter.at_most(slack - now.retransmission_ns);
        // So written, what comes in time for certain is worth exactly 1.
        in_time - (1.0 - whole) * (in_time - late)
    }

    #[inline(never)]
    fn turn_to(&mut self, slot: u64) {
        let mut spec = &LinkSpec::UNIMPAIRED;
        (self.since, self.until) = (0, u64::MAX);
        for (from, state) in self.link.iter().flat_map(|link| link.states()) {
            if from > slot {
                self.until = from;
                break;
            }
            (self.since, spec) = (from, &state.spec);
        }
        self.now = Now::new(&self.deadline, spec);
    }
}

impl Now {
    fn new(deadline: &Deadline, link: &LinkSpec) -> Now {
        let jitter = JitterSum::new(link.up.jitter_ns as f64, link.down.jitter_ns as f64);
        Now {
            up: link.up,
            fixed_ns: link.round_trip_ns() as f64
                + serialisation_ns(&link.down, deadline.response_bytes),
            jitter,
            answers: whole(&link.down, deadline.response_bytes),
            retransmission_ns: retransmission_ns(link, &jitter),
        }
    }
}

//! A payload on its way through a link in virtual time, packet by packet.
//!
//! What is modelled is one warm QUIC connection as quinn drives it: full packets of
//! [`PACKET_BYTES`](super::cost::PACKET_BYTES), an acknowledgement for every second packet and at
//! once where a packet is missing, slow start, loss detection and probes (RFC 9002), and bursts that
//! are spread over the round trip. The window of each direction is kept from task to task. The link
//! itself is the pair of [`Shaper`]s that emulation over real sockets uses.
//!
//! Simplified: a window that meets loss is halved (New Reno; quinn's Cubic keeps 0.7 of it), a packet
//! with none behind it is acknowledged at once and not some milliseconds later, and what is still
//! under way when everything has arrived is forgotten.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::receiver::Receiver;
use super::sender::{HEAD_BYTES, Sender};
use crate::link::{Fate, LinkKeys, LinkSpec, Shaper};
use crate::topology::TransferModel;

/// UDP payload of a packet that carries nothing but an acknowledgement, in bytes: a short header
/// with its identifier and number (11), a frame with a range or two, and the tag (16).
const ACK_BYTES: u64 = 40;

/// UDP payload of the packet by which round trips are measured, in bytes.
const PROBE_BYTES: u64 = 64;

/// A payload that has not arrived after this long never does, in nanoseconds: an hour.
pub const GIVE_UP_NS: u64 = 3_600_000_000_000;

/// A way through a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the helper node.
    Up,
    /// From the helper node.
    Down,
}

/// A link and the connection over it, in virtual time.
#[derive(Debug, Clone)]
pub struct Channel {
    transfer: TransferModel,
    spec: LinkSpec,
    up: Side,
    down: Side,
    /// What is under way in the transfer that goes on, by time and then by order.
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    order: u64,
}

/// One direction: what it does to packets, and who sends payload that way.
#[derive(Debug, Clone)]
struct Side {
    shaper: Shaper,
    /// The latest time at which a packet was offered: a shaper's times must not fall.
    latest_ns: u64,
    sender: Sender,
}

impl Side {
    /// When a packet of `bytes` bytes of UDP payload arrives, if it does.
    fn packet(&mut self, now_ns: u64, bytes: u64) -> Option<u64> {
        self.latest_ns = self.latest_ns.max(now_ns);
        match self.shaper.send(self.latest_ns, bytes) {
            Fate::Dropped(_) => None,
            Fate::Arrives { due_ns, copy_due_ns } => {
                Some(copy_due_ns.map_or(due_ns, |copy| copy.min(due_ns)))
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The packet of this number arrives.
    Data(u32),
    /// An acknowledgement of the first this many packets that arrived.
    Acknowledged(u32),
}

impl Channel {
    /// A warm connection over a link that is `spec`.
    pub fn new(spec: &LinkSpec, keys: &LinkKeys, transfer: TransferModel) -> Channel {
        let side = |direction, key| Side {
            shaper: Shaper::new(direction, key),
            latest_ns: 0,
            sender: Sender::new(spec.round_trip_ns()),
        };
        Channel {
            transfer,
            spec: *spec,
            up: side(spec.up, &keys.up),
            down: side(spec.down, &keys.down),
            events: BinaryHeap::new(),
            order: 0,
        }
    }

    /// Changes the link for packets to come; the connection goes on.
    pub fn set(&mut self, spec: &LinkSpec) {
        if *spec != self.spec {
            self.spec = *spec;
            self.up.shaper.set(spec.up);
            self.down.shaper.set(spec.down);
        }
    }

    /// The round-trip time of a small packet that leaves at `now_ns`, in nanoseconds; none if it or
    /// its answer is lost.
    pub fn probe(&mut self, now_ns: u64) -> Option<u64> {
        if self.transfer == TransferModel::Fluid {
            return Some(self.spec.round_trip_ns());
        }
        let there = self.up.packet(now_ns, PROBE_BYTES)?;
        let back = self.down.packet(there, PROBE_BYTES)?;
        Some(back - now_ns)
    }

    /// Sends `bytes` bytes of payload at `now_ns` and gives the time at which all of them have
    /// arrived; none if that is more than [`GIVE_UP_NS`] later.
    pub fn send(&mut self, way: Way, now_ns: u64, bytes: u64) -> Option<u64> {
        match self.transfer {
            TransferModel::Fluid => Some(self.pour(way, now_ns, bytes)),
            TransferModel::Packets => self.send_packets(way, now_ns, bytes + HEAD_BYTES),
        }
    }

    /// Size over rate and half of a round trip, to the nearest nanosecond.
    fn pour(&self, way: Way, now_ns: u64, bytes: u64) -> u64 {
        let direction = match way {
            Way::Up => &self.spec.up,
            Way::Down => &self.spec.down,
        };
        let took = direction.rate_bits_s.map_or(0, |rate| {
            let work = u128::from(bytes) * 8_000_000_000;
            u64::try_from((work + u128::from(rate / 2)) / u128::from(rate)).unwrap_or(u64::MAX)
        });
        now_ns.saturating_add(took).saturating_add(direction.delay_ns)
    }

    fn send_packets(&mut self, way: Way, now_ns: u64, bytes: u64) -> Option<u64> {
        let (data, back) = match way {
            Way::Up => (&mut self.up, &mut self.down),
            Way::Down => (&mut self.down, &mut self.up),
        };
        let mut flight = Flight {
            data,
            back,
            events: &mut self.events,
            order: &mut self.order,
            data_under_way: 0,
            receiver: Receiver::new(bytes),
        };
        flight.data.sender.begin(now_ns, bytes);
        let arrived = flight.fly(now_ns);
        flight.land();
        arrived
    }
}

/// A payload that is under way.
struct Flight<'c> {
    data: &'c mut Side,
    back: &'c mut Side,
    events: &'c mut BinaryHeap<Reverse<(u64, u64, Event)>>,
    order: &'c mut u64,
    data_under_way: u32,
    receiver: Receiver,
}

impl Flight<'_> {
    /// Runs until the receiver has everything.
    fn fly(&mut self, begin_ns: u64) -> Option<u64> {
        let mut now = begin_ns;
        loop {
            self.transmit(now);
            let event = self.events.peek().map(|Reverse((at, _, _))| *at);
            let alarm = self.data.sender.alarm_ns();
            let paced = self.data.sender.may_send_ns(now);
            let next = [event, alarm, paced].into_iter().flatten().min()?;
            now = now.max(next);
            if now - begin_ns > GIVE_UP_NS {
                return None;
            }
            // What arrives comes before what was waited for in vain.
            if event.is_some_and(|at| at <= now) {
                if self.arrive() {
                    return Some(now);
                }
            } else if alarm.is_some_and(|at| at <= now) {
                self.data.sender.on_alarm(now);
            }
        }
    }

    /// Sends what may be sent at `now`.
    fn transmit(&mut self, now: u64) {
        while let Some((number, bytes)) = self.data.sender.next_packet(now) {
            if let Some(due) = self.data.packet(now, bytes) {
                self.data_under_way += 1;
                self.push(due, Event::Data(number));
            }
        }
    }

    fn push(&mut self, at: u64, event: Event) {
        *self.order += 1;
        self.events.push(Reverse((at, *self.order, event)));
    }

    /// Handles the next event; says whether the receiver has everything now.
    fn arrive(&mut self) -> bool {
        let Some(Reverse((now, _, event))) = self.events.pop() else { return false };
        match event {
            Event::Data(number) => {
                self.data_under_way -= 1;
                let segment = self.data.sender.segment_of(number);
                let acknowledge = self.receiver.take(number, segment);
                let done = self.receiver.is_complete();
                if (acknowledge || self.data_under_way == 0)
                    && let Some(due) = self.back.packet(now, ACK_BYTES)
                {
                    self.receiver.acknowledged();
                    self.push(due, Event::Acknowledged(self.receiver.arrived()));
                }
                done
            }
            Event::Acknowledged(count) => {
                self.data.sender.on_acknowledged(now, self.receiver.log(count));
                false
            }
        }
    }

    /// Lets the acknowledgements that are still under way tell what they have to tell.
    fn land(&mut self) {
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            if let Event::Acknowledged(count) = event {
                self.data.sender.on_acknowledged(now, self.receiver.log(count));
            }
        }
    }
}

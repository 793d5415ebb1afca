//! The links of a socket and what is under way on them.

use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::{Direction, Shaper};
use quinn::udp::Transmit;

use super::Lateness;
use super::lane::Lane;
use super::packet::{Batch, Packet};
use super::stats::{LinkStats, Traffic};

/// One destination.
#[derive(Debug)]
struct Link {
    id: u64,
    shaper: Shaper,
    bypassed: Traffic,
    capacity_dropped: Traffic,
    under_way: Traffic,
    delivered: Traffic,
    kernel_waits: u64,
    lateness: Lateness,
    received: Traffic,
}

/// All links of a socket, by destination, and their packets.
#[derive(Debug)]
pub(super) struct Table {
    links: BTreeMap<SocketAddr, Link>,
    heap: BinaryHeap<Packet>,
    /// Bytes that packets take, and how many they may.
    kept: usize,
    capacity: usize,
    next_sequence: u64,
    next_link: u64,
    /// When the pump is going to wake up; 0 while it is awake, the largest number while it sleeps
    /// without a timer.
    alarm_ns: u64,
    /// When it last fell asleep.
    asleep_ns: u64,
}

/// The pump sleeps at least this long. Where packets follow each other faster, above 100 Mbit/s, it
/// sends a few at once rather than being woken for each, which would cost more than the packets.
const NAP_NS: u64 = 100_000;

/// The same address whether or not it is written as one of IPv6.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_none() => {
            let mut v6 = v6;
            v6.set_flowinfo(0);
            v6.into()
        }
        _ => (address.ip().to_canonical(), address.port()).into(),
    }
}

impl Table {
    pub(super) fn new(capacity: usize) -> Table {
        Table {
            links: BTreeMap::new(),
            heap: BinaryHeap::new(),
            kept: 0,
            capacity,
            next_sequence: 0,
            next_link: 0,
            alarm_ns: 0,
            asleep_ns: 0,
        }
    }

    pub(super) fn set(&mut self, peer: SocketAddr, direction: Direction, key: &Key) {
        let received = self.received(peer).unwrap_or_default();
        let link = Link {
            id: self.next_link,
            shaper: Shaper::new(direction, key),
            bypassed: Traffic::default(),
            capacity_dropped: Traffic::default(),
            under_way: Traffic::default(),
            delivered: Traffic::default(),
            kernel_waits: 0,
            lateness: Lateness::default(),
            received,
        };
        self.next_link += 1;
        self.links.insert(canonical(peer), link);
    }

    pub(super) fn change(&mut self, peer: SocketAddr, direction: Direction) -> bool {
        let link = self.links.get_mut(&canonical(peer));
        link.map(|link| link.shaper.set(direction)).is_some()
    }

    pub(super) fn remove(&mut self, peer: SocketAddr) -> bool {
        self.links.remove(&canonical(peer)).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether packets to `peer` need not pass through here; if so, counts a batch that goes past.
    pub(super) fn bypasses(&mut self, peer: SocketAddr, traffic: Traffic) -> bool {
        let Some(link) = self.links.get_mut(&canonical(peer)) else { return true };
        let idle = link.under_way.packets == 0 && link.shaper.direction().is_unimpaired();
        if idle {
            link.bypassed += traffic;
        }
        idle
    }

    /// Takes back the count of a batch that was to go past and that the kernel did not take.
    pub(super) fn takes_back(&mut self, peer: SocketAddr, traffic: Traffic) {
        if let Some(link) = self.links.get_mut(&canonical(peer))
            && link.bypassed.packets >= traffic.packets
            && link.bypassed.bytes >= traffic.bytes
        {
            link.bypassed -= traffic;
        }
    }

    /// Counts what has come from `peer`; `false` if it has no link.
    pub(super) fn has_come(&mut self, peer: SocketAddr, traffic: Traffic) -> bool {
        let link = self.links.get_mut(&canonical(peer));
        link.map(|link| link.received += traffic).is_some()
    }

    pub(super) fn received(&self, peer: SocketAddr) -> Option<Traffic> {
        self.links.get(&canonical(peer)).map(|link| link.received)
    }

    /// Takes a batch for a destination with a link: each of its packets is dropped or gets its time.
    pub(super) fn send(&mut self, now_ns: u64, transmit: &Transmit<'_>) {
        let Some(link) = self.links.get_mut(&canonical(transmit.destination)) else { return };
        let mut lane = Lane {
            link: link.id,
            heap: &mut self.heap,
            sequence: &mut self.next_sequence,
            kept: &mut self.kept,
            capacity: self.capacity,
            under_way: &mut link.under_way,
            capacity_dropped: &mut link.capacity_dropped,
        };
        lane.send(&mut link.shaper, now_ns, transmit);
    }

    /// When the pump is to wake up, if that is earlier than it would.
    pub(super) fn alarm_ns(&mut self) -> Option<u64> {
        let due_ns = self.heap.peek()?.due_ns.max(self.asleep_ns + NAP_NS);
        (due_ns < self.alarm_ns).then(|| {
            self.alarm_ns = due_ns;
            due_ns
        })
    }

    /// Moves what is due at `now_ns` and fits together into `batch`; `false` if nothing is due, and
    /// the pump is going to sleep.
    pub(super) fn take_due(
        &mut self,
        now_ns: u64,
        most_segments: usize,
        batch: &mut Batch,
    ) -> bool {
        let Some(first) = self.pop_due(now_ns) else {
            (self.alarm_ns, self.asleep_ns) = (u64::MAX, now_ns);
            return false;
        };
        self.alarm_ns = 0;
        batch.begin(first);
        while self.heap.peek().is_some_and(|next| batch.takes(next, most_segments)) {
            let Some(next) = self.pop_due(now_ns) else { break };
            batch.join(&next);
        }
        true
    }

    fn pop_due(&mut self, now_ns: u64) -> Option<Packet> {
        self.heap.peek().filter(|packet| packet.due_ns <= now_ns)?;
        let packet = self.heap.pop()?;
        self.kept -= Packet::footprint(packet.data.len());
        Some(packet)
    }

    /// Counts a batch that the kernel did not take at once.
    pub(super) fn waits(&mut self, batch: &Batch) {
        self.of_parts(batch, |link, part| link.kernel_waits += part.traffic.packets);
    }

    /// Counts a batch that the kernel has taken at `now_ns`.
    pub(super) fn delivered(&mut self, batch: &Batch, now_ns: u64) {
        self.of_parts(batch, |link, part| {
            link.under_way -= part.traffic;
            link.delivered += part.traffic;
            link.lateness.record(now_ns.saturating_sub(part.due_ns), part.traffic.packets);
        });
    }

    /// Each part of a batch whose link is still the one it was sent on.
    fn of_parts(&mut self, batch: &Batch, mut count: impl FnMut(&mut Link, &super::packet::Part)) {
        for part in batch.parts() {
            let link = self.links.get_mut(&canonical(part.destination));
            if let Some(link) = link.filter(|link| link.id == part.link) {
                count(link, part);
            }
        }
    }

    pub(super) fn stats(&self, peer: SocketAddr) -> Option<LinkStats> {
        let link = self.links.get(&canonical(peer))?;
        let counters = link.shaper.counters();
        let mut offered = Traffic { packets: counters.offered, bytes: counters.offered_bytes };
        offered += link.bypassed;
        offered += link.capacity_dropped;
        let mut delivered = link.delivered;
        delivered += link.bypassed;
        Some(LinkStats {
            offered,
            bypassed: link.bypassed,
            lost: counters.lost,
            queue_dropped: counters.tail_dropped,
            capacity_dropped: link.capacity_dropped.packets,
            duplicated: counters.duplicated,
            reordered: counters.reordered,
            under_way: link.under_way,
            delivered,
            kernel_waits: link.kernel_waits,
            lateness: link.lateness.clone(),
        })
    }

    pub(super) fn direction(&self, peer: SocketAddr) -> Option<Direction> {
        self.links.get(&canonical(peer)).map(|link| *link.shaper.direction())
    }

    /// Forgets everything that is under way.
    pub(super) fn clear(&mut self) {
        self.heap = BinaryHeap::new();
        self.kept = 0;
    }
}

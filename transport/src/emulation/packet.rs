//! Packets under way, and how neighbours become one batch again.

use std::cmp::Ordering;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use quinn::udp::{EcnCodepoint, Transmit};

use super::stats::Traffic;

/// The largest batch that is made, in bytes: what an IP packet can hold, with room for headers.
const LARGEST_BATCH: usize = 65_000;
/// No kernel takes batches of more packets.
const MOST_SEGMENTS: usize = 64;

/// To where, and with which marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// As it was given by QUIC.
    pub(super) destination: SocketAddr,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) src_ip: Option<IpAddr>,
}

impl Header {
    pub(super) fn of(transmit: &Transmit<'_>) -> Header {
        Header { destination: transmit.destination, ecn: transmit.ecn, src_ip: transmit.src_ip }
    }
}

/// Packets of one batch that are due together.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) due_ns: u64,
    pub(super) sequence: u64,
    /// The link it is on, which may be gone when it is due.
    pub(super) link: u64,
    pub(super) header: Header,
    pub(super) data: Bytes,
    /// Bytes of each packet but the last, which may have fewer.
    pub(super) segment: usize,
}

impl Packet {
    pub(super) fn traffic(&self) -> Traffic {
        Traffic::of_batch(self.data.len(), self.segment)
    }

    /// Bytes that it takes to keep it.
    pub(super) fn footprint(data: usize) -> usize {
        data + size_of::<Packet>()
    }
}

/// The one that is due first is the greatest: [`BinaryHeap`](std::collections::BinaryHeap) gives it
/// first.
impl Ord for Packet {
    fn cmp(&self, other: &Packet) -> Ordering {
        (other.due_ns, other.sequence).cmp(&(self.due_ns, self.sequence))
    }
}

impl PartialOrd for Packet {
    fn partial_cmp(&self, other: &Packet) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Packet {
    fn eq(&self, other: &Packet) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Packet {}

/// What was sent of one link, and when it was due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) link: u64,
    pub(super) destination: SocketAddr,
    pub(super) due_ns: u64,
    pub(super) traffic: Traffic,
}

/// Packets that are due, as one batch for the kernel. It is used again and again.
#[derive(Debug, Default)]
pub(super) struct Batch {
    header: Option<Header>,
    segment: usize,
    segments: usize,
    /// The only packet, which need not be copied.
    single: Bytes,
    /// All of them, if they are more.
    joined: Vec<u8>,
    parts: Vec<Part>,
}

impl Batch {
    /// Begins anew with `packet`.
    pub(super) fn begin(&mut self, packet: Packet) {
        self.joined.clear();
        self.parts.clear();
        self.header = Some(packet.header);
        self.segment = packet.segment;
        self.segments = 0;
        self.note(&packet);
        self.single = packet.data;
    }

    /// Whether `packet` can follow in the same batch. Only equals do: behind a larger packet that the
    /// path does not take, a probe, a smaller one would be lost with it.
    pub(super) fn takes(&self, packet: &Packet, most_segments: usize) -> bool {
        let bytes = self.contents().len();
        let segments = self.segments + packet.traffic().packets as usize;
        self.header == Some(packet.header)
            && packet.segment == self.segment
            && bytes == self.segments * self.segment
            && packet.data.len().is_multiple_of(packet.segment)
            && segments <= most_segments.min(MOST_SEGMENTS)
            && bytes + packet.data.len() <= LARGEST_BATCH
    }

    /// Adds a packet that it [`takes`](Batch::takes).
    pub(super) fn join(&mut self, packet: &Packet) {
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&self.single);
        }
        self.joined.extend_from_slice(&packet.data);
        self.note(packet);
    }

    fn note(&mut self, packet: &Packet) {
        let traffic = packet.traffic();
        self.segments += traffic.packets as usize;
        self.parts.push(Part {
            link: packet.link,
            destination: packet.header.destination,
            due_ns: packet.due_ns,
            traffic,
        });
    }

    fn contents(&self) -> &[u8] {
        if self.joined.is_empty() { &self.single } else { &self.joined }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// For the kernel; `None` before the first packet.
    pub(super) fn transmit(&self) -> Option<Transmit<'_>> {
        let header = self.header?;
        Some(Transmit {
            destination: header.destination,
            ecn: header.ecn,
            contents: self.contents(),
            segment_size: (self.segments > 1).then_some(self.segment),
            src_ip: header.src_ip,
        })
    }
}

//! Where the packets of a batch go that is sent over a link.

use std::collections::BinaryHeap;

use bytes::Bytes;
use fogbit_scenario::link::{Fate, Shaper};
use quinn::udp::Transmit;

use super::packet::{Header, Packet};
use super::stats::Traffic;

/// What a batch on one link changes.
pub(super) struct Lane<'a> {
    /// Number of the link.
    pub(super) link: u64,
    pub(super) heap: &'a mut BinaryHeap<Packet>,
    /// Of the next packet.
    pub(super) sequence: &'a mut u64,
    /// Bytes that packets under way take, and how many they may.
    pub(super) kept: &'a mut usize,
    pub(super) capacity: usize,
    pub(super) under_way: &'a mut Traffic,
    pub(super) capacity_dropped: &'a mut Traffic,
}

/// Neighbours in a batch that are due together: its bytes `from..to`.
#[derive(Debug, Clone, Copy)]
struct Run {
    from: usize,
    to: usize,
    due_ns: u64,
}

impl Lane<'_> {
    /// Each packet of the batch is dropped or put under way.
    pub(super) fn send(&mut self, shaper: &mut Shaper, now_ns: u64, transmit: &Transmit<'_>) {
        let length = transmit.contents.len();
        let segment = transmit.segment_size.unwrap_or(length).max(1);
        let mut run: Option<Run> = None;
        for from in (0..length).step_by(segment) {
            let to = (from + segment).min(length);
            let begun = run.map_or(0, |run| run.to - run.from);
            if !self.has_room(begun, to - from) {
                *self.capacity_dropped += Traffic { packets: 1, bytes: (to - from) as u64 };
                continue;
            }
            let fate = shaper.send(now_ns, (to - from) as u64);
            let Fate::Arrives { due_ns, copy_due_ns } = fate else { continue };
            run = match run {
                Some(run) if run.to == from && run.due_ns == due_ns => Some(Run { to, ..run }),
                other => {
                    self.push(other, segment, transmit);
                    Some(Run { from, to, due_ns })
                }
            };
            if let Some(due_ns) = copy_due_ns {
                // The packet before its copy.
                self.push(run.take(), segment, transmit);
                self.push(Some(Run { from, to, due_ns }), segment, transmit);
            }
        }
        self.push(run, segment, transmit);
    }

    /// Whether there is room for a packet and a copy of it, behind the bytes of a run that has begun.
    fn has_room(&self, begun: usize, bytes: usize) -> bool {
        *self.kept + begun + 2 * Packet::footprint(bytes) <= self.capacity
    }

    fn push(&mut self, run: Option<Run>, segment: usize, transmit: &Transmit<'_>) {
        let Some(Run { from, to, due_ns }) = run else { return };
        let packet = Packet {
            due_ns,
            sequence: *self.sequence,
            link: self.link,
            header: Header::of(transmit),
            data: Bytes::copy_from_slice(&transmit.contents[from..to]),
            // A packet that was split off may be the shorter last one.
            segment: segment.min(to - from),
        };
        *self.sequence += 1;
        *self.kept += Packet::footprint(to - from);
        *self.under_way += packet.traffic();
        self.heap.push(packet);
    }
}

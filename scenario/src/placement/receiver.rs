//! The receiving end of a payload: what has arrived, and what is acknowledged.

use super::cost::SEGMENT_BYTES;

/// The receiving end of a payload.
#[derive(Debug)]
pub(super) struct Receiver {
    have: Vec<bool>,
    missing: u32,
    /// Numbers of the packets that arrived, in the order of their arrival.
    log: Vec<u32>,
    /// The number of the packet that comes next if none is missing.
    next: u32,
    /// Packets since the last acknowledgement.
    pending: u32,
}

impl Receiver {
    pub(super) fn new(bytes: u64) -> Receiver {
        let segments = bytes.div_ceil(SEGMENT_BYTES);
        Receiver {
            have: vec![false; segments as usize],
            missing: segments as u32,
            log: Vec::with_capacity(segments as usize),
            next: 0,
            pending: 0,
        }
    }

    /// Takes a packet; says whether it is to be acknowledged at once: every second one, and one
    /// that shows a gap (RFC 9000, section 13.2).
    pub(super) fn take(&mut self, number: u32, segment: u32) -> bool {
        self.log.push(number);
        let have = &mut self.have[segment as usize];
        self.missing -= u32::from(!*have);
        *have = true;
        let in_order = number == self.next;
        self.next = self.next.max(number + 1);
        self.pending += 1;
        !in_order || self.pending >= 2
    }

    /// An acknowledgement has left.
    pub(super) fn acknowledged(&mut self) {
        self.pending = 0;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// How many packets have arrived.
    pub(super) fn arrived(&self) -> u32 {
        self.log.len() as u32
    }

    /// The first `count` packets that arrived.
    pub(super) fn log(&self, count: u32) -> &[u32] {
        &self.log[..count as usize]
    }
}

//! What is counted of a link.

use serde::{Deserialize, Serialize};

use super::Lateness;

/// Packets and their bytes of UDP payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes of UDP payload.
    pub bytes: u64,
}

impl Traffic {
    /// Packets of a batch: all of `segment` bytes, but for the last.
    pub(super) fn of_batch(bytes: usize, segment: usize) -> Traffic {
        Traffic { packets: bytes.div_ceil(segment.max(1)).max(1) as u64, bytes: bytes as u64 }
    }

    /// Bytes on the wire, headers included.
    pub fn wire_bytes(&self) -> u64 {
        self.bytes + self.packets * fogbit_scenario::link::HEADER_BYTES
    }
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Traffic) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl std::ops::SubAssign for Traffic {
    fn sub_assign(&mut self, other: Traffic) {
        self.packets -= other.packets;
        self.bytes -= other.bytes;
    }
}

/// What became of the packets to one destination since its link was set. At every moment
/// `offered + duplicated = lost + queue_dropped + capacity_dropped + under_way + delivered` in
/// packets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStats {
    /// Sent to the destination, by QUIC and as raw packets.
    pub offered: Traffic,
    /// Of those, what went past the emulator because the link did nothing; it counts as delivered.
    pub bypassed: Traffic,
    /// Packets lost by chance.
    pub lost: u64,
    /// Packets, and copies of packets, that found no room in the queue of the link.
    pub queue_dropped: u64,
    /// Packets that found no room in this process: the emulator cannot do what it is set to.
    pub capacity_dropped: u64,
    /// Packets that were given a copy.
    pub duplicated: u64,
    /// Packets, and copies of packets, that were to arrive before one sent earlier.
    pub reordered: u64,
    /// Not due yet, or not taken by the kernel yet.
    pub under_way: Traffic,
    /// Given to the kernel.
    pub delivered: Traffic,
    /// Packets that were due and that the kernel did not take at once; they waited.
    pub kernel_waits: u64,
    /// How long after they were due packets were given to the kernel. What was bypassed is not in it.
    pub lateness: Lateness,
}

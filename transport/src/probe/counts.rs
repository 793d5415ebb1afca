//! What the emulator has counted, in the form in which ends of a link tell each other.

use std::net::SocketAddr;

use fogbit_scenario::link::verdict::EndCounts;

use crate::emulation::{Lateness, Links};

/// What this end of the link to `peer` has counted since the link was set, and how late it delivered; all 0
/// without a link.
pub fn counts(links: &Links, peer: SocketAddr) -> (EndCounts, Lateness) {
    let stats = links.stats(peer).unwrap_or_default();
    let counts = EndCounts {
        offered: stats.offered.packets,
        tail_dropped: stats.queue_dropped + stats.capacity_dropped,
        duplicated: stats.duplicated,
        under_way: stats.under_way.packets,
        received: links.received(peer).unwrap_or_default().packets,
        host_dropped: links.kernel_drops().unwrap_or(0),
    };
    (counts, stats.lateness)
}

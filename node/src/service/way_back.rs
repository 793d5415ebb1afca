//! The emulated way back from a helper node to a task node.

use std::net::SocketAddr;

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::LinkPath;
use fogbit_transport::Links;

/// The way to one task node, which changes with the slots of its session.
#[derive(Debug)]
pub(super) struct WayBack {
    links: Links,
    peer: SocketAddr,
    path: LinkPath,
    /// The first slot in which it may be something else.
    until: u64,
}

impl WayBack {
    /// Puts what is sent to `peer` on the link as it is in slot 1.
    pub(super) fn set(links: Links, peer: SocketAddr, path: LinkPath, key: Key) -> WayBack {
        links.set(peer, path.at(1).spec.down, key);
        let mut way = WayBack { links, peer, path, until: 0 };
        way.until = way.next(1);
        way
    }

    /// A slot begins.
    pub(super) fn begin(&mut self, slot: u64) {
        if slot >= self.until {
            self.links.change(self.peer, self.path.at(slot).spec.down);
            self.until = self.next(slot);
        }
    }

    /// The slot of the first change after `slot`.
    fn next(&self, slot: u64) -> u64 {
        let mut later = self.path.changes.iter().map(|change| change.at).filter(|at| *at > slot);
        later.next().unwrap_or(u64::MAX)
    }
}

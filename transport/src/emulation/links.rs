//! The handle of a socket's links.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Instant;

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::Direction;
use quinn::udp::Transmit;

use super::raw::{RAW_LIMIT, wrap};
use super::socket::{Core, Shared};
use super::stats::{LinkStats, Traffic};

/// What is called with a raw packet: the peer, what it carries, and when it was read. It is called
/// in the midst of receiving: it must be quick and must not call the endpoint; it may call [`Links`].
pub type RawHandler = Arc<dyn Fn(SocketAddr, &[u8], Instant) + Send + Sync>;

/// The links of one socket. Cloning gives another handle of the same ones; a handle keeps neither the
/// socket nor its port. An address of IPv4 is the same peer whether or not it is written as one of
/// IPv6.
#[derive(Debug, Clone)]
pub struct Links {
    pub(super) shared: Arc<Shared>,
    pub(super) core: Weak<Core>,
}

/// Why a raw packet was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendRawError {
    /// The endpoint is gone.
    #[error("the socket is closed")]
    Closed,
    /// More than [`RAW_LIMIT`] bytes.
    #[error("a raw packet of {bytes} bytes, and the limit is {RAW_LIMIT}")]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// The kernel did not take it; [`WouldBlock`](io::ErrorKind::WouldBlock) means not now.
    #[error("the kernel did not take a raw packet: {0}")]
    Kernel(io::Error),
}

impl Links {
    /// Puts what is sent to `peer` on a link, with the draws of `key`. In place of a link that there
    /// is it begins anew, with packets and counters from 0, but for [`received`](Links::received);
    /// packets under way on the old one still arrive.
    pub fn set(&self, peer: SocketAddr, direction: Direction, key: Key) {
        if !direction.is_unimpaired() {
            self.shared.warn_of_small_buffers();
        }
        self.shared.edit(|table| table.set(peer, direction, &key));
    }

    /// Changes the link to `peer` for packets to come: numbers of packets, counters and what is under
    /// way go on. `false` if there is no link.
    pub fn change(&self, peer: SocketAddr, direction: Direction) -> bool {
        if !direction.is_unimpaired() {
            self.shared.warn_of_small_buffers();
        }
        self.shared.edit(|table| table.change(peer, direction))
    }

    /// Sends to `peer` directly from now on; packets under way still arrive, possibly after others.
    /// `false` if there was no link.
    pub fn remove(&self, peer: SocketAddr) -> bool {
        self.shared.edit(|table| table.remove(peer))
    }

    /// What the link to `peer` does now; `None` without one.
    pub fn direction(&self, peer: SocketAddr) -> Option<Direction> {
        self.shared.table().direction(peer)
    }

    /// What became of the packets to `peer` since its link was set; `None` without one.
    pub fn stats(&self, peer: SocketAddr) -> Option<LinkStats> {
        self.shared.table().stats(peer)
    }

    /// What has come from `peer` since it first had a link here, raw packets included; `None` without a
    /// link. What the other side has offered in the same time and is neither here nor under way
    /// was lost.
    pub fn received(&self, peer: SocketAddr) -> Option<Traffic> {
        self.shared.table().received(peer)
    }

    /// Packets that the kernel had received for this socket and dropped because nobody read them in
    /// time: they look like loss on the links of others. The kernel counts packets that came as one
    /// batch once, so it is a lower limit. `None` where it does not say.
    pub fn kernel_drops(&self) -> Option<u64> {
        self.shared.kernel_drops()
    }

    /// Sends a packet that is no QUIC through the link to `peer`, or directly if there is none. On
    /// the link it is [`RAW_OVERHEAD`](super::RAW_OVERHEAD) bytes longer. A packet that the link
    /// drops was sent.
    ///
    /// # Errors
    /// If it is too long, the endpoint is gone, or there is nothing to emulate and the kernel does not
    /// take it.
    pub fn send_raw(&self, peer: SocketAddr, payload: &[u8]) -> Result<(), SendRawError> {
        if payload.len() > RAW_LIMIT {
            return Err(SendRawError::TooLong { bytes: payload.len() });
        }
        let core = self.core.upgrade().filter(|_| !self.shared.is_closed());
        let core = core.ok_or(SendRawError::Closed)?;
        let contents = wrap(payload);
        let transmit = Transmit {
            destination: core.reachable(peer),
            ecn: None,
            contents: &contents,
            segment_size: None,
            src_ip: None,
        };
        core.send(&transmit).map_err(SendRawError::Kernel)
    }

    /// Whom raw packets from peers with a link here are given to, from now on; nobody with `None`.
    /// Those of others are QUIC's to throw away. They are not authenticated: whoever can write the
    /// address of a peer on a packet can send one.
    pub fn on_raw(&self, handler: Option<RawHandler>) {
        self.shared.set_handler(handler);
    }
}

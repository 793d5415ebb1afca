//! Links emulated in the socket: what a [`Shaper`](fogbit_scenario::link::Shaper) says becomes of
//! real packets, without privileges.
//!
//! Emulation is at the sender, one [`Direction`](fogbit_scenario::link::Direction) for each
//! destination; the other direction of a link is emulated by the process at its other end. The socket
//! stands between QUIC and the kernel's socket, so acknowledgements and handshakes pass the link
//! as well. A destination without a link, and one whose link does nothing, is sent to directly, with
//! batches for segmentation offload as they come. In a batch for a link that does something every
//! packet has a fate of its own; neighbours that are due together stay together.
//!
//! What is under way lies in a heap by (due, sequence). One task sends what is due, woken by one
//! timerfd: tokio's own timers count in milliseconds. Times are integer nanoseconds since the socket
//! was made. [`Links`] is the handle by which links are set, changed, watched and probed.

mod kernel;
mod lateness;
mod links;
mod packet;
mod pump;
mod raw;
mod socket;
mod stats;
mod table;
#[cfg(test)]
mod tests;

pub use lateness::Lateness;
pub use links::{Links, RawHandler, SendRawError};
pub use raw::{RAW_LIMIT, RAW_OVERHEAD};
pub(crate) use socket::EmulatedSocket;
pub use stats::{LinkStats, Traffic};

/// Bytes under way in one socket, with what it takes to keep them. What goes beyond is dropped, and
/// counted apart: no link that can be described needs as much at a rate that this software reaches.
const CAPACITY: usize = 128 << 20;

//! Probes of links: small measurements over the links themselves, at most two seconds each.
//!
//! Task node and helper node agree on a random [`ProbeId`] over their authenticated connection
//! ([`ProbeHello`](crate::wire::ProbeHello)) and each [`open`](Prober::open)s a [`Probed`] with it. From then
//! on the task node can [`probe`](Probed::probe) each state of the link. The packets are raw ones, so they pass
//! both directions of the emulated link but wait for no acknowledgement, window or other stream; whatever
//! has another id, or comes from elsewhere, is dropped and counted. The helper node sends nothing before a
//! packet with the id has come, and never more than its own [`Plan`] of the link says.

mod counts;
mod packet;
mod plan;
mod prober;
mod schedule;
mod session;
mod turns;

pub use counts::counts;
pub use packet::ProbeId;
pub use plan::{BUDGET_NS, ECHO_BYTES, Phase, Plan, Train, waves};
pub use prober::{Probed, Prober, Wire, new_id};
pub use turns::{Turn, Turns};

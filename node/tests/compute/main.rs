//! Compute as a service: in one process, and over QUIC on loopback.
//!
//! Deadlines here catch a hang; no test asserts a speed but the one that says so.

mod abuse;
mod common;
mod images;
mod killed;
mod local;
mod remote;

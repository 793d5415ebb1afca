//! A payload on its way through a link in virtual time.

use super::instance::LinkKeys;
use crate::link::{LinkSpec, Shaper};

/// Both directions of a link with a connection over it, in virtual time.
#[derive(Debug, Clone)]
pub struct Channel {
    up: Shaper,
    down: Shaper,
}

/// How a transfer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transferred {
    /// When the last byte arrived, in nanoseconds.
    pub arrived_ns: u64,
}

impl Channel {
    /// A connection over a link that is `spec`.
    pub fn new(spec: &LinkSpec, keys: &LinkKeys) -> Channel {
        Channel { up: Shaper::new(spec.up, &keys.up), down: Shaper::new(spec.down, &keys.down) }
    }
}

//! How a task node and a helper node steer what they do together in a trial, in all problems but
//! `one-bit`: round trips, the state of their link and what they count of it, and in virtual time tasks.

use serde::{Deserialize, Serialize};

use crate::probe::ProbeId;
use crate::wire::{CountsAnswer, CountsAsk, TrialId};

/// Task node to helper node: a session of a trial. It lasts as long as its stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OpenSteering {
    /// The trial.
    pub trial: TrialId,
    /// Under which number probes of the link travel.
    pub probe: ProbeId,
}

/// Task node to helper node, on the stream of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Steering {
    /// Answer at once: how long that takes is the round-trip time.
    Ping {
        /// Number of the ping.
        number: u64,
    },
    /// The link becomes its n-th state, from 0.
    Link {
        /// Which state.
        state: u32,
    },
    /// What has been counted of the link.
    Counts(CountsAsk),
    /// In virtual time: a task arrives.
    Arrive {
        /// The moment, in nanoseconds of virtual time.
        at_ns: u64,
        /// Its cycles.
        cycles: u64,
        /// Share of the CPU that other work takes.
        load: f64,
    },
    /// In virtual time: a task is taken back. There is no answer.
    Cancel {
        /// Its number.
        id: u64,
        /// The moment, in nanoseconds of virtual time.
        at_ns: u64,
    },
}

/// Helper node to task node, on the stream of a session, in the order of the requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Steered {
    /// The session is open.
    Opened,
    /// Answer to a ping.
    Pong {
        /// Number of the ping.
        number: u64,
    },
    /// The link is what it is to be.
    Linked,
    /// What it has counted of the link.
    Counts(CountsAnswer),
    /// In virtual time: when the task begins and when it is done.
    Served {
        /// Its number.
        id: u64,
        /// When a worker takes it, in nanoseconds of virtual time.
        start_ns: u64,
        /// When it is done.
        finish_ns: u64,
    },
    /// In virtual time: as many tasks wait as may.
    Full,
}

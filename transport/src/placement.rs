//! Messages of the problem `placement`: what the orchestrator orders, and how a task node and a
//! helper node steer what they do together. Tasks themselves travel as in [`compute`](crate::compute).

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::LinkPath;
use fogbit_scenario::topology::Execution;
use serde::{Deserialize, Serialize};

use crate::wire::{Player, TrialId};

/// A direction of a link over a trial, for the side that sends in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkOrder {
    /// The link.
    pub path: LinkPath,
    /// The draws of this direction.
    pub key: Key,
}

/// Orchestrator to helper node: serve as a computer under one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComputeOrder {
    /// Which seed of the run, from 0.
    pub number: u64,
    /// Who plays each policy: nobody else may open its trial's session.
    pub players: Vec<Player>,
    /// What it is.
    pub computer: ComputerOrder,
    /// The link to the task node, if it is emulated.
    pub link: Option<LinkOrder>,
}

/// What a computer is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ComputerOrder {
    /// Cycles a second.
    pub frequency_hz: f64,
    /// Tasks that it works on at once.
    pub workers: u32,
    /// Tasks that may wait.
    pub queue_limit: u32,
    /// What the service costs beside the work, in nanoseconds.
    pub overhead_ns: u64,
    /// The longest input or output, in bytes.
    pub payload_limit: u64,
    /// Whether work is really done.
    pub execution: Execution,
}

/// Task node to helper node: a session of the problem `placement`. It lasts as long as its stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OpenSteering {
    /// The trial.
    pub trial: TrialId,
    /// Under which number probes of the link travel.
    pub probe: [u8; 16],
}

/// Task node to helper node, on the stream of a session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Steering {
    /// Answer at once: how long that takes is the round-trip time.
    Ping {
        /// Number of the ping.
        number: u64,
    },
    /// The link becomes its n-th state, from 0; answered by the counts of the state before.
    Link {
        /// Which state.
        state: u32,
    },
    /// In virtual time: a task arrives.
    Arrive {
        /// The moment, in nanoseconds of virtual time.
        at_ns: u64,
        /// Its cycles.
        cycles: u64,
        /// Share of the CPU that other work takes.
        load: f64,
    },
}

/// Helper node to task node, on the stream of a session, in the order of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Steered {
    /// The session is open.
    Opened,
    /// Answer to a ping.
    Pong {
        /// Number of the ping.
        number: u64,
    },
    /// The link is what it is to be.
    Linked(LinkCounts),
    /// In virtual time: when the task begins and when it is done.
    Served {
        /// When a worker takes it, in nanoseconds of virtual time.
        start_ns: u64,
        /// When it is done.
        finish_ns: u64,
    },
    /// In virtual time: as many tasks wait as may.
    Full,
}

/// Packets on a link, as one of its ends counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkCounts {
    /// Packets that this end has sent into the link.
    pub offered: u64,
    /// Packets that have come out of it at this end.
    pub received: u64,
}

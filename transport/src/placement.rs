//! Messages of the problem `placement`: what the orchestrator orders, and how a task node and a
//! helper node steer what they do together. Tasks themselves travel as in [`compute`](crate::compute).

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::LinkPath;
use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_scenario::placement::{PlacementInstance, Step};
use fogbit_scenario::work::ComputeSpec;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

use crate::probe::ProbeId;
use crate::wire::{CountsAnswer, CountsAsk, Player, TrialId};

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
    pub computer: ComputeSpec,
    /// The link to the task node, if it is emulated.
    pub link: Option<LinkOrder>,
}

/// Orchestrator to task node: play one trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlacementOrder {
    /// The trial.
    pub trial: TrialId,
    /// Name of the policy.
    pub name: String,
    /// The policy as JSON, in the form of the topology file.
    pub policy: String,
    /// The trained model of a policy that has one (safetensors).
    pub model: Option<Vec<u8>>,
    /// Tasks, computers and links, without the seed. Nothing of it is hidden from a task node but
    /// what is drawn.
    pub instance: PlacementInstance,
    /// Where each helper node listens.
    pub helpers: Vec<SocketAddr>,
}

/// Task node to orchestrator, on a trial's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PlacementReport {
    /// What happened in the slots after those already told.
    Steps(Vec<Step>),
    /// What was measured of a link while it was in one state.
    Link(Box<LinkCheck>),
    /// Every slot was played and told.
    Done {
        /// How long it took, in nanoseconds.
        nanoseconds: u64,
    },
    /// The trial cannot go on.
    Failed {
        /// Why.
        message: String,
    },
}

/// Task node to helper node: a session of the problem `placement`. It lasts as long as its stream.
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

//! What a task is, what a task node sees before it places one, and what became of it.

use serde::{Deserialize, Serialize};

use super::scenario::HelperNode;
use crate::link::{Direction, LinkSpec};

/// Where a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Site {
    /// On the task node.
    Local,
    /// On the helper node of this number.
    Helper(u32),
}

impl Site {
    /// Its place in lists of all sites: the task node first, then the helper nodes.
    pub fn index(self) -> usize {
        match self {
            Site::Local => 0,
            Site::Helper(node) => node as usize + 1,
        }
    }

    /// The site at that place.
    pub fn at(index: usize) -> Site {
        index.checked_sub(1).map_or(Site::Local, |node| Site::Helper(node as u32))
    }
}

/// The task of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// CPU cycles it takes.
    pub cycles: u64,
    /// Bytes that travel to a helper node.
    pub input_bytes: u64,
    /// Bytes that travel back.
    pub output_bytes: u64,
}

/// What a task node sees of one site before it places a task. Of itself it sees no network: the
/// round-trip time is 0 and rates are infinite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SiteSight {
    /// CPU frequency in cycles a second, as the node states it.
    pub frequency_hz: f64,
    /// Share of the CPU that other work takes, as the node states it.
    pub load: f64,
    /// What its service costs beside the work, in seconds, as the node states it.
    pub overhead_s: f64,
    /// Measured round-trip time of a small packet, in seconds.
    pub rtt_s: f64,
    /// Measured rate to the node in bits a second on the wire (headers count); infinite where there
    /// is no limit.
    pub up_bits_s: f64,
    /// Measured rate from the node in bits a second on the wire.
    pub down_bits_s: f64,
    /// Measured share of packets that are lost one way, the worse of both.
    pub loss: f64,
}

impl SiteSight {
    /// The task node itself.
    pub fn local(frequency_hz: f64, load: f64) -> SiteSight {
        SiteSight {
            frequency_hz,
            load,
            overhead_s: 0.0,
            rtt_s: 0.0,
            up_bits_s: f64::INFINITY,
            down_bits_s: f64::INFINITY,
            loss: 0.0,
        }
    }

    /// A helper node at the end of a link, as it truly is.
    pub fn remote(node: &HelperNode, load: f64, link: &LinkSpec) -> SiteSight {
        let rate =
            |direction: &Direction| direction.rate_bits_s.map_or(f64::INFINITY, |r| r as f64);
        SiteSight {
            frequency_hz: node.frequency_hz,
            load,
            overhead_s: node.overhead_ns as f64 / 1e9,
            rtt_s: link.round_trip_ns() as f64 / 1e9,
            up_bits_s: rate(&link.up),
            down_bits_s: rate(&link.down),
            loss: link.up.loss.mean().max(link.down.loss.mean()),
        }
    }
}

/// What became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Fate {
    /// Its output came back.
    Done,
    /// No answer within the time that the topology allows.
    TimedOut,
    /// The helper node refused it or gave it up, with this code of the compute service: its place in
    /// the service's list of codes, from [`QUEUE_FULL`].
    Refused(u32),
}

/// The code of the compute service for a queue without room.
pub const QUEUE_FULL: u32 = 0;

/// One execution of a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Where.
    pub site: Site,
    /// What became of it.
    pub fate: Fate,
    /// From the decision to the end of it, in nanoseconds; of a task that is not done, until that
    /// was known.
    pub latency_ns: u64,
    /// How long it waited on its site, in nanoseconds.
    pub queued_ns: u64,
    /// How long it was worked on, in nanoseconds.
    pub executed_ns: u64,
}

/// What happened in one slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The slot, from 1.
    pub slot: u64,
    /// The task.
    pub task: Task,
    /// What the task node saw, site after site.
    pub sights: Vec<SiteSight>,
    /// What the policy predicted for each site, in seconds; of a policy that predicts no times, its
    /// scores, of which the least is the best; empty where there is neither.
    pub predicted_s: Vec<f64>,
    /// What was done with the task.
    pub execution: Execution,
    /// The same task on the other sites, where the trial also tries those; they come after the
    /// task itself and count for nothing but the comparison.
    pub shadows: Vec<Execution>,
}

impl Step {
    /// The step before any slot, with room for the sights of `sites` sites.
    pub fn blank(sites: usize) -> Step {
        let execution = Execution {
            site: Site::Local,
            fate: Fate::Done,
            latency_ns: 0,
            queued_ns: 0,
            executed_ns: 0,
        };
        Step {
            slot: 0,
            task: Task { cycles: 0, input_bytes: 0, output_bytes: 0 },
            sights: vec![SiteSight::local(0.0, 0.0); sites],
            predicted_s: Vec::new(),
            execution,
            shadows: Vec::new(),
        }
    }
}

//! Messages of the problem `pipeline`: what the orchestrator orders, the session by which a task node
//! steers a site, and what travels on the ways between sites.
//!
//! Site 0 is the task node, the others are helper nodes. A site is told its [`Part`] of an application,
//! and runs it from [`SiteRequest::Begin`] on; data goes straight from site to site. Each direction
//! between two sites is a *way*: a connection of its own with one stream, on which flows follow one
//! another, first come, first served. Of two sites the one with the smaller number opens both ways.

mod socket;

use std::net::SocketAddr;

use fogbit_scenario::pipeline::{ApplicationStep, PipelineInstance, SiteState, Span, Way};
use serde::{Deserialize, Serialize};

use crate::report::Report;
use crate::wire::{OrderHead, Player, TrialId};

pub use socket::{WaySocket, line_rate};

/// Orchestrator to task node: play one trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PipelineOrder {
    /// Who plays what.
    pub head: OrderHead,
    /// Applications and conditions, without the seed.
    pub instance: PipelineInstance,
    /// Names of the sites, the device first.
    pub sites: Vec<String>,
    /// Name of each helper node, and where it listens: helper node k is site k + 1.
    pub helpers: Vec<(String, SocketAddr)>,
}

/// Task node to orchestrator, on a trial's stream. There is nothing to tell where there is no step.
pub type PipelineReport = Report<Vec<ApplicationStep>>;

/// Orchestrator to helper node: serve as a site under one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteOrder {
    /// Which seed of the run, from 0.
    pub number: u64,
    /// Who plays each policy: nobody else may open its trial's session.
    pub players: Vec<Player>,
    /// Its number among the sites, from 1: the device is site 0.
    pub site: u32,
    /// Whether sub-tasks and flows take their time.
    pub real_time: bool,
}

/// Task node to helper node: a session of a trial. It lasts as long as its stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenPipeline {
    /// The trial.
    pub trial: TrialId,
    /// The number of the site that is told.
    pub site: u32,
    /// All sites of the plan, by number; the device first.
    pub sites: Vec<SiteAddress>,
}

/// Who a site is, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteAddress {
    /// The name in its certificate.
    pub name: String,
    /// Where it listens; the device does not.
    pub address: Option<SocketAddr>,
}

/// From a site to one with a larger number: the first message of a way, answered by [`WayOpened`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWay {
    /// The trial.
    pub trial: TrialId,
    /// The number of the site that opens it.
    pub site: u32,
    /// Which way it is, as that site sees it.
    pub leads: Leads,
}

/// A direction between two sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Leads {
    /// From the site that opens it.
    There,
    /// Back to it.
    Back,
}

/// Answer to [`OpenWay`]: flows may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayOpened;

/// On a way: a flow, as many bytes as it says behind this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowHead {
    /// Number of the application.
    pub application: u64,
    /// Number of the flow in the application.
    pub flow: u32,
    /// How many bytes follow.
    pub bytes: u64,
}

/// The longest message on a way, in bytes.
pub const FLOW_HEAD_LIMIT: usize = 64;

/// Task node to site, on the stream of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SiteRequest {
    /// Open the ways to all sites with larger numbers, and wait for those of the others.
    Connect,
    /// The next application, as far as it is this site's.
    Part(Box<Part>),
    /// The application begins now.
    Begin {
        /// Its number.
        application: u64,
    },
    /// Whatever runs is of no use any more: take everything back, and close all ways.
    Abandon,
}

/// Site to task node, on the stream of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SiteReply {
    /// The session is open.
    Opened,
    /// All ways from and to this site are open.
    Connected,
    /// The part can begin.
    Ready {
        /// Number of the application.
        application: u64,
    },
    /// The part makes no sense, or cannot be done here.
    Refused {
        /// Number of the application.
        application: u64,
        /// Number of a [`CloseCode`](crate::CloseCode).
        code: u32,
        /// Why, in words.
        message: String,
    },
    /// Everything of the part is done.
    Ended(Ended),
    /// There is nothing left of the application, and no way.
    Abandoned,
}

/// A site's part of an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Number of the application, from 1.
    pub application: u64,
    /// What computes here and how long it is busy with others; in virtual time none, and sub-tasks are
    /// done as soon as they are ready.
    pub state: Option<SiteState>,
    /// The ways from here that are used, by the sites to which they lead; in virtual time none.
    pub ways: Vec<(u32, Way)>,
    /// The sub-tasks placed here, by number.
    pub sub_tasks: Vec<PartTask>,
    /// The flows that begin or end here, by number.
    pub flows: Vec<PartFlow>,
}

/// A sub-task of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartTask {
    /// Its number in the application.
    pub number: u32,
    /// CPU cycles it takes.
    pub cycles: u64,
}

/// A flow of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFlow {
    /// Its number in the application.
    pub flow: u32,
    /// Who gives it.
    pub from: FlowEnd,
    /// Who takes it.
    pub to: FlowEnd,
    /// How many bytes travel; 0 in virtual time.
    pub bytes: u64,
}

/// An end of a flow, as a site sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowEnd {
    /// A sub-task here, by its number in the application.
    SubTask(u32),
    /// This site itself, which is the device: input and output.
    Device,
    /// Another site.
    Site(u32),
}

/// Site to task node: when everything happened, in nanoseconds since the site heard that the
/// application begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ended {
    /// Number of the application.
    pub application: u64,
    /// Each sub-task of the part, in its order.
    pub sub_tasks: Vec<Span>,
    /// When the last byte of each flow from another site was there, in the order of the part.
    pub arrived_ns: Vec<u64>,
}

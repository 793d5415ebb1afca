//! The messages. Every conversation is one bidirectional QUIC stream; who opens it speaks first.

use std::net::SocketAddr;

use fogbit_scenario::TrialRules;
use fogbit_scenario::deadline::Deadline;
use fogbit_scenario::draw::Key;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::instance::{HelperSpec, TaskSpec};
use fogbit_scenario::link::LinkPath;
use fogbit_scenario::link::verdict::{EndCounts, LinkCheck};
use serde::{Deserialize, Serialize};

use crate::cascade::{CascadeOrder, EdgeOrder};
use crate::emulation::Lateness;
use crate::identity::Role;
use crate::payload::Payload;
use crate::pipeline::{PipelineOrder, SiteOrder};
use crate::placement::{ComputeOrder, PlacementOrder};
use crate::probe::ProbeId;

/// Node to orchestrator, protocol `fogbit-join`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The role it wants.
    pub role: Role,
    /// The name it wants; the orchestrator finds one if it has no wish.
    pub name: Option<String>,
    /// The secret of its token.
    pub secret: [u8; 32],
    /// A certificate signing request (DER), of which only the public key counts.
    pub request: Vec<u8>,
}

/// The secret never appears in a log.
impl std::fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JoinRequest({}, {:?}, ..)", self.role, self.name)
    }
}

/// Orchestrator to node, protocol `fogbit-join`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JoinReply {
    /// The name it was given.
    pub name: String,
    /// Its certificate and the authority's (DER).
    pub chain: Vec<Vec<u8>>,
}

/// Node to orchestrator: the first message of its control stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the program.
    pub version: String,
    /// Where a helper node listens for task nodes. An unspecified address means: the address it is
    /// seen from.
    pub listens: Option<SocketAddr>,
    /// Where the node serves metrics, if it does. An unspecified address means the same.
    pub metrics: Option<SocketAddr>,
}

/// Orchestrator to node: it belongs to the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Name of the run.
    pub run: String,
}

/// Orchestrator to helper node: the first message of the stream of a seed, which ends with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum HelperOrder {
    /// In the problem `one-bit`.
    OneBit(Box<SeedOrder>),
    /// In the problem `placement`.
    Placement(Box<ComputeOrder>),
    /// In the problem `cascade`.
    Cascade(Box<EdgeOrder>),
    /// In the problem `pipeline`.
    Pipeline(Box<SiteOrder>),
}

/// Orchestrator to task node: the first message of the stream of a trial.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum TaskNodeOrder {
    /// In the problem `one-bit`.
    OneBit(Box<TrialOrder>),
    /// In the problem `placement`.
    Placement(Box<PlacementOrder>),
    /// In the problem `cascade`.
    Cascade(Box<CascadeOrder>),
    /// In the problem `pipeline`.
    Pipeline(Box<PipelineOrder>),
}

/// What a helper node is under one seed, in the problem `one-bit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedOrder {
    /// Which seed of the run, from 0; never the seed itself.
    pub number: u64,
    /// What the helper node is under this seed.
    pub spec: HelperSpec,
    /// Who plays each policy: nobody else may open its trial's session.
    pub players: Vec<Player>,
    /// The length of a slot in nanoseconds, where real time passes.
    pub slot_nanoseconds: Option<u64>,
    /// Where real time passes and links are emulated: the draws of the way back to each task node.
    /// What that way does is in `spec`.
    pub link_key: Option<Key>,
}

/// A policy, and the task node that plays it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Player {
    /// Name of the policy.
    pub policy: String,
    /// Name of the task node.
    pub task_node: String,
}

/// Helper node to orchestrator: sessions of this seed can be opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedReady {
    /// Which seed.
    pub number: u64,
}

/// Helper node to orchestrator, in real time, on the stream of the seed: what its state was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateReport {
    /// Which policy's session, from 0.
    pub policy: u32,
    /// Slot of the first state.
    pub first: u64,
    /// The node's own features, slot after slot.
    pub states: Vec<f64>,
}

/// A trial, as everybody calls it within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TrialId {
    /// Which seed of the run, from 0.
    pub seed_number: u64,
    /// Which policy of the run, from 0.
    pub policy: u32,
}

/// With what the order of a trial begins, in all problems but `one-bit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderHead {
    /// The trial.
    pub trial: TrialId,
    /// Name of the policy.
    pub name: String,
    /// The policy as JSON, in the form of the topology file.
    pub policy: String,
    /// The trained model of a policy that has one (safetensors).
    pub model: Option<Vec<u8>>,
    /// In virtual time, for somebody who watches: at most this many slots a second.
    pub slots_per_second: Option<f64>,
}

/// A trial of the problem `one-bit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialOrder {
    /// The trial.
    pub trial: TrialId,
    /// Name of the policy.
    pub name: String,
    /// The policy as JSON, in the form of the topology file.
    pub policy: String,
    /// The policy's private randomness.
    pub policy_key: Key,
    /// Name of each helper node, and its address if it is there; in the slot clock all are.
    pub helpers: Vec<(String, Option<SocketAddr>)>,
    /// Number of features d.
    pub features: u32,
    /// The tasks.
    pub tasks: TaskSpec,
    /// Who is there in which slot, and when bits are learnt.
    pub rules: TrialRules,
    /// The last slot of the trial; the largest number where it is endless.
    pub slots: u64,
    /// How time passes.
    pub pace: Pace,
    /// The link to each helper node, where real time passes and links are emulated; else empty.
    pub links: Vec<LinkEnd>,
    /// Where real time passes: what an answer has to keep to, if that makes the bit.
    pub deadline: Option<Deadline>,
}

/// A link, for whoever emulates the way from himself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkEnd {
    /// What it does, slot after slot.
    pub path: LinkPath,
    /// The draws of that way.
    pub key: Key,
}

/// How time passes in a trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Pace {
    /// Lockstep.
    Slot {
        /// How far ahead states are asked for, in slots.
        lookahead: u32,
        /// At most this many slots a second.
        slots_per_second: Option<f64>,
    },
    /// Real time.
    Wall {
        /// The length of a slot in nanoseconds.
        slot_nanoseconds: u64,
        /// After this time without an answer a task has timed out, and without a state a helper
        /// node is absent; in nanoseconds.
        timeout_nanoseconds: u64,
    },
}

/// Task node to orchestrator, on a trial's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TrialReport {
    /// What happened in the slots after those already told.
    Decisions {
        /// Node and outcome of each slot.
        decisions: Vec<(u32, Outcome)>,
        /// Digest of all contexts so far, every [`DIGEST_SLOTS`] slots and at the end.
        digest: Option<u64>,
    },
    /// What happened in real time: all slots up to `through` are told now or were before.
    Live {
        /// The tasks whose outcome is known, in the order of their slots. No task was offloaded in
        /// a slot that is missing: no helper node was there.
        steps: Vec<LiveStep>,
        /// The last slot told.
        through: u64,
        /// How many slots have begun since the last report.
        begun: u32,
        /// How many of these began late.
        late: u32,
        /// What the policy believes the weights are, node after node; empty where it believes
        /// nothing or has not learnt since.
        estimates: Vec<f64>,
    },
    /// In real time: what is known of a link while it was in one state.
    Link {
        /// Of this trial, from 0; a later report of the same number takes the place of the former one.
        number: u32,
        /// Configured beside measured.
        check: Box<LinkCheck>,
    },
    /// A policy that knows more than a task node can see (`optimal`, `full-information`) asks for
    /// its choice in the slot after those told. The orchestrator knows the contexts of that slot by
    /// itself: a question about invented ones would be a way to the weights.
    AskChoice,
    /// Every slot was played and told.
    Done {
        /// How long it took, in nanoseconds.
        nanoseconds: u64,
    },
    /// The trial cannot go on.
    Failed {
        /// Why.
        message: String,
        /// Whether it is the fault of its policy: other trials can go on.
        of_policy: bool,
    },
}

/// One offloaded task in real time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LiveStep {
    /// The slot.
    pub slot: u64,
    /// The node it was sent to.
    pub node: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// Orchestrator to task node, on a trial's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TrialAnswer {
    /// The choice in a slot, in answer to [`TrialReport::AskChoice`].
    Choice {
        /// The node.
        node: u32,
    },
    /// In real time: a helper node that was lost is there again, here.
    Helper {
        /// The node.
        node: u32,
        /// Where it listens.
        address: SocketAddr,
    },
}

/// How often the contexts' digest is told, in slots; reports end there.
pub const DIGEST_SLOTS: u64 = 1000;

/// Task node to helper node: the first message of a session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OpenSession {
    /// The trial.
    pub trial: TrialId,
}

/// Task node to helper node, in lockstep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SessionRequest {
    /// Tell the states of the slots not yet told, up to `through`. Nothing will be offloaded before
    /// slot `now`.
    Announce {
        /// The task node's slot.
        now: u64,
        /// Last slot wanted.
        through: u64,
    },
    /// Take a task.
    Offload {
        /// The slot.
        slot: u64,
        /// The task's features.
        task: Vec<f64>,
    },
}

/// Helper node to task node, in lockstep, in the order of the requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SessionReply {
    /// The session is open.
    Opened,
    /// States, slot after slot.
    Announced {
        /// The node's features in each slot.
        states: Vec<f64>,
    },
    /// What became of a task.
    Answer {
        /// The outcome.
        outcome: Outcome,
        /// States of the following slots that are no longer as announced.
        changed: Vec<f64>,
    },
}

/// Task node to helper node, in real time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LiveRequest {
    /// A slot begins now; comes first and once, to all helper nodes at the same moment.
    Begin {
        /// Which: 1, or a later one where the helper node was lost.
        slot: u64,
    },
    /// Take a task.
    Offload {
        /// The task node's slot.
        slot: u64,
        /// The task's features.
        task: Vec<f64>,
        /// The task itself, where its way counts.
        payload: Payload,
    },
    /// The link is going to be probed.
    Probe(ProbeHello),
    /// What has been counted of the link.
    Counts(CountsAsk),
}

/// Helper node to task node, in real time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LiveReply {
    /// The session is open.
    Opened,
    /// A slot has begun.
    State {
        /// The helper node's slot.
        slot: u64,
        /// Its features.
        state: Vec<f64>,
    },
    /// What became of a task.
    Answer {
        /// The task node's slot in which it was sent.
        slot: u64,
        /// The outcome.
        outcome: Outcome,
    },
    /// A task is done, where the time that it took makes the bit: the task node's to tell.
    Done {
        /// The task node's slot in which it was sent.
        slot: u64,
        /// The answer.
        payload: Payload,
    },
    /// Answer to [`LiveRequest::Probe`].
    Probe(ProbeReady),
    /// Answer to [`LiveRequest::Counts`].
    Counts(Box<CountsAnswer>),
}

/// Task node to helper node, where their link is emulated, before the first probe of it: under which
/// id its probes come.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeHello {
    /// The id: random, and nobody else's business.
    pub id: ProbeId,
}

/// The id never appears in a log.
impl std::fmt::Debug for ProbeHello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProbeHello(..)")
    }
}

/// Helper node to task node: the link can be probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReady;

/// Task node to helper node, before a link changes and at the end of a trial: what it has counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountsAsk {
    /// Which state of the link ends, from 0.
    pub state: u32,
    /// Its own counts.
    pub counts: EndCounts,
}

/// Helper node to task node: what it has counted when the question came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountsAnswer {
    /// Its own counts.
    pub counts: EndCounts,
    /// How late it delivered packets to the task node, while the link was in this state.
    pub lateness: Lateness,
}

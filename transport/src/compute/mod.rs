//! Offloaded tasks: one bidirectional stream each.
//!
//! The task node sends an [`Opening`] with the request, the raw bytes of the input, and the end of
//! the stream. The helper node answers with a [`ComputeReply`]; after `Done` come the raw bytes of
//! the output. Who does not want the answer any more resets the stream, and the helper node stops
//! working on it.

mod client;
mod raw;

use fogbit_scenario::work::{UnknownWork, Work, WorkKind};
use serde::{Deserialize, Serialize};

use crate::cascade::ImageRequest;
use crate::pipeline::{OpenPipeline, OpenWay};
use crate::steering::OpenSteering;
use crate::wire::{OpenSession, TrialId};

pub use client::{OffloadError, Offloaded, offload, offload_image};
pub use raw::{Payload, read_frame, read_payload, write_answer};

/// The longest opening and the longest head of an answer, in bytes.
pub const HEAD_LIMIT: usize = 4096;

/// The first message of a stream to a helper node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Opening {
    /// A session: what follows are its messages.
    Session(OpenSession),
    /// A session of any other problem than `one-bit`: what follows steers it.
    Steering(OpenSteering),
    /// A task: what follows is its input.
    Compute(ComputeRequest),
    /// An image to classify: what follows are its bytes.
    Image(ImageRequest),
    /// A session of the problem `pipeline`.
    Pipeline(OpenPipeline),
    /// A way of the problem `pipeline`, from a task node or from another helper node: what follows are
    /// flows, on one of its two sides.
    Way(OpenWay),
}

/// A task with work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputeRequest {
    /// The trial it belongs to.
    pub trial: TrialId,
    /// Its number within the trial.
    pub task: u64,
    /// Name of the kind of work, so that an unknown one can be told from a malformed message.
    pub kind: String,
    /// How much work.
    pub cycles: u64,
    /// Bytes of input that follow.
    pub input_bytes: u64,
    /// Bytes of output that are wanted.
    pub output_bytes: u64,
    /// After this many nanoseconds, counted by the helper node from the moment at which it reads
    /// this, the output is of no use.
    pub deadline_ns: Option<u64>,
}

impl ComputeRequest {
    /// A request without a deadline for an input of `input_bytes`.
    pub fn new(trial: TrialId, task: u64, work: Work, input_bytes: u64) -> ComputeRequest {
        ComputeRequest {
            trial,
            task,
            kind: work.kind.name().into(),
            cycles: work.cycles,
            input_bytes,
            output_bytes: 0,
            deadline_ns: None,
        }
    }

    /// Its work.
    ///
    /// # Errors
    /// If the kind is unknown.
    pub fn work(&self) -> Result<Work, UnknownWork> {
        Ok(Work { kind: self.kind.parse::<WorkKind>()?, cycles: self.cycles })
    }
}

/// Helper node to task node: what became of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ComputeReply {
    /// It is done; the output follows.
    Done {
        /// How long it took.
        times: ComputeTimes,
        /// Bytes of output that follow.
        output_bytes: u64,
    },
    /// It is not.
    Refused {
        /// Why.
        code: ComputeCode,
        /// Why, in words.
        message: String,
    },
}

/// How long a task took on the node that executed it, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ComputeTimes {
    /// It waited for a worker.
    pub queued_ns: u64,
    /// A worker was occupied with it.
    pub served_ns: u64,
    /// Its work was really done; 0 where work is timed.
    pub executed_ns: u64,
    /// What a worker of this node takes for it by its speed. Where `executed_ns` is more, the host
    /// is slower than the node that it stands for.
    pub scheduled_ns: u64,
}

/// Why a task was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ComputeCode {
    /// As many tasks wait as may.
    QueueFull,
    /// It was not, or could not have been, done by its deadline.
    DeadlineMissed,
    /// Its input or its output is longer than the node takes.
    PayloadTooLarge,
    /// Nobody knows this kind of work.
    UnknownWork,
    /// The request makes no sense.
    BadRequest,
    /// It was taken back.
    Cancelled,
    /// Something failed on the node.
    Failed,
}

impl ComputeCode {
    /// All codes.
    pub const ALL: [ComputeCode; 7] = [
        ComputeCode::QueueFull,
        ComputeCode::DeadlineMissed,
        ComputeCode::PayloadTooLarge,
        ComputeCode::UnknownWork,
        ComputeCode::BadRequest,
        ComputeCode::Cancelled,
        ComputeCode::Failed,
    ];

    /// The name in metrics and files.
    pub fn name(self) -> &'static str {
        match self {
            ComputeCode::QueueFull => "queue-full",
            ComputeCode::DeadlineMissed => "deadline-missed",
            ComputeCode::PayloadTooLarge => "payload-too-large",
            ComputeCode::UnknownWork => "unknown-work",
            ComputeCode::BadRequest => "bad-request",
            ComputeCode::Cancelled => "cancelled",
            ComputeCode::Failed => "failed",
        }
    }
}

impl std::fmt::Display for ComputeCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

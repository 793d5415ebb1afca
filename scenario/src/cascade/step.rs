//! What a policy sees of an image, and what becomes of it.

use serde::{Deserialize, Serialize};

/// What a policy sees of an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// The offloading metric.
    pub metric: f32,
    /// Slots since the image before; 0 for the first.
    pub gap: u32,
    /// Level of the token bucket, in the integers of [`TokenBucket`](super::TokenBucket).
    pub level: u32,
}

/// What became of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It was not sent.
    Kept,
    /// The strong classifier answered.
    Answered,
    /// It did not answer in time.
    TimedOut,
    /// It refused, with this code.
    Refused(u32),
}

/// How long the stages of a classification took, in nanoseconds (Table I of the paper). Measured over
/// processes, 0 in `sim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stages {
    /// The weak classifier, with entropy and metric.
    pub weak_ns: u64,
    /// The decision.
    pub decision_ns: u64,
    /// Sending the image and hearing the answer, without what the helper node says it took.
    pub transmission_ns: u64,
    /// Waiting for a worker of the helper node.
    pub queued_ns: u64,
    /// The strong classifier.
    pub strong_ns: u64,
}

/// One image of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImageStep {
    /// Number of the image, from 1.
    pub image: u64,
    /// The slot, from 1.
    pub slot: u64,
    /// Its rank in the table of the trial.
    pub rank: u32,
    /// What the policy saw.
    pub sight: Sight,
    /// Levels that came since the image before and found the bucket full.
    pub wasted: u64,
    /// Whether the policy wanted to send it, affordable or not.
    pub wanted: bool,
    /// What became of it.
    pub fate: Fate,
    /// How long that took.
    pub stages: Stages,
}

impl ImageStep {
    /// Whether it was sent.
    #[inline]
    pub fn offloaded(&self) -> bool {
        self.fate != Fate::Kept
    }
}

//! Feedback in the topology file: how a helper node's happiness becomes the bit that is learnt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deadline::{Deadline, Scales};
use crate::feedback::{FeedbackModel, Response};
use crate::tagged::tagged_enum;

tagged_enum! {
    /// How a helper node turns its happiness into one bit.
    #[schemars(transform = crate::tagged::first_kind_is_default)]
    pub enum Feedback {
        /// `P(+1) = 1 / (1 + exp(-x.w))`, equation (2) of arXiv 1806.10547.
        Logit(FeedbackChannel) = "logit",
        /// `P(+1)` is the standard normal distribution function of `x.w`.
        Probit(FeedbackChannel) = "probit",
        /// Happy where `x.w >= level`, and never else: no chance in it.
        Threshold(ThresholdFeedback) = "threshold",
        /// Happy if the task is answered in time. Nodes have no weights.
        Deadline(DeadlineFeedback) = "deadline",
    }
}

impl Default for Feedback {
    fn default() -> Feedback {
        Feedback::Logit(FeedbackChannel::default())
    }
}

/// What happens to a bit on its way to the task node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeedbackChannel {
    /// Probability that the bit is turned over on its way (0 to 1).
    pub flip: f64,
    /// The bit of slot t is learnt before the decision of slot `t + 1 + delay_slots` (0 to 10,000).
    pub delay_slots: u32,
}

/// Feedback by a threshold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ThresholdFeedback {
    /// A node is happy with tasks whose `x.w` is at least this (-1 to 1).
    pub level: f64,
    /// Probability that the bit is turned over on its way (0 to 1).
    pub flip: f64,
    /// The bit of slot t is learnt before the decision of slot `t + 1 + delay_slots` (0 to 10,000).
    pub delay_slots: u32,
}

/// Feedback by a deadline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadlineFeedback {
    /// Milliseconds from a task's leaving the task node to its answer's coming, at most (0.001 to
    /// 3,600,000).
    pub deadline_ms: f64,
    /// Milliseconds that a task waits in a full queue; in another one as long as it is full (0 to
    /// 3,600,000).
    #[serde(default = "usual_full_queue_ms")]
    pub full_queue_ms: f64,
    /// Bytes of an answer (1 to 1,000,000).
    #[serde(default = "usual_response_bytes")]
    pub response_bytes: u32,
    /// The bit of slot t is learnt before the decision of slot `t + 1 + delay_slots` (0 to 10,000).
    #[serde(default)]
    pub delay_slots: u32,
}

fn usual_full_queue_ms() -> f64 {
    100.0
}

fn usual_response_bytes() -> u32 {
    200
}

impl DeadlineFeedback {
    fn deadline(&self, scales: Scales) -> Deadline {
        let nanoseconds = |milliseconds: f64| (milliseconds * 1e6).round() as u64;
        Deadline {
            deadline_ns: nanoseconds(self.deadline_ms),
            full_queue_ns: nanoseconds(self.full_queue_ms),
            response_bytes: self.response_bytes.into(),
            scales,
        }
    }
}

impl Feedback {
    /// How a helper node answers, where features of 1 stand for the raw values `scales`.
    pub fn model(&self, scales: Scales) -> FeedbackModel {
        let response = match self {
            Feedback::Logit(_) => Response::Logit,
            Feedback::Probit(_) => Response::Probit,
            Feedback::Threshold(threshold) => Response::Threshold(threshold.level),
            Feedback::Deadline(deadline) => Response::Deadline(deadline.deadline(scales)),
        };
        FeedbackModel { response, flip: self.flip() }
    }

    /// Probability that a bit is turned over on its way.
    pub fn flip(&self) -> f64 {
        match self {
            Feedback::Logit(channel) | Feedback::Probit(channel) => channel.flip,
            Feedback::Threshold(threshold) => threshold.flip,
            Feedback::Deadline(_) => 0.0,
        }
    }

    /// How many slots later than in its own a bit is learnt.
    pub fn delay_slots(&self) -> u32 {
        match self {
            Feedback::Logit(channel) | Feedback::Probit(channel) => channel.delay_slots,
            Feedback::Threshold(threshold) => threshold.delay_slots,
            Feedback::Deadline(deadline) => deadline.delay_slots,
        }
    }
}

//! Feedback in the topology file: how a helper node's happiness becomes the bit that is learnt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

impl Feedback {
    /// How a helper node answers.
    pub fn model(&self) -> FeedbackModel {
        let (response, flip) = match self {
            Feedback::Logit(channel) => (Response::Logit, channel.flip),
            Feedback::Probit(channel) => (Response::Probit, channel.flip),
            Feedback::Threshold(threshold) => {
                (Response::Threshold(threshold.level), threshold.flip)
            }
        };
        FeedbackModel { response, flip }
    }

    /// How many slots later than in its own a bit is learnt.
    pub fn delay_slots(&self) -> u32 {
        match self {
            Feedback::Logit(channel) | Feedback::Probit(channel) => channel.delay_slots,
            Feedback::Threshold(threshold) => threshold.delay_slots,
        }
    }
}

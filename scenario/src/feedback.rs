//! The feedback model: how happy a node is with a task, and the one bit it tells.

use serde::{Deserialize, Serialize};

use crate::deadline::Deadline;
use crate::draw::normal_cdf;

/// The one bit of feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Bit {
    /// +1.
    Happy,
    /// -1.
    Unhappy,
}

impl Bit {
    /// +1 or -1.
    #[inline]
    pub fn sign(self) -> i8 {
        match self {
            Bit::Happy => 1,
            Bit::Unhappy => -1,
        }
    }

    /// The bit of a sign, if it is +1 or -1.
    pub fn from_sign(sign: i64) -> Option<Bit> {
        match sign {
            1 => Some(Bit::Happy),
            -1 => Some(Bit::Unhappy),
            _ => None,
        }
    }
}

/// What became of an offloaded task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The node took it and told its happiness.
    Answered(Bit),
    /// The node's queue was full: no bit, nothing to learn, reward -1.
    Refused,
    /// No answer came in time (wall clock): no bit, nothing to learn, reward -1.
    TimedOut,
}

impl Outcome {
    /// +1 for a happy bit, -1 for anything else.
    #[inline]
    pub fn reward(self) -> i64 {
        match self {
            Outcome::Answered(Bit::Happy) => 1,
            Outcome::Answered(Bit::Unhappy) | Outcome::Refused | Outcome::TimedOut => -1,
        }
    }

    /// The column `bit` of a decision file: 1, -1, 0 where the node refused, and nothing where no
    /// answer came.
    pub fn column(self) -> Option<i8> {
        match self {
            Outcome::Answered(bit) => Some(bit.sign()),
            Outcome::Refused => Some(0),
            Outcome::TimedOut => None,
        }
    }

    /// Reads the column `bit` of a decision file.
    pub fn from_column(column: Option<i64>) -> Option<Outcome> {
        match column {
            None => Some(Outcome::TimedOut),
            Some(0) => Some(Outcome::Refused),
            Some(sign) => Bit::from_sign(sign).map(Outcome::Answered),
        }
    }
}

/// How a helper node turns what a task is worth to it into happiness, and its happiness into the bit
/// it tells. What a task is worth is `x.w` or, with a deadline, the probability that it is answered in
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct FeedbackModel {
    /// From worth to happiness.
    pub response: Response,
    /// Probability that the bit is turned over on its way.
    pub flip: f64,
}

/// From worth to happiness, the probability that the node is happy with the task.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum Response {
    /// `1 / (1 + exp(-x.w))`, equation (2) of arXiv 1806.10547.
    #[default]
    Logit,
    /// The standard normal distribution function of `x.w`.
    Probit,
    /// 1 where `x.w` is at least this, else 0.
    Threshold(f64),
    /// The probability that the task is answered in time, which is what it is worth.
    Deadline(Deadline),
}

impl FeedbackModel {
    /// Probability that a node is happy with a task that is worth `worth` to it. It never falls where
    /// the worth grows: whom a task is worth most to is happiest.
    #[inline]
    pub fn happiness(&self, worth: f64) -> f64 {
        match self.response {
            Response::Logit => happiness(worth),
            Response::Probit => normal_cdf(worth),
            Response::Threshold(level) => f64::from(u8::from(worth >= level)),
            Response::Deadline(_) => worth,
        }
    }

    /// The deadline, if answers are to come in time; nodes then have no weights.
    #[inline]
    pub fn deadline(&self) -> Option<&Deadline> {
        match &self.response {
            Response::Deadline(deadline) => Some(deadline),
            Response::Logit | Response::Probit | Response::Threshold(_) => None,
        }
    }

    /// Probability that a node of this happiness tells a happy bit.
    #[inline]
    pub fn told(&self, happiness: f64) -> f64 {
        self.flip + (1.0 - 2.0 * self.flip) * happiness
    }
}

/// Probability of a happy bit, equation (2): `1 / (1 + exp(-x.w))`.
#[inline]
pub fn happiness(product: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-product))
}

/// The bit of a uniform draw in `[0, 1)`: happy iff the draw lies below the probability.
#[inline]
pub fn bit(draw: f64, probability: f64) -> Bit {
    if draw < probability { Bit::Happy } else { Bit::Unhappy }
}

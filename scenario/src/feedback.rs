//! The feedback model: how happy a node is with a task, and the one bit it tells.

use serde::{Deserialize, Serialize};

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

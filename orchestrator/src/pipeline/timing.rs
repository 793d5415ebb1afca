//! How long decisions take.

use serde::{Deserialize, Serialize};

/// How long a policy takes for a decision, on one core.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DecisionTimes {
    /// Median over the applications, in nanoseconds.
    pub median_ns: f64,
    /// 95 % of the decisions are faster.
    pub p95_ns: f64,
    /// Over so many applications.
    pub applications: u64,
}

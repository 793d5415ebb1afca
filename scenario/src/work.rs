//! Kinds of work that a task can be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkKind {
    /// Products of dense matrices.
    #[default]
    MatrixProduct,
    /// A chain of SHA-256 hashes, each of the one before.
    Sha256Chain,
}

//! What kind of decision a topology is about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of decision a topology is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// Each task goes to one helper node, which answers with one bit.
    #[default]
    OneBit,
    /// Each task runs on the task node or on a helper node; what counts is how long it takes.
    Placement,
    /// Each image is classified on the task node, and may be sent to a helper node that does it better,
    /// as far as a token bucket allows; what counts is the loss.
    Cascade,
    /// Applications are graphs of sub-tasks, each of which runs on the task node or on a helper node;
    /// what counts is how long an application takes.
    Pipeline,
}

impl Problem {
    /// All of them.
    pub const ALL: [Problem; 4] =
        [Problem::OneBit, Problem::Placement, Problem::Cascade, Problem::Pipeline];

    /// The name in topology files.
    pub fn name(self) -> &'static str {
        match self {
            Problem::OneBit => "one-bit",
            Problem::Placement => "placement",
            Problem::Cascade => "cascade",
            Problem::Pipeline => "pipeline",
        }
    }
}

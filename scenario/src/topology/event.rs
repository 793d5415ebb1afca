//! Events in the topology file: what changes while a trial goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LinkProfile, Weights};

/// Something that changes at a slot, under every seed: exactly one of `action`, `weights` and
/// `profile`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The first slot in which it holds. Events are listed in the order of their slots; those after
    /// the last slot do not happen.
    pub at: u64,
    /// Name of the helper node; leave it out for new weights of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whether the node leaves or joins. One whose first event is to join is away until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The node's hidden weights from then on; those that are drawn are drawn anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// The link to the helper node of this name; leave it out for all links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What the link does to packets from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<LinkProfile>,
}

/// What a helper node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// From this slot on it can be chosen.
    Join,
    /// From this slot on it cannot be chosen; its own tasks go on.
    Leave,
}

/// A link that changes at a slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkEvent {
    /// The first slot in which it holds. Events are listed in the order of their slots; those after
    /// the last slot do not happen.
    pub at: u64,
    /// The link to the helper node of this name; leave it out for all links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What the link does to packets from then on.
    pub profile: LinkProfile,
}

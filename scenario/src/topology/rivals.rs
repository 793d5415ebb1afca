//! Parameters of the policies beside those of the paper. What they do, and how their defaults were
//! found, is in `docs/policies.md`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExplorationWidth, Prior};

/// Parameters of `ofu-ecolog`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OfuEcolog {
    /// W starts as `lambda` times the identity; above 0.
    pub lambda: f64,
    /// The squared radius gamma of the confidence region (12). Only `tuned`.
    pub gamma: ExplorationWidth,
    /// What is believed before the first bit; without it all weights are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

impl Default for OfuEcolog {
    fn default() -> OfuEcolog {
        OfuEcolog { lambda: 5.0, gamma: ExplorationWidth::default(), prior: None }
    }
}

/// Parameters of `thompson`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thompson {
    /// W, the precision of the posterior, starts as `lambda` times the identity; above 0.
    pub lambda: f64,
    /// The posterior is drawn from with `scale` times its deviation; at least 0.
    pub scale: f64,
    /// What is believed before the first bit; without it all weights are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

impl Default for Thompson {
    fn default() -> Thompson {
        Thompson { lambda: 5.0, scale: 0.25, prior: None }
    }
}

/// Parameters of `lin-ucb`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinUcb {
    /// A starts as `lambda` times the identity; above 0.
    pub lambda: f64,
    /// The bonus is `alpha` times the root of `x' A^-1 x`; at least 0.
    pub alpha: f64,
    /// What is believed before the first bit; without it all weights are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

impl Default for LinUcb {
    fn default() -> LinUcb {
        LinUcb { lambda: 50.0, alpha: 2.0, prior: None }
    }
}

/// Parameters of `epsilon-greedy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EpsilonGreedy {
    /// Z starts as `lambda` times the identity; above 0.
    pub lambda: f64,
    /// In slot t a node is drawn with probability `min(1, epsilon / t^decay)`; at least 0.
    pub epsilon: f64,
    /// How fast exploration fades; 0 keeps it at `epsilon`.
    pub decay: f64,
    /// What is believed before the first bit; without it all weights are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

impl Default for EpsilonGreedy {
    fn default() -> EpsilonGreedy {
        EpsilonGreedy { lambda: 10.0, epsilon: 0.5, decay: 0.5, prior: None }
    }
}

/// Parameters of `mle-ucb`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MleUcb {
    /// Ridge of the likelihood, and Z starts as `lambda` times the identity; above 0.
    pub lambda: f64,
    /// The squared radius gamma of the confidence region (12).
    pub gamma: ExplorationWidth,
    /// What is believed before the first bit; without it all weights are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

impl Default for MleUcb {
    fn default() -> MleUcb {
        MleUcb { lambda: 5.0, gamma: ExplorationWidth::default(), prior: None }
    }
}

/// Parameters of `full-information`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FullInformation {
    /// W starts as `lambda` times the identity; above 0.
    pub lambda: f64,
    /// What is believed before the first bit; without it all weights are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

impl Default for FullInformation {
    fn default() -> FullInformation {
        FullInformation { lambda: 5.0, prior: None }
    }
}

/// Parameters of `discounted-toof`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DiscountedToof {
    /// Z starts as `lambda` times the identity; above 0.
    pub lambda: f64,
    /// The squared radius gamma of the confidence region (12). Only `tuned`.
    pub gamma: ExplorationWidth,
    /// What is known is worth `discount` times as much one slot later; above 0, at most 1.
    pub discount: f64,
    /// What is believed before the first bit; without it all weights are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

impl Default for DiscountedToof {
    fn default() -> DiscountedToof {
        DiscountedToof {
            lambda: 5.0,
            gamma: ExplorationWidth::default(),
            discount: 0.999,
            prior: None,
        }
    }
}

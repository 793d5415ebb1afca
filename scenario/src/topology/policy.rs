//! Policies and their parameters in the topology file. What they do is in the crate
//! `fogbit-policy`; a new one needs a variant here and a file there.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ExternalProgram;
use super::document::TopologyFile;
use super::rivals::{
    DiscountedToof, EpsilonGreedy, FullInformation, LinUcb, MleUcb, OfuEcolog, Thompson,
};
use crate::fault::Faults;
use crate::tagged::tagged_enum;
use crate::validate::validate_policies;

tagged_enum! {
    /// A policy and its parameters.
    pub enum PolicySpec {
        /// TOOF of arXiv 1806.10547: sequential maximum likelihood with an upper confidence bound.
        Toof(SequentialMle) = "toof",
        /// TOOF with Z frozen at `lambda` times the identity.
        Greedy(SequentialMle) = "greedy",
        /// The nodes in cyclic order.
        RoundRobin(NoParameters) = "round-robin",
        /// A node at random, uniformly, each slot.
        Random(NoParameters) = "random",
        /// The best node of each slot by the hidden weights: what regret is measured against.
        Optimal(NoParameters) = "optimal",
        /// ada-OFU-ECOLog (Faury et al. 2022): an implicit step with the local curvature.
        OfuEcolog(OfuEcolog) = "ofu-ecolog",
        /// Thompson sampling from a Gaussian posterior by sequential Laplace approximation.
        Thompson(Thompson) = "thompson",
        /// Disjoint LinUCB (Li et al. 2010): ridge regression of the sign of the bit.
        LinUcb(LinUcb) = "lin-ucb",
        /// The estimate of `toof`, and now and then a node at random.
        EpsilonGreedy(EpsilonGreedy) = "epsilon-greedy",
        /// The exact likelihood over the whole history, equations (6) and (7), with TOOF's bonus.
        MleUcb(MleUcb) = "mle-ucb",
        /// Learns the bits of all nodes in each slot: the floor of what can be learnt.
        FullInformation(FullInformation) = "full-information",
        /// TOOF that forgets, for weights that change.
        DiscountedToof(DiscountedToof) = "discounted-toof",
        /// A program of your own that is asked over standard input and output.
        External(ExternalProgram) = "external",
    }
}

impl PolicySpec {
    /// The kinds that are told more than a task node can see: an oracle makes their choices, and they
    /// are ranked with nobody.
    pub const TOLD_MORE: [&'static str; 2] = ["optimal", "full-information"];

    /// The policy of this kind with parameters given as `KEY=VALUE`, checked as in a topology file.
    /// How many features there will be is not known here: any length of a prior's mean is accepted.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub fn from_assignments(kind: &str, assignments: &[String]) -> Result<PolicySpec, Faults> {
        // The smallest topology there is around the policy; its parameters mean the same in all.
        let text = format!(
            "slots = 1\nnodes = {{ count = 1, weights = {{ kind = \"sphere\" }} }}\n\
             policies.policy.kind = {kind:?}\n"
        );
        let mut file = TopologyFile::from_text(Path::new("the command line"), text);
        for assignment in assignments {
            file.set_below(&["policies", "policy"], assignment)?;
        }
        let (topology, places) = file.parse()?;
        validate_policies(&topology, &places)?;
        let (_, spec) = topology.policies.into_iter().next().expect("the topology has a policy");
        Ok(spec)
    }

    /// What is believed before the first bit, if the policy has a prior.
    pub fn prior(&self) -> Option<&Prior> {
        match self {
            PolicySpec::Toof(p) | PolicySpec::Greedy(p) => p.prior.as_ref(),
            PolicySpec::OfuEcolog(p) => p.prior.as_ref(),
            PolicySpec::Thompson(p) => p.prior.as_ref(),
            PolicySpec::LinUcb(p) => p.prior.as_ref(),
            PolicySpec::EpsilonGreedy(p) => p.prior.as_ref(),
            PolicySpec::MleUcb(p) => p.prior.as_ref(),
            PolicySpec::FullInformation(p) => p.prior.as_ref(),
            PolicySpec::DiscountedToof(p) => p.prior.as_ref(),
            PolicySpec::RoundRobin(_)
            | PolicySpec::Random(_)
            | PolicySpec::Optimal(_)
            | PolicySpec::External(_) => None,
        }
    }
}

/// No parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// Parameters of the policies that estimate weights by the sequential update (8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SequentialMle {
    /// Z starts as `lambda` times the identity, equation (9); above 0. With `greedy` it stays there.
    pub lambda: f64,
    /// The squared radius gamma of the confidence region (12).
    pub gamma: ExplorationWidth,
    /// What is believed before the first bit; without it all weights are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

impl Default for SequentialMle {
    fn default() -> SequentialMle {
        SequentialMle { lambda: 1.0, gamma: ExplorationWidth::default(), prior: None }
    }
}

/// What is believed of every node's weights before its first bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// The estimate of every node starts here: one number for each feature, of length 1 at most.
    pub mean: Vec<f64>,
    /// How firmly it is believed: takes the place of `lambda`, which stands where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
}

impl Prior {
    /// The mean, if there is a prior, and what the matrix of each node starts as a multiple of:
    /// the prior's strength, or `lambda`.
    pub fn start(prior: Option<&Prior>, lambda: f64) -> (Option<&[f64]>, f64) {
        let strength = prior.and_then(|prior| prior.strength).unwrap_or(lambda);
        (prior.map(|prior| prior.mean.as_slice()), strength)
    }
}

tagged_enum! {
    /// The squared radius gamma of the confidence region.
    #[schemars(transform = crate::tagged::first_kind_is_default)]
    pub enum ExplorationWidth {
        /// `gamma = c d ln(1 + t)`: the order of (15), with a constant that works.
        Tuned(TunedWidth) = "tuned",
        /// Equation (15) itself. Its bonus dwarfs the estimates and TOOF explores for ever.
        PaperEq15(PaperWidth) = "paper-eq15",
    }
}

impl Default for ExplorationWidth {
    fn default() -> ExplorationWidth {
        ExplorationWidth::Tuned(TunedWidth::default())
    }
}

/// `gamma = c d ln(1 + t)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TunedWidth {
    /// The constant c, at least 0.
    pub c: f64,
}

impl Default for TunedWidth {
    fn default() -> TunedWidth {
        TunedWidth { c: 0.03 }
    }
}

/// Equation (15).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PaperWidth {
    /// The bound (14) may fail with at most this probability, between 0 and 1 (both excluded).
    pub delta: f64,
}

impl Default for PaperWidth {
    fn default() -> PaperWidth {
        PaperWidth { delta: 0.05 }
    }
}

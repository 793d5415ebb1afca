//! Policies of the problem `cascade`: keep an image, or send it to the strong classifier.

mod belief;
mod clairvoyant;
mod curve;
mod dqn;
mod dqn_model;
mod hidden_state;
mod mdp;
mod ring;
#[cfg(test)]
mod tests;
mod threshold;
mod values;

use fogbit_scenario::cascade::{Hidden, Setting, Sight};
use fogbit_scenario::topology::CascadePolicySpec;

pub use belief::BeliefPolicy;
pub use clairvoyant::ClairvoyantPolicy;
pub use dqn::DqnPolicy;
pub use dqn_model::{DqnModel, DqnModelError, DqnOrigin, DqnScale, DqnShape, dqn_standardiser};
pub use hidden_state::HiddenStatePolicy;
pub use mdp::MdpPolicy;
pub use threshold::ThresholdPolicy;

/// A policy of the problem `cascade`.
pub trait CascadePolicy: Send {
    /// Whether the next image is to be sent. Called once an image, in order, whether there is a token
    /// or not; without one the image is kept all the same.
    ///
    /// `hidden` is where the stream is. Only policies of
    /// [`CascadePolicySpec::TOLD_MORE`] may look at it; elsewhere it is blank.
    fn decide(&mut self, sight: &Sight, hidden: &Hidden) -> bool;

    /// Whether images are sent without tokens too: the bucket does not bind.
    fn ignores_bucket(&self) -> bool {
        false
    }
}

/// One policy in `fogbit policy list`.
pub use crate::Entry;

/// Every policy of the problem `cascade`.
pub const CATALOGUE: &[Entry] = &[
    Entry {
        kind: "threshold",
        summary: "a fixed threshold on the metric: the Baseline of the paper",
        parameters: "threshold = the quantile by which as many images are sent as tokens come",
    },
    Entry {
        kind: "mdp",
        summary: "a threshold for each level of the bucket, for independent images",
        parameters: "discount = 0.9999, search = false",
    },
    Entry {
        kind: "dqn",
        summary: "a deep Q-network over the last metrics and gaps, trained before the run",
        parameters: "model, other_setting = false, train = { seed = 1, iterations = 4000, \
                     updates = 128, batch = 128, history = 97, hidden = [64, 64, 64, 64, 64], \
                     images = 10000000, learning_rate = 1e-3, last_learning_rate = 1e-4, \
                     discount = 0.9999 }",
    },
    Entry {
        kind: "belief",
        summary: "infers where the stream is, and weighs what would be optimal if it knew",
        parameters: "discount = 0.9999, places = 400",
    },
    Entry {
        kind: "lower-bound",
        summary: "the threshold without the bucket: what no policy without foresight goes below on average",
        parameters: "threshold",
    },
    Entry {
        kind: "hidden-state",
        summary: "optimal for somebody who is told the hidden state of the stream",
        parameters: "discount = 0.9999, places = 400",
    },
    Entry {
        kind: "clairvoyant",
        summary: "optimal for somebody who is told all images of the trial in advance",
        parameters: "",
    },
];

/// A policy as it is before the first image of a trial, as often as it is wanted: solving for it once
/// is enough.
pub type Prototype = Box<dyn Fn() -> Box<dyn CascadePolicy> + Send + Sync>;

/// The prototype of a policy that has seen nothing yet.
pub fn cloning(policy: impl CascadePolicy + Clone + Sync + 'static) -> Prototype {
    Box::new(move || Box::new(policy.clone()))
}

/// The prototype of the policy that `spec` describes for `setting`.
///
/// `None` for [`CascadePolicySpec::Dqn`], which is made of a model, and for
/// [`CascadePolicySpec::Clairvoyant`], which is made of a trial ([`ClairvoyantPolicy::new`]).
pub fn prototype(spec: &CascadePolicySpec, setting: &Setting) -> Option<Prototype> {
    Some(match spec {
        CascadePolicySpec::Threshold(p) => cloning(ThresholdPolicy::new(p, setting, true)),
        CascadePolicySpec::LowerBound(p) => cloning(ThresholdPolicy::new(p, setting, false)),
        CascadePolicySpec::Mdp(p) => cloning(MdpPolicy::new(p, setting)),
        CascadePolicySpec::Belief(p) => cloning(BeliefPolicy::new(p, setting)),
        CascadePolicySpec::HiddenState(p) => cloning(HiddenStatePolicy::new(p, setting)),
        CascadePolicySpec::Dqn(_) | CascadePolicySpec::Clairvoyant(_) => return None,
    })
}

/// Makes the policy that `spec` describes for `setting`; none where there is no [`prototype`].
pub fn build(spec: &CascadePolicySpec, setting: &Setting) -> Option<Box<dyn CascadePolicy>> {
    prototype(spec, setting).map(|made| made())
}

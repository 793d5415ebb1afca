//! Policies of the problem `pipeline`: a site for each sub-task of an application.

mod alike;
mod bound;
mod encoder;
mod fixed;
mod greedy;
mod net;
mod random;
mod search;

use fogbit_scenario::draw::Key;
use fogbit_scenario::pipeline::{Application, Conditions};
use fogbit_scenario::topology::PipelinePolicySpec;

pub use bound::{BranchAndBound, MOST_PARTIAL, TooHard};
pub use encoder::{Encoder, Encoding};
pub use fixed::FixedSite;
pub use greedy::{Greedy, GreedyPolicy};
pub use net::{NetPolicy, PipelineNet, PipelineNetError};
pub use random::RandomSites;
pub use search::{Optimum, SearchPolicy, exhaustive};

/// What a policy sees: an application, and what it meets.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// Number of the application, from 1.
    pub number: u64,
    /// The application.
    pub application: &'a Application,
    /// What sites and links are while it runs.
    pub conditions: &'a Conditions,
}

/// A policy of the problem `pipeline`.
pub trait PipelinePolicy: Send {
    /// Writes a site for each sub-task, in their order, one at which it may run; what was in
    /// `placement` is gone.
    fn place(&mut self, sight: &Sight<'_>, placement: &mut Vec<u8>);
}

/// One policy in `fogbit policy list`.
pub use crate::Entry;

/// Every policy of the problem `pipeline`.
pub const CATALOGUE: &[Entry] = &[
    Entry {
        kind: "fixed",
        summary: "all sub-tasks at one site; one that may not run there at the first site where it may",
        parameters: "site",
    },
    Entry { kind: "random", summary: "each sub-task at a site that is drawn", parameters: "" },
    Entry {
        kind: "greedy",
        summary: "each sub-task, one after the other, where it is done first",
        parameters: "",
    },
    Entry {
        kind: "search",
        summary: "the placement with the least delay",
        parameters: "method = branch-and-bound | exhaustive",
    },
    Entry {
        kind: "imitation",
        summary: "a network that was trained on optimal placements before the run",
        parameters: "model, train = { seed = 1, labels = 200000, epochs = 20, batch = 128, \
                     hidden = [256, 256, 256], learning_rate = 1e-3, cost_weight = 5 }",
    },
    Entry {
        kind: "distilled",
        summary: "a small network that learned from a larger one, too, before the run",
        parameters: "model, temperature = 3, alpha = 0.7, train and teacher as in imitation \
                     (train.hidden = [64, 32])",
    },
];

/// Makes the policy that `spec` describes; `sites` are the names of all sites, the device first, and
/// `random` is the key of random placements.
///
/// `None` for those that are made of a model, and where no site has the name that `spec` gives.
pub fn build(
    spec: &PipelinePolicySpec,
    sites: &[String],
    random: Key,
) -> Option<Box<dyn PipelinePolicy>> {
    Some(match spec {
        PipelinePolicySpec::Fixed(fixed) => {
            let site = sites.iter().position(|site| *site == fixed.site)?;
            Box::new(FixedSite::new(site))
        }
        PipelinePolicySpec::Random(_) => Box::new(RandomSites::new(random)),
        PipelinePolicySpec::Greedy(_) => Box::new(GreedyPolicy::default()),
        PipelinePolicySpec::Search(search) => Box::new(SearchPolicy::new(search.method)),
        PipelinePolicySpec::Imitation(_) | PipelinePolicySpec::Distilled(_) => return None,
    })
}

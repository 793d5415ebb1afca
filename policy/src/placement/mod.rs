//! Policies of the problem `placement`: on the task node, or on which helper node.

mod decision_model;
mod fixed;
mod learned;
mod online;
mod oracle;
mod regression;
mod rule;

use fogbit_scenario::placement::{CostModel, Execution, Site, SiteSight, Task};
use fogbit_scenario::topology::PlacementPolicySpec;

pub use decision_model::{DecisionModel, DecisionModelError, FEATURES};
pub use fixed::{AlwaysLocalPolicy, AlwaysOffloadPolicy};
pub use learned::LearnedPolicy;
pub use online::OnlinePolicy;
pub use oracle::OraclePolicy;
pub use rule::RulePolicy;

/// A policy of the problem `placement`.
pub trait PlacementPolicy: Send + Sync {
    /// Chooses the site of the task of `slot` (from 1). `sights` are those of all sites, the task
    /// node first, and at least one helper node is among them. Called once a slot, in order.
    fn decide(&mut self, slot: u64, task: &Task, sights: &[SiteSight]) -> Site;

    /// Learns what became of the task of `slot`, with the task and the sights of that decision.
    /// Called before the next decision.
    fn learn(&mut self, slot: u64, task: &Task, sights: &[SiteSight], execution: &Execution);

    /// The latency in seconds that the last decision expected at each site; empty where a policy
    /// predicts nothing. `learned` has no latencies: it gives 0 for the task node and for each
    /// helper node how much its network is against it, so that the least is the choice all the same.
    fn predictions(&self) -> &[f64];
}

/// One policy in `fogbit policy list`.
pub use crate::Entry;

/// Every policy of the problem `placement`.
pub const CATALOGUE: &[Entry] = &[
    Entry { kind: "always-local", summary: "every task runs on the task node", parameters: "" },
    Entry {
        kind: "always-offload",
        summary: "every task goes to the helper node with the shortest measured round trip",
        parameters: "",
    },
    Entry {
        kind: "rule",
        summary: "the least latency by the analytic model, from what is measured",
        parameters: "margin_ms = 0",
    },
    Entry {
        kind: "learned",
        summary: "a decision network, trained before the run",
        parameters: "model, train = { seed = 1, samples = 50000, epochs = 80, hidden = [32, 16], \
                     features = \"logarithmic\", learning_rate = 1e-3, batch = 128, \
                     units = \"fixed\" }",
    },
    Entry {
        kind: "online",
        summary: "discounted linear regression of latency for each site, with a confidence bound",
        parameters: "discount = 0.98, exploration = 0.3, ridge = 1e-3",
    },
    Entry {
        kind: "oracle",
        summary: "the least latency by the analytic model with the true state: the zero of regret",
        parameters: "shadow = false, shadow_share = 0.1",
    },
];

/// Makes the policy that `spec` describes, for `sites` sites (the task node and the helper nodes)
/// and the cost model of the topology.
///
/// `None` for [`PlacementPolicySpec::Oracle`], who is told more than a task node sees, through a
/// door of its own ([`OraclePolicy::choose`]), and for [`PlacementPolicySpec::Learned`], which is
/// made of a model ([`LearnedPolicy::new`]).
pub fn build(
    spec: &PlacementPolicySpec,
    sites: usize,
    cost: &CostModel,
) -> Option<Box<dyn PlacementPolicy>> {
    Some(match spec {
        PlacementPolicySpec::AlwaysLocal(_) => Box::new(AlwaysLocalPolicy),
        PlacementPolicySpec::AlwaysOffload(_) => Box::new(AlwaysOffloadPolicy),
        PlacementPolicySpec::Rule(p) => Box::new(RulePolicy::new(p, sites, *cost)),
        PlacementPolicySpec::Online(p) => Box::new(OnlinePolicy::new(p, sites)),
        PlacementPolicySpec::Oracle(_) | PlacementPolicySpec::Learned(_) => return None,
    })
}

/// The site with the least of `values`; of equal ones the first, so the task node before all.
pub(crate) fn least(values: &[f64]) -> Site {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value < values[best] {
            best = index;
        }
    }
    Site::at(best)
}

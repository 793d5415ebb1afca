//! Models that policies need before a run begins.

use std::collections::BTreeMap;

use fogbit_policy::placement::{LearnedPolicy, PlacementPolicy};
use fogbit_scenario::placement::PlacementInstance;
use fogbit_scenario::topology::PlacementPolicySpec;

use super::plan::PlacementPlan;
use crate::exit::Failure;

/// The models of a run, made or read once, for all seeds and all trials.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// The decision networks, by the number of their policy.
    learned: BTreeMap<usize, LearnedPolicy>,
}

impl Models {
    /// Reads the models that the topology names, and trains those that it does not. It is called
    /// after the topology is checked and before the results directory is made.
    ///
    /// # Errors
    /// If a policy needs a model that cannot be had.
    pub fn prepare(plan: &PlacementPlan) -> Result<Models, Failure> {
        let models = Models::default();
        for policy in &plan.policies {
            if let PlacementPolicySpec::Learned(_) = policy.spec {
                let message = format!("policy {}: `learned` cannot be played yet", policy.name);
                return Err(Failure::usage(message).help("leave it out with --policy"));
            }
        }
        Ok(models)
    }

    /// Gives the policy of number `policy` its decision network.
    pub fn insert(&mut self, policy: usize, learned: LearnedPolicy) {
        self.learned.insert(policy, learned);
    }

    /// The policy of number `policy` for a trial; none for `oracle`, who asks elsewhere.
    ///
    /// # Panics
    /// If it is `learned`, and has been given no network.
    pub fn policy(
        &self,
        plan: &PlacementPlan,
        policy: usize,
        instance: &PlacementInstance,
    ) -> Option<Box<dyn PlacementPolicy>> {
        let spec = &plan.policies[policy].spec;
        if let PlacementPolicySpec::Learned(_) = spec {
            let learned = self.learned.get(&policy).expect("models are prepared before trials");
            return Some(Box::new(learned.clone()));
        }
        fogbit_policy::placement::build(spec, instance.sites(), instance.cost())
    }
}

//! Models that policies need before a run begins.

use super::plan::PlacementPlan;
use crate::exit::Failure;
use fogbit_policy::placement::PlacementPolicy;
use fogbit_scenario::placement::PlacementInstance;
use fogbit_scenario::topology::PlacementPolicySpec;

/// The models of a run, made or read once, for all seeds and all trials.
#[derive(Debug, Clone, Default)]
pub struct Models {}

impl Models {
    /// Reads the models that the topology names, and trains those that it does not. It is called
    /// after the topology is checked and before the results directory is made.
    ///
    /// # Errors
    /// If a policy needs a model that cannot be had.
    pub fn prepare(plan: &PlacementPlan) -> Result<Models, Failure> {
        for policy in &plan.policies {
            if let PlacementPolicySpec::Learned(_) = policy.spec {
                let message = format!("policy {}: `learned` cannot be played yet", policy.name);
                return Err(Failure::usage(message).help("leave it out with --policy"));
            }
        }
        Ok(Models {})
    }

    /// The policy of number `policy` for a trial; none for `oracle`, who asks elsewhere.
    pub fn policy(
        &self,
        plan: &PlacementPlan,
        policy: usize,
        instance: &PlacementInstance,
    ) -> Option<Box<dyn PlacementPolicy>> {
        let spec = &plan.policies[policy].spec;
        fogbit_policy::placement::build(spec, instance.sites(), instance.cost())
    }
}

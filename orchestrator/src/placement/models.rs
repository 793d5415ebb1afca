//! Models that policies need before a run begins.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_policy::placement::{LearnedPolicy, PlacementPolicy};
use fogbit_scenario::placement::PlacementInstance;

use super::plan::PlacementPlan;
use crate::exit::Failure;
use crate::results::{ResultsDir, ResultsError};
use crate::train::placement::{PlacementModels, PreparedModel, prepare};

/// The models of a run, made or read once, for all seeds and all trials.
#[derive(Debug, Clone, Default)]
pub struct Models {
    by_name: PlacementModels,
    /// Names of the policies of the plan, in its order.
    names: Vec<String>,
}

impl Models {
    /// Reads the models that the topology names, and trains those that it does not. It is called
    /// after the topology is checked and before the results directory is made. A training is shown
    /// on standard error unless `quiet`, and ends when `stop` is set.
    ///
    /// # Errors
    /// If a policy needs a model that cannot be had.
    pub fn prepare(
        plan: &PlacementPlan,
        quiet: bool,
        stop: &AtomicBool,
    ) -> Result<Models, Failure> {
        let names = plan.policies.iter().map(|policy| policy.name.clone()).collect();
        Ok(Models { by_name: prepare(&plan.scenario, quiet, stop)?, names })
    }

    /// The model of the policy of number `policy`, if it has one.
    fn of(&self, policy: usize) -> Option<&PreparedModel> {
        self.by_name.0.get(self.names.get(policy)?)
    }

    /// The bytes of the model of the policy of number `policy`, if it has one: what its task node
    /// is sent.
    pub fn bytes(&self, policy: usize) -> Option<&[u8]> {
        self.of(policy).map(|prepared| &prepared.bytes[..])
    }

    /// The policy of number `policy` for a trial; none for `oracle`, who asks elsewhere.
    pub fn policy(
        &self,
        plan: &PlacementPlan,
        policy: usize,
        instance: &PlacementInstance,
    ) -> Option<Box<dyn PlacementPolicy>> {
        let sites = instance.sites();
        if let Some(prepared) = self.of(policy) {
            return Some(Box::new(LearnedPolicy::new(Arc::clone(&prepared.model), sites)));
        }
        fogbit_policy::placement::build(&plan.policies[policy].spec, sites, instance.cost())
    }

    /// Keeps the models in a results directory, so that the run can be repeated.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn keep(&self, dir: &ResultsDir) -> Result<(), ResultsError> {
        self.by_name.keep(dir.path()).map_err(|(path, error)| ResultsError::Write { path, error })
    }
}

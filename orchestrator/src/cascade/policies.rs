//! The policies of a run, solved or trained once for all of its trials.

use std::sync::Arc;

use fogbit_policy::cascade::{CascadePolicy, Prototype, prototype};
use fogbit_scenario::cascade::{CascadeInstance, CascadeScenario};

use crate::exit::Failure;
use crate::results::{ResultsDir, ResultsError};

/// The policies of a run, in the order of its topology.
#[derive(Clone)]
pub struct Policies {
    made: Vec<(String, Option<Arc<Prototype>>)>,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.made.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_tuple("Policies").field(&names).finish()
    }
}

impl Policies {
    /// Solves what can be solved, and reads or trains models. It is called after the topology is
    /// checked and before the results directory is made.
    ///
    /// # Errors
    /// If a policy needs a model that cannot be had.
    pub fn prepare(scenario: &CascadeScenario, _quiet: bool) -> Result<Policies, Failure> {
        let setting = scenario.setting();
        let made = scenario
            .policies()
            .map(|(name, spec)| (name.to_owned(), prototype(spec, &setting).map(Arc::new)));
        let policies = Policies { made: made.collect() };
        let unmade = policies.made.iter().find(|(_, made)| made.is_none());
        match unmade {
            Some((name, _)) => Err(Failure::usage(format!("policy {name} cannot be made"))),
            None => Ok(policies),
        }
    }

    /// The policy of number `policy` before the first image of a trial.
    ///
    /// # Panics
    /// If there is no such policy.
    pub fn of(&self, policy: usize, _instance: &CascadeInstance) -> Box<dyn CascadePolicy> {
        let (_, made) = &self.made[policy];
        made.as_ref().expect("all were made")()
    }

    /// The model of the policy of number `policy` (safetensors), if it has one.
    pub fn model(&self, _policy: usize) -> Option<Vec<u8>> {
        None
    }

    /// Keeps models in a results directory, so that the run can be repeated.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn keep(&self, _dir: &ResultsDir) -> Result<(), ResultsError> {
        Ok(())
    }
}

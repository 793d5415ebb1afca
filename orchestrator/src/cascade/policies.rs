//! The policies of a run, solved or trained once for all of its trials.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_policy::cascade::{CascadePolicy, ClairvoyantPolicy, Prototype, cloning, prototype};
use fogbit_scenario::cascade::{CascadeInstance, CascadeScenario};
use fogbit_scenario::topology::CascadePolicySpec;

use crate::exit::{Failure, tell};
use crate::report::markup::grouped;
use crate::results::{ResultsDir, ResultsError};
use crate::train::dqn::{self, DqnModels, PreparedDqn};

/// For so many states a policy plans within seconds.
const SOON_PLANNED: u64 = 50_000;

/// The policies of a run, in the order of its topology.
#[derive(Clone)]
pub struct Policies {
    made: Vec<(String, Made)>,
    models: Arc<DqnModels>,
}

#[derive(Clone)]
enum Made {
    /// It begins each trial alike.
    Once(Arc<Prototype>),
    /// It is told the trial.
    OfTrial,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.made.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_tuple("Policies").field(&names).finish()
    }
}

impl Policies {
    /// Solves what can be solved, and reads or trains models. It is called after the topology is
    /// checked and before the results directory is made. A training is shown on standard error
    /// unless `quiet`, and ends when `stop` is set.
    ///
    /// # Errors
    /// If a policy needs a model that cannot be had.
    pub fn prepare(
        scenario: &CascadeScenario,
        quiet: bool,
        stop: &AtomicBool,
    ) -> Result<Policies, Failure> {
        let models = dqn::prepare(scenario, quiet, stop)?;
        let setting = scenario.setting();
        let made = scenario.policies().map(|(name, spec)| {
            let states = scenario.planned_states(spec);
            if states > SOON_PLANNED && !quiet {
                tell(format_args!(
                    "planning {name} for {} states: up to half a minute",
                    grouped(states)
                ));
            }
            let once = match models.0.get(name) {
                Some(model) => Some(cloning(model.policy())),
                None => prototype(spec, &setting),
            };
            match once {
                Some(once) => Ok((name.to_owned(), Made::Once(Arc::new(once)))),
                None if matches!(spec, CascadePolicySpec::Clairvoyant(_)) => {
                    Ok((name.to_owned(), Made::OfTrial))
                }
                None => Err(Failure::usage(format!("policy {name} has no model"))),
            }
        });
        let made = made.collect::<Result<_, _>>()?;
        Ok(Policies { made, models: Arc::new(models) })
    }

    /// The policy of number `policy` before the first image of a trial.
    ///
    /// # Panics
    /// If there is no such policy.
    pub fn of(&self, policy: usize, instance: &CascadeInstance) -> Box<dyn CascadePolicy> {
        match &self.made[policy].1 {
            Made::Once(once) => once(),
            Made::OfTrial => Box::new(ClairvoyantPolicy::new(instance)),
        }
    }

    /// The model of the policy of number `policy`, if it has one: what its task node is sent.
    pub fn model(&self, policy: usize) -> Option<&PreparedDqn> {
        self.models.0.get(&self.made.get(policy)?.0)
    }

    /// Keeps the models in a results directory, so that the run can be repeated.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn keep(&self, dir: &ResultsDir) -> Result<(), ResultsError> {
        self.models.keep(dir.path()).map_err(|(path, error)| ResultsError::Write { path, error })
    }
}

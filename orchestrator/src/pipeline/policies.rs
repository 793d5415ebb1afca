//! The policies of a run, with the networks that are read or trained once for all of its trials.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_policy::pipeline::{PipelinePolicy, build};
use fogbit_scenario::pipeline::PipelineInstance;

use super::plan::PipelinePlan;
use super::timing::{RunTimes, TimedApplications};
use crate::exit::Failure;
use crate::results::{ResultsDir, ResultsError};
use crate::train::pipeline::{PipelineModels, prepare};

/// The policies of a run, in the order of its plan.
#[derive(Debug, Clone)]
pub struct Policies {
    plan: Arc<PipelinePlan>,
    models: Arc<PipelineModels>,
}

impl Policies {
    /// Reads the models that the topology names, and trains those that it does not. It is called after
    /// the topology is checked and before the results directory is made. A training is shown on standard
    /// error unless `quiet`, and ends when `stop` is set.
    ///
    /// # Errors
    /// If a policy needs a model that cannot be had.
    pub fn prepare(
        plan: &Arc<PipelinePlan>,
        quiet: bool,
        stop: &AtomicBool,
    ) -> Result<Policies, Failure> {
        let models = Arc::new(prepare(&plan.scenario, quiet, stop)?);
        Ok(Policies { plan: Arc::clone(plan), models })
    }

    /// The policy of number `policy` before the first application of a trial.
    ///
    /// # Panics
    /// If there is no such policy.
    pub fn of(&self, policy: usize, instance: &PipelineInstance) -> Box<dyn PipelinePolicy> {
        let planned = &self.plan.policies[policy];
        if let Some(prepared) = self.models.0.get(&planned.name) {
            return Box::new(prepared.policy());
        }
        build(&planned.spec, self.plan.scenario.sites(), instance.keys.random)
            .expect("a policy without a model is made of what the topology says")
    }

    /// The bytes of the model of the policy of number `policy`, if it has one: what its task node is
    /// sent.
    pub fn model(&self, policy: usize) -> Option<&[u8]> {
        let prepared = self.models.0.get(&self.plan.policies[policy].name)?;
        Some(&prepared.bytes)
    }

    /// Times the decisions of all policies, on the applications of the first seed.
    pub fn times(&self) -> RunTimes {
        let seed = self.plan.seeds.first().copied().unwrap_or(1);
        let instance = self.plan.scenario.instance(seed);
        let timed = TimedApplications::of(&instance);
        let policies = 0..self.plan.policies.len();
        RunTimes {
            policies: policies.map(|own| timed.time(&mut *self.of(own, &instance))).collect(),
            exhaustive: timed.exhaustive(),
            placements: timed.placements(),
        }
    }

    /// Keeps the models in a results directory, so that the run can be repeated.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn keep(&self, dir: &ResultsDir) -> Result<(), ResultsError> {
        self.models.keep(dir.path()).map_err(|(path, error)| ResultsError::Write { path, error })
    }
}

//! Best placements and policies, for those who compute results anew.

use std::path::Path;

use fogbit_policy::pipeline::{BranchAndBound, Greedy, Optimum, PipelinePolicy, build, exhaustive};
use fogbit_scenario::pipeline::{CostTable, PipelineInstance, PipelineScenario, Scheduler};
use fogbit_scenario::topology::PipelinePolicySpec;
use rayon::prelude::*;

use crate::exit::Failure;

/// Up to so many placements of an application all of them are tried.
const MOST_PLACEMENTS: f64 = 7000.0;

/// The best placements of the applications of the seed that was asked for last: trials of a seed follow
/// each other.
#[derive(Debug, Default)]
pub(super) struct Labels {
    seed: Option<u64>,
    known: Vec<Optimum>,
}

impl Labels {
    /// Those of the first `count` applications of `instance`, at least.
    pub(super) fn of(&mut self, instance: &PipelineInstance, count: u64) -> &[Optimum] {
        let count = count.min(instance.applications);
        if self.seed != Some(instance.seed) || (self.known.len() as u64) < count {
            self.known = (1..=count).into_par_iter().map(|number| best(instance, number)).collect();
            self.seed = Some(instance.seed);
        }
        &self.known
    }
}

fn best(instance: &PipelineInstance, number: u64) -> Optimum {
    let (application, conditions) = (instance.application(number), instance.conditions(number));
    let table = CostTable::new(&application, &conditions);
    let placements: f64 =
        application.sub_tasks().iter().map(|own| own.sites.len() as f64).product();
    if placements <= MOST_PLACEMENTS {
        return exhaustive(&application, &table, &mut Scheduler::new(&application));
    }
    let mut known = Vec::new();
    Greedy::default().place(&application, &table, &mut known);
    BranchAndBound::default().search(&application, &table, &known)
}

/// The policy of a trial, made anew. None where it decides by a model that the run did not keep: its
/// placements are taken as they are then.
///
/// # Errors
/// If its model cannot be used.
pub(super) fn policy(
    _dir: &Path,
    scenario: &PipelineScenario,
    (_name, spec): (&str, &PipelinePolicySpec),
    instance: &PipelineInstance,
) -> Result<Option<Box<dyn PipelinePolicy>>, Failure> {
    Ok(build(spec, scenario.sites(), instance.keys.random))
}

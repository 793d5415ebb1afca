//! Best placements and policies, for those who compute results anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fogbit_policy::pipeline::{
    BranchAndBound, Greedy, NetPolicy, Optimum, PipelineNet, PipelinePolicy, TooHard, build,
    exhaustive,
};
use fogbit_scenario::kept_model;
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
    ///
    /// # Errors
    /// If one cannot be found: no trial came so far.
    pub(super) fn of(
        &mut self,
        instance: &PipelineInstance,
        count: u64,
    ) -> Result<&[Optimum], Failure> {
        let count = count.min(instance.applications);
        if self.seed != Some(instance.seed) || (self.known.len() as u64) < count {
            let label = |number| {
                let seed = instance.seed;
                best(instance, number).map_err(|error| {
                    Failure::usage(format!("seed {seed}, application {number}: {error}"))
                })
            };
            let known: Vec<Result<Optimum, Failure>> =
                (1..=count).into_par_iter().map(label).collect();
            // Of several failures the first one is told.
            self.known = known.into_iter().collect::<Result<_, _>>()?;
            self.seed = Some(instance.seed);
        }
        Ok(&self.known)
    }
}

fn best(instance: &PipelineInstance, number: u64) -> Result<Optimum, TooHard> {
    let (application, conditions) = (instance.application(number), instance.conditions(number));
    let table = CostTable::new(&application, &conditions);
    let placements: f64 =
        application.sub_tasks().iter().map(|own| own.sites.len() as f64).product();
    if placements <= MOST_PLACEMENTS {
        return Ok(exhaustive(&application, &table, &mut Scheduler::new(&application)));
    }
    let mut known = Vec::new();
    Greedy::default().place(&application, &table, &mut known);
    BranchAndBound::default().search(&application, &table, &known)
}

/// What makes policies anew; the networks that a run kept are read once.
#[derive(Debug, Default)]
pub(super) struct Deciders {
    nets: BTreeMap<String, Arc<PipelineNet>>,
}

impl Deciders {
    /// The policy of a trial.
    ///
    /// # Errors
    /// If it decides by a network, and its model was not kept or is none for these applications.
    pub(super) fn of(
        &mut self,
        dir: &Path,
        scenario: &PipelineScenario,
        (name, spec): (&str, &PipelinePolicySpec),
        instance: &PipelineInstance,
    ) -> Result<Box<dyn PipelinePolicy>, Failure> {
        if let Some(policy) = build(spec, scenario.sites(), instance.keys.random) {
            return Ok(policy);
        }
        if !self.nets.contains_key(name) {
            let net = Arc::new(kept_net(&dir.join(kept_model(name)), scenario)?);
            self.nets.insert(name.to_owned(), net);
        }
        Ok(Box::new(NetPolicy::new(Arc::clone(&self.nets[name]))))
    }
}

/// Reads a network that a run has kept.
fn kept_net(path: &Path, scenario: &PipelineScenario) -> Result<PipelineNet, Failure> {
    let unusable = |error: String| {
        Failure::usage(format!("the model {} cannot be used: {error}", path.display()))
            .help("a run keeps its models in models/; without them decisions cannot be made again")
    };
    let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let net = PipelineNet::from_bytes(&bytes).map_err(|error| unusable(error.to_string()))?;
    let (most, sites) = (scenario.source().most_sub_tasks(), scenario.sites().len());
    net.fits(most, sites).map_err(|error| unusable(error.to_string()))?;
    Ok(net)
}

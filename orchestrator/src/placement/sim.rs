//! Backend `sim`: every trial in this process, in virtual time, over the cores.

use std::sync::atomic::Ordering;
use std::time::Instant;

use fogbit_scenario::placement::{PlacementInstance, Step};
use fogbit_scenario::topology::PlacementPolicySpec;
use fogbit_task_node::placement::{
    InstanceOracle, PlacementDecider, PlacementRecorder, PlacementTrial as TrialLoop, SimFog,
};
use fogbit_task_node::{TrialEnd, TrialError};
use rayon::prelude::*;

use super::backend::{PlacementContext, PlacementOutcome};
use super::board::{PlacementBoard, Told};
use super::collect::{PlacementCollector, PlacementTrial};
use super::ledger::PlacementLedger;
use crate::backend::RunFailure;
use crate::backend::sim::now;
use crate::links::MeasuredLinks;
use crate::plan::Status;

/// Seeds that are played before their samples are pooled.
const SEEDS_AT_ONCE: usize = 8;
/// How often a trial tells how far it is, in slots.
const TELL_EVERY: u64 = 1024;

/// Plays all trials of the plan. The result does not depend on the number of cores.
pub fn run(context: &PlacementContext) -> PlacementOutcome {
    let plan = &context.plan;
    let mut collector = PlacementCollector::new(plan);
    let mut failure = None;
    for seeds in plan.seeds.chunks(SEEDS_AT_ONCE) {
        if context.stop.load(Ordering::Relaxed) || failure.is_some() {
            break;
        }
        let trials: Vec<(u64, usize)> = seeds
            .iter()
            .flat_map(|seed| (0..plan.policies.len()).map(move |policy| (*seed, policy)))
            .collect();
        let results: Vec<_> = trials
            .into_par_iter()
            .map(|(seed, policy)| play(context, policy, plan.scenario.instance(seed)))
            .collect();
        for result in results {
            match result {
                Ok(trial) => collector.add(trial),
                Err(error) => {
                    failure.get_or_insert(RunFailure { message: error.to_string(), help: None });
                }
            }
        }
    }
    PlacementOutcome { collector, failure, links: MeasuredLinks::default() }
}

/// Plays one trial.
///
/// # Errors
/// If it cannot be played to its end, or its decisions cannot be written.
pub fn play(
    context: &PlacementContext,
    policy: usize,
    instance: PlacementInstance,
) -> Result<PlacementTrial, TrialError> {
    let seed = instance.seed;
    let unwritable =
        |error: std::io::Error| TrialError::Record { slot: 0, reason: error.to_string() };
    let ledger = context.ledger(policy, instance.clone()).map_err(unwritable)?;
    let mut recorder = SimRecorder { ledger, board: &context.board, policy, told: Told::default() };
    let mut trial = TrialLoop {
        tasks: instance.task_node.tasks.clone(),
        shadow: instance.shadows(&context.plan.policies[policy].spec),
        sites: instance.sites(),
        slots: instance.task_node.slots,
    };
    let spec = &context.plan.policies[policy].spec;
    let mut decider = match context.models.policy(&context.plan, policy, &instance) {
        Some(policy) => PlacementDecider::Policy(policy),
        None if matches!(spec, PlacementPolicySpec::Oracle(_)) => {
            PlacementDecider::Oracle(InstanceOracle(instance.clone()))
        }
        None => return Err(TrialError::Order(format!("`{}` has no model", spec.kind()))),
    };
    let mut fog = SimFog::new(&instance);
    let started = Instant::now();
    let end = now(trial.play(&mut fog, &mut decider, &mut recorder, &context.stop))?;
    let seconds = started.elapsed().as_secs_f64();
    recorder.tell();
    let account = recorder.ledger.close().map_err(unwritable)?;
    let status = match end {
        TrialEnd::Complete => Status::Complete,
        TrialEnd::Stopped(_) => Status::Partial,
    };
    Ok(PlacementTrial { policy, seed, status, account, seconds, failure: None })
}

struct SimRecorder<'c> {
    ledger: PlacementLedger,
    board: &'c PlacementBoard,
    policy: usize,
    told: Told,
}

impl SimRecorder<'_> {
    fn tell(&mut self) {
        self.board.publish(self.policy, &self.ledger, &mut self.told);
    }
}

impl PlacementRecorder for SimRecorder<'_> {
    async fn record(&mut self, step: &Step) -> Result<(), TrialError> {
        let slot = step.slot;
        self.ledger
            .record(step)
            .map_err(|error| TrialError::Record { slot, reason: error.to_string() })?;
        if slot.is_multiple_of(TELL_EVERY) {
            self.tell();
        }
        Ok(())
    }
}

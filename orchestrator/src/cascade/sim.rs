//! Backend `sim`: every trial in this process, in virtual time, over the cores.

use std::sync::atomic::Ordering;
use std::time::Instant;

use fogbit_scenario::cascade::{CascadeInstance, ImageStep};
use fogbit_task_node::cascade::{CascadeRecorder, CascadeTrial as TrialLoop, SimCamera};
use fogbit_task_node::{TrialEnd, TrialError};
use rayon::prelude::*;

use super::backend::{CascadeContext, CascadeOutcome};
use super::board::{CascadeBoard, Published};
use super::collect::{CascadeCollector, CascadeTrial};
use super::ledger::{CascadeLedger, Told};
use crate::backend::sim::now;
use crate::harness::RunFailure;
use crate::links::MeasuredLinks;
use crate::plan::Status;

/// Seeds that are played before their sums are pooled.
const SEEDS_AT_ONCE: usize = 8;
/// How often a trial tells how far it is, in images.
const TELL_EVERY: u64 = 1 << 14;

/// Plays all trials of the plan. The result does not depend on the number of cores.
pub fn run(context: &CascadeContext) -> CascadeOutcome {
    let plan = &context.plan;
    let mut collector = CascadeCollector::new(plan);
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
                Ok(trial) => collector.add(plan, trial),
                Err(error) => {
                    failure.get_or_insert(RunFailure { message: error.to_string(), help: None });
                }
            }
        }
    }
    CascadeOutcome { collector, failure, links: MeasuredLinks::default() }
}

/// Plays one trial.
///
/// # Errors
/// If it cannot be played to its end, or its decisions cannot be written.
pub fn play(
    context: &CascadeContext,
    policy: usize,
    instance: CascadeInstance,
) -> Result<CascadeTrial, TrialError> {
    let seed = instance.seed;
    let unwritable =
        |error: std::io::Error| TrialError::Record { slot: 0, reason: error.to_string() };
    let mut decider = context.policies.of(policy, &instance);
    let ledger = context.ledger(policy, instance.clone(), Told::Here).map_err(unwritable)?;
    let mut recorder =
        SimRecorder { ledger, board: &context.board, policy, published: Published::default() };
    let mut camera = SimCamera::new(&instance.table);
    let trial = TrialLoop { instance: &instance };
    let started = Instant::now();
    let end = now(trial.play(&mut camera, &mut *decider, &mut recorder, &context.stop))?;
    let seconds = started.elapsed().as_secs_f64();
    recorder.publish();
    let tally = recorder.ledger.close().map_err(unwritable)?;
    let status = match end {
        TrialEnd::Complete => Status::Complete,
        TrialEnd::Stopped(_) => Status::Partial,
    };
    Ok(CascadeTrial { policy, seed, status, tally, seconds, failure: None })
}

struct SimRecorder<'c> {
    ledger: CascadeLedger,
    board: &'c CascadeBoard,
    policy: usize,
    published: Published,
}

impl SimRecorder<'_> {
    fn publish(&mut self) {
        self.board.publish(self.policy, self.ledger.tally(), &mut self.published);
    }
}

impl CascadeRecorder for SimRecorder<'_> {
    #[inline]
    async fn record(&mut self, step: &ImageStep) -> Result<(), TrialError> {
        self.ledger
            .record(step)
            .map_err(|error| TrialError::Record { slot: step.slot, reason: error.to_string() })?;
        if step.image.is_multiple_of(TELL_EVERY) {
            self.publish();
        }
        Ok(())
    }
}

//! Backend `sim`: every trial in this process, in virtual time, over the cores.

use std::future::Future;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Instant;

use fogbit_policy::Policy;
use fogbit_scenario::{Contexts, Instance, TaskSource};
use fogbit_task_node::{Decider, Recorder, SimFog, Step, TrialEnd, TrialError, run_trial};
use rayon::prelude::*;

use super::{Context, Outcome, RunFailure};
use crate::ledger::Ledger;
use crate::plan::{Collector, Status, TrialResult};
use crate::progress::Progress;

/// Seeds that are played before their curves are averaged and forgotten.
const SEEDS_AT_ONCE: usize = 64;
/// How often a trial tells how far it is, in slots.
const TELL_EVERY: u64 = 4096;

/// Plays all trials of the plan.
pub fn run(context: &Context) -> Outcome {
    let plan = &context.plan;
    let mut collector = Collector::new(plan);
    let mut failure = None;
    for seeds in plan.seeds.chunks(SEEDS_AT_ONCE) {
        if context.stop.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        let trials: Vec<(u64, usize)> = seeds
            .iter()
            .flat_map(|seed| (0..plan.policies.len()).map(move |policy| (*seed, policy)))
            .collect();
        let results: Vec<_> = trials
            .into_par_iter()
            .map(|(seed, policy)| play(context, policy, &plan.scenario.instance(seed)))
            .collect();
        for result in results {
            match result {
                Ok(trial) => collector.add(trial),
                Err(error) => failure = Some(RunFailure { message: error.to_string(), help: None }),
            }
        }
        if failure.is_some() {
            break;
        }
    }
    Outcome { collector, failure }
}

/// Plays one trial.
///
/// # Errors
/// If its decisions cannot be written.
pub fn play(
    context: &Context,
    policy: usize,
    instance: &Instance,
) -> Result<TrialResult, TrialError> {
    let unwritable =
        |slot: u64, error: std::io::Error| TrialError::Record { slot, reason: error.to_string() };
    let plan = &context.plan;
    let (nodes, features) = (instance.helpers.len(), instance.features);
    let key = plan.policy_key(policy, instance.seed);
    let built = fogbit_policy::build(&plan.policies[policy].spec, nodes, features, &key);
    let mut decider = match built {
        Some(built) => Decider::Policy(built),
        None => Decider::Optimal(instance.weights()),
    };
    let ledger = context.ledger(policy, instance).map_err(|error| unwritable(0, error))?;
    let mut recorder = SimRecorder {
        ledger,
        progress: &context.progress,
        policy,
        slots: plan.scenario.slots(),
        told: (0, 0.0),
    };
    let mut tasks = TaskSource::new(&instance.tasks);
    let started = Instant::now();
    let end = now(run_trial(
        &mut SimFog::new(instance),
        &mut tasks,
        &mut decider,
        &mut recorder,
        &mut Contexts::new(nodes, features),
        plan.scenario.slots(),
        &context.stop,
    ))?;
    let seconds = started.elapsed().as_secs_f64();
    let account = recorder.ledger.close().map_err(|error| unwritable(0, error))?;
    let status = match end {
        TrialEnd::Complete => Status::Complete,
        TrialEnd::Stopped(_) => Status::Partial,
    };
    Ok(TrialResult { policy, seed: instance.seed, status, account, seconds, failure: None })
}

/// Runs a future that never waits: in virtual time every answer is there at once.
fn now<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a trial in virtual time never waits"),
    }
}

/// The ledger looks at the trial's own contexts.
struct SimRecorder<'p> {
    ledger: Ledger,
    progress: &'p Progress,
    policy: usize,
    slots: u64,
    /// Slots and regret already told.
    told: (u64, f64),
}

impl Recorder for SimRecorder<'_> {
    async fn record(
        &mut self,
        step: Step<'_>,
        policy: Option<&dyn Policy>,
    ) -> Result<(), TrialError> {
        let Step { slot, contexts, node, outcome } = step;
        self.ledger
            .record(contexts, node, outcome, policy)
            .map_err(|error| TrialError::Record { slot, reason: error.to_string() })?;
        if slot.is_multiple_of(TELL_EVERY) || slot == self.slots {
            let totals = self.ledger.totals();
            let (slots, regret) = self.told;
            self.progress.add(self.policy, slot - slots, totals.regret_linear - regret);
            self.told = (slot, totals.regret_linear);
        }
        Ok(())
    }
}

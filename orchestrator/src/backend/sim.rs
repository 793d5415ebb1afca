//! Backend `sim`: every trial in this process, in virtual time, over the cores.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use fogbit_policy::Policy;
use fogbit_scenario::feedback::Outcome as TaskOutcome;
use fogbit_scenario::topology::{PolicySpec, RunLength};
use fogbit_scenario::{Contexts, Instance, TaskSource};
use fogbit_task_node::{
    Decider, ExternalPolicy, ExternalTrial, Fog, Pacer, Recorder, SimFog, Step, Thought, Trial,
    TrialEnd, TrialError, TruthOracle, Waiting,
};
use rayon::prelude::*;

use super::{Context, Outcome, RunFailure};
use crate::board::{Board, Told};
use crate::harness::failed_trials;
use crate::ledger::{Ledger, Replica};
use crate::links::MeasuredLinks;
use crate::logs::ContextLog;
use crate::plan::{Collector, Plan, PlannedPolicy, Status, TrialResult};

/// Seeds that are played before their curves are averaged and forgotten.
const SEEDS_AT_ONCE: usize = 64;
/// How often a trial tells how far it is, in slots.
const TELL_EVERY: u64 = 4096;
/// How long a paced trial sleeps without looking whether it is to stop.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// Plays all trials of the plan.
pub fn run(context: &Context) -> Outcome {
    let plan = &context.plan;
    let mut collector = Collector::new(plan);
    let mut failure = None;
    let endless = plan.scenario.length() == RunLength::Endless;
    let threads = match threads(plan.policies.len(), endless || context.pace.is_some()) {
        Ok(threads) => threads,
        Err(error) => {
            let failure = RunFailure { message: error.to_string(), help: None };
            return Outcome { collector, failure: Some(failure), links: MeasuredLinks::default() };
        }
    };
    // Whoever watches wants to see all policies under the same seed, one seed after the other.
    let at_once = if context.pace.is_some() { 1 } else { SEEDS_AT_ONCE };
    for seeds in plan.seeds.chunks(at_once) {
        if context.stop.load(Ordering::Relaxed) {
            break;
        }
        let trials: Vec<(u64, usize)> = seeds
            .iter()
            .flat_map(|seed| (0..plan.policies.len()).map(move |policy| (*seed, policy)))
            .collect();
        let results: Vec<_> = threads.install(|| {
            trials
                .into_par_iter()
                .map(|(seed, policy)| play(context, policy, &plan.scenario.instance(seed)))
                .collect()
        });
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
    let failure = failure.or_else(|| failed_trials(&collector, plan));
    Outcome { collector, failure, links: MeasuredLinks::default() }
}

/// One thread for each core. Trials that somebody watches, and those without an end, all go on
/// `side_by_side`, however many policies there are.
///
/// # Errors
/// If the threads cannot be started.
pub(crate) fn threads(
    policies: usize,
    side_by_side: bool,
) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    let least = if side_by_side { policies } else { 0 };
    let threads = rayon::current_num_threads().max(least);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build()
}

/// Whom a trial tells how far it is.
#[derive(Debug, Clone, Copy)]
pub enum Watcher<'w> {
    /// The board of a run.
    Board(&'w Board),
    /// A sum over many trials, to which each slot adds `weight`.
    Counter {
        /// The sum.
        done: &'w AtomicU64,
        /// What a slot of this trial adds.
        weight: u64,
    },
}

/// One trial as it is to be played.
#[derive(Debug, Clone, Copy)]
pub struct Playing<'t> {
    /// The plan it belongs to.
    pub plan: &'t Plan,
    /// Which policy of the plan.
    pub policy: usize,
    /// The scenario under the trial's seed.
    pub instance: &'t Instance,
    /// Whom to tell how far it is.
    pub watcher: Watcher<'t>,
    /// At most this many slots a second.
    pub pace: Option<f64>,
    /// Set to stop as soon as possible.
    pub stop: &'t Arc<AtomicBool>,
}

/// Plays one trial of a run.
///
/// # Errors
/// If its decisions cannot be written.
pub fn play(
    context: &Context,
    policy: usize,
    instance: &Instance,
) -> Result<TrialResult, TrialError> {
    let ledger = context.ledger(policy, instance).map_err(|error| unwritable(&error))?;
    let log = context.context_log(policy, instance).map_err(|error| unwritable(&error))?;
    let playing = Playing {
        plan: &context.plan,
        policy,
        instance,
        watcher: Watcher::Board(&context.board),
        pace: context.pace,
        stop: &context.stop,
    };
    play_trial(playing, ledger, log)
}

fn unwritable(error: &std::io::Error) -> TrialError {
    TrialError::Record { reason: error.to_string() }
}

/// Plays one trial, with its account in `ledger` and its decisions in `log`. One that fails by its own
/// policy has a result as well.
///
/// # Errors
/// If its decisions cannot be written.
pub fn play_trial(
    playing: Playing<'_>,
    ledger: Ledger,
    log: Option<ContextLog>,
) -> Result<TrialResult, TrialError> {
    let Playing { plan, policy, instance, watcher, pace, stop } = playing;
    let decider = decider(&playing);
    let mut recorder = SimRecorder {
        ledger,
        log: log.map(Box::new),
        watcher,
        policy,
        slots: plan.scenario.last_slot(),
        tell_every: tell_every(pace, TELL_EVERY),
        told: Told::nothing(instance.seed),
    };
    let mut trial = Trial {
        tasks: TaskSource::new(&instance.tasks),
        rules: &instance.rules,
        shape: (instance.helpers.len(), instance.features),
        slots: plan.scenario.last_slot(),
    };
    let started = Instant::now();
    let mut fog = Paced { fog: SimFog::new(instance), pacer: pace.map(Pacer::new), stop };
    let end = decider
        .and_then(|mut decider| now(trial.play(&mut fog, &mut decider, &mut recorder, stop)));
    let seconds = started.elapsed().as_secs_f64();
    recorder.tell(None);
    if let Some(log) = recorder.log {
        log.close().map_err(|error| unwritable(&error))?;
    }
    let account = recorder.ledger.close().map_err(|error| unwritable(&error))?;
    let (status, failure) = match end {
        Ok(TrialEnd::Complete) => (Status::Complete, None),
        Ok(TrialEnd::Stopped(slots)) => (plan.stopped(slots), None),
        Err(error) if error.is_of_policy() => (Status::Failed, Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let of_policy = failure.is_some();
    let (seed, links) = (instance.seed, Vec::new());
    Ok(TrialResult { policy, seed, status, account, seconds, failure, of_policy, links })
}

/// Who decides in a trial.
fn decider(playing: &Playing<'_>) -> Result<Decider<TruthOracle>, TrialError> {
    let Playing { plan, policy, instance, stop, .. } = *playing;
    match plan.replica(policy, instance) {
        Replica::Policy(policy) => return Ok(Decider::Policy(policy)),
        Replica::Oracle(oracle) => return Ok(Decider::Oracle(oracle)),
        Replica::Nobody => {}
    }
    let PlannedPolicy { name, spec } = &plan.policies[policy];
    let PolicySpec::External(program) = spec else {
        unreachable!("every policy but a program can be made here");
    };
    let trial = ExternalTrial {
        name,
        folder: &plan.scenario.folder(),
        nodes: instance.helpers.len(),
        features: instance.features,
        slots: plan.scenario.last_slot(),
        key: &plan.policy_key(policy, instance.seed),
    };
    let waiting = Waiting::Blocking(Arc::clone(stop));
    Ok(Decider::External(Box::new(ExternalPolicy::start(program, &trial, waiting)?)))
}

/// Runs a future that never waits: in virtual time every answer is there at once.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a trial in virtual time never waits"),
    }
}

/// The ledger looks at the trial's own contexts.
struct SimRecorder<'p> {
    ledger: Ledger,
    log: Option<Box<ContextLog>>,
    watcher: Watcher<'p>,
    policy: usize,
    slots: u64,
    tell_every: u64,
    told: Told,
}

impl SimRecorder<'_> {
    /// Says how far the trial is; `playing` is its policy where that is at hand.
    fn tell(&mut self, playing: Option<&dyn Policy>) {
        match self.watcher {
            Watcher::Board(board) => {
                board.publish(self.policy, &mut self.ledger, playing, &mut self.told);
            }
            Watcher::Counter { done, weight } => {
                let slots = self.ledger.totals().slots;
                done.fetch_add(weight * self.told.advance(slots), Ordering::Relaxed);
            }
        }
    }
}

impl Recorder for SimRecorder<'_> {
    #[inline]
    fn decided(&mut self, slot: u64, contexts: &Contexts, node: usize, thought: Thought<'_>) {
        if let Some(log) = &mut self.log {
            log.decided(slot, contexts, node, thought);
        }
    }

    async fn record(
        &mut self,
        step: Step<'_>,
        policy: Option<&dyn Policy>,
    ) -> Result<(), TrialError> {
        let Step { slot, contexts, node, outcome } = step;
        self.ledger
            .record(contexts, node, outcome, policy)
            .and_then(|()| match &mut self.log {
                Some(log) => log.record(slot, contexts, node, outcome),
                None => Ok(()),
            })
            .map_err(|error| TrialError::Record { reason: format!("slot {slot}: {error}") })?;
        if slot.is_multiple_of(self.tell_every) || slot == self.slots {
            self.tell(policy);
        }
        Ok(())
    }
}

/// The fog, with slots held back where somebody wants to watch.
struct Paced<'s> {
    fog: SimFog,
    pacer: Option<Pacer>,
    stop: &'s AtomicBool,
}

/// Sleeps until `slot` may begin, in parts: a run that is stopped does not sleep on.
pub(crate) fn wait(pacer: Pacer, slot: u64, stop: &AtomicBool) {
    loop {
        let left = pacer.due(slot).saturating_duration_since(Instant::now());
        if left.is_zero() || stop.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(left.min(LONGEST_SLEEP));
    }
}

/// How often a trial tells how far it is, in slots, of which so many begin in a second at most: ten times
/// a second, or as often as one that nobody holds back.
pub(crate) fn tell_every(slots_per_second: Option<f64>, at_most: u64) -> u64 {
    slots_per_second.map_or(at_most, |pace| (pace / 10.0).clamp(1.0, at_most as f64) as u64)
}

impl Fog for Paced<'_> {
    #[inline]
    async fn observe(&mut self, slot: u64, contexts: &mut Contexts) -> Result<(), TrialError> {
        if let Some(pacer) = self.pacer {
            wait(pacer, slot, self.stop);
        }
        self.fog.observe(slot, contexts).await
    }

    #[inline]
    async fn offload(
        &mut self,
        slot: u64,
        node: usize,
        task: &[f64],
    ) -> Result<Option<TaskOutcome>, TrialError> {
        self.fog.offload(slot, node, task).await
    }
}

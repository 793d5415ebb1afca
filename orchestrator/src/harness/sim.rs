//! Backend `sim`: every trial in this process, in virtual time, over the cores.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use fogbit_task_node::{Pacer, TrialEnd, TrialError};
use rayon::prelude::*;

use super::backend::{AccountOf, ProblemBackend, RunContext, Trial};
use super::board::{Published, RunBoard};
use super::ledger::{ProblemLedger, Told};
use super::plan::ProblemPlan;
use super::trials::{Outcome, RunFailure, of_trial};
use crate::backend::sim::{tell_every, threads, wait};
use crate::links::MeasuredLinks;
use crate::plan::Status;
use crate::validity::Begun;

/// Seeds that are played before their trials are added up.
const SEEDS_AT_ONCE: usize = 8;

/// Plays all trials of the plan. The result does not depend on the number of cores.
pub fn run<P: ProblemBackend>(context: &RunContext<P>) -> Outcome<P::Collector>
where
    AccountOf<P>: Send,
{
    let problem = &context.problem;
    let mut collector = problem.collector();
    let mut failure = None;
    let policies = problem.plan().policies().len();
    // Whoever watches wants to see all policies under the same seed, one seed after the other.
    let is_watched = context.pace.is_some() || context.board.metrics().is_some();
    let at_once = if is_watched { 1 } else { SEEDS_AT_ONCE };
    let threads = match threads(policies, context.pace.is_some()) {
        Ok(threads) => threads,
        Err(error) => {
            let failure = Some(RunFailure { message: error.to_string(), help: None });
            return Outcome { collector, failure, links: MeasuredLinks::default() };
        }
    };
    for seeds in problem.plan().seeds().chunks(at_once) {
        if context.stop.load(Ordering::Relaxed) || failure.is_some() {
            break;
        }
        let trials: Vec<(usize, u64)> = seeds
            .iter()
            .flat_map(|seed| (0..policies).map(move |policy| (policy, *seed)))
            .collect();
        let results: Vec<_> =
            threads.install(|| trials.into_par_iter().map(|trial| play(context, trial)).collect());
        for result in results {
            match result {
                Ok(trial) => {
                    if trial.status == Status::Failed {
                        failure.get_or_insert(of_trial(problem, &trial));
                    }
                    problem.add(&mut collector, trial, Begun::default());
                }
                Err(error) => {
                    failure.get_or_insert(RunFailure { message: error.to_string(), help: None });
                }
            }
        }
    }
    Outcome { collector, failure, links: MeasuredLinks::default() }
}

/// Plays the trial of a policy under a seed. One that cannot be played to its end has failed, and what
/// was played of it counts.
///
/// # Errors
/// If its decisions cannot be written.
pub fn play<P: ProblemBackend>(
    context: &RunContext<P>,
    (policy, seed): (usize, u64),
) -> Result<Trial<AccountOf<P>>, TrialError> {
    let unwritable = |error: std::io::Error| TrialError::Record { reason: error.to_string() };
    let instance = context.problem.instance(seed);
    let ledger =
        context.ledger((policy, seed), instance.clone(), Told::Here).map_err(unwritable)?;
    let mut recorder = SimRecorder {
        ledger,
        board: &context.board,
        policy,
        published: Published::nothing(seed),
        tell_every: tell_every(context.pace, P::Ledger::TELL_EVERY),
        tell_next: 0,
        pacer: context.pace.map(Pacer::new),
        stop: &context.stop,
    };
    let started = Instant::now();
    let end = context.problem.play(policy, &instance, &mut recorder, &context.stop);
    let seconds = started.elapsed().as_secs_f64();
    recorder.publish();
    let account = recorder.ledger.close().map_err(unwritable)?;
    let (status, failure) = match end {
        Ok(TrialEnd::Complete) => (Status::Complete, None),
        Ok(TrialEnd::Stopped(_)) => (Status::Partial, None),
        // That it could not be recorded is known.
        Err(TrialError::Record { reason }) => (Status::Failed, Some(reason)),
        Err(error) => (Status::Failed, Some(error.to_string())),
    };
    Ok(Trial { policy, seed, status, account, seconds, failure })
}

/// The ledger of a trial in virtual time, and whom it tells how far it is.
#[derive(Debug)]
pub struct SimRecorder<'c, L> {
    ledger: L,
    board: &'c RunBoard,
    policy: usize,
    published: Published,
    /// How often it is told, in decisions.
    tell_every: u64,
    /// When it is told next.
    tell_next: u64,
    pacer: Option<Pacer>,
    stop: &'c AtomicBool,
}

impl<L: ProblemLedger> SimRecorder<'_, L> {
    /// Books a step.
    ///
    /// # Errors
    /// If the ledger does not take it.
    #[inline]
    pub fn book(&mut self, step: &L::Step) -> Result<(), TrialError> {
        if let Some(pacer) = self.pacer {
            wait(pacer, self.ledger.booked() + 1, self.stop);
        }
        self.ledger
            .record(step)
            .map_err(|error| TrialError::Record { reason: error.to_string() })?;
        if self.ledger.booked() >= self.tell_next {
            self.publish();
        }
        Ok(())
    }

    /// Whether it holds the trial back.
    pub fn is_held_back(&self) -> bool {
        self.pacer.is_some()
    }

    fn publish(&mut self) {
        self.tell_next = self.ledger.booked() + self.tell_every;
        self.board.publish(self.policy, &self.ledger, &mut self.published);
    }
}

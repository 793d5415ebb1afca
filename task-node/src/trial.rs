//! One trial: observe, decide, offload, learn, record, slot after slot.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_policy::Policy;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::{Contexts, TaskSource};

/// The helper nodes, wherever they are.
pub trait Fog {
    /// What can go wrong.
    type Error;

    /// Writes the states of all helper nodes in `slot` into `contexts`. Called once a slot, in
    /// order.
    fn observe(
        &mut self,
        slot: u64,
        contexts: &mut Contexts,
    ) -> impl Future<Output = Result<(), Self::Error>>;

    /// Sends the task of `slot` to `node` and waits for the outcome.
    fn offload(
        &mut self,
        slot: u64,
        node: usize,
        task: &[f64],
    ) -> impl Future<Output = Result<Outcome, Self::Error>>;
}

/// The door through which the policy `optimal` is told the best node. Nobody else has one.
pub trait Truth<E> {
    /// The best node of `slot` by the hidden weights.
    fn best_node(
        &mut self,
        slot: u64,
        contexts: &Contexts,
    ) -> impl Future<Output = Result<usize, E>>;
}

/// For trials whose policy decides by itself.
#[derive(Debug, Clone, Copy)]
pub enum NoTruth {}

impl<E> Truth<E> for NoTruth {
    async fn best_node(&mut self, _slot: u64, _contexts: &Contexts) -> Result<usize, E> {
        match *self {}
    }
}

/// Who decides.
pub enum Decider<T> {
    /// A policy that sees what a task node sees.
    Policy(Box<dyn Policy>),
    /// The policy `optimal`, which asks.
    Optimal(T),
}

impl<T> std::fmt::Debug for Decider<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Decider::Policy(_) => "Decider::Policy",
            Decider::Optimal(_) => "Decider::Optimal",
        })
    }
}

/// What happened in one slot.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The slot, from 1.
    pub slot: u64,
    /// What the task node saw.
    pub contexts: &'a Contexts,
    /// The node it chose.
    pub node: usize,
    /// What became of the task.
    pub outcome: Outcome,
}

/// Who is told what happened.
pub trait Recorder {
    /// What can go wrong.
    type Error;

    /// Takes note of one slot; `policy` has already learnt from it.
    fn record(
        &mut self,
        step: Step<'_>,
        policy: Option<&dyn Policy>,
    ) -> impl Future<Output = Result<(), Self::Error>>;
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialEnd {
    /// Every slot was played.
    Complete,
    /// It was stopped from outside, after this many slots.
    Stopped(u64),
}

/// Plays the slots 1 to `slots`, or until `stop` is set.
///
/// # Errors
/// The first error of the fog or the recorder; the trial is then void from that slot on.
pub async fn run_trial<F, T, R>(
    fog: &mut F,
    tasks: &mut TaskSource,
    decider: &mut Decider<T>,
    recorder: &mut R,
    contexts: &mut Contexts,
    slots: u64,
    stop: &AtomicBool,
) -> Result<TrialEnd, F::Error>
where
    F: Fog,
    T: Truth<F::Error>,
    R: Recorder,
    F::Error: From<R::Error>,
{
    let mut task = vec![0.0; tasks.width()];
    for slot in 1..=slots {
        if stop.load(Ordering::Relaxed) {
            return Ok(TrialEnd::Stopped(slot - 1));
        }
        tasks.read(slot, &mut task);
        contexts.set_task(&task);
        fog.observe(slot, contexts).await?;
        let node = match decider {
            Decider::Policy(policy) => policy.decide(slot, contexts),
            Decider::Optimal(truth) => truth.best_node(slot, contexts).await?,
        };
        let outcome = fog.offload(slot, node, &task).await?;
        let policy = match decider {
            Decider::Policy(policy) => {
                if let Outcome::Answered(bit) = outcome {
                    policy.learn(slot, contexts, node, bit);
                }
                Some(&**policy)
            }
            Decider::Optimal(_) => None,
        };
        recorder.record(Step { slot, contexts, node, outcome }, policy).await?;
    }
    Ok(TrialEnd::Complete)
}

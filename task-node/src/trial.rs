//! One trial: observe, decide, offload, learn, record, slot after slot.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_policy::Policy;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::{Contexts, TaskSource};
use fogbit_transport::{MemberError, WireError};

/// Why a trial cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// A helper node is gone, or does not keep to the protocol.
    #[error("helper node {helper}: {error}")]
    Helper {
        /// Its name.
        helper: String,
        /// What happened.
        error: WireError,
    },
    /// A helper node could not be reached.
    #[error(transparent)]
    Unreachable(#[from] MemberError),
    /// The orchestrator is gone, or does not keep to the protocol.
    #[error("orchestrator: {0}")]
    Orchestrator(WireError),
    /// A policy or an oracle chose a node that does not exist.
    #[error("slot {slot}: node {node} was chosen where there are {nodes}")]
    NoSuchNode {
        /// The slot.
        slot: u64,
        /// The choice.
        node: usize,
        /// Number of nodes.
        nodes: usize,
    },
    /// What happened could not be recorded.
    #[error("cannot record slot {slot}: {reason}")]
    Record {
        /// The slot.
        slot: u64,
        /// Why.
        reason: String,
    },
    /// The order of the trial makes no sense.
    #[error("unusable order of a trial: {0}")]
    Order(String),
}

/// The helper nodes, wherever they are.
pub trait Fog {
    /// Writes the states of all helper nodes in `slot` into `contexts`. Called once a slot, in
    /// order.
    fn observe(
        &mut self,
        slot: u64,
        contexts: &mut Contexts,
    ) -> impl Future<Output = Result<(), TrialError>>;

    /// Sends the task of `slot` to `node` and waits for the outcome.
    fn offload(
        &mut self,
        slot: u64,
        node: usize,
        task: &[f64],
    ) -> impl Future<Output = Result<Outcome, TrialError>>;
}

/// The door through which the policy `optimal` is told the best node. Nobody else has one.
pub trait Truth {
    /// The best node of `slot` by the hidden weights.
    fn best_node(
        &mut self,
        slot: u64,
        contexts: &Contexts,
    ) -> impl Future<Output = Result<usize, TrialError>>;
}

/// For trials whose policy decides by itself.
#[derive(Debug, Clone, Copy)]
pub enum NoTruth {}

impl Truth for NoTruth {
    async fn best_node(&mut self, _slot: u64, _contexts: &Contexts) -> Result<usize, TrialError> {
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
    /// Takes note of one slot; `policy` has already learnt from it.
    fn record(
        &mut self,
        step: Step<'_>,
        policy: Option<&dyn Policy>,
    ) -> impl Future<Output = Result<(), TrialError>>;
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
) -> Result<TrialEnd, TrialError>
where
    F: Fog,
    T: Truth,
    R: Recorder,
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
        if node >= contexts.nodes() {
            return Err(TrialError::NoSuchNode { slot, node, nodes: contexts.nodes() });
        }
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

//! One trial: observe, decide, offload, learn, record, slot after slot.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_policy::Policy;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::{Contexts, TaskSource};
use fogbit_transport::{MemberError, WireError};

use crate::external::{ExternalError, ExternalPolicy};

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
    /// A policy chose a node that is not there.
    #[error("slot {slot}: the absent node {node} was chosen")]
    AbsentNode {
        /// The slot.
        slot: u64,
        /// The choice.
        node: usize,
    },
    /// The system gave no timer.
    #[error("no timer: {0}")]
    Timer(#[from] std::io::Error),
    /// An external policy failed.
    #[error(transparent)]
    External(#[from] Box<ExternalError>),
    /// The order of the trial makes no sense.
    #[error("unusable order of a trial: {0}")]
    Order(String),
}

impl TrialError {
    /// Whether the fault is the policy's own: trials of other policies can go on.
    pub fn is_of_policy(&self) -> bool {
        matches!(
            self,
            TrialError::External(_) | TrialError::NoSuchNode { .. } | TrialError::AbsentNode { .. }
        )
    }
}

/// The helper nodes, wherever they are.
pub trait Fog {
    /// Waits for `slot` to begin and writes the states of all helper nodes into `contexts`, and
    /// which of them are absent. Called once a slot, in order.
    fn observe(
        &mut self,
        slot: u64,
        contexts: &mut Contexts,
    ) -> impl Future<Output = Result<(), TrialError>>;

    /// Sends the task of `slot` to `node`. Gives the outcome where that is part of the slot;
    /// otherwise it comes later, through [`arrived`](Self::arrived).
    fn offload(
        &mut self,
        slot: u64,
        node: usize,
        task: &[f64],
    ) -> impl Future<Output = Result<Option<Outcome>, TrialError>>;

    /// An outcome that has come since; none where there is no more.
    #[inline]
    fn arrived(&mut self) -> Option<Arrival> {
        None
    }

    /// Waits for the next outcome that is still due, if any is.
    fn next_arrival(&mut self) -> impl Future<Output = Result<Option<Arrival>, TrialError>> {
        async { Ok(None) }
    }
}

/// An outcome that came after its slot's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The slot in which the task was sent.
    pub slot: u64,
    /// What became of it.
    pub outcome: Outcome,
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
    /// A program that sees what a task node sees.
    External(Box<ExternalPolicy>),
}

impl<T> std::fmt::Debug for Decider<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Decider::Policy(_) => "Decider::Policy",
            Decider::Optimal(_) => "Decider::Optimal",
            Decider::External(_) => "Decider::External",
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
    /// Takes note of one slot; `policy` has already learnt from it. Slots come in order, though the
    /// policy may have learnt from later ones before.
    fn record(
        &mut self,
        step: Step<'_>,
        policy: Option<&dyn Policy>,
    ) -> impl Future<Output = Result<(), TrialError>>;

    /// Takes note of a slot in which nothing was offloaded, because no node was there.
    fn idle(&mut self, _slot: u64) -> impl Future<Output = Result<(), TrialError>> {
        async { Ok(()) }
    }
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
    let mut outstanding = Outstanding::default();
    for slot in 1..=slots {
        if stop.load(Ordering::Relaxed) {
            return Ok(TrialEnd::Stopped(slot - 1));
        }
        tasks.read(slot, &mut task);
        contexts.set_task(&task);
        fog.observe(slot, contexts).await?;
        while let Some(arrival) = fog.arrived() {
            outstanding.learn(arrival, decider);
        }
        outstanding.record(recorder, decider).await?;
        if contexts.present() == 0 {
            outstanding.wait_for_nobody(slot, contexts);
            continue;
        }
        let node = match decider {
            Decider::Policy(policy) => policy.decide(slot, contexts),
            Decider::Optimal(truth) => truth.best_node(slot, contexts).await?,
            Decider::External(external) => match external.decide(slot, contexts).await? {
                Some(node) => node,
                None => return Ok(TrialEnd::Stopped(slot - 1)),
            },
        };
        if node >= contexts.nodes() {
            return Err(TrialError::NoSuchNode { slot, node, nodes: contexts.nodes() });
        }
        if !contexts.is_present(node) {
            return Err(TrialError::AbsentNode { slot, node });
        }
        match fog.offload(slot, node, &task).await? {
            Some(outcome) => {
                let step = Step { slot, contexts, node, outcome };
                recorder.record(step, decider.learn(&step)).await?;
            }
            None => outstanding.wait_for(slot, node, contexts),
        }
    }
    while let Some(arrival) = fog.next_arrival().await? {
        outstanding.learn(arrival, decider);
    }
    outstanding.record(recorder, decider).await?;
    if let Decider::External(external) = decider {
        external.finish().await;
    }
    Ok(TrialEnd::Complete)
}

impl<T> Decider<T> {
    /// Has the policy learn the bit, if there is one; gives the policy.
    #[inline]
    fn learn(&mut self, step: &Step<'_>) -> Option<&dyn Policy> {
        let Step { slot, contexts, node, outcome } = *step;
        match (&mut *self, outcome) {
            (Decider::Policy(policy), Outcome::Answered(bit)) => {
                policy.learn(slot, contexts, node, bit);
            }
            (Decider::External(external), Outcome::Answered(bit)) => {
                external.learn(slot, contexts, node, bit);
            }
            _ => {}
        }
        self.policy()
    }

    /// The policy, where it is in this process.
    fn policy(&self) -> Option<&dyn Policy> {
        match self {
            Decider::Policy(policy) => Some(&**policy),
            Decider::Optimal(_) | Decider::External(_) => None,
        }
    }
}

/// Slots whose outcome has not come yet, and those after them, which are recorded in order.
#[derive(Debug, Default)]
struct Outstanding(VecDeque<Waiting>);

#[derive(Debug)]
struct Waiting {
    slot: u64,
    contexts: Contexts,
    /// The node that was chosen; none where there was none.
    node: Option<usize>,
    outcome: Option<Outcome>,
}

impl Outstanding {
    fn wait_for(&mut self, slot: u64, node: usize, contexts: &Contexts) {
        let contexts = contexts.clone();
        self.0.push_back(Waiting { slot, contexts, node: Some(node), outcome: None });
    }

    fn wait_for_nobody(&mut self, slot: u64, contexts: &Contexts) {
        let contexts = contexts.clone();
        self.0.push_back(Waiting { slot, contexts, node: None, outcome: None });
    }

    /// Learns an outcome as soon as it is there, whatever came before it.
    fn learn<T>(&mut self, arrival: Arrival, decider: &mut Decider<T>) {
        let Arrival { slot, outcome } = arrival;
        let waiting = self.0.iter_mut().find(|waiting| waiting.slot == slot);
        let Some(Waiting { contexts, node: Some(node), outcome: found, .. }) = waiting else {
            return;
        };
        *found = Some(outcome);
        decider.learn(&Step { slot, contexts, node: *node, outcome });
    }

    /// Records all slots before the first whose outcome is still due.
    async fn record<T, R: Recorder>(
        &mut self,
        recorder: &mut R,
        decider: &Decider<T>,
    ) -> Result<(), TrialError> {
        while let Some(front) = self.0.front() {
            let Waiting { slot, contexts, node, outcome } = front;
            match (*node, *outcome) {
                (Some(_), None) => return Ok(()),
                (None, _) => recorder.idle(*slot).await?,
                (Some(node), Some(outcome)) => {
                    let step = Step { slot: *slot, contexts, node, outcome };
                    recorder.record(step, decider.policy()).await?;
                }
            }
            self.0.pop_front();
        }
        Ok(())
    }
}

//! One trial: observe, decide, offload, learn, record, slot after slot.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_policy::Policy;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::rules::Roll;
use fogbit_scenario::{Contexts, TaskSource, TrialRules};
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
    #[error("cannot record the trial: {reason}")]
    Record {
        /// Why, and where in the trial if it has begun: whoever records knows what it counts.
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
    /// The weak classifier does not say what the trace says it did.
    #[error(
        "image {image}: the weak classifier gives the metric {classified:?} where the trace has \
         {traced:?}: classifiers, pictures and trace do not belong together"
    )]
    Metric {
        /// The image, in the trace's own numbers.
        image: u32,
        /// What it says.
        classified: f32,
        /// What the trace says.
        traced: f32,
    },
    /// In virtual time an image was not classified though nothing was in its way.
    #[error("helper node {helper} did not classify image {image}")]
    Unanswered {
        /// Its name.
        helper: String,
        /// Number of the image.
        image: u64,
    },
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

/// Who knows more than a task node can see, and decides for the policies `optimal` and
/// `full-information`. Nobody else asks.
pub trait Oracle {
    /// The node for the task of `slot`. Called once a slot, in order.
    fn choose(
        &mut self,
        slot: u64,
        contexts: &Contexts,
    ) -> impl Future<Output = Result<usize, TrialError>>;

    /// The policy behind the choices, if there is one and it is here; it has learnt from the last
    /// slot.
    fn policy(&self) -> Option<&dyn Policy> {
        None
    }
}

/// For trials whose policy decides by itself.
#[derive(Debug, Clone, Copy)]
pub enum NoOracle {}

impl Oracle for NoOracle {
    async fn choose(&mut self, _slot: u64, _contexts: &Contexts) -> Result<usize, TrialError> {
        match *self {}
    }
}

/// Who decides.
pub enum Decider<T> {
    /// A policy that sees what a task node sees.
    Policy(Box<dyn Policy>),
    /// One that knows more.
    Oracle(T),
    /// A program that sees what a task node sees.
    External(Box<ExternalPolicy>),
}

impl<T> std::fmt::Debug for Decider<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Decider::Policy(_) => "Decider::Policy",
            Decider::Oracle(_) => "Decider::Oracle",
            Decider::External(_) => "Decider::External",
        })
    }
}

/// What is behind a decision, as far as it can be had.
#[derive(Clone, Copy)]
pub enum Thought<'t> {
    /// A policy in this process, or that of an oracle.
    Policy(&'t dyn Policy),
    /// A program, with what it told beside its choice.
    Program(&'t ExternalPolicy),
    /// Nothing.
    Unknown,
}

impl std::fmt::Debug for Thought<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Thought")
    }
}

impl<'t> From<Option<&'t dyn Policy>> for Thought<'t> {
    fn from(policy: Option<&'t dyn Policy>) -> Thought<'t> {
        policy.map_or(Thought::Unknown, Thought::Policy)
    }
}

impl<'t> Thought<'t> {
    /// The policy itself, if it is here.
    pub fn policy(self) -> Option<&'t dyn Policy> {
        match self {
            Thought::Policy(policy) => Some(policy),
            Thought::Program(_) | Thought::Unknown => None,
        }
    }

    /// The score of each node; empty where there are none.
    pub fn scores(self) -> &'t [f64] {
        match self {
            Thought::Policy(policy) => policy.scores(),
            Thought::Program(program) => program.scores(),
            Thought::Unknown => &[],
        }
    }

    /// With which probability `node` was to be chosen, where `chosen` was; a program tells that of
    /// its choice alone.
    pub fn propensity(self, node: usize, chosen: usize) -> Option<f64> {
        match self {
            Thought::Policy(policy) => policy.propensity(node),
            Thought::Program(program) if node == chosen => program.propensity(),
            Thought::Program(_) | Thought::Unknown => None,
        }
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
    /// Takes note of a decision right after it, before the task is sent, and of the thought behind
    /// it: nothing has been learnt since. Called before [`record`](Self::record) of the same slot, and
    /// in order.
    #[inline]
    fn decided(&mut self, _slot: u64, _contexts: &Contexts, _node: usize, _thought: Thought<'_>) {}

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

/// What is played.
#[derive(Debug)]
pub struct Trial<'t> {
    /// The tasks.
    pub tasks: TaskSource,
    /// Who is there in which slot, and when bits are learnt.
    pub rules: &'t TrialRules,
    /// Number of helper nodes and of features.
    pub shape: (usize, usize),
    /// The last slot.
    pub slots: u64,
}

impl Trial<'_> {
    /// Plays the slots from 1 on, or until `stop` is set.
    ///
    /// # Errors
    /// The first error of the fog or the recorder; the trial is then void from that slot on.
    pub async fn play<F, T, R>(
        &mut self,
        fog: &mut F,
        decider: &mut Decider<T>,
        recorder: &mut R,
        stop: &AtomicBool,
    ) -> Result<TrialEnd, TrialError>
    where
        F: Fog,
        T: Oracle,
        R: Recorder,
    {
        let mut contexts = Contexts::new(self.shape.0, self.shape.1);
        let mut task = vec![0.0; self.tasks.width()];
        let mut roll = Roll::new(self.rules);
        let mut outstanding = Outstanding::new(self.rules, decider);
        let mut end = TrialEnd::Complete;
        for slot in 1..=self.slots {
            if stop.load(Ordering::Relaxed) {
                end = TrialEnd::Stopped(slot - 1);
                break;
            }
            self.tasks.read(slot, &mut task);
            contexts.set_task(&task);
            roll.begin(slot, &mut contexts);
            fog.observe(slot, &mut contexts).await?;
            roll.mask(&mut contexts);
            while let Some(arrival) = fog.arrived() {
                outstanding.hold(arrival);
            }
            outstanding.settle(slot, recorder, decider).await?;
            if contexts.present() == 0 {
                outstanding.wait_for_nobody(slot, &contexts);
                continue;
            }
            let node = match decider.decide(slot, &contexts).await {
                Ok(Some(node)) => node,
                Ok(None) => {
                    end = TrialEnd::Stopped(slot - 1);
                    break;
                }
                Err(error) => {
                    // What became of earlier tasks is known all the same.
                    outstanding.settle(u64::MAX, recorder, decider).await?;
                    return Err(error);
                }
            };
            recorder.decided(slot, &contexts, node, decider.thought());
            match fog.offload(slot, node, &task).await? {
                Some(outcome) if outstanding.delay == 0 => {
                    let step = Step { slot, contexts: &contexts, node, outcome };
                    recorder.record(step, decider.learn(&step)).await?;
                }
                Some(outcome) => {
                    outstanding.wait_for(slot, node, &contexts);
                    outstanding.hold(Arrival { slot, outcome });
                }
                None => outstanding.wait_for(slot, node, &contexts),
            }
        }
        if end == TrialEnd::Complete {
            while let Some(arrival) = fog.next_arrival().await? {
                outstanding.hold(arrival);
            }
        }
        outstanding.settle(u64::MAX, recorder, decider).await?;
        if let (Decider::External(external), TrialEnd::Complete) = (&mut *decider, end) {
            external.finish().await;
        }
        Ok(end)
    }
}

impl<T: Oracle> Decider<T> {
    /// The node for the task of `slot`, which is one that is there; none if the trial was stopped
    /// while a program was thinking.
    #[inline]
    async fn decide(
        &mut self,
        slot: u64,
        contexts: &Contexts,
    ) -> Result<Option<usize>, TrialError> {
        let node = match self {
            Decider::Policy(policy) => policy.decide(slot, contexts),
            Decider::Oracle(oracle) => oracle.choose(slot, contexts).await?,
            Decider::External(external) => match external.decide(slot, contexts).await? {
                Some(node) => node,
                None => return Ok(None),
            },
        };
        if node >= contexts.nodes() {
            return Err(TrialError::NoSuchNode { slot, node, nodes: contexts.nodes() });
        }
        if !contexts.is_present(node) {
            return Err(TrialError::AbsentNode { slot, node });
        }
        Ok(Some(node))
    }

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

    /// What is behind the last decision.
    fn thought(&self) -> Thought<'_> {
        match self {
            Decider::External(external) => Thought::Program(external),
            Decider::Policy(_) | Decider::Oracle(_) => self.policy().into(),
        }
    }

    /// The policy, where it is in this process.
    pub fn policy(&self) -> Option<&dyn Policy> {
        match self {
            Decider::Policy(policy) => Some(&**policy),
            Decider::Oracle(oracle) => oracle.policy(),
            Decider::External(_) => None,
        }
    }
}

/// Slots whose outcome has not come yet or is not learnt yet, and those after them: they are
/// recorded in order.
#[derive(Debug)]
struct Outstanding {
    /// How many slots later than in its own an outcome is learnt.
    delay: u64,
    slots: VecDeque<Waiting>,
    /// Outcomes that have come and wait to be learnt.
    held: VecDeque<Arrival>,
}

#[derive(Debug)]
struct Waiting {
    slot: u64,
    contexts: Contexts,
    /// The node that was chosen; none where there was none.
    node: Option<usize>,
    outcome: Option<Outcome>,
}

impl Outstanding {
    /// Before slot 1. Oracles do not learn from outcomes, so that these need not wait for them.
    fn new<T>(rules: &TrialRules, decider: &Decider<T>) -> Outstanding {
        let delay = match decider {
            Decider::Policy(_) | Decider::External(_) => u64::from(rules.delay_slots),
            Decider::Oracle(_) => 0,
        };
        Outstanding { delay, slots: VecDeque::new(), held: VecDeque::new() }
    }

    fn wait_for(&mut self, slot: u64, node: usize, contexts: &Contexts) {
        let contexts = contexts.clone();
        self.slots.push_back(Waiting { slot, contexts, node: Some(node), outcome: None });
    }

    fn wait_for_nobody(&mut self, slot: u64, contexts: &Contexts) {
        let contexts = contexts.clone();
        self.slots.push_back(Waiting { slot, contexts, node: None, outcome: None });
    }

    /// Keeps an outcome until it is to be learnt.
    fn hold(&mut self, arrival: Arrival) {
        self.held.push_back(arrival);
    }

    /// Learns what is due before the decision of `slot`, whatever came before it, and records all
    /// slots before the first whose outcome is still to be learnt.
    #[inline]
    async fn settle<T: Oracle, R: Recorder>(
        &mut self,
        slot: u64,
        recorder: &mut R,
        decider: &mut Decider<T>,
    ) -> Result<(), TrialError> {
        if self.slots.is_empty() {
            return Ok(());
        }
        let mut index = 0;
        while let Some(arrival) = self.held.get(index).copied() {
            if arrival.slot.saturating_add(self.delay) < slot {
                self.held.remove(index);
                self.learn(arrival, decider);
                // At once: whoever is told sees the policy as it was after this slot.
                self.record(recorder, decider).await?;
            } else {
                index += 1;
            }
        }
        self.record(recorder, decider).await
    }

    fn learn<T: Oracle>(&mut self, arrival: Arrival, decider: &mut Decider<T>) {
        let Arrival { slot, outcome } = arrival;
        let waiting = self.slots.iter_mut().find(|waiting| waiting.slot == slot);
        let Some(Waiting { contexts, node: Some(node), outcome: found, .. }) = waiting else {
            return;
        };
        *found = Some(outcome);
        decider.learn(&Step { slot, contexts, node: *node, outcome });
    }

    /// Records all slots before the first whose outcome is still due.
    async fn record<T: Oracle, R: Recorder>(
        &mut self,
        recorder: &mut R,
        decider: &Decider<T>,
    ) -> Result<(), TrialError> {
        while let Some(front) = self.slots.front() {
            let Waiting { slot, contexts, node, outcome } = front;
            match (*node, *outcome) {
                (Some(_), None) => return Ok(()),
                (None, _) => recorder.idle(*slot).await?,
                (Some(node), Some(outcome)) => {
                    let step = Step { slot: *slot, contexts, node, outcome };
                    recorder.record(step, decider.policy()).await?;
                }
            }
            self.slots.pop_front();
        }
        Ok(())
    }
}

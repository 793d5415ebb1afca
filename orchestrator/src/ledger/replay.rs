//! A trial that was played elsewhere, replayed from its decisions.

use fogbit_policy::Policy;
use fogbit_policy::one_bit::best_node;
use fogbit_scenario::contexts::ContextDigest;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::{Contexts, Instance, TaskSource};
use fogbit_task_node::SimFog;

use super::Ledger;

/// Makes the contexts of a trial anew and keeps its ledger.
#[derive(Debug)]
pub struct Replay {
    fog: SimFog,
    tasks: TaskSource,
    task: Vec<f64>,
    contexts: Contexts,
    digest: ContextDigest,
    policy: PolicyReplica,
    ledger: Ledger,
    slot: u64,
}

/// A copy of the policy that decides and learns as the task node's does: to check its choices, and
/// for the weight error and (14).
struct PolicyReplica(Option<Box<dyn Policy>>);

impl std::fmt::Debug for PolicyReplica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PolicyReplica")
    }
}

/// Why what a task node told cannot have happened, or could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The outcome is not the one that the keyed draws give.
    #[error("slot {slot}: node {node} told {told:?}, but the replay gives {replayed:?}")]
    Outcome {
        /// The slot.
        slot: u64,
        /// The node.
        node: usize,
        /// What the task node told.
        told: Outcome,
        /// What it must have been.
        replayed: Outcome,
    },
    /// The policy does not choose so.
    #[error("slot {slot}: node {node} was chosen, but the policy chooses {replayed}")]
    Choice {
        /// The slot.
        slot: u64,
        /// What the task node chose.
        node: usize,
        /// What its policy chooses.
        replayed: usize,
    },
    /// The node does not exist.
    #[error("slot {slot}: there is no node {node}")]
    Node {
        /// The slot.
        slot: u64,
        /// The node.
        node: usize,
    },
    /// The task node saw other contexts.
    #[error(
        "up to slot {slot} the task node saw other contexts (digest {told:016x}, not {replayed:016x})"
    )]
    Digest {
        /// The slot.
        slot: u64,
        /// The task node's digest.
        told: u64,
        /// The replay's.
        replayed: u64,
    },
    /// More decisions than slots.
    #[error("more decisions than the {slots} slots of the trial")]
    TooMany {
        /// Length of the trial.
        slots: u64,
    },
    /// The decision file.
    #[error("cannot write the decisions: {0}")]
    Write(#[from] std::io::Error),
}

impl Replay {
    /// Before slot 1; `policy` is a fresh copy of the trial's.
    pub fn new(instance: &Instance, policy: Option<Box<dyn Policy>>, ledger: Ledger) -> Replay {
        let tasks = TaskSource::new(&instance.tasks);
        Replay {
            fog: SimFog::new(instance),
            task: vec![0.0; tasks.width()],
            tasks,
            contexts: Contexts::new(instance.helpers.len(), instance.features),
            digest: ContextDigest::new(),
            policy: PolicyReplica(policy),
            ledger,
            slot: 0,
        }
    }

    /// Replays the next slot.
    ///
    /// # Errors
    /// If it cannot have happened.
    pub fn apply(&mut self, node: usize, told: Outcome) -> Result<(), ReplayError> {
        let slot = self.slot + 1;
        if node >= self.contexts.nodes() {
            return Err(ReplayError::Node { slot, node });
        }
        self.observe(slot);
        self.slot = slot;
        self.digest.add(&self.contexts);
        if let Some(policy) = &mut self.policy.0 {
            let replayed = policy.decide(slot, &self.contexts);
            if replayed != node {
                return Err(ReplayError::Choice { slot, node, replayed });
            }
        }
        let replayed = self.fog.offload_now(node, &self.task);
        if told != replayed {
            return Err(ReplayError::Outcome { slot, node, told, replayed });
        }
        let policy = &mut self.policy.0;
        if let (Some(policy), Outcome::Answered(bit)) = (policy.as_mut(), told) {
            policy.learn(slot, &self.contexts, node, bit);
        }
        self.ledger.record(&self.contexts, node, told, policy.as_deref())?;
        Ok(())
    }

    /// The best node of the slot after those replayed, by the hidden weights.
    pub fn best_of_next_slot(&mut self) -> usize {
        self.observe(self.slot + 1);
        best_node(&self.contexts, self.ledger.weights()).0
    }

    /// Makes the contexts of `slot`, which is the one replayed last or the next.
    fn observe(&mut self, slot: u64) {
        self.tasks.read(slot, &mut self.task);
        self.contexts.set_task(&self.task);
        self.fog.observe_now(slot, &mut self.contexts);
    }

    /// Compares the digest of all contexts so far.
    ///
    /// # Errors
    /// If the task node saw others.
    pub fn check(&self, told: u64) -> Result<(), ReplayError> {
        let replayed = self.digest.value();
        if told == replayed {
            return Ok(());
        }
        Err(ReplayError::Digest { slot: self.slot, told, replayed })
    }

    /// The slots replayed so far.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The ledger, and the policy as far as it has learnt.
    pub fn ledger_and_policy(&mut self) -> (&mut Ledger, Option<&dyn Policy>) {
        (&mut self.ledger, self.policy.0.as_deref())
    }

    /// Ends the replay.
    pub fn into_ledger(self) -> Ledger {
        self.ledger
    }
}

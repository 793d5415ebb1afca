//! A trial that was played elsewhere, replayed from its decisions.

use std::collections::VecDeque;

use fogbit_policy::Policy;
use fogbit_scenario::contexts::ContextDigest;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::rules::Roll;
use fogbit_scenario::{Contexts, Instance, TaskSource};
use fogbit_task_node::{SimFog, TruthOracle};

use super::Ledger;
use crate::logs::ContextLog;

/// Makes the contexts of a trial anew and keeps its ledger.
#[derive(Debug)]
pub struct Replay {
    fog: SimFog,
    tasks: TaskSource,
    task: Vec<f64>,
    roll: Roll,
    contexts: Contexts,
    digest: ContextDigest,
    decider: Replica,
    /// The last slot whose choice was made, and the choice.
    chosen: Option<(u64, Option<usize>)>,
    /// How many slots later than in its own a bit is learnt.
    delay: u64,
    held: VecDeque<Held>,
    ledger: Ledger,
    contexts_log: Option<ContextLog>,
    slot: u64,
}

/// A slot whose bit is not learnt yet.
#[derive(Debug)]
struct Held {
    slot: u64,
    contexts: Contexts,
    node: usize,
    outcome: Outcome,
}

/// A copy of what decides in the trial: to check its choices, and for the weight error and (14).
pub enum Replica {
    /// A policy.
    Policy(Box<dyn Policy>),
    /// What the task node asks.
    Oracle(TruthOracle),
    /// None: what decides is elsewhere, and its choices are taken as they are.
    Nobody,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replica")
    }
}

impl Replica {
    fn choose(&mut self, slot: u64, contexts: &Contexts) -> Option<usize> {
        match self {
            Replica::Policy(policy) => Some(policy.decide(slot, contexts)),
            Replica::Oracle(oracle) => Some(oracle.choose_now(slot, contexts)),
            Replica::Nobody => None,
        }
    }

    fn learn(&mut self, slot: u64, contexts: &Contexts, node: usize, outcome: Outcome) {
        if let (Replica::Policy(policy), Outcome::Answered(bit)) = (self, outcome) {
            policy.learn(slot, contexts, node, bit);
        }
    }

    fn policy(&self) -> Option<&dyn Policy> {
        match self {
            Replica::Policy(policy) => Some(&**policy),
            Replica::Oracle(oracle) => oracle.policy(),
            Replica::Nobody => None,
        }
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
    /// The node does not exist, or is away by schedule.
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
    /// The decision file, or a log.
    #[error("cannot write what was decided: {0}")]
    Write(#[from] std::io::Error),
}

impl Replay {
    /// Before slot 1; `decider` is a fresh copy of what decides in the trial.
    pub fn new(instance: &Instance, decider: Replica, ledger: Ledger) -> Replay {
        let tasks = TaskSource::new(&instance.tasks);
        let delay = match decider {
            Replica::Oracle(_) | Replica::Nobody => 0,
            Replica::Policy(_) => u64::from(instance.rules.delay_slots),
        };
        Replay {
            fog: SimFog::new(instance),
            task: vec![0.0; tasks.width()],
            tasks,
            roll: Roll::new(&instance.rules),
            contexts: Contexts::new(instance.helpers.len(), instance.features),
            digest: ContextDigest::new(),
            decider,
            chosen: None,
            delay,
            held: VecDeque::new(),
            ledger,
            contexts_log: None,
            slot: 0,
        }
    }

    /// Logs every decision with its contexts too, if there is a log.
    pub fn with_log(self, contexts_log: Option<ContextLog>) -> Replay {
        Replay { contexts_log, ..self }
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
        let replayed = self.choice(slot)?;
        self.slot = slot;
        self.digest.add(&self.contexts);
        if let Some(replayed) = replayed.filter(|replayed| *replayed != node) {
            return Err(ReplayError::Choice { slot, node, replayed });
        }
        if !self.contexts.is_present(node) {
            return Err(ReplayError::Node { slot, node });
        }
        let outcome = self.fog.offload_now(node, &self.task);
        if told != outcome {
            return Err(ReplayError::Outcome { slot, node, told, replayed: outcome });
        }
        if self.delay == 0 {
            self.decider.learn(slot, &self.contexts, node, outcome);
            self.ledger.record(&self.contexts, node, outcome, self.decider.policy())?;
            if let Some(log) = &mut self.contexts_log {
                log.record(slot, &self.contexts, node, outcome)?;
            }
        } else {
            let contexts = self.contexts.clone();
            self.held.push_back(Held { slot, contexts, node, outcome });
        }
        Ok(())
    }

    /// What is chosen in the slot after those replayed; none where nobody here can say.
    ///
    /// # Errors
    /// If results cannot be written.
    pub fn next_choice(&mut self) -> Result<Option<usize>, ReplayError> {
        self.choice(self.slot + 1)
    }

    /// Makes the contexts of `slot`, which is the next, and the choice in it; once.
    fn choice(&mut self, slot: u64) -> Result<Option<usize>, ReplayError> {
        if let Some((_, chosen)) = self.chosen.filter(|(of, _)| *of == slot) {
            return Ok(chosen);
        }
        self.tasks.read(slot, &mut self.task);
        self.contexts.set_task(&self.task);
        self.roll.begin(slot, &mut self.contexts);
        self.fog.observe_now(slot, &mut self.contexts);
        self.roll.mask(&mut self.contexts);
        self.settle(slot)?;
        let node = self.decider.choose(slot, &self.contexts);
        if let Some(log) = &mut self.contexts_log {
            // Of an external policy nothing but its choice is known here.
            let chosen = node.unwrap_or_default();
            log.decided(slot, &self.contexts, chosen, self.decider.policy().into());
        }
        self.chosen = Some((slot, node));
        Ok(node)
    }

    /// Learns what is due before the decision of `slot`, and books it.
    fn settle(&mut self, slot: u64) -> Result<(), ReplayError> {
        while let Some(held) = self.held.pop_front_if(|held| held.slot + self.delay < slot) {
            let Held { slot, contexts, node, outcome } = held;
            self.decider.learn(slot, &contexts, node, outcome);
            self.ledger.record(&contexts, node, outcome, self.decider.policy())?;
            if let Some(log) = &mut self.contexts_log {
                log.record(slot, &contexts, node, outcome)?;
            }
        }
        Ok(())
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
        (&mut self.ledger, self.decider.policy())
    }

    /// Ends the replay: what is not learnt yet is learnt now, and everything is booked.
    ///
    /// # Errors
    /// If results cannot be written.
    pub fn finish(mut self) -> Result<Ledger, ReplayError> {
        self.settle(u64::MAX)?;
        if let Some(log) = self.contexts_log.take() {
            log.close()?;
        }
        Ok(self.ledger)
    }
}

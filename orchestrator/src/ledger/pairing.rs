//! A trial in real time: what the task node decided, and what the helper nodes say their states
//! were, brought together slot by slot.
//!
//! Slots are those of the task node. A helper node counts its own, beginning with the same one at
//! the same moment (`docs/architecture.md`), so the state of slot t is the one that the task of
//! slot t met, unless it was on its way for more than half a slot.

use std::collections::VecDeque;
use std::time::Duration;

use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::rules::Roll;
use fogbit_scenario::{Contexts, Instance, TaskSource};
use fogbit_transport::wire::LiveStep;

use super::Ledger;

/// A helper node's report may be this late before its state counts as unknown.
const PATIENCE: Duration = Duration::from_secs(2);
/// States of this many slots are kept for a task node that does not keep up.
const MOST_STATES: usize = 1 << 20;

/// Prices the decisions of one trial as soon as all states are known.
#[derive(Debug)]
pub struct Pairing {
    ledger: Ledger,
    tasks: TaskSource,
    task: Vec<f64>,
    contexts: Contexts,
    states: Vec<States>,
    /// Who is there by schedule.
    roll: Roll,
    /// What was told and is not booked yet, slot after slot.
    told: VecDeque<Told>,
    /// The last slot told.
    through: u64,
}

/// A slot as the task node told it.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// Node and outcome; none where no node was there.
    step: Option<(usize, Outcome)>,
    at: Duration,
}

/// What one helper node said of its states.
#[derive(Debug)]
struct States {
    width: usize,
    /// Whether it belongs to the run now.
    present: bool,
    /// Slot of the first state kept.
    first: u64,
    values: VecDeque<f64>,
    /// The last state that was used: what a task met that found the node gone.
    last: Vec<f64>,
}

/// Why what was told cannot be.
#[derive(Debug, thiserror::Error)]
pub enum PairingError {
    /// A node that does not exist.
    #[error("slot {slot}: there is no node {node}")]
    Node {
        /// The slot.
        slot: u64,
        /// The node.
        node: u32,
    },
    /// Slots out of order, or beyond the last.
    #[error("slot {slot} was told where {first} to {last} are due")]
    Slot {
        /// The slot.
        slot: u64,
        /// The first due.
        first: u64,
        /// The last due.
        last: u64,
    },
    /// The decision file.
    #[error("cannot write the decisions: {0}")]
    Write(#[from] std::io::Error),
}

impl Pairing {
    /// Before slot 1; `present` says which helper nodes are there.
    pub fn new(instance: &Instance, ledger: Ledger, present: &[bool]) -> Pairing {
        let tasks = TaskSource::new(&instance.tasks);
        let width = instance.features - tasks.width();
        let states = present.iter().map(|present| States {
            width,
            present: *present,
            first: 1,
            values: VecDeque::new(),
            last: vec![0.0; width],
        });
        Pairing {
            ledger,
            task: vec![0.0; tasks.width()],
            tasks,
            contexts: Contexts::new(instance.helpers.len(), instance.features),
            states: states.collect(),
            roll: Roll::new(&instance.rules),
            told: VecDeque::new(),
            through: 0,
        }
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The ledger, to take note of what the policy believes.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Takes in what the task node tells at `now`: `steps` in the order of their slots, and that
    /// nothing was offloaded in the others up to `through`, of which `last` is the largest there is.
    ///
    /// # Errors
    /// If it cannot have happened.
    pub fn tell(
        &mut self,
        steps: &[LiveStep],
        through: u64,
        last: u64,
        now: Duration,
    ) -> Result<(), PairingError> {
        let before = self.through;
        // A report comes ten times a second: more slots than this cannot have passed.
        let most = last.min(before.saturating_add(MOST_STATES as u64));
        if through < before || through > most {
            return Err(PairingError::Slot { slot: through, first: before, last: most });
        }
        for step in steps {
            let first = self.through + 1;
            if !(first..=through).contains(&step.slot) {
                return Err(PairingError::Slot { slot: step.slot, first, last: through });
            }
            let node = step.node as usize;
            if node >= self.states.len() {
                return Err(PairingError::Node { slot: step.slot, node: step.node });
            }
            self.idle_up_to(step.slot - 1, now);
            self.told.push_back(Told { step: Some((node, step.outcome)), at: now });
            self.through = step.slot;
        }
        self.idle_up_to(through, now);
        Ok(())
    }

    fn idle_up_to(&mut self, slot: u64, now: Duration) {
        while self.through < slot {
            self.told.push_back(Told { step: None, at: now });
            self.through += 1;
        }
    }

    /// Takes in the states of `node` from slot `first` on.
    pub fn states(&mut self, node: usize, first: u64, values: &[f64]) {
        let booked = self.ledger.totals().slots;
        let Some(states) = self.states.get_mut(node) else { return };
        if !values.len().is_multiple_of(states.width.max(1))
            || !values.iter().all(|v| v.is_finite())
            || first.checked_add(values.len() as u64).is_none()
        {
            return;
        }
        states.present = true;
        if states.end() != first {
            // It was lost and came back, or this is its first report.
            states.values.clear();
            states.first = first;
        }
        states.values.extend(values);
        states.forget(booked);
        while states.values.len() > MOST_STATES {
            states.values.drain(..states.width);
            states.first += 1;
        }
    }

    /// The node does not belong to the run any more, or does again.
    pub fn set_present(&mut self, node: usize, present: bool) {
        if let Some(states) = self.states.get_mut(node) {
            states.present = present;
        }
    }

    /// Books every slot whose states are all known, or will not be any more.
    ///
    /// # Errors
    /// If the decision file cannot be written.
    pub fn book(&mut self, now: Duration) -> Result<(), PairingError> {
        while let Some(told) = self.told.front().copied() {
            let slot = self.ledger.totals().slots + 1;
            let patient = now.saturating_sub(told.at) < PATIENCE;
            if told.step.is_some() && patient && self.states.iter().any(|s| s.is_due(slot)) {
                return Ok(());
            }
            self.told.pop_front();
            self.book_slot(slot, told.step)?;
        }
        Ok(())
    }

    fn book_slot(&mut self, slot: u64, step: Option<(usize, Outcome)>) -> Result<(), PairingError> {
        let Some((chosen, outcome)) = step else {
            self.ledger.idle();
            return Ok(());
        };
        self.tasks.read(slot, &mut self.task);
        self.contexts.set_task(&self.task);
        self.roll.begin(slot, &mut self.contexts);
        for (node, states) in self.states.iter_mut().enumerate() {
            states.forget(slot - 1);
            let known = states.take(slot);
            self.contexts.set_present(node, known);
            self.contexts.set_state(node, &states.last);
        }
        self.roll.mask(&mut self.contexts);
        let loss = self.ledger.price(&self.contexts, chosen);
        self.ledger.book(chosen, outcome, loss, None)?;
        Ok(())
    }

    /// Whether everything that was told is booked.
    pub fn is_settled(&self) -> bool {
        self.told.is_empty()
    }

    /// Ends it. What is not booked yet is forgotten.
    pub fn into_ledger(self) -> Ledger {
        self.ledger
    }
}

impl States {
    /// The slot after the last state kept.
    fn end(&self) -> u64 {
        self.first + (self.values.len() / self.width.max(1)) as u64
    }

    /// Whether the state of `slot` is not known but will be.
    fn is_due(&self, slot: u64) -> bool {
        self.present && self.end() <= slot
    }

    /// Drops the states up to `slot`, but for the last one.
    fn forget(&mut self, slot: u64) {
        while self.first <= slot && self.values.len() >= self.width.max(1) {
            for (last, value) in self.last.iter_mut().zip(self.values.drain(..self.width)) {
                *last = value;
            }
            self.first += 1;
        }
    }

    /// Makes `last` the state of `slot`, if it is known.
    fn take(&mut self, slot: u64) -> bool {
        if self.first != slot || self.values.len() < self.width.max(1) {
            return false;
        }
        self.forget(slot);
        true
    }
}

#[cfg(test)]
mod tests;

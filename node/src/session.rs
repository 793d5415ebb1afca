//! A helper node's part of one trial, with lookahead: it announces the slots to come as they will
//! be if nothing is offloaded to it, and the answer to an offload carries what that changed.
//!
//! How far it looks ahead never changes what a task node decides: at every slot the task node
//! knows exactly the states that it would have been told slot by slot.

use std::collections::VecDeque;

use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::instance::HelperSpec;

use crate::helper::Helper;
use crate::queue::FifoQueue;

/// The farthest a session announces ahead of the task node's slot, in slots.
pub const MAX_LOOKAHEAD: u64 = 8192;

/// One trial at one helper node.
#[derive(Debug, Clone)]
pub struct Session {
    /// The node with every offload so far, at the last slot that is settled but for its offload.
    base: Helper,
    /// The node at the last announced slot, if nothing more is offloaded; `None` before any.
    scout: Option<Helper>,
    /// What was announced of the slots after `base`, kept only where an offload can change it.
    announced: VecDeque<Announced>,
    /// The slot of the last offload; 0 before any.
    last_offload: u64,
}

/// One announced slot.
#[derive(Debug, Clone)]
struct Announced {
    state: Vec<f64>,
    /// What the offloads so far have to do with it: from two equal queues on, all is equal.
    queue: FifoQueue,
}

/// The answer to an offload.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What became of the task.
    pub outcome: Outcome,
    /// The states of the following slots, from the next one on, that are no longer as announced.
    pub changed: Vec<f64>,
}

/// What a task node may not ask of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The slot lies before one that is already settled, or was never announced.
    #[error("slot {slot} is not between {first} and {last}")]
    Slot {
        /// The slot asked for.
        slot: u64,
        /// First slot that could be asked for.
        first: u64,
        /// Last one.
        last: u64,
    },
    /// A feature of the task is not a finite number.
    #[error("a feature of the task is not a finite number")]
    NotFinite,
    /// The task has another number of features than the node expects.
    #[error("a task of {got} features where {expected} are expected")]
    TaskWidth {
        /// Number of features of the task.
        got: usize,
        /// Number expected.
        expected: usize,
    },
}

/// Whether a node can take a task with these features.
pub(crate) fn check_task(helper: &Helper, task: &[f64]) -> Result<(), SessionError> {
    let expected = helper.task_width();
    if task.len() != expected {
        return Err(SessionError::TaskWidth { got: task.len(), expected });
    }
    if !task.iter().all(|value| value.is_finite()) {
        return Err(SessionError::NotFinite);
    }
    Ok(())
}

impl Session {
    /// A session of the node that `spec` describes, before slot 1.
    pub fn new(spec: &HelperSpec) -> Session {
        Session {
            base: Helper::new(spec),
            scout: None,
            announced: VecDeque::new(),
            last_offload: 0,
        }
    }

    /// The node with every offload so far, at the last slot that is settled.
    pub fn helper(&self) -> &Helper {
        &self.base
    }

    /// The last announced slot.
    pub fn horizon(&self) -> u64 {
        self.scout.as_ref().map_or(0, Helper::slot)
    }

    /// Announces the states of the slots after the last announced one up to `through`, slot after
    /// slot. The task node is at slot `now`: it will offload nothing in an earlier one.
    ///
    /// # Errors
    /// If `now` lies before a settled slot or beyond the announced ones, or `through` too far ahead.
    pub fn announce(&mut self, now: u64, through: u64) -> Result<Vec<f64>, SessionError> {
        let (first, last) = (self.base.slot(), self.horizon() + 1);
        if !(first..=last).contains(&now) {
            return Err(SessionError::Slot { slot: now, first, last });
        }
        let (first, last) = (self.horizon() + 1, (now + MAX_LOOKAHEAD).min(self.base.last_slot()));
        if !(first..=last).contains(&through) {
            return Err(SessionError::Slot { slot: through, first, last });
        }
        self.settle(now);
        let mut states = Vec::new();
        for slot in first..=through {
            let scout = match &mut self.scout {
                Some(scout) => {
                    scout.advance();
                    scout
                }
                none => none.insert(self.base.clone()),
            };
            states.extend_from_slice(scout.state());
            if let (Some(queue), true) = (scout.fifo(), slot > self.base.slot()) {
                let (state, queue) = (scout.state().to_vec(), queue.clone());
                self.announced.push_back(Announced { state, queue });
            }
        }
        Ok(states)
    }

    /// Steps the node to `slot` without an offload.
    fn settle(&mut self, slot: u64) {
        while self.base.slot() < slot {
            self.base.advance();
            self.announced.pop_front();
        }
    }

    /// Takes the task of `slot`, which must have been announced.
    ///
    /// # Errors
    /// If the slot is not one that can still be offloaded in, or the task has another shape.
    pub fn offload(&mut self, slot: u64, task: &[f64]) -> Result<Answer, SessionError> {
        let (first, last) = (self.base.slot().max(self.last_offload + 1), self.horizon());
        if !(first..=last).contains(&slot) {
            return Err(SessionError::Slot { slot, first, last });
        }
        check_task(&self.base, task)?;
        self.settle(slot);
        self.last_offload = slot;
        let outcome = self.base.offload(task);
        let changed =
            if self.base.depends_on_offloads() { self.announce_again() } else { Vec::new() };
        Ok(Answer { outcome, changed })
    }

    /// Looks ahead anew from the offload just taken, until all is as announced again, and gives the
    /// states up to the last one that differs.
    fn announce_again(&mut self) -> Vec<f64> {
        let mut scout = self.base.clone();
        let mut changed = Vec::new();
        let mut changed_end = 0;
        for announced in &mut self.announced {
            scout.advance();
            let queue = scout.fifo().expect("only a true queue depends on offloads");
            if queue.same_work(&announced.queue) {
                changed.truncate(changed_end);
                return changed;
            }
            announced.queue = queue.clone();
            changed.extend_from_slice(scout.state());
            if announced.state != scout.state() {
                announced.state.copy_from_slice(scout.state());
                changed_end = changed.len();
            }
        }
        changed.truncate(changed_end);
        self.scout = Some(scout);
        changed
    }
}

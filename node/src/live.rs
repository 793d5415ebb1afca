//! A helper node's part of one trial in real time: it goes from slot to slot as it is told, and
//! takes tasks whenever they come.

use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::instance::HelperSpec;

use crate::helper::Helper;
use crate::session::{SessionError, check_task};

/// One trial at one helper node, in real time.
#[derive(Debug, Clone)]
pub struct LiveSession {
    helper: Helper,
    /// The slot of the last offload, as the task node counts; 0 before any.
    last_offload: u64,
}

/// What becomes of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Taken {
    /// This is told at once.
    Told(Outcome),
    /// The node keeps it for so long, waiting and execution, and then answers.
    Kept {
        /// How long, in nanoseconds; may be without end.
        nanoseconds: f64,
    },
}

impl LiveSession {
    /// A session that begins at slot `first`: 1, or later where the node was lost and came back.
    pub fn new(spec: &HelperSpec, first: u64) -> LiveSession {
        LiveSession { helper: Helper::starting_at(spec, first), last_offload: 0 }
    }

    /// The node.
    pub fn helper(&self) -> &Helper {
        &self.helper
    }

    /// Goes on to the next slot.
    pub fn advance(&mut self) {
        self.helper.advance();
    }

    /// Takes the task that the task node sent in its slot `slot`.
    ///
    /// # Errors
    /// If the slot is not after that of the last task, or the task has another shape.
    pub fn offload(&mut self, slot: u64, task: &[f64]) -> Result<Taken, SessionError> {
        if slot <= self.last_offload {
            let (first, last) = (self.last_offload + 1, u64::MAX);
            return Err(SessionError::Slot { slot, first, last });
        }
        check_task(&self.helper, task)?;
        self.last_offload = slot;
        if !self.helper.is_timed() {
            return Ok(Taken::Told(self.helper.offload_drawing(slot, task)));
        }
        Ok(match self.helper.take(task) {
            Some(nanoseconds) => Taken::Kept { nanoseconds },
            None => Taken::Told(Outcome::Refused),
        })
    }
}

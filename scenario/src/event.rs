//! What changes while a trial goes on, with names turned into numbers.

use crate::link::LinkState;
use crate::topology::Weights;

/// An event that has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The first slot in which it holds.
    pub at: u64,
    /// What changes.
    pub change: Change,
}

/// What changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A helper node joins or leaves.
    Presence {
        /// Its number.
        node: usize,
        /// Whether it is there from then on.
        present: bool,
    },
    /// Other hidden weights.
    Weights {
        /// Whose; none is everybody's.
        node: Option<usize>,
        /// Which.
        weights: Weights,
    },
    /// A link does something else to packets.
    Link {
        /// The helper node at its end; none is every link.
        node: Option<usize>,
        /// What it does.
        state: LinkState,
    },
}

impl Change {
    /// Whether it happens to the helper node `number` or to the link that leads to it.
    pub fn concerns(&self, number: usize) -> bool {
        match self {
            Change::Presence { node, .. } => *node == number,
            Change::Weights { node, .. } | Change::Link { node, .. } => {
                node.is_none_or(|node| node == number)
            }
        }
    }
}

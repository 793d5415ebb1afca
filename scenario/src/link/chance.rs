//! What happens to a packet by chance: loss, duplication, reordering.
//!
//! Packets of one direction are numbered from 1. Each element draws for a packet with its number,
//! from a stream of its own, so that what one element is set to changes no draw of another.

use super::Loss;
use crate::draw::{Key, Stream};

/// Something that happens to each packet by itself, with some probability.
#[derive(Debug, Clone)]
pub struct Chance(Stream);

impl Chance {
    /// With the draws of `key`.
    pub fn new(key: &Key) -> Chance {
        Chance(Stream::new(key))
    }

    /// Whether it happens to packet `number` (from 1), with probability `share`.
    pub fn happens(&mut self, number: u64, share: f64) -> bool {
        // Without a draw where none can matter: most links have most of their shares at 0.
        share > 0.0 && self.0.uniform(number) < share
    }
}

/// Which packets are lost, by [`Loss`].
#[derive(Debug, Clone)]
pub struct Losses {
    loss: Loss,
    /// Whether the chain of bursts is in its bad state.
    bad: bool,
    steps: Chance,
    losses: Chance,
}

impl Losses {
    /// A chain begins in its good state. Losses are drawn with `losses`, steps of the chain with
    /// `steps`.
    pub fn new(loss: Loss, losses: &Key, steps: &Key) -> Losses {
        Losses { loss, bad: false, steps: Chance::new(steps), losses: Chance::new(losses) }
    }

    /// Changes what is lost from the next packet on. A chain goes on in the state it is in.
    pub fn set(&mut self, loss: Loss) {
        self.loss = loss;
        if let Loss::Independent(_) = loss {
            self.bad = false;
        }
    }

    /// Whether packet `number` is lost; a chain makes its step before. Ask once for each packet.
    pub fn loses(&mut self, number: u64) -> bool {
        let share = match self.loss {
            Loss::Independent(share) => share,
            Loss::Bursts { good_to_bad, bad_to_good, good_loss, bad_loss } => {
                let turn = if self.bad { bad_to_good } else { good_to_bad };
                self.bad ^= self.steps.happens(number, turn);
                if self.bad { bad_loss } else { good_loss }
            }
        };
        self.losses.happens(number, share)
    }
}

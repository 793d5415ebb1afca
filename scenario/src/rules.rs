//! What a trial keeps to beside its nodes: who is there in which slot, and when bits are learnt.

use serde::{Deserialize, Serialize};

use crate::contexts::Contexts;

/// The rules of a trial, which the task node and the ledger both keep.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrialRules {
    /// The bit of slot t is learnt before the decision of slot `t + 1 + delay_slots`.
    pub delay_slots: u32,
    /// Which helper nodes join and leave, in the order of the slots.
    pub schedule: Vec<Presence>,
}

/// A helper node joins or leaves by schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The first slot in which it holds.
    pub at: u64,
    /// Number of the node, from 0.
    pub node: u32,
    /// Whether it is there from that slot on.
    pub present: bool,
}

/// Who is there by schedule, slot after slot.
#[derive(Debug, Clone)]
pub struct Roll {
    schedule: Vec<Presence>,
    next: usize,
    absent: Vec<u32>,
}

impl Roll {
    /// Before slot 1, when all are there.
    pub fn new(rules: &TrialRules) -> Roll {
        Roll { schedule: rules.schedule.clone(), next: 0, absent: Vec::new() }
    }

    /// Steps to `slot`, in order: who joins is marked as present in `contexts`. To be called before
    /// the fog is observed, which may know better.
    #[inline]
    pub fn begin(&mut self, slot: u64, contexts: &mut Contexts) {
        while let Some(Presence { at, node, present }) = self.schedule.get(self.next).copied()
            && at <= slot
        {
            self.next += 1;
            self.absent.retain(|other| *other != node);
            if present {
                contexts.set_present(node as usize, true);
            } else {
                self.absent.push(node);
            }
        }
    }

    /// Marks who is away by schedule as absent in `contexts`. To be called after the fog is
    /// observed.
    #[inline]
    pub fn mask(&self, contexts: &mut Contexts) {
        for node in &self.absent {
            contexts.set_present(*node as usize, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_come_and_go_by_schedule() {
        let presence = |at, node, present| Presence { at, node, present };
        let schedule = vec![presence(1, 2, false), presence(3, 0, false), presence(4, 2, true)];
        let mut roll = Roll::new(&TrialRules { delay_slots: 0, schedule });
        let mut contexts = Contexts::new(3, 1);
        let mut seen = Vec::new();
        for slot in 1..=5 {
            roll.begin(slot, &mut contexts);
            roll.mask(&mut contexts);
            seen.push((0..3).map(|n| contexts.is_present(n)).collect::<Vec<_>>());
        }
        let (yes, no) = (true, false);
        assert_eq!(
            seen,
            [[yes, yes, no], [yes, yes, no], [no, yes, no], [no, yes, yes], [no, yes, yes]]
        );
    }
}

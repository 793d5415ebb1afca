//! What a task node tells the orchestrator of a trial, in all problems but `one-bit`.

use fogbit_scenario::link::verdict::LinkCheck;
use serde::{Deserialize, Serialize};

/// Task node to orchestrator, on a trial's stream; `B` is a [`Batch`] of the problem's steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report<B> {
    /// What happened after what is already told.
    Steps(B),
    /// What was measured of a link while it was in one state.
    Link(Box<LinkCheck>),
    /// Everything was played and told.
    Done {
        /// How long it took, in nanoseconds.
        nanoseconds: u64,
    },
    /// The trial cannot go on.
    Failed {
        /// Why.
        message: String,
    },
}

/// What is told of a trial at once.
pub trait Batch: Sized {
    /// What is told of each decision.
    type Step;

    /// Of these steps, in their order; `begun` is how many slots, or what there is one of in a slot,
    /// have begun in real time since the last batch, and how many of these late. None if there is
    /// nothing to tell.
    fn of(steps: Vec<Self::Step>, begun: (u32, u32)) -> Option<Self>;

    /// The steps.
    fn steps(&self) -> &[Self::Step];

    /// How many slots have begun in real time, and how many of these late; 0 where nothing has to
    /// begin in time.
    fn begun(&self) -> (u32, u32);
}

/// Steps of a problem in which nothing has to begin in time.
impl<S> Batch for Vec<S> {
    type Step = S;

    fn of(steps: Vec<S>, _begun: (u32, u32)) -> Option<Vec<S>> {
        (!steps.is_empty()).then_some(steps)
    }

    fn steps(&self) -> &[S] {
        self
    }

    fn begun(&self) -> (u32, u32) {
        (0, 0)
    }
}

/// Steps of a problem whose slots begin by the clock in real time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timed<S> {
    /// What became of the steps after those already told, in order.
    pub steps: Vec<S>,
    /// In real time: how many slots, or what there is one of in a slot, have begun.
    pub begun: u32,
    /// How many of these were later than a tenth of a slot.
    pub late: u32,
}

impl<S> Batch for Timed<S> {
    type Step = S;

    fn of(steps: Vec<S>, (begun, late): (u32, u32)) -> Option<Timed<S>> {
        Some(Timed { steps, begun, late })
    }

    fn steps(&self) -> &[S] {
        &self.steps
    }

    fn begun(&self) -> (u32, u32) {
        (self.begun, self.late)
    }
}

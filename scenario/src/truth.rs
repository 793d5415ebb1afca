//! The hidden truth of one instance, slot after slot: every node's weights, and the bit that each
//! of them would tell. Only the orchestrator holds one.

use std::sync::Arc;

use crate::contexts::Contexts;
use crate::draw::Stream;
use crate::feedback::{Bit, FeedbackModel, bit};
use crate::instance::{FeedbackDraws, Instance};
use crate::weights::WeightPath;

/// The truth at one slot, which is stepped from outside.
#[derive(Debug, Clone)]
pub struct Truth {
    slot: u64,
    /// The first slot in which some weights may be others than now.
    until: u64,
    paths: Vec<WeightPath>,
    weights: Vec<Vec<f64>>,
    models: Vec<FeedbackModel>,
    draws: Vec<BitDraws>,
}

/// The draws behind one node's bits.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "read in every slot: a box would cost a hop")]
enum BitDraws {
    Keyed(Stream),
    Trace(Arc<[f64]>),
}

impl Truth {
    /// The truth of `instance` at slot 1.
    pub fn new(instance: &Instance) -> Truth {
        let draws = |draws: &FeedbackDraws| match draws {
            FeedbackDraws::Keyed(key) => BitDraws::Keyed(Stream::new(key)),
            FeedbackDraws::Trace(draws) => BitDraws::Trace(Arc::clone(draws)),
        };
        let mut truth = Truth {
            slot: 0,
            until: 0,
            paths: instance.helpers.iter().map(WeightPath::new).collect(),
            weights: instance.weights(),
            models: instance.helpers.iter().map(|helper| helper.model).collect(),
            draws: instance.helpers.iter().map(|helper| draws(&helper.feedback)).collect(),
        };
        truth.step_to(1);
        truth
    }

    /// Steps to `slot`, which is not before the one it is at; says whether weights may have changed.
    #[inline]
    pub fn step_to(&mut self, slot: u64) -> bool {
        self.slot = slot;
        if slot < self.until {
            return false;
        }
        for (path, weights) in self.paths.iter_mut().zip(&mut self.weights) {
            weights.copy_from_slice(path.at(slot));
        }
        self.until = self.paths.iter().map(WeightPath::until).min().unwrap_or(u64::MAX);
        true
    }

    /// Hidden weights in this slot, node after node.
    #[inline]
    pub fn weights(&self) -> &[Vec<f64>] {
        &self.weights
    }

    /// How `node` turns its happiness into a bit.
    #[inline]
    pub fn model(&self, node: usize) -> FeedbackModel {
        self.models[node]
    }

    /// The uniform draw behind `node`'s bit in this slot.
    pub fn draw(&mut self, node: usize) -> f64 {
        match &mut self.draws[node] {
            BitDraws::Keyed(stream) => stream.uniform(self.slot),
            BitDraws::Trace(draws) => draws[self.slot as usize - 1],
        }
    }

    /// The bit that `node` would tell of the task in `contexts`, which are those of this slot,
    /// whether its queue has room or not.
    pub fn potential_bit(&mut self, node: usize, contexts: &Contexts) -> Bit {
        let model = self.models[node];
        let happiness = model.happiness(contexts.dot(node, &self.weights[node]));
        bit(self.draw(node), model.told(happiness))
    }
}

//! The hidden truth of one instance, slot after slot: what a task is worth to every node, and the bit
//! that each of them would tell. Only the orchestrator holds one.
//!
//! A task is worth x.w to a node that has weights w, and with a deadline the probability that it is
//! answered in time. [`Truth::worths`] is the one door to it: ledger, oracle and logs ask there.

use std::sync::Arc;

use crate::contexts::Contexts;
use crate::deadline::{Demand, InTime};
use crate::draw::Stream;
use crate::feedback::{Bit, FeedbackModel, bit};
use crate::instance::{FeedbackDraws, HelperSpec, Instance};
use crate::weights::WeightPath;

/// The truth at one slot, which is stepped from outside.
#[derive(Debug, Clone)]
pub struct Truth {
    slot: u64,
    /// The first slot in which some weights may be others than now.
    until: u64,
    paths: Vec<WeightPath>,
    weights: Vec<Vec<f64>>,
    /// The same, feature after feature.
    rows: Vec<f64>,
    /// With a deadline: when each node answers in time. Then there are no weights.
    in_time: Vec<InTime>,
    worths: Vec<f64>,
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
            rows: Vec::new(),
            in_time: instance.helpers.iter().filter_map(HelperSpec::in_time).collect(),
            worths: vec![0.0; instance.helpers.len()],
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
        let features = self.weights.first().map_or(0, Vec::len);
        self.rows.clear();
        self.rows.extend((0..features).flat_map(|f| self.weights.iter().map(move |w| w[f])));
        true
    }

    /// Hidden weights in this slot, node after node; none at all where nodes have none.
    #[inline]
    pub fn weights(&self) -> Option<&[Vec<f64>]> {
        self.in_time.is_empty().then_some(&self.weights)
    }

    /// What the task in `contexts`, which are those of this slot, is worth to each node, whether it is
    /// there or not.
    #[inline]
    pub fn worths(&mut self, contexts: &Contexts) -> &mut [f64] {
        if self.in_time.is_empty() {
            let nodes = self.worths.len();
            self.worths.fill(0.0);
            for (feature, row) in self.rows.chunks_exact(nodes).enumerate() {
                let row = self.worths.iter_mut().zip(contexts.row(feature)).zip(row);
                for ((worth, x), w) in row {
                    *worth += x * w;
                }
            }
        } else {
            for (node, (worth, in_time)) in
                self.worths.iter_mut().zip(&mut self.in_time).enumerate()
            {
                *worth = in_time.probability(self.slot, &demand(contexts, node));
            }
        }
        &mut self.worths
    }

    /// What the task in `contexts` is worth to `node`.
    #[inline]
    pub fn worth(&mut self, node: usize, contexts: &Contexts) -> f64 {
        match self.in_time.get_mut(node) {
            None => contexts.dot(node, &self.weights[node]),
            Some(in_time) => in_time.probability(self.slot, &demand(contexts, node)),
        }
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
        let happiness = model.happiness(self.worth(node, contexts));
        bit(self.draw(node), model.told(happiness))
    }
}

/// What a node would have to do, as a task node sees it.
#[inline]
fn demand(contexts: &Contexts, node: usize) -> Demand {
    let feature = |index| contexts.get(node, index);
    Demand {
        length: feature(0),
        complexity: feature(1),
        queue: feature(2),
        cpu_frequency: feature(3),
    }
}

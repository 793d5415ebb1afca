//! Random: a node at random, whatever they answer.

use fogbit_scenario::draw::{Key, Stream};
use fogbit_scenario::{Bit, Contexts};

use crate::Policy;

/// Sends each task to a node drawn uniformly from those present, by a keyed draw for each slot.
#[derive(Debug, Clone)]
pub struct Random {
    stream: Stream,
    scores: Vec<f64>,
    /// How many nodes were present in the last decision.
    present: usize,
}

impl Random {
    /// For `nodes` helper nodes; `key` is its private randomness.
    pub fn new(nodes: usize, key: &Key) -> Random {
        Random { stream: Stream::new(key), scores: vec![0.0; nodes], present: nodes }
    }
}

/// A node uniformly among those present, by a 64-bit draw.
pub(super) fn draw_present(draw: u64, contexts: &Contexts) -> usize {
    // The upper half of the product of two 64-bit numbers: uniform to within N / 2^64.
    let wide = u128::from(draw) * contexts.present() as u128;
    let drawn = (wide >> 64) as usize;
    if contexts.present() == contexts.nodes() {
        return drawn;
    }
    let mut present = (0..contexts.nodes()).filter(|node| contexts.is_present(*node));
    present.nth(drawn).unwrap_or(drawn)
}

impl Policy for Random {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let node = draw_present(self.stream.at(slot), contexts);
        self.scores.fill(0.0);
        contexts.mask(&mut self.scores);
        self.scores[node] = 1.0;
        self.present = contexts.present();
        node
    }

    fn learn(&mut self, _slot: u64, _contexts: &Contexts, _node: usize, _bit: Bit) {}

    /// 1 for the node that was drawn, 0 for the others that are present.
    fn scores(&self) -> &[f64] {
        &self.scores
    }

    fn propensity(&self, node: usize) -> Option<f64> {
        let present = self.scores[node] > f64::NEG_INFINITY;
        Some(if present { 1.0 / self.present as f64 } else { 0.0 })
    }
}

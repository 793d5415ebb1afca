//! Round-robin: the nodes in cyclic order, whatever they answer.

use fogbit_scenario::{Bit, Contexts};

use crate::Policy;

/// Sends task `t` to node `(t - 1) mod N`, or the next one that is present.
#[derive(Debug, Clone)]
pub struct RoundRobin {
    scores: Vec<f64>,
}

impl RoundRobin {
    /// For `nodes` helper nodes.
    pub fn new(nodes: usize) -> RoundRobin {
        RoundRobin { scores: vec![0.0; nodes] }
    }
}

impl Policy for RoundRobin {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let nodes = self.scores.len();
        let turn = ((slot - 1) % nodes as u64) as usize;
        let mut turns = (turn..turn + nodes).map(|node| node % nodes);
        let node = turns.find(|node| contexts.is_present(*node)).unwrap_or(turn);
        self.scores.fill(0.0);
        self.scores[node] = 1.0;
        node
    }

    fn learn(&mut self, _slot: u64, _contexts: &Contexts, _node: usize, _bit: Bit) {}

    /// 1 for the node whose turn it is, 0 for the others.
    fn scores(&self) -> &[f64] {
        &self.scores
    }
}

//! Epsilon-greedy: the node that looks best by TOOF's estimate, and now and then one at random.

use fogbit_scenario::contexts::LANES;
use fogbit_scenario::draw::{Key, Stream};
use fogbit_scenario::topology::{EpsilonGreedy, Prior};
use fogbit_scenario::{Bit, Contexts};

use super::argmax;
use super::estimates::Estimates;
use super::random::draw_present;
use super::toof::SequentialUpdate;
use crate::{Belief, Policy};

/// The score of a node that was drawn: above every product x.w, which is 1 at most.
const DRAWN: f64 = 2.0;

/// The policy `epsilon-greedy`.
#[derive(Debug, Clone)]
pub struct EpsilonGreedyPolicy {
    nodes: usize,
    epsilon: f64,
    decay: f64,
    estimates: Estimates,
    scores: Vec<f64>,
    /// Whether a node is drawn in a slot, and which.
    coin: Stream,
    node: Stream,
    last: Last,
}

/// What the propensities of the last decision are made of.
#[derive(Debug, Clone, Default)]
struct Last {
    /// The node that looked best.
    greedy: usize,
    present: usize,
    epsilon: f64,
}

impl EpsilonGreedyPolicy {
    /// For `nodes` helper nodes with `features` features; `key` is its private randomness.
    pub fn new(
        parameters: &EpsilonGreedy,
        nodes: usize,
        features: usize,
        key: &Key,
    ) -> EpsilonGreedyPolicy {
        let (mean, lambda) = Prior::start(parameters.prior.as_ref(), parameters.lambda);
        EpsilonGreedyPolicy {
            nodes,
            epsilon: parameters.epsilon,
            decay: parameters.decay,
            estimates: Estimates::new(nodes, features, mean, lambda),
            scores: vec![0.0; nodes.next_multiple_of(LANES)],
            coin: Stream::new(&key.child(0)),
            node: Stream::new(&key.child(1)),
            last: Last::default(),
        }
    }

    /// `min(1, epsilon / t^decay)`.
    fn exploration(&self, slot: u64) -> f64 {
        (self.epsilon / libm::pow(slot as f64, self.decay)).min(1.0)
    }
}

impl Policy for EpsilonGreedyPolicy {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        self.estimates.score(contexts, &mut self.scores, |_, sums| sums.product);
        contexts.mask(&mut self.scores[..self.nodes]);
        let (greedy, epsilon) = (argmax(self.scores()), self.exploration(slot));
        self.last = Last { greedy, present: contexts.present(), epsilon };
        if self.coin.uniform(slot) >= epsilon {
            return greedy;
        }
        let node = draw_present(self.node.at(slot), contexts);
        self.scores[node] = DRAWN;
        node
    }

    fn learn(&mut self, _slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        self.estimates.update(contexts, node, SequentialUpdate { frozen: false, bit });
    }

    /// The products x.w by the estimates; 2 for a node that was drawn at random.
    fn scores(&self) -> &[f64] {
        &self.scores[..self.nodes]
    }

    fn belief(&self) -> Option<&dyn Belief> {
        Some(self)
    }

    fn propensity(&self, node: usize) -> Option<f64> {
        if self.scores[node] == f64::NEG_INFINITY {
            return Some(0.0);
        }
        let Last { greedy, present, epsilon } = self.last;
        let drawn = epsilon / present as f64;
        Some(if node == greedy { drawn + (1.0 - epsilon) } else { drawn })
    }
}

impl Belief for EpsilonGreedyPolicy {
    fn estimate(&self, node: usize, estimate: &mut [f64]) {
        self.estimates.read(node, estimate);
    }
}

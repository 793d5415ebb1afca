//! Disjoint LinUCB (Li, Chu, Langford and Schapire, "A Contextual-Bandit Approach to Personalized
//! News Article Recommendation", WWW 2010): ridge regression for each node, and a bonus.
//!
//! It regresses 2y on x. The sign y rather than 0 or 1, since by (2) its mean is 0 at x = 0 and no
//! intercept is needed; twice the sign, since its mean `2 tanh(x.w / 2)` is nearly x.w, so that the
//! estimate is one of the weights and a prior means the same as elsewhere.

use fogbit_scenario::contexts::LANES;
use fogbit_scenario::topology::{LinUcb, Prior};
use fogbit_scenario::{Bit, Contexts};

use super::argmax;
use super::estimates::{Estimates, Node, Rule};
use crate::{Belief, Policy};

/// The policy `lin-ucb`.
#[derive(Debug, Clone)]
pub struct LinUcbPolicy {
    nodes: usize,
    alpha: f64,
    /// The estimates theta and the matrices A.
    estimates: Estimates,
    scores: Vec<f64>,
}

impl LinUcbPolicy {
    /// For `nodes` helper nodes with `features` features.
    pub fn new(parameters: &LinUcb, nodes: usize, features: usize) -> LinUcbPolicy {
        let (mean, lambda) = Prior::start(parameters.prior.as_ref(), parameters.lambda);
        LinUcbPolicy {
            nodes,
            alpha: parameters.alpha,
            estimates: Estimates::new(nodes, features, mean, lambda),
            scores: vec![0.0; nodes.next_multiple_of(LANES)],
        }
    }
}

impl Policy for LinUcbPolicy {
    fn decide(&mut self, _slot: u64, contexts: &Contexts) -> usize {
        let alpha = self.alpha;
        self.estimates.score(contexts, &mut self.scores, |_, sums| {
            std::array::from_fn(|lane| {
                sums.product[lane] + alpha * sums.square[lane].max(0.0).sqrt()
            })
        });
        contexts.mask(&mut self.scores[..self.nodes]);
        argmax(self.scores())
    }

    fn learn(&mut self, _slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        self.estimates.update(contexts, node, LeastSquares { bit });
    }

    fn scores(&self) -> &[f64] {
        &self.scores[..self.nodes]
    }

    fn belief(&self) -> Option<&dyn Belief> {
        Some(self)
    }
}

/// `A <- A + x x'` and `theta = A^-1 (lambda mean + sum of 2 y x)`, by recursive least squares.
struct LeastSquares {
    bit: Bit,
}

impl Rule for LeastSquares {
    type Output = ();

    #[inline(always)]
    fn apply(self, node: &mut Node<'_>) {
        let growth = node.grow(1.0);
        node.shift((2.0 * f64::from(self.bit.sign()) - node.product) / growth);
    }
}

impl Belief for LinUcbPolicy {
    /// It may leave the unit ball: nothing projects it.
    fn estimate(&self, node: usize, estimate: &mut [f64]) {
        self.estimates.read(node, estimate);
    }
}

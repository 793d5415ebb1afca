//! Thompson sampling: the weights of each node are drawn from what is believed of them, and the
//! node that looks best by the drawn weights is chosen.
//!
//! The belief is a Gaussian by sequential Laplace approximation: the mode of the last belief times
//! the likelihood of the new bit is the new mean, and the curvature there joins the precision W.
//! That is the update of `ofu-ecolog`. Of drawn weights `N(theta, a^2 W^-1)` only x.theta~ counts,
//! which is `N(x.theta, a^2 x' W^-1 x)`: one normal number for each node.

use fogbit_scenario::contexts::LANES;
use fogbit_scenario::draw::{Key, Stream};
use fogbit_scenario::topology::{Prior, Thompson};
use fogbit_scenario::{Bit, Contexts};

use super::argmax;
use super::estimates::Estimates;
use super::largest::probability_of_largest;
use super::ofu_ecolog::ImplicitUpdate;
use crate::{Belief, Policy};

/// The policy `thompson`.
#[derive(Debug, Clone)]
pub struct ThompsonPolicy {
    nodes: usize,
    scale: f64,
    /// The means theta and the precisions W.
    estimates: Estimates,
    scores: Vec<f64>,
    /// Mean and deviation of each score in the last decision, in whole groups.
    means: Vec<f64>,
    deviations: Vec<f64>,
    /// The normal numbers of each node, slot by slot.
    streams: Vec<Stream>,
}

impl ThompsonPolicy {
    /// For `nodes` helper nodes with `features` features; `key` is its private randomness.
    pub fn new(parameters: &Thompson, nodes: usize, features: usize, key: &Key) -> ThompsonPolicy {
        let (mean, lambda) = Prior::start(parameters.prior.as_ref(), parameters.lambda);
        let whole = vec![0.0; nodes.next_multiple_of(LANES)];
        ThompsonPolicy {
            nodes,
            scale: parameters.scale,
            estimates: Estimates::new(nodes, features, mean, lambda),
            scores: whole.clone(),
            means: whole.clone(),
            deviations: whole,
            streams: (0..nodes as u64).map(|node| Stream::new(&key.child(node))).collect(),
        }
    }
}

impl Policy for ThompsonPolicy {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let (scale, means) = (self.scale, self.means.as_chunks_mut::<LANES>().0);
        self.estimates.score(contexts, &mut self.deviations, |group, sums| {
            means[group] = sums.product;
            std::array::from_fn(|lane| scale * sums.square[lane].max(0.0).sqrt())
        });
        for (node, stream) in self.streams.iter_mut().enumerate() {
            self.scores[node] = self.means[node] + self.deviations[node] * stream.normal(slot);
        }
        contexts.mask(&mut self.scores[..self.nodes]);
        contexts.mask(&mut self.means[..self.nodes]);
        argmax(self.scores())
    }

    fn learn(&mut self, _slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        self.estimates.update(contexts, node, ImplicitUpdate { bit });
    }

    /// The products with the drawn weights.
    fn scores(&self) -> &[f64] {
        &self.scores[..self.nodes]
    }

    fn belief(&self) -> Option<&dyn Belief> {
        Some(self)
    }

    /// To within 1e-9; some ten thousand values of the normal distribution function with ten nodes.
    fn propensity(&self, node: usize) -> Option<f64> {
        let (means, deviations) = (&self.means[..self.nodes], &self.deviations[..self.nodes]);
        Some(probability_of_largest(means, deviations, node))
    }
}

impl Belief for ThompsonPolicy {
    fn estimate(&self, node: usize, estimate: &mut [f64]) {
        self.estimates.read(node, estimate);
    }
}

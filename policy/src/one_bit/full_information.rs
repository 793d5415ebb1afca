//! Full information: learns the bits of all nodes in every slot and chooses what looks best. No
//! policy that sees one bit a slot can be expected to lose less: it is the floor.

use fogbit_scenario::contexts::LANES;
use fogbit_scenario::topology::{FullInformation, Prior};
use fogbit_scenario::{Bit, Contexts};

use super::argmax;
use super::estimates::Estimates;
use super::ofu_ecolog::ImplicitUpdate;
use crate::{Belief, Policy};

/// The policy `full-information`.
///
/// Whoever drives it calls [`learn`](Policy::learn) for every node that is present, in the order of
/// their numbers, in every slot, with the bit that the node would give: a right that no task node
/// has. [`build`](crate::build) therefore does not make it.
#[derive(Debug, Clone)]
pub struct FullInformationPolicy {
    nodes: usize,
    estimates: Estimates,
    scores: Vec<f64>,
}

impl FullInformationPolicy {
    /// For `nodes` helper nodes with `features` features.
    pub fn new(
        parameters: &FullInformation,
        nodes: usize,
        features: usize,
    ) -> FullInformationPolicy {
        let (mean, lambda) = Prior::start(parameters.prior.as_ref(), parameters.lambda);
        FullInformationPolicy {
            nodes,
            estimates: Estimates::new(nodes, features, mean, lambda),
            scores: vec![0.0; nodes.next_multiple_of(LANES)],
        }
    }
}

impl Policy for FullInformationPolicy {
    /// There is nothing to explore: no bonus.
    fn decide(&mut self, _slot: u64, contexts: &Contexts) -> usize {
        self.estimates.score(contexts, &mut self.scores, |_, sums| sums.product);
        contexts.mask(&mut self.scores[..self.nodes]);
        argmax(self.scores())
    }

    fn learn(&mut self, _slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        self.estimates.update(contexts, node, ImplicitUpdate { bit });
    }

    fn scores(&self) -> &[f64] {
        &self.scores[..self.nodes]
    }

    fn belief(&self) -> Option<&dyn Belief> {
        Some(self)
    }
}

impl Belief for FullInformationPolicy {
    fn estimate(&self, node: usize, estimate: &mut [f64]) {
        self.estimates.read(node, estimate);
    }
}

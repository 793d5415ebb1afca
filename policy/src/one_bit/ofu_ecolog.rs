//! ada-OFU-ECOLog, one estimate for each node (Faury, Abeille, Jun and Calauzènes, "Jointly
//! Efficient and Optimal Algorithms for Logistic Bandits", AISTATS 2022): the likelihood of the
//! newest bit is not linearised as in TOOF's step (8) but solved for, and W grows by the curvature
//! where the estimate is rather than by its worst case.

use fogbit_scenario::contexts::LANES;
use fogbit_scenario::topology::{OfuEcolog, Prior};
use fogbit_scenario::{Bit, Contexts};

use super::argmax;
use super::estimates::{Estimates, Node, Rule};
use super::gamma::Gamma;
use crate::{Belief, Policy};

/// The policy `ofu-ecolog`.
#[derive(Debug, Clone)]
pub struct OfuEcologPolicy {
    nodes: usize,
    gamma: Gamma,
    /// The estimates theta and the matrices W.
    estimates: Estimates,
    scores: Vec<f64>,
}

impl OfuEcologPolicy {
    /// For `nodes` helper nodes with `features` features.
    pub fn new(parameters: &OfuEcolog, nodes: usize, features: usize) -> OfuEcologPolicy {
        let (mean, lambda) = Prior::start(parameters.prior.as_ref(), parameters.lambda);
        OfuEcologPolicy {
            nodes,
            gamma: Gamma::new(&parameters.gamma, lambda, nodes, features),
            estimates: Estimates::new(nodes, features, mean, lambda),
            scores: vec![0.0; nodes.next_multiple_of(LANES)],
        }
    }
}

impl Policy for OfuEcologPolicy {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let gamma = self.gamma.shared(slot);
        self.estimates
            .score(contexts, &mut self.scores, |_, sums| sums.optimistic(gamma, [0.0; LANES]));
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

impl Belief for OfuEcologPolicy {
    fn estimate(&self, node: usize, estimate: &mut [f64]) {
        self.estimates.read(node, estimate);
    }
}

/// `theta <- argmin 1/2 ||v - theta||_W^2 + ln(1 + exp(-y x.v))`, projected on the unit ball in the
/// norm of W, then `W <- W + sigma'(x.theta) x x'`.
///
/// The minimiser is `theta + a W^-1 x`, so that a single number is to be found ([`step`]).
pub(super) struct ImplicitUpdate {
    pub(super) bit: Bit,
}

impl Rule for ImplicitUpdate {
    type Output = ();

    #[inline(always)]
    fn apply(self, node: &mut Node<'_>) {
        let a = step(node.product, node.square.max(0.0), f64::from(self.bit.sign()));
        node.shift(a);
        node.project();
        let p = 1.0 / (1.0 + libm::exp(-node.product_now()));
        node.grow(p * (1.0 - p));
    }
}

/// The root of `a = r - sigma(m + a k)`, with `r = (y + 1) / 2`, for `y` = 1 or -1 and `k >= 0`.
///
/// In `b = y a` it reads `b = sigma(-(y m + b k))`. The difference of both sides grows with b, and
/// the root lies between 0 and `sigma(-y m)`: Newton's method, halving the bracket instead wherever
/// a step would leave it.
pub(super) fn step(m: f64, k: f64, y: f64) -> f64 {
    let sigma = |z: f64| 1.0 / (1.0 + libm::exp(-z));
    let (mut low, mut high) = (0.0, sigma(-y * m));
    let mut b = high;
    // Newton needs 3 to 5 steps; a hundred halvings exhaust any bracket.
    for _ in 0..100 {
        let s = sigma(-(y * m + b * k));
        let error = b - s;
        if error > 0.0 {
            high = b
        } else {
            low = b
        }
        let newton = b - error / (1.0 + k * s * (1.0 - s));
        if (newton - b).abs() <= 2.0 * f64::EPSILON * b {
            break;
        }
        // Not onto the ends either, or two far steps could follow each other for ever.
        b = if low < newton && newton < high { newton } else { 0.5 * (low + high) };
    }
    y * b
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn the_step_solves_its_equation() {
        for m in [-700.0, -30.0, -1.0, -0.3, 0.0, 1e-9, 0.7, 1.0, 30.0, 700.0] {
            for k in [0.0, 1e-12, 0.01, 0.2, 1.0, 40.0, 1e4, 1e9] {
                for y in [-1.0, 1.0] {
                    let a = step(m, k, y);
                    let r = (y + 1.0) / 2.0;
                    // The residual divided by the slope is the distance from the root.
                    let s = 1.0 / (1.0 + libm::exp(-(m + a * k)));
                    let off = (a - r + s) / (1.0 + k * s * (1.0 - s));
                    assert!(off.abs() <= 1e-14, "m = {m}, k = {k}, y = {y}: {a}, off by {off:e}");
                }
            }
        }
    }
}

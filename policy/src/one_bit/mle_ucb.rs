//! The exact likelihood over the whole history of a node, equations (6) and (7), with the bonus of
//! TOOF: the yardstick for the sequential estimate.

use fogbit_scenario::contexts::LANES;
use fogbit_scenario::topology::{MleUcb, Prior};
use fogbit_scenario::{Bit, Contexts};

use super::argmax;
use super::estimates::{Estimates, Node, Rule};
use super::gamma::{Gamma, beta};
use super::projection::{Workspace, packed, packed_len, project, solve};
use crate::{Belief, Policy};

/// The policy `mle-ucb`. Memory grows with each bit, and the time for one with the bits so far.
#[derive(Debug, Clone)]
pub struct MleUcbPolicy {
    nodes: usize,
    gamma: Gamma,
    /// The estimates and the matrices Z of (9).
    estimates: Estimates,
    /// For each node the contexts of its bits, each multiplied by its bit y.
    histories: Vec<Vec<f64>>,
    likelihood: Likelihood,
    scores: Vec<f64>,
}

impl MleUcbPolicy {
    /// For `nodes` helper nodes with `features` features.
    pub fn new(parameters: &MleUcb, nodes: usize, features: usize) -> MleUcbPolicy {
        let (mean, lambda) = Prior::start(parameters.prior.as_ref(), parameters.lambda);
        MleUcbPolicy {
            nodes,
            gamma: Gamma::new(&parameters.gamma, lambda, nodes, features),
            estimates: Estimates::new(nodes, features, mean, lambda),
            histories: vec![Vec::new(); nodes],
            likelihood: Likelihood::new(features, mean, lambda),
            scores: vec![0.0; nodes.next_multiple_of(LANES)],
        }
    }
}

impl Policy for MleUcbPolicy {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let (gamma, shared) = (&self.gamma, self.gamma.shared(slot));
        self.estimates.score(contexts, &mut self.scores, |group, sums| {
            sums.optimistic(shared, gamma.own_lanes(slot, group))
        });
        contexts.mask(&mut self.scores[..self.nodes]);
        argmax(self.scores())
    }

    fn learn(&mut self, _slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        let history = &mut self.histories[node];
        let y = f64::from(bit.sign());
        history.extend(contexts.node(node).map(|value| y * value));
        let update = ExactUpdate { likelihood: &mut self.likelihood, history };
        let growth = self.estimates.update(contexts, node, update);
        self.gamma.grow(node, growth);
    }

    fn scores(&self) -> &[f64] {
        &self.scores[..self.nodes]
    }

    fn belief(&self) -> Option<&dyn Belief> {
        Some(self)
    }
}

impl Belief for MleUcbPolicy {
    fn estimate(&self, node: usize, estimate: &mut [f64]) {
        self.estimates.read(node, estimate);
    }
}

/// The estimate becomes the most likely one, and Z grows by (9). Gives the factor by which `det Z`
/// grows.
struct ExactUpdate<'p> {
    likelihood: &'p mut Likelihood,
    history: &'p [f64],
}

impl Rule for ExactUpdate<'_> {
    type Output = f64;

    fn apply(self, node: &mut Node<'_>) -> f64 {
        self.likelihood.maximise(self.history, node.u);
        node.grow(0.5 * beta())
    }
}

/// Once a step is this short, the next would be lost in rounding.
const SHORT: f64 = 1e-7;

/// The regularised likelihood of a history: what is minimised over the unit ball is
/// `sum ln(1 + exp(-y x.w)) + lambda/2 ||w - mean||^2`.
#[derive(Debug, Clone)]
struct Likelihood {
    mean: Vec<f64>,
    lambda: f64,
    gradient: Vec<f64>,
    /// Packed upper triangle.
    hessian: Vec<f64>,
    workspace: Workspace,
}

impl Likelihood {
    fn new(d: usize, mean: Option<&[f64]>, lambda: f64) -> Likelihood {
        Likelihood {
            mean: mean.map_or_else(|| vec![0.0; d], <[f64]>::to_vec),
            lambda,
            gradient: vec![0.0; d],
            hessian: vec![0.0; packed_len(d)],
            workspace: Workspace::new(d),
        }
    }

    /// Replaces `w`, a point of the unit ball, by the minimiser over the ball; `history` has the
    /// vectors y x, one after the other.
    ///
    /// Newton's method: each step goes to the minimum over the ball of the quadratic model, which is
    /// the projection of the free minimum in the norm of the Hessian H. With ‖x‖ <= 1 and ‖w‖ <= 1
    /// the curvature `sigma'` of each term lies between 0.1966 and 0.25, so any two Hessians differ
    /// by less than 28 %. The projection brings no two points further apart in the norm of H, so
    /// each step leaves at most 28 % of the error, from anywhere in the ball and without a search
    /// along the step; close to the minimum it converges quadratically.
    fn maximise(&mut self, history: &[f64], w: &mut [f64]) {
        for _ in 0..100 {
            match w.len() {
                5 => self.differentiate(5, history, w),
                d => self.differentiate(d, history, w),
            }
            let step = &mut self.gradient;
            solve(&self.hessian, step, &mut self.workspace);
            // The place to go to, and from there how far it is.
            for (value, w) in step.iter_mut().zip(w.iter()) {
                *value = w - *value;
            }
            project(&self.hessian, step, &mut self.workspace);
            let mut length = 0.0;
            for (w, next) in w.iter_mut().zip(step.iter()) {
                length += (next - *w) * (next - *w);
                *w = *next;
            }
            if length.sqrt() <= SHORT {
                break;
            }
        }
    }

    /// Gradient and Hessian at `w`.
    #[inline(always)]
    fn differentiate(&mut self, d: usize, history: &[f64], w: &[f64]) {
        let (gradient, hessian) = (&mut self.gradient[..d], &mut self.hessian[..packed_len(d)]);
        let w = &w[..d];
        hessian.fill(0.0);
        for i in 0..d {
            gradient[i] = self.lambda * (w[i] - self.mean[i]);
            hessian[packed(d, i, i)] = self.lambda;
        }
        for x in history.chunks_exact(d) {
            let mut product = 0.0;
            for i in 0..d {
                product += x[i] * w[i];
            }
            let miss = 1.0 / (1.0 + libm::exp(product));
            let curvature = miss * (1.0 - miss);
            for i in 0..d {
                gradient[i] -= miss * x[i];
                let scaled = curvature * x[i];
                for j in i..d {
                    hessian[packed(d, i, j)] += scaled * x[j];
                }
            }
        }
    }
}

//! TOOF that forgets: what was learnt long ago counts less and less, as in D-LinUCB (Russac, Vernade
//! and Cappé, "Weighted Linear Bandits for Non-Stationary Environments", NeurIPS 2019).
//!
//! The discount runs by the slot, not by the bit: weights change with time whoever is asked, and so
//! the bonus of a node that is not asked grows again. In slot t
//!
//! ```text
//! Z_t = lambda I + (beta/2) sum over bits s < t of discount^(t-1-s) x_s x_s'
//! ```
//!
//! which is `Z <- discount Z + (1 - discount) lambda I` in every slot, plus (9). The steps (8) then
//! never get smaller than the memory is long, and that is how the estimate forgets.

use fogbit_scenario::topology::{DiscountedToof, ExplorationWidth, Prior};
use fogbit_scenario::{Bit, Contexts};

use super::argmax;
use super::gamma::{Gamma, beta};
use super::projection::{Workspace, packed, packed_len, project, solve};
use crate::{Belief, Policy};

/// The policy `discounted-toof`.
#[derive(Debug, Clone)]
pub struct DiscountedToofPolicy {
    d: usize,
    discount: f64,
    lambda: f64,
    gamma: Gamma,
    nodes: Vec<Node>,
    scores: Vec<f64>,
    room: Room,
}

/// What is kept of a node.
#[derive(Debug, Clone)]
struct Node {
    w: Vec<f64>,
    /// `Z - lambda I` as it was right after `slot`: packed upper triangle.
    known: Vec<f64>,
    slot: u64,
}

/// Room for intermediate results.
#[derive(Debug, Clone)]
struct Room {
    /// Z, packed.
    z: Vec<f64>,
    x: Vec<f64>,
    step: Vec<f64>,
    workspace: Workspace,
}

impl DiscountedToofPolicy {
    /// For `nodes` helper nodes with `features` features.
    pub fn new(parameters: &DiscountedToof, nodes: usize, features: usize) -> DiscountedToofPolicy {
        let d = features;
        let (mean, lambda) = Prior::start(parameters.prior.as_ref(), parameters.lambda);
        let w = mean.map_or_else(|| vec![0.0; d], <[f64]>::to_vec);
        debug_assert!(matches!(parameters.gamma, ExplorationWidth::Tuned(_)), "validated");
        DiscountedToofPolicy {
            d,
            discount: parameters.discount,
            lambda,
            gamma: Gamma::new(&parameters.gamma, lambda, nodes, d),
            nodes: vec![Node { w, known: vec![0.0; packed_len(d)], slot: 0 }; nodes],
            scores: vec![0.0; nodes],
            room: Room {
                z: vec![0.0; packed_len(d)],
                x: vec![0.0; d],
                step: vec![0.0; d],
                workspace: Workspace::new(d),
            },
        }
    }
}

impl Room {
    /// Sets z to `lambda I + worth known`.
    fn set_z(&mut self, lambda: f64, worth: f64, known: &[f64]) {
        let d = self.x.len();
        for (z, known) in self.z.iter_mut().zip(known) {
            *z = worth * known;
        }
        for i in 0..d {
            self.z[packed(d, i, i)] += lambda;
        }
    }
}

impl Policy for DiscountedToofPolicy {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let (gamma, room) = (self.gamma.shared(slot), &mut self.room);
        for (number, (node, score)) in self.nodes.iter().zip(&mut self.scores).enumerate() {
            // A bit of a later slot can only have come before where slots are asked out of order.
            let age = (slot - 1).saturating_sub(node.slot);
            let worth = libm::pow(self.discount, age as f64);
            room.set_z(self.lambda, worth, &node.known);
            for (i, value) in contexts.node(number).take(self.d).enumerate() {
                room.x[i] = value;
            }
            room.step.copy_from_slice(&room.x);
            solve(&room.z, &mut room.step, &mut room.workspace);
            let (mut product, mut square) = (0.0, 0.0);
            for i in 0..self.d {
                product += room.x[i] * node.w[i];
                square += room.x[i] * room.step[i];
            }
            *score = product + (gamma * square.max(0.0)).sqrt();
        }
        contexts.mask(&mut self.scores);
        argmax(&self.scores)
    }

    fn learn(&mut self, slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        let (d, room) = (self.d, &mut self.room);
        for (i, value) in contexts.node(node).take(d).enumerate() {
            room.x[i] = value;
        }
        let node = &mut self.nodes[node];
        // A bit that comes late, after one of a later slot, is worth less already.
        let newest = slot.max(node.slot);
        let worth = libm::pow(self.discount, (newest - node.slot) as f64);
        let weight = 0.5 * beta() * libm::pow(self.discount, (newest - slot) as f64);
        for i in 0..d {
            for j in i..d {
                let known = &mut node.known[packed(d, i, j)];
                *known = worth * *known + weight * room.x[i] * room.x[j];
            }
        }
        node.slot = newest;
        room.set_z(self.lambda, 1.0, &node.known);
        room.step.copy_from_slice(&room.x);
        solve(&room.z, &mut room.step, &mut room.workspace);
        let product: f64 = room.x.iter().zip(&node.w).fold(0.0, |sum, (x, w)| sum + x * w);
        let y = f64::from(bit.sign());
        let length = y / (1.0 + libm::exp(y * product));
        for (w, step) in node.w.iter_mut().zip(&room.step) {
            *w += length * step;
        }
        project(&room.z, &mut node.w, &mut room.workspace);
    }

    fn scores(&self) -> &[f64] {
        &self.scores
    }

    fn belief(&self) -> Option<&dyn Belief> {
        Some(self)
    }
}

impl Belief for DiscountedToofPolicy {
    fn estimate(&self, node: usize, estimate: &mut [f64]) {
        estimate.copy_from_slice(&self.nodes[node].w);
    }
}

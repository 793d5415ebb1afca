//! TOOF, and Greedy as the paper words it: the same rule with a frozen Z.
//!
//! Equation numbers are those of "Online Optimal Task Offloading with One-Bit Feedback" (arXiv
//! 1806.10547). The text at hand has lost its formulas; they were recovered from it, from OL2M
//! (Zhang et al., ICML 2016), which it extends, and from its results (`docs/policies.md`).

use fogbit_scenario::contexts::LANES;
use fogbit_scenario::topology::SequentialMle;
use fogbit_scenario::{Bit, Contexts};

use super::argmax;
use super::gamma::{Gamma, beta};
use super::projection::{Workspace, packed, packed_len, project};
use crate::{Belief, Confidence, Policy};

/// The policies `toof` and `greedy`.
///
/// What all nodes are scored by lies in groups of [`LANES`] nodes, so that one instruction works
/// on several nodes; each node's sums still run in the order of the features.
#[derive(Debug, Clone)]
pub struct SequentialMlePolicy {
    nodes: usize,
    d: usize,
    lambda: f64,
    /// `greedy`: Z stays lambda I.
    frozen: bool,
    gamma: Gamma,
    /// `Z^-1`: for each group of nodes the packed upper triangle, LANES values an entry.
    z_inverse: Vec<f64>,
    /// `Z`: for each node the packed upper triangle. Kept beside its inverse because the
    /// projection needs it, and inverting back would lose digits.
    z: Vec<f64>,
    /// The estimates w: for each group of nodes d features, LANES values a feature.
    weights: Vec<f64>,
    scores: Vec<f64>,
    scratch: Scratch,
}

/// Room for one update.
#[derive(Debug, Clone)]
struct Scratch {
    x: Vec<f64>,
    zx: Vec<f64>,
    u: Vec<f64>,
    projection: Workspace,
}

impl SequentialMlePolicy {
    /// TOOF for `nodes` helper nodes with `features` features.
    pub fn toof(parameters: &SequentialMle, nodes: usize, features: usize) -> SequentialMlePolicy {
        SequentialMlePolicy::new(parameters, nodes, features, false)
    }

    /// Greedy: TOOF with Z frozen.
    pub fn greedy(
        parameters: &SequentialMle,
        nodes: usize,
        features: usize,
    ) -> SequentialMlePolicy {
        SequentialMlePolicy::new(parameters, nodes, features, true)
    }

    fn new(parameters: &SequentialMle, nodes: usize, d: usize, frozen: bool) -> Self {
        let (groups, entries) = (nodes.div_ceil(LANES), packed_len(d));
        let lambda = parameters.lambda;
        let mut z_inverse = vec![0.0; groups * entries * LANES];
        let mut z = vec![0.0; nodes * entries];
        for i in 0..d {
            let entry = packed(d, i, i);
            for group in 0..groups {
                z_inverse[(group * entries + entry) * LANES..][..LANES].fill(1.0 / lambda);
            }
            for node in 0..nodes {
                z[node * entries + entry] = lambda;
            }
        }
        SequentialMlePolicy {
            nodes,
            d,
            lambda,
            frozen,
            gamma: Gamma::new(&parameters.gamma, lambda, nodes, d),
            z_inverse,
            z,
            weights: vec![0.0; groups * d * LANES],
            scores: vec![0.0; groups * LANES],
            scratch: Scratch {
                x: vec![0.0; d],
                zx: vec![0.0; d],
                u: vec![0.0; d],
                projection: Workspace::new(d),
            },
        }
    }

    /// The scores (13) of one group of nodes: `x.w + sqrt(gamma) ||x||_{Z^-1}`.
    #[inline(always)]
    fn score_group(&mut self, d: usize, slot: u64, group: usize, shared: f64, x: &Contexts) {
        let entries = packed_len(d);
        let z_inverse = &self.z_inverse[group * entries * LANES..][..entries * LANES];
        let weights = &self.weights[group * d * LANES..][..d * LANES];
        let mut product = [0.0; LANES];
        let mut square = [0.0; LANES];
        for i in 0..d {
            let xi = x.lanes(i, group);
            let wi = &weights[i * LANES..][..LANES];
            // x' Z^-1 x = sum_i x_i (Z_ii x_i + 2 sum_{j>i} Z_ij x_j)
            let mut beyond = [0.0; LANES];
            for j in i + 1..d {
                let xj = x.lanes(j, group);
                let zij = &z_inverse[packed(d, i, j) * LANES..][..LANES];
                for lane in 0..LANES {
                    beyond[lane] += zij[lane] * xj[lane];
                }
            }
            let zii = &z_inverse[packed(d, i, i) * LANES..][..LANES];
            for lane in 0..LANES {
                product[lane] += xi[lane] * wi[lane];
                square[lane] += xi[lane] * (zii[lane] * xi[lane] + 2.0 * beyond[lane]);
            }
        }
        let scores = &mut self.scores[group * LANES..][..LANES];
        let own = |lane: usize| {
            let node = group * LANES + lane;
            if node < self.nodes { self.gamma.own(slot, node) } else { 0.0 }
        };
        for lane in 0..LANES {
            // Rounding can make a square of nearly 0 negative.
            scores[lane] = product[lane] + ((shared + own(lane)) * square[lane].max(0.0)).sqrt();
        }
    }

    /// Reads column `node` of the grouped array `values` into `out`.
    fn gather(values: &[f64], node: usize, out: &mut [f64]) {
        let rows = out.len();
        let first = node / LANES * rows * LANES + node % LANES;
        for (row, value) in out.iter_mut().enumerate() {
            *value = values[first + row * LANES];
        }
    }

    /// The update (8)-(9) of the chosen node.
    #[inline(always)]
    fn update(&mut self, d: usize, contexts: &Contexts, node: usize, bit: Bit) {
        let entries = packed_len(d);
        let (group, lane) = (node / LANES, node % LANES);
        let z_inverse = &mut self.z_inverse[group * entries * LANES..][..entries * LANES];
        let z = &mut self.z[node * entries..][..entries];
        let weights = &mut self.weights[group * d * LANES..][..d * LANES];
        let x = &mut self.scratch.x[..d];
        let zx = &mut self.scratch.zx[..d];
        let u = &mut self.scratch.u[..d];
        for i in 0..d {
            x[i] = contexts.get(node, i);
            u[i] = weights[i * LANES + lane];
        }
        let mut product = 0.0;
        let mut square = 0.0;
        for i in 0..d {
            let mut sum = 0.0;
            for j in 0..d {
                let entry = if i <= j { packed(d, i, j) } else { packed(d, j, i) };
                sum += z_inverse[entry * LANES + lane] * x[j];
            }
            zx[i] = sum;
            square += x[i] * sum;
            product += x[i] * u[i];
        }
        let mut shrink = 1.0;
        if !self.frozen {
            // (9): Z + (beta/2) x x', and its inverse by Sherman and Morrison.
            let half_beta = 0.5 * beta();
            let growth = 1.0 + half_beta * square;
            shrink = 1.0 / growth;
            let factor = half_beta * shrink;
            for i in 0..d {
                for j in i..d {
                    z[packed(d, i, j)] += half_beta * x[i] * x[j];
                    z_inverse[packed(d, i, j) * LANES + lane] -= factor * zx[i] * zx[j];
                }
            }
            self.gamma.grow(node, growth);
        }
        // -Z_{t+1}^-1 g with g = -y x / (1 + exp(y x.w)); Z_{t+1}^-1 x = Z_t^-1 x / growth.
        let y = f64::from(bit.sign());
        let step = y / (1.0 + libm::exp(y * product)) * shrink;
        for i in 0..d {
            u[i] += step * zx[i];
        }
        project(z, u, &mut self.scratch.projection);
        for i in 0..d {
            weights[i * LANES + lane] = u[i];
        }
    }
}

impl Policy for SequentialMlePolicy {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let shared = self.gamma.shared(slot);
        // With the dimension known the compiler unrolls every loop.
        for group in 0..self.nodes.div_ceil(LANES) {
            match self.d {
                5 => self.score_group(5, slot, group, shared, contexts),
                d => self.score_group(d, slot, group, shared, contexts),
            }
        }
        argmax(self.scores())
    }

    fn learn(&mut self, _slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        match self.d {
            5 => self.update(5, contexts, node, bit),
            d => self.update(d, contexts, node, bit),
        }
    }

    fn scores(&self) -> &[f64] {
        &self.scores[..self.nodes]
    }

    fn belief(&self) -> Option<&dyn Belief> {
        Some(self)
    }
}

impl Belief for SequentialMlePolicy {
    fn estimate(&self, node: usize, estimate: &mut [f64]) {
        SequentialMlePolicy::gather(&self.weights, node, estimate);
    }

    fn confidence(&self) -> Option<&dyn Confidence> {
        if self.frozen { None } else { Some(self) }
    }
}

impl Confidence for SequentialMlePolicy {
    fn squared_distance(&self, node: usize, truth: &[f64]) -> f64 {
        let (d, entries) = (self.d, packed_len(self.d));
        let z = &self.z[node * entries..][..entries];
        let first = node / LANES * d * LANES + node % LANES;
        let difference = |i: usize| self.weights[first + i * LANES] - truth[i];
        let mut sum = 0.0;
        for i in 0..d {
            let mut beyond = 0.0;
            for j in i + 1..d {
                beyond += z[packed(d, i, j)] * difference(j);
            }
            sum += difference(i) * (z[packed(d, i, i)] * difference(i) + 2.0 * beyond);
        }
        sum
    }

    fn covered(&self, slot: u64, squared_distances: &[f64]) -> usize {
        let shared = self.gamma.shared(slot);
        squared_distances
            .iter()
            .enumerate()
            .filter(|(node, distance)| **distance <= shared + self.gamma.own(slot, *node))
            .count()
    }

    fn average_regret_bound(&self, slots: u64) -> f64 {
        let shared = self.gamma.shared(slots);
        let gamma = (0..self.nodes).map(|n| shared + self.gamma.own(slots, n)).fold(0.0, f64::max);
        let (n, d, t, beta) = (self.nodes as f64, self.d as f64, slots as f64, beta());
        let log = libm::log(1.0 + beta * t / (2.0 * self.lambda * d));
        4.0 * libm::sqrt(n * d * gamma / (beta * t) * log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sherman and Morrison's updates lose a little each time: after many of them the kept inverse
    /// must still be the inverse of the kept Z.
    #[test]
    fn the_inverse_stays_the_inverse() {
        let (nodes, mut state) = (6, 1u64);
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        for d in [1, 2, 5, 8] {
            for lambda in [0.1, 1.0, 50.0] {
                let parameters = SequentialMle { lambda, ..SequentialMle::default() };
                let mut policy = SequentialMlePolicy::toof(&parameters, nodes, d);
                let mut contexts = Contexts::new(nodes, d);
                for slot in 1..=20_000 {
                    let node = slot as usize % nodes;
                    // Nearly the same direction again and again is what conditions Z worst.
                    for i in 0..d {
                        let narrow = if slot % 100 == 0 { uniform() } else { 1e-3 * uniform() };
                        contexts.set(node, i, if i == 0 { 0.7 } else { narrow / d as f64 });
                    }
                    let bit = if uniform() < 0.5 { Bit::Happy } else { Bit::Unhappy };
                    policy.learn(slot, &contexts, node, bit);
                }
                for node in 0..nodes {
                    let worst = distance_from_identity(&policy, node);
                    assert!(worst < 1e-9, "d = {d}, lambda = {lambda}: {worst:e}");
                }
            }
        }
    }

    fn distance_from_identity(policy: &SequentialMlePolicy, node: usize) -> f64 {
        let (d, entries) = (policy.d, packed_len(policy.d));
        let mut inverse = vec![0.0; entries];
        SequentialMlePolicy::gather(&policy.z_inverse, node, &mut inverse);
        let z = &policy.z[node * entries..][..entries];
        let mut worst: f64 = 0.0;
        for i in 0..d {
            for j in 0..d {
                let product: f64 = (0..d)
                    .map(|k| {
                        inverse[packed(d, i.min(k), i.max(k))] * z[packed(d, k.min(j), k.max(j))]
                    })
                    .sum();
                worst = worst.max((product - f64::from(u8::from(i == j))).abs());
            }
        }
        worst
    }
}

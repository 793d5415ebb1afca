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
    /// `Z^-1`: for each group of nodes the packed upper triangle.
    z_inverse: Vec<[f64; LANES]>,
    /// `Z`: for each node the packed upper triangle. Kept beside its inverse because the
    /// projection needs it, and inverting back would lose digits.
    z: Vec<f64>,
    /// The estimates w: for each group of nodes d features.
    weights: Vec<[f64; LANES]>,
    /// In whole groups; what lies beyond the last node means nothing.
    scores: Vec<f64>,
    /// Room for three vectors of d values in an update.
    room: Vec<f64>,
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
        let mut z_inverse = vec![[0.0; LANES]; groups * entries];
        let mut z = vec![0.0; nodes * entries];
        for i in 0..d {
            let entry = packed(d, i, i);
            for group in 0..groups {
                z_inverse[group * entries + entry] = [1.0 / lambda; LANES];
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
            weights: vec![[0.0; LANES]; groups * d],
            scores: vec![0.0; groups * LANES],
            room: vec![0.0; 3 * d],
            projection: Workspace::new(d),
        }
    }

    /// Reads column `node` of the grouped array `values` into `out`.
    fn gather(values: &[[f64; LANES]], node: usize, out: &mut [f64]) {
        let first = node / LANES * out.len();
        for (value, row) in out.iter_mut().zip(&values[first..]) {
            *value = row[node % LANES];
        }
    }

    /// The update (8)-(9) of the chosen node; `x`, `zx` and `u` are room for d values each.
    #[inline(always)]
    fn update(&mut self, [x, zx, u]: [&mut [f64]; 3], contexts: &Contexts, node: usize, bit: Bit) {
        let d = x.len();
        let entries = packed_len(d);
        let (group, lane) = (node / LANES, node % LANES);
        let z_inverse = &mut self.z_inverse[group * entries..][..entries];
        let z = &mut self.z[node * entries..][..entries];
        let weights = &mut self.weights[group * d..][..d];
        for i in 0..d {
            x[i] = contexts.get(node, i);
            u[i] = weights[i][lane];
        }
        let mut product = 0.0;
        let mut square = 0.0;
        for i in 0..d {
            let mut sum = 0.0;
            for j in 0..d {
                sum += z_inverse[packed(d, i.min(j), i.max(j))][lane] * x[j];
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
                    z_inverse[packed(d, i, j)][lane] -= factor * zx[i] * zx[j];
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
        project(z, u, &mut self.projection);
        for i in 0..d {
            weights[i][lane] = u[i];
        }
    }
}

/// The sums behind the scores (13) of one group of nodes: `x.w` and `||x||^2_{Z^-1}`.
#[derive(Default)]
struct Sums {
    product: [f64; LANES],
    square: [f64; LANES],
}

impl Sums {
    /// For any number of features.
    fn of(z_inverse: &[[f64; LANES]], w: &[[f64; LANES]], x: &Contexts, group: usize) -> Sums {
        let mut sums = Sums::default();
        for i in 0..w.len() {
            sums.add(w.len(), i, z_inverse, w, |j| x.lanes(j, group));
        }
        sums
    }

    /// For five features, without a loop or a check of an index: the same sums in a third of the
    /// time.
    fn of_five(z_inverse: &[[f64; LANES]], w: &[[f64; LANES]], x: &Contexts, group: usize) -> Sums {
        let z_inverse: &[_; packed_len(5)] = z_inverse.try_into().expect("a packed triangle");
        let w: &[_; 5] = w.try_into().expect("five weights");
        let rows: [&[f64; LANES]; 5] = std::array::from_fn(|j| x.lanes(j, group));
        let mut sums = Sums::default();
        sums.add(5, 0, z_inverse, w, |j| rows[j]);
        sums.add(5, 1, z_inverse, w, |j| rows[j]);
        sums.add(5, 2, z_inverse, w, |j| rows[j]);
        sums.add(5, 3, z_inverse, w, |j| rows[j]);
        sums.add(5, 4, z_inverse, w, |j| rows[j]);
        sums
    }

    /// Adds what belongs to feature `i`, by `x' Z^-1 x = sum_i x_i (Z_ii x_i + 2 sum_{j>i} Z_ij x_j)`.
    #[inline(always)]
    fn add<'x>(
        &mut self,
        d: usize,
        i: usize,
        z_inverse: &[[f64; LANES]],
        w: &[[f64; LANES]],
        x: impl Fn(usize) -> &'x [f64; LANES],
    ) {
        let (xi, wi, zii) = (x(i), &w[i], &z_inverse[packed(d, i, i)]);
        let mut beyond = [0.0; LANES];
        for j in i + 1..d {
            let (xj, zij) = (x(j), &z_inverse[packed(d, i, j)]);
            for lane in 0..LANES {
                beyond[lane] += zij[lane] * xj[lane];
            }
        }
        for lane in 0..LANES {
            self.product[lane] += xi[lane] * wi[lane];
            self.square[lane] += xi[lane] * (zii[lane] * xi[lane] + 2.0 * beyond[lane]);
        }
    }
}

impl Policy for SequentialMlePolicy {
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize {
        let shared = self.gamma.shared(slot);
        let d = self.d;
        let z_inverses = self.z_inverse.chunks_exact(packed_len(d));
        let nodes = z_inverses.zip(self.weights.chunks_exact(d));
        let scores = self.scores.chunks_exact_mut(LANES);
        for (group, ((z_inverse, w), scores)) in nodes.zip(scores).enumerate() {
            let Sums { product, square } = match d {
                5 => Sums::of_five(z_inverse, w, contexts, group),
                _ => Sums::of(z_inverse, w, contexts, group),
            };
            let own = self.gamma.own_lanes(slot, group);
            for lane in 0..LANES {
                // Rounding can make a square of nearly 0 negative.
                let radius = (shared + own[lane]) * square[lane].max(0.0);
                scores[lane] = product[lane] + radius.sqrt();
            }
        }
        contexts.mask(&mut self.scores[..self.nodes]);
        argmax(self.scores())
    }

    fn learn(&mut self, _slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        // With the dimension known the compiler unrolls every loop.
        if self.d == 5 {
            let [mut x, mut zx, mut u] = [[0.0; 5]; 3];
            self.update([&mut x, &mut zx, &mut u], contexts, node, bit);
        } else {
            let mut room = std::mem::take(&mut self.room);
            let (x, rest) = room.split_at_mut(self.d);
            let (zx, u) = rest.split_at_mut(self.d);
            self.update([x, zx, u], contexts, node, bit);
            self.room = room;
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
        let weights = &self.weights[node / LANES * d..][..d];
        let difference = |i: usize| weights[i][node % LANES] - truth[i];
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

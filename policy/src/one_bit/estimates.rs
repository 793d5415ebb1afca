//! What the policies that estimate weights keep of each node: an estimate, a positive definite
//! matrix M, and the inverse of M.

use fogbit_scenario::Contexts;
use fogbit_scenario::contexts::LANES;

use super::projection::{Workspace, packed, packed_len, project};

/// The estimates and matrices of all nodes.
///
/// What all nodes are scored by lies in groups of [`LANES`] nodes, so that one instruction works
/// on several nodes; each node's sums still run in the order of the features.
#[derive(Debug, Clone)]
pub(crate) struct Estimates {
    d: usize,
    /// `M^-1`: for each group of nodes the packed upper triangle.
    inverse: Vec<[f64; LANES]>,
    /// `M`: for each node the packed upper triangle. Kept beside its inverse because the
    /// projection needs it, and inverting back would lose digits.
    matrix: Vec<f64>,
    /// The estimates: for each group of nodes d features.
    weights: Vec<[f64; LANES]>,
    /// Room for three vectors of d values in an update.
    room: Vec<f64>,
    projection: Workspace,
}

impl Estimates {
    /// For `nodes` nodes with `d` features: the estimates start at `mean`, or 0, and M at `strength`
    /// times the identity.
    pub(crate) fn new(nodes: usize, d: usize, mean: Option<&[f64]>, strength: f64) -> Estimates {
        let (groups, entries) = (nodes.div_ceil(LANES), packed_len(d));
        let mut inverse = vec![[0.0; LANES]; groups * entries];
        let mut matrix = vec![0.0; nodes * entries];
        for i in 0..d {
            let entry = packed(d, i, i);
            for group in 0..groups {
                inverse[group * entries + entry] = [1.0 / strength; LANES];
            }
            for node in 0..nodes {
                matrix[node * entries + entry] = strength;
            }
        }
        let mut weights = vec![[0.0; LANES]; groups * d];
        for group in weights.chunks_exact_mut(d) {
            for (weight, value) in group.iter_mut().zip(mean.unwrap_or_default()) {
                *weight = [*value; LANES];
            }
        }
        let room = vec![0.0; 3 * d];
        Estimates { d, inverse, matrix, weights, room, projection: Workspace::new(d) }
    }

    /// Fills `scores`, in whole groups of nodes, with what `rule` makes of the number of a group
    /// and its sums.
    #[inline(always)]
    pub(crate) fn score(
        &self,
        contexts: &Contexts,
        scores: &mut [f64],
        rule: impl FnMut(usize, Sums) -> [f64; LANES],
    ) {
        // One loop for each, so that the sums of five features stay in registers.
        match self.d {
            5 => self.score_by(scores, rule, |inverse, w, group| {
                Sums::of_five(inverse, w, contexts, group)
            }),
            _ => self
                .score_by(scores, rule, |inverse, w, group| Sums::of(inverse, w, contexts, group)),
        }
    }

    #[inline(always)]
    fn score_by(
        &self,
        scores: &mut [f64],
        mut rule: impl FnMut(usize, Sums) -> [f64; LANES],
        sums: impl Fn(&[[f64; LANES]], &[[f64; LANES]], usize) -> Sums,
    ) {
        let inverses = self.inverse.chunks_exact(packed_len(self.d));
        let nodes = inverses.zip(self.weights.chunks_exact(self.d));
        let groups = scores.as_chunks_mut::<LANES>().0;
        for (group, ((inverse, w), scores)) in nodes.zip(groups).enumerate() {
            *scores = rule(group, sums(inverse, w, group));
        }
    }

    /// Changes what is kept of `node` by `rule`.
    #[inline(always)]
    pub(crate) fn update<R: Rule>(
        &mut self,
        contexts: &Contexts,
        node: usize,
        rule: R,
    ) -> R::Output {
        // With the dimension known the compiler unrolls every loop.
        if self.d == 5 {
            let [mut x, mut mx, mut u] = [[0.0; 5]; 3];
            self.update_in([&mut x, &mut mx, &mut u], contexts, node, rule)
        } else {
            let mut room = std::mem::take(&mut self.room);
            let (x, rest) = room.split_at_mut(self.d);
            let (mx, u) = rest.split_at_mut(self.d);
            let result = self.update_in([x, mx, u], contexts, node, rule);
            self.room = room;
            result
        }
    }

    #[inline(always)]
    fn update_in<R: Rule>(
        &mut self,
        [x, mx, u]: [&mut [f64]; 3],
        contexts: &Contexts,
        node: usize,
        rule: R,
    ) -> R::Output {
        let d = x.len();
        let entries = packed_len(d);
        let (group, lane) = (node / LANES, node % LANES);
        let inverse = &mut self.inverse[group * entries..][..entries];
        let matrix = &mut self.matrix[node * entries..][..entries];
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
                sum += inverse[packed(d, i.min(j), i.max(j))][lane] * x[j];
            }
            mx[i] = sum;
            square += x[i] * sum;
            product += x[i] * u[i];
        }
        let projection = &mut self.projection;
        let mut node = Node { x, mx, u, product, square, matrix, inverse, lane, projection };
        let result = rule.apply(&mut node);
        for (weight, value) in weights.iter_mut().zip(node.u.iter()) {
            weight[lane] = *value;
        }
        result
    }

    /// Writes the estimate of `node` into `estimate`.
    pub(crate) fn read(&self, node: usize, estimate: &mut [f64]) {
        gather(&self.weights, node, estimate);
    }

    /// The packed upper triangle of the M of `node`.
    pub(crate) fn matrix(&self, node: usize) -> &[f64] {
        &self.matrix[node * packed_len(self.d)..][..packed_len(self.d)]
    }

    /// `(estimate - truth)' M (estimate - truth)` of `node`.
    pub(crate) fn squared_distance(&self, node: usize, truth: &[f64]) -> f64 {
        let (d, matrix) = (self.d, self.matrix(node));
        let weights = &self.weights[node / LANES * d..][..d];
        let difference = |i: usize| weights[i][node % LANES] - truth[i];
        let mut sum = 0.0;
        for i in 0..d {
            let mut beyond = 0.0;
            for j in i + 1..d {
                beyond += matrix[packed(d, i, j)] * difference(j);
            }
            sum += difference(i) * (matrix[packed(d, i, i)] * difference(i) + 2.0 * beyond);
        }
        sum
    }
}

/// Reads column `node` of the grouped array `values` into `out`.
fn gather(values: &[[f64; LANES]], node: usize, out: &mut [f64]) {
    let first = node / LANES * out.len();
    for (value, row) in out.iter_mut().zip(&values[first..]) {
        *value = row[node % LANES];
    }
}

/// How a node learns. A trait and not a closure, whose inlining cannot be asked for: without it the
/// known dimension would be lost on the way.
pub(crate) trait Rule {
    /// What there is to say about the update.
    type Output;

    /// Changes what is kept of `node`; to be marked `#[inline(always)]`.
    fn apply(self, node: &mut Node<'_>) -> Self::Output;
}

/// One node while it learns: its context x and what is kept of it.
pub(crate) struct Node<'e> {
    x: &'e mut [f64],
    /// `M^-1 x` by the M from before the update.
    mx: &'e mut [f64],
    /// The estimate.
    pub(crate) u: &'e mut [f64],
    /// `x.w` by the estimate from before the update.
    pub(crate) product: f64,
    /// `x' M^-1 x` by the M from before the update.
    pub(crate) square: f64,
    matrix: &'e mut [f64],
    inverse: &'e mut [[f64; LANES]],
    lane: usize,
    projection: &'e mut Workspace,
}

impl Node<'_> {
    /// Adds `weight x x'` to M, once in an update, and to its inverse by Sherman and Morrison. Gives
    /// the factor by which `det M` grows; the new `M^-1 x` is the old one divided by it.
    #[inline(always)]
    pub(crate) fn grow(&mut self, weight: f64) -> f64 {
        let d = self.x.len();
        let growth = 1.0 + weight * self.square;
        let factor = weight * (1.0 / growth);
        for i in 0..d {
            for j in i..d {
                self.matrix[packed(d, i, j)] += weight * self.x[i] * self.x[j];
                self.inverse[packed(d, i, j)][self.lane] -= factor * self.mx[i] * self.mx[j];
            }
        }
        growth
    }

    /// Moves the estimate by `step M^-1 x`, with the M from before the update.
    #[inline(always)]
    pub(crate) fn shift(&mut self, step: f64) {
        for i in 0..self.x.len() {
            self.u[i] += step * self.mx[i];
        }
    }

    /// Projects the estimate on the unit ball in the norm of M as it is now.
    #[inline(always)]
    pub(crate) fn project(&mut self) {
        // Mostly it lies inside, which is seen here without a call.
        let mut norm_square = 0.0;
        for value in self.u.iter() {
            norm_square += value * value;
        }
        if norm_square > 1.0 {
            project(self.matrix, self.u, self.projection);
        }
    }

    /// `x.w` by the estimate as it is now.
    #[inline(always)]
    pub(crate) fn product_now(&self) -> f64 {
        let mut product = 0.0;
        for i in 0..self.x.len() {
            product += self.x[i] * self.u[i];
        }
        product
    }
}

/// The sums behind the scores of one group of nodes: `x.w` and `||x||^2_{M^-1}`.
#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) product: [f64; LANES],
    pub(crate) square: [f64; LANES],
}

impl Sums {
    /// The scores (13) by the squared radius gamma that all nodes share, and what is each node's own.
    #[inline(always)]
    pub(crate) fn optimistic(&self, shared: f64, own: [f64; LANES]) -> [f64; LANES] {
        let mut scores = [0.0; LANES];
        // A plain loop: the compiler makes one square root of four, which it does not of `from_fn`.
        for lane in 0..LANES {
            // Rounding can make a square of nearly 0 negative.
            let radius = (shared + own[lane]) * self.square[lane].max(0.0);
            scores[lane] = self.product[lane] + radius.sqrt();
        }
        scores
    }

    /// For any number of features.
    fn of(inverse: &[[f64; LANES]], w: &[[f64; LANES]], x: &Contexts, group: usize) -> Sums {
        let mut sums = Sums::default();
        for i in 0..w.len() {
            sums.add(w.len(), i, inverse, w, |j| x.lanes(j, group));
        }
        sums
    }

    /// For five features, without a loop or a check of an index: the same sums in a third of the
    /// time.
    #[inline(always)]
    fn of_five(inverse: &[[f64; LANES]], w: &[[f64; LANES]], x: &Contexts, group: usize) -> Sums {
        let inverse: &[_; packed_len(5)] = inverse.try_into().expect("a packed triangle");
        let w: &[_; 5] = w.try_into().expect("five weights");
        let rows: [&[f64; LANES]; 5] = std::array::from_fn(|j| x.lanes(j, group));
        let mut sums = Sums::default();
        sums.add(5, 0, inverse, w, |j| rows[j]);
        sums.add(5, 1, inverse, w, |j| rows[j]);
        sums.add(5, 2, inverse, w, |j| rows[j]);
        sums.add(5, 3, inverse, w, |j| rows[j]);
        sums.add(5, 4, inverse, w, |j| rows[j]);
        sums
    }

    /// Adds what belongs to feature `i`, by `x' M^-1 x = sum_i x_i (M^-1_ii x_i + 2 sum_{j>i} M^-1_ij x_j)`.
    #[inline(always)]
    fn add<'x>(
        &mut self,
        d: usize,
        i: usize,
        inverse: &[[f64; LANES]],
        w: &[[f64; LANES]],
        x: impl Fn(usize) -> &'x [f64; LANES],
    ) {
        let (xi, wi, mii) = (x(i), &w[i], &inverse[packed(d, i, i)]);
        let mut beyond = [0.0; LANES];
        for j in i + 1..d {
            let (xj, mij) = (x(j), &inverse[packed(d, i, j)]);
            for lane in 0..LANES {
                beyond[lane] += mij[lane] * xj[lane];
            }
        }
        for lane in 0..LANES {
            self.product[lane] += xi[lane] * wi[lane];
            self.square[lane] += xi[lane] * (mii[lane] * xi[lane] + 2.0 * beyond[lane]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Grow;

    impl Rule for Grow {
        type Output = f64;

        fn apply(self, node: &mut Node<'_>) -> f64 {
            node.grow(0.0672)
        }
    }

    /// Sherman and Morrison's updates lose a little each time: after many of them the kept inverse
    /// must still be the inverse of the kept M.
    #[test]
    fn the_inverse_stays_the_inverse() {
        let (nodes, mut state) = (6, 1u64);
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        for d in [1, 2, 5, 8] {
            for strength in [0.1, 1.0, 50.0] {
                let mut estimates = Estimates::new(nodes, d, None, strength);
                let mut contexts = Contexts::new(nodes, d);
                for slot in 1..=20_000 {
                    let node = slot % nodes;
                    // Nearly the same direction again and again is what conditions M worst.
                    for i in 0..d {
                        let narrow = if slot % 100 == 0 { uniform() } else { 1e-3 * uniform() };
                        contexts.set(node, i, if i == 0 { 0.7 } else { narrow / d as f64 });
                    }
                    estimates.update(&contexts, node, Grow);
                }
                for node in 0..nodes {
                    let worst = distance_from_identity(&estimates, node);
                    assert!(worst < 1e-9, "d = {d}, strength = {strength}: {worst:e}");
                }
            }
        }
    }

    fn distance_from_identity(estimates: &Estimates, node: usize) -> f64 {
        let d = estimates.d;
        let mut inverse = vec![0.0; packed_len(d)];
        gather(&estimates.inverse, node, &mut inverse);
        let m = estimates.matrix(node);
        let mut worst: f64 = 0.0;
        for i in 0..d {
            for j in 0..d {
                let product: f64 = (0..d)
                    .map(|k| {
                        inverse[packed(d, i.min(k), i.max(k))] * m[packed(d, k.min(j), k.max(j))]
                    })
                    .sum();
                worst = worst.max((product - f64::from(u8::from(i == j))).abs());
            }
        }
        worst
    }
}

//! What a task node sees in one slot.

use xxhash_rust::xxh3::Xxh3;

/// The feature vectors x of all helper nodes in one slot: `features` rows of `nodes` values.
///
/// Stored feature by feature, so that a policy can go through [`LANES`] nodes side by side; every
/// sum over features runs in the order of the features (`docs/determinism.md`).
#[derive(Debug, Clone, PartialEq)]
pub struct Contexts {
    nodes: usize,
    features: usize,
    /// Length of a row: `nodes` rounded up to whole groups of [`LANES`]; the rest stays 0.
    stride: usize,
    values: Vec<f64>,
    /// Node after node, whether it cannot be chosen.
    absent: Vec<bool>,
    absentees: usize,
}

/// How many nodes [`Contexts::lanes`] gives at once.
pub const LANES: usize = 4;

impl Contexts {
    /// All zeros, for `nodes` helper nodes with `features` features each.
    pub fn new(nodes: usize, features: usize) -> Contexts {
        let stride = nodes.next_multiple_of(LANES);
        let (values, absent) = (vec![0.0; stride * features], vec![false; nodes]);
        Contexts { nodes, features, stride, values, absent, absentees: 0 }
    }

    /// Number of helper nodes N.
    #[inline]
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Number of features d.
    #[inline]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Says whether `node` is there; at first all are.
    pub fn set_present(&mut self, node: usize, present: bool) {
        if self.absent[node] == present {
            self.absent[node] = !present;
            self.absentees = if present { self.absentees - 1 } else { self.absentees + 1 };
        }
    }

    /// Whether `node` is there. One that is not may not be chosen, and its features say nothing.
    #[inline]
    pub fn is_present(&self, node: usize) -> bool {
        !self.absent[node]
    }

    /// How many nodes are there.
    #[inline]
    pub fn present(&self) -> usize {
        self.nodes - self.absentees
    }

    /// Gives the absent nodes the lowest of all `scores`, of which there is one for each node.
    #[inline]
    pub fn mask(&self, scores: &mut [f64]) {
        if self.absentees > 0 {
            for (score, absent) in scores.iter_mut().zip(&self.absent) {
                *score = if *absent { f64::NEG_INFINITY } else { *score };
            }
        }
    }

    /// Feature `feature` of all nodes.
    #[inline]
    pub fn row(&self, feature: usize) -> &[f64] {
        &self.values[feature * self.stride..][..self.nodes]
    }

    /// Feature `feature` of the nodes from `LANES * group` on; 0 beyond the last node.
    #[inline]
    pub fn lanes(&self, feature: usize, group: usize) -> &[f64; LANES] {
        let first = feature * self.stride + group * LANES;
        self.values[first..first + LANES].try_into().expect("a row is made of whole groups")
    }

    /// Feature `feature` of node `node`.
    #[inline]
    pub fn get(&self, node: usize, feature: usize) -> f64 {
        self.values[feature * self.stride + node]
    }

    /// Sets feature `feature` of node `node`.
    #[inline]
    pub fn set(&mut self, node: usize, feature: usize, value: f64) {
        self.values[feature * self.stride + node] = value;
    }

    /// Sets the first features of all nodes to those of the task.
    #[inline]
    pub fn set_task(&mut self, task: &[f64]) {
        for (feature, value) in task.iter().enumerate() {
            self.values[feature * self.stride..][..self.nodes].fill(*value);
        }
    }

    /// Sets the last features of `node` to those of its state.
    #[inline]
    pub fn set_state(&mut self, node: usize, state: &[f64]) {
        let first = self.features - state.len();
        for (index, value) in state.iter().enumerate() {
            self.values[(first + index) * self.stride + node] = *value;
        }
    }

    /// The feature vector of `node`.
    #[inline]
    pub fn node(&self, node: usize) -> impl Iterator<Item = f64> + '_ {
        debug_assert!(node < self.nodes);
        self.values.iter().skip(node).step_by(self.stride).copied()
    }

    /// The product x.w of `node`, summed in the order of the features.
    #[inline]
    pub fn dot(&self, node: usize, weights: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (feature, weight) in weights.iter().enumerate() {
            sum += self.get(node, feature) * weight;
        }
        sum
    }
}

/// A running 64-bit digest (XXH3) of the contexts of a trial, by which the ledger knows that the
/// task node saw what it replays.
#[derive(Clone)]
pub struct ContextDigest {
    hash: Box<Xxh3>,
    bytes: Vec<u8>,
}

impl ContextDigest {
    /// The digest of nothing.
    pub fn new() -> ContextDigest {
        ContextDigest { hash: Box::new(Xxh3::new()), bytes: Vec::new() }
    }

    /// Adds the contexts of one slot.
    pub fn add(&mut self, contexts: &Contexts) {
        self.bytes.clear();
        for feature in 0..contexts.features {
            self.bytes.extend(contexts.row(feature).iter().flat_map(|value| value.to_le_bytes()));
        }
        self.hash.update(&self.bytes);
    }

    /// The digest of all contexts so far.
    pub fn value(&self) -> u64 {
        self.hash.digest()
    }
}

impl Default for ContextDigest {
    fn default() -> ContextDigest {
        ContextDigest::new()
    }
}

impl std::fmt::Debug for ContextDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContextDigest({:016x})", self.value())
    }
}

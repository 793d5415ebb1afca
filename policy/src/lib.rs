//! The policies of Fogbit: whom to send the next task to.
//!
//! A policy sees what a task node can see and nothing else: the contexts of the slot, and the bit
//! of the node it chose. Everything here is pure: no clock, no network, no global randomness; the
//! same calls give the same choices, bit for bit.
//!
//! How to add one is in `docs/architecture.md`.

pub mod cascade;
pub mod one_bit;
pub mod pipeline;
pub mod placement;

use fogbit_scenario::draw::Key;
use fogbit_scenario::topology::PolicySpec;
use fogbit_scenario::{Bit, Contexts};

use one_bit::{
    DiscountedToofPolicy, EpsilonGreedyPolicy, LinUcbPolicy, MleUcbPolicy, OfuEcologPolicy, Random,
    RoundRobin, SequentialMlePolicy, ThompsonPolicy,
};

/// A policy for the problem `one-bit`.
pub trait Policy: Send + Sync {
    /// Chooses the node (from 0) for the task of `slot` (from 1), among those that are present: at
    /// least one is. Called at most once a slot, in order. Nodes are absent where events say so, on
    /// every backend and with either clock; in real time they are lost too, and slots in which
    /// nobody is present are missing.
    fn decide(&mut self, slot: u64, contexts: &Contexts) -> usize;

    /// Learns the bit that `node` gave in `slot`; `contexts` are those of that slot's decision.
    /// Not called where there was no bit. Other slots may have been decided since: bits are late by
    /// `feedback.delay_slots`, on every backend and with either clock, and in real time, where the bit
    /// of a later slot may also be learnt before.
    fn learn(&mut self, slot: u64, contexts: &Contexts, node: usize, bit: Bit);

    /// The scores behind the last decision, one for each node. The chosen node has the largest; of
    /// equal ones it is the lowest number. Where scores did not decide, the score says what did: a
    /// policy that draws a node, or whose nodes take turns, gives that node a score above all others
    /// (2 in `epsilon-greedy`, 1 beside 0 in `random` and `round-robin`).
    fn scores(&self) -> &[f64];

    /// The probability with which the last decision would have chosen `node`, over the policy's own
    /// randomness, given everything learnt before; `None` from a policy that draws nothing. Over all
    /// nodes it sums to 1, and it is 0 for nodes that were absent. It is computed when asked for.
    fn propensity(&self, _node: usize) -> Option<f64> {
        None
    }

    /// What the policy believes about the hidden weights, if it estimates them.
    fn belief(&self) -> Option<&dyn Belief> {
        None
    }
}

/// What a policy that estimates weights believes, to be compared with the truth by somebody who
/// knows it.
pub trait Belief {
    /// Writes the estimate of the weights of `node` (d values) into `estimate`.
    fn estimate(&self, node: usize, estimate: &mut [f64]);

    /// The confidence region, if the policy has one that is meant to contain the truth.
    fn confidence(&self) -> Option<&dyn Confidence> {
        None
    }
}

/// A confidence region `||w - estimate||^2_Z <= gamma`, equation (12) of arXiv 1806.10547.
pub trait Confidence {
    /// The left side for the weights `truth` of `node`: dimensionless.
    fn squared_distance(&self, node: usize, truth: &[f64]) -> f64;

    /// How many nodes' squared distances are at most the right side gamma of `slot`, once
    /// everything before that slot is learnt.
    fn covered(&self, slot: u64, squared_distances: &[f64]) -> usize;

    /// The right side of (19): what the average linear regret of `slots` slots stays below, with
    /// the probability of the region.
    fn average_regret_bound(&self, slots: u64) -> f64;
}

/// One policy in `fogbit policy list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The value of `kind`.
    pub kind: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Its parameters with their defaults.
    pub parameters: &'static str,
}

const SEQUENTIAL: &str = "lambda = 1, gamma = { kind = \"tuned\", c = 0.03 } \
                          or { kind = \"paper-eq15\", delta = 0.05 }, prior";

/// Every policy there is.
pub const CATALOGUE: &[Entry] = &[
    Entry {
        kind: "toof",
        summary: "sequential maximum likelihood with an upper confidence bound (arXiv 1806.10547)",
        parameters: SEQUENTIAL,
    },
    Entry {
        kind: "greedy",
        summary: "toof with Z frozen at lambda times the identity",
        parameters: SEQUENTIAL,
    },
    Entry { kind: "round-robin", summary: "the nodes in cyclic order", parameters: "" },
    Entry { kind: "random", summary: "a node at random, uniformly", parameters: "" },
    Entry {
        kind: "optimal",
        summary: "the best node by the hidden weights, which it is told: the zero of regret",
        parameters: "",
    },
    Entry {
        kind: "ofu-ecolog",
        summary: "an implicit step for each bit, with the local curvature (Faury et al. 2022)",
        parameters: "lambda = 5, gamma = { kind = \"tuned\", c = 0.03 }, prior",
    },
    Entry {
        kind: "thompson",
        summary: "Thompson sampling by sequential Laplace approximation",
        parameters: "lambda = 5, scale = 0.25, prior",
    },
    Entry {
        kind: "lin-ucb",
        summary: "ridge regression of the sign of the bit, with a bonus (Li et al. 2010)",
        parameters: "lambda = 50, alpha = 2, prior",
    },
    Entry {
        kind: "epsilon-greedy",
        summary: "the estimate of toof, and a node at random with probability epsilon / t^decay",
        parameters: "lambda = 10, epsilon = 0.5, decay = 0.5, prior",
    },
    Entry {
        kind: "mle-ucb",
        summary: "the exact likelihood over the whole history, with the bonus of toof: slow",
        parameters: "lambda = 5, gamma = { kind = \"tuned\", c = 0.03 } \
                     or { kind = \"paper-eq15\", delta = 0.05 }, prior",
    },
    Entry {
        kind: "full-information",
        summary: "learns the bits of all nodes in each slot: the floor of regret that is learnt",
        parameters: "lambda = 5, prior",
    },
    Entry {
        kind: "discounted-toof",
        summary: "toof that forgets, for weights that change",
        parameters: "lambda = 5, gamma = { kind = \"tuned\", c = 0.03 }, discount = 0.999, prior",
    },
    Entry {
        kind: "external",
        summary: "a program of your own, asked over standard input and output",
        parameters: "command = [\"python3\", \"my_policy.py\"], files = [], timeout = \"1s\", \
                     start_timeout = \"30s\"",
    },
];

/// Makes the policy that `spec` describes, for `nodes` helper nodes with `features` features; `key`
/// is its private randomness.
///
/// `None` for [`PolicySpec::Optimal`] and [`PolicySpec::FullInformation`]: they need the truth, which
/// comes through a door of its own (see [`one_bit::best_node`] and
/// [`one_bit::FullInformationPolicy`]). `None` for [`PolicySpec::External`] too: it is a program, and
/// what is here starts none.
pub fn build(
    spec: &PolicySpec,
    nodes: usize,
    features: usize,
    key: &Key,
) -> Option<Box<dyn Policy>> {
    Some(match spec {
        PolicySpec::Toof(p) => Box::new(SequentialMlePolicy::toof(p, nodes, features)),
        PolicySpec::Greedy(p) => Box::new(SequentialMlePolicy::greedy(p, nodes, features)),
        PolicySpec::RoundRobin(_) => Box::new(RoundRobin::new(nodes)),
        PolicySpec::Random(_) => Box::new(Random::new(nodes, key)),
        PolicySpec::OfuEcolog(p) => Box::new(OfuEcologPolicy::new(p, nodes, features)),
        PolicySpec::Thompson(p) => Box::new(ThompsonPolicy::new(p, nodes, features, key)),
        PolicySpec::LinUcb(p) => Box::new(LinUcbPolicy::new(p, nodes, features)),
        PolicySpec::EpsilonGreedy(p) => Box::new(EpsilonGreedyPolicy::new(p, nodes, features, key)),
        PolicySpec::MleUcb(p) => Box::new(MleUcbPolicy::new(p, nodes, features)),
        PolicySpec::DiscountedToof(p) => Box::new(DiscountedToofPolicy::new(p, nodes, features)),
        PolicySpec::Optimal(_) | PolicySpec::FullInformation(_) | PolicySpec::External(_) => {
            return None;
        }
    })
}

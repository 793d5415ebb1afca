//! The regret ledger: what each choice lost against the best one, by the hidden truth.
//!
//! In `sim` it looks at the trial's own contexts; over processes in lockstep [`Replay`] makes them
//! anew from the keyed draws and the decisions that were told, and a digest proves that they are
//! the same. In real time nothing can be made anew: [`Pairing`] brings together what the task node
//! decided and what the helper nodes say their states were.

mod curve;
mod pairing;
mod replay;

pub use curve::{Curves, curve_slots, thin_curve_slots};
pub use pairing::{Pairing, PairingError};
pub use replay::{Replay, ReplayError, Replica};

use std::io::Write;
use std::sync::Arc;

use fogbit_policy::Policy;
use fogbit_policy::one_bit::argmax;
use fogbit_scenario::feedback::{Bit, Outcome};
use fogbit_scenario::{Contexts, Instance, Truth};

/// What a trial adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Slots played; each but the idle ones offloads one task.
    pub slots: u64,
    /// Slots in which no node was there (wall clock).
    pub idle: u64,
    /// Sum of x*.w* - x.w, equations (17) and (18); with a deadline the sum of P* - P.
    pub regret_linear: f64,
    /// Sum of P* - P: expected happy bits lost.
    pub regret_happiness: f64,
    /// +1 for each happy bit, -1 for anything else.
    pub reward: i64,
    /// Sum of 2 P* - 1 on the policy's own path, where P* counts bits as they are told: the expected
    /// reward of the best choices.
    pub optimal_reward: f64,
    /// Happy bits.
    pub happy: u64,
    /// Unhappy bits.
    pub unhappy: u64,
    /// Tasks that a full queue refused.
    pub refused: u64,
    /// Tasks without an answer in time (wall clock).
    pub timed_out: u64,
}

impl Totals {
    /// Tasks that were sent to some node: answered, refused or timed out.
    pub fn offloaded(&self) -> u64 {
        self.slots - self.idle
    }
}

/// What became of the tasks that were sent to one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeTotals {
    /// Happy bits.
    pub happy: u64,
    /// Unhappy bits.
    pub unhappy: u64,
    /// Tasks that its full queue refused.
    pub refused: u64,
    /// Tasks without an answer in time (wall clock).
    pub timed_out: u64,
}

impl NodeTotals {
    /// Tasks that were sent to the node.
    pub fn offloaded(&self) -> u64 {
        self.happy + self.unhappy + self.refused + self.timed_out
    }

    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Answered(Bit::Happy) => self.happy += 1,
            Outcome::Answered(Bit::Unhappy) => self.unhappy += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::TimedOut => self.timed_out += 1,
        }
    }
}

/// What a choice was worth against the best one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// x*.w* - x.w; with a deadline P* - P.
    pub linear: f64,
    /// P* - P.
    pub happiness: f64,
    /// Probability that the best node tells a happy bit: P* where no bit is turned over.
    pub best_told: f64,
}

/// How well the confidence region (14) keeps its promise.
#[derive(Debug, Clone)]
struct Coverage {
    /// `||estimate - w||^2_Z` of each node.
    distances: Vec<f64>,
    /// Over all slots, the number of nodes for which (14) held after the slot.
    held: u64,
}

/// Everything the ledger knows when a trial is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The sums.
    pub totals: Totals,
    /// How often each node was chosen.
    pub chosen: Vec<u64>,
    /// The sums at the marks, as far as the trial got.
    pub marks: Vec<Totals>,
    /// The sums at some hundred slots.
    pub curves: Curves,
}

/// The ledger of one trial.
pub struct Ledger {
    truth: Truth,
    totals: Totals,
    nodes: Vec<NodeTotals>,
    coverage: Option<Coverage>,
    /// The weights are others than those of the distances.
    coverage_is_stale: bool,
    /// What a task node in real time says its policy believes; empty where it says nothing.
    estimates: Vec<f64>,
    mark_slots: Arc<[u64]>,
    marks: Vec<Totals>,
    curve_slots: Arc<[u64]>,
    curves: Curves,
    decisions: Option<Box<dyn Write + Send>>,
    line: Vec<u8>,
    estimate: Vec<f64>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("totals", &self.totals).finish_non_exhaustive()
    }
}

/// First line of a decision file.
pub const DECISION_HEADER: &str = "slot,node,bit,regret_linear,regret_happiness\n";

impl Ledger {
    /// A ledger for one trial of `instance`. `decisions` takes the rows of the decision file;
    /// `curve_slots` says where the curves have points, and `mark_slots`, some of these, where all
    /// sums are kept; both ascending.
    ///
    /// # Errors
    /// If the header of the decision file cannot be written.
    pub fn new(
        instance: &Instance,
        curve_slots: Arc<[u64]>,
        mark_slots: Arc<[u64]>,
        mut decisions: Option<Box<dyn Write + Send>>,
    ) -> std::io::Result<Ledger> {
        let truth = Truth::new(instance);
        let (nodes, features) = (instance.helpers.len(), instance.features);
        if let Some(decisions) = &mut decisions {
            decisions.write_all(DECISION_HEADER.as_bytes())?;
        }
        Ok(Ledger {
            truth,
            totals: Totals::default(),
            nodes: vec![NodeTotals::default(); nodes],
            coverage: None,
            coverage_is_stale: false,
            estimates: Vec::new(),
            mark_slots,
            marks: Vec::new(),
            curves: Curves::with_capacity(curve_slots.len()),
            curve_slots,
            decisions,
            line: Vec::new(),
            estimate: vec![0.0; features],
        })
    }

    /// Takes note of one slot; `policy` has already learnt from it.
    ///
    /// # Errors
    /// If the decision file cannot be written.
    #[inline]
    pub fn record(
        &mut self,
        contexts: &Contexts,
        node: usize,
        outcome: Outcome,
        policy: Option<&dyn Policy>,
    ) -> std::io::Result<()> {
        let loss = self.price(contexts, node);
        self.book(node, outcome, loss, policy)
    }

    /// What choosing `node` loses against the best of the nodes that are present.
    #[inline]
    pub fn price(&mut self, contexts: &Contexts, node: usize) -> Loss {
        if self.truth.step_to(self.totals.slots + 1) {
            // The weights have left the estimates where they are.
            self.coverage_is_stale = true;
        }
        let worths = self.truth.worths(contexts);
        let chosen = worths[node];
        contexts.mask(worths);
        // Where the chosen node is gone and nobody else is left, it was the best there was.
        let best = worths[argmax(worths)].max(chosen);
        // All nodes of a topology answer by the same model.
        let model = self.truth.model(node);
        let (best_happiness, chosen_happiness) = (model.happiness(best), model.happiness(chosen));
        Loss {
            linear: best - chosen,
            happiness: best_happiness - chosen_happiness,
            best_told: model.told(best_happiness),
        }
    }

    /// Books what a slot's task came to; `policy` has already learnt from it.
    ///
    /// # Errors
    /// If the decision file cannot be written.
    #[inline]
    pub fn book(
        &mut self,
        node: usize,
        outcome: Outcome,
        loss: Loss,
        policy: Option<&dyn Policy>,
    ) -> std::io::Result<()> {
        let totals = &mut self.totals;
        totals.slots += 1;
        totals.regret_linear += loss.linear;
        totals.regret_happiness += loss.happiness;
        totals.reward += outcome.reward();
        totals.optimal_reward += 2.0 * loss.best_told - 1.0;
        match outcome {
            Outcome::Answered(Bit::Happy) => totals.happy += 1,
            Outcome::Answered(Bit::Unhappy) => totals.unhappy += 1,
            Outcome::Refused => totals.refused += 1,
            Outcome::TimedOut => totals.timed_out += 1,
        }
        self.nodes[node].add(outcome);
        let slot = totals.slots;
        if let Some(policy) = policy {
            self.check_coverage(slot, node, policy);
        }
        self.reach(slot, policy);
        if let Some(decisions) = &mut self.decisions {
            self.line.clear();
            write!(self.line, "{slot},{node},")?;
            if let Some(bit) = outcome.column() {
                write!(self.line, "{bit}")?;
            }
            writeln!(self.line, ",{:?},{:?}", loss.linear, loss.happiness)?;
            decisions.write_all(&self.line)?;
        }
        Ok(())
    }

    /// Takes note of a slot in which no node was there: nothing was offloaded, nothing lost.
    pub fn idle(&mut self) {
        self.totals.slots += 1;
        self.totals.idle += 1;
        self.reach(self.totals.slots, None);
    }

    /// Takes note of what a policy that plays elsewhere believes, node after node.
    pub fn believe(&mut self, estimates: Vec<f64>) {
        if estimates.len() == self.nodes.len() * self.estimate.len() {
            self.estimates = estimates;
        }
    }

    /// Keeps what is to be kept of `slot`.
    #[inline]
    fn reach(&mut self, slot: u64, policy: Option<&dyn Policy>) {
        if self.curve_slots.get(self.curves.len()) == Some(&slot) {
            self.point(policy);
            if self.mark_slots.get(self.marks.len()) == Some(&slot) {
                self.marks.push(self.totals);
            }
        }
    }

    /// Checks (14) after the update of `slot`: only the chosen node's estimate has moved.
    #[inline]
    fn check_coverage(&mut self, slot: u64, node: usize, policy: &dyn Policy) {
        let Some(weights) = self.truth.weights() else { return };
        let Some(confidence) = policy.belief().and_then(|b| b.confidence()) else { return };
        let distances = || {
            let nodes = weights.iter().enumerate();
            nodes.map(|(n, w)| confidence.squared_distance(n, w)).collect()
        };
        let coverage =
            self.coverage.get_or_insert_with(|| Coverage { distances: distances(), held: 0 });
        if std::mem::take(&mut self.coverage_is_stale) {
            coverage.distances = distances();
        }
        coverage.distances[node] = confidence.squared_distance(node, &weights[node]);
        coverage.held += confidence.covered(slot + 1, &coverage.distances) as u64;
    }

    /// Adds a point to the curves.
    fn point(&mut self, policy: Option<&dyn Policy>) {
        // What is promised is promised of weights.
        let policy = policy.filter(|_| self.truth.weights().is_some());
        let confidence = policy.and_then(|p| p.belief()).and_then(|b| b.confidence());
        let slots = self.totals.slots;
        let bound = confidence.map(|c| c.average_regret_bound(slots));
        let nodes = self.nodes.len();
        let all = (slots * nodes as u64) as f64;
        let held = self.coverage.as_ref().map(|c| c.held as f64 / all);
        let mut sum = None;
        self.weight_errors(policy, |_, error| *sum.get_or_insert(0.0) += error);
        let weight_error = sum.map(|sum| sum / nodes as f64);
        self.curves.push(&self.totals, weight_error, bound, held);
    }

    /// Tells `each` node's ||estimate - w||, in the order of their numbers, if anything is believed.
    pub(crate) fn weight_errors(
        &mut self,
        policy: Option<&dyn Policy>,
        mut each: impl FnMut(usize, f64),
    ) {
        let Some(weights) = self.truth.weights() else { return };
        let belief = policy.and_then(|p| p.belief());
        let features = self.estimate.len();
        for (node, truth) in weights.iter().enumerate() {
            match belief {
                Some(belief) => belief.estimate(node, &mut self.estimate),
                None if self.estimates.is_empty() => return,
                None => {
                    self.estimate.copy_from_slice(&self.estimates[node * features..][..features])
                }
            }
            let pairs = self.estimate.iter().zip(truth);
            let square = pairs.fold(0.0, |sum, (e, w)| sum + (e - w) * (e - w));
            each(node, libm::sqrt(square));
        }
    }

    /// What became of the tasks, node after node.
    pub fn nodes(&self) -> &[NodeTotals] {
        &self.nodes
    }

    /// The sums so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Closes the ledger; the decision file is complete when this returns.
    ///
    /// # Errors
    /// If the decision file cannot be written.
    pub fn close(mut self) -> std::io::Result<Account> {
        if let Some(decisions) = &mut self.decisions {
            decisions.flush()?;
        }
        let Ledger { totals, nodes, marks, curves, .. } = self;
        let chosen = nodes.iter().map(NodeTotals::offloaded).collect();
        Ok(Account { totals, chosen, marks, curves })
    }
}

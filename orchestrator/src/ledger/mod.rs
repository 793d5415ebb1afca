//! The regret ledger: what each choice lost against the best one, by the hidden truth.
//!
//! In `sim` it looks at the trial's own contexts; over processes [`Replay`] makes them anew from
//! the keyed draws and the decisions that were told, and a digest proves that they are the same.

mod curve;
mod replay;

pub use curve::{Curves, curve_slots};
pub use replay::{Replay, ReplayError};

use std::io::Write;
use std::sync::Arc;

use fogbit_policy::Policy;
use fogbit_policy::one_bit::argmax;
use fogbit_scenario::feedback::{Bit, Outcome, happiness};
use fogbit_scenario::{Contexts, Instance};

/// What a trial adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Slots played; each offloads one task.
    pub slots: u64,
    /// Sum of x*.w* - x.w, equations (17) and (18).
    pub regret_linear: f64,
    /// Sum of P* - P: expected happy bits lost.
    pub regret_happiness: f64,
    /// +1 for each happy bit, -1 for anything else.
    pub reward: i64,
    /// Sum of 2 P* - 1 on the policy's own path: the expected reward of the best choices.
    pub optimal_reward: f64,
    /// Happy bits.
    pub happy: u64,
    /// Unhappy bits.
    pub unhappy: u64,
    /// Tasks that a full queue refused.
    pub refused: u64,
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
    /// The sums at about a thousand slots.
    pub curves: Curves,
}

/// The ledger of one trial.
pub struct Ledger {
    /// Hidden weights, node after node.
    weights: Vec<Vec<f64>>,
    /// The same, feature after feature.
    weight_rows: Vec<f64>,
    products: Vec<f64>,
    totals: Totals,
    chosen: Vec<u64>,
    coverage: Option<Coverage>,
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
        let weights = instance.weights();
        let (nodes, features) = (weights.len(), instance.features);
        let weight_rows =
            (0..features).flat_map(|f| weights.iter().map(move |w| w[f])).collect::<Vec<_>>();
        if let Some(decisions) = &mut decisions {
            decisions.write_all(DECISION_HEADER.as_bytes())?;
        }
        Ok(Ledger {
            weights,
            weight_rows,
            products: vec![0.0; nodes],
            totals: Totals::default(),
            chosen: vec![0; nodes],
            coverage: None,
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
        let nodes = self.products.len();
        self.products.fill(0.0);
        for (feature, row) in self.weight_rows.chunks_exact(nodes).enumerate() {
            for ((product, x), w) in self.products.iter_mut().zip(contexts.row(feature)).zip(row) {
                *product += x * w;
            }
        }
        let (best, chosen) = (self.products[argmax(&self.products)], self.products[node]);
        let (best_happiness, chosen_happiness) = (happiness(best), happiness(chosen));
        let regret_linear = best - chosen;
        let regret_happiness = best_happiness - chosen_happiness;

        let totals = &mut self.totals;
        totals.slots += 1;
        totals.regret_linear += regret_linear;
        totals.regret_happiness += regret_happiness;
        totals.reward += outcome.reward();
        totals.optimal_reward += 2.0 * best_happiness - 1.0;
        match outcome {
            Outcome::Answered(Bit::Happy) => totals.happy += 1,
            Outcome::Answered(Bit::Unhappy) => totals.unhappy += 1,
            Outcome::Refused => totals.refused += 1,
        }
        self.chosen[node] += 1;
        let slot = totals.slots;
        if let Some(policy) = policy {
            self.check_coverage(slot, node, policy);
        }
        if self.curve_slots.get(self.curves.len()) == Some(&slot) {
            self.point(policy);
            if self.mark_slots.get(self.marks.len()) == Some(&slot) {
                self.marks.push(self.totals);
            }
        }
        if let Some(decisions) = &mut self.decisions {
            self.line.clear();
            let bit = outcome.column();
            writeln!(self.line, "{slot},{node},{bit},{regret_linear:?},{regret_happiness:?}")?;
            decisions.write_all(&self.line)?;
        }
        Ok(())
    }

    /// Checks (14) after the update of `slot`: only the chosen node's estimate has moved.
    #[inline]
    fn check_coverage(&mut self, slot: u64, node: usize, policy: &dyn Policy) {
        let Some(confidence) = policy.belief().and_then(|b| b.confidence()) else { return };
        let coverage = self.coverage.get_or_insert_with(|| Coverage {
            distances: self
                .weights
                .iter()
                .enumerate()
                .map(|(n, w)| confidence.squared_distance(n, w))
                .collect(),
            held: 0,
        });
        coverage.distances[node] = confidence.squared_distance(node, &self.weights[node]);
        coverage.held += confidence.covered(slot + 1, &coverage.distances) as u64;
    }

    /// Adds a point to the curves.
    fn point(&mut self, policy: Option<&dyn Policy>) {
        let belief = policy.and_then(|p| p.belief());
        let weight_error = belief.map(|belief| {
            let mut sum = 0.0;
            for (node, truth) in self.weights.iter().enumerate() {
                belief.estimate(node, &mut self.estimate);
                let square = self
                    .estimate
                    .iter()
                    .zip(truth)
                    .fold(0.0, |sum, (e, w)| sum + (e - w) * (e - w));
                sum += libm::sqrt(square);
            }
            sum / self.weights.len() as f64
        });
        let slots = self.totals.slots;
        let bound = belief.and_then(|b| b.confidence()).map(|c| c.average_regret_bound(slots));
        let all = (slots * self.weights.len() as u64) as f64;
        let held = self.coverage.as_ref().map(|c| c.held as f64 / all);
        self.curves.push(&self.totals, weight_error, bound, held);
    }

    /// The sums so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The hidden weights, node after node.
    pub fn weights(&self) -> &[Vec<f64>] {
        &self.weights
    }

    /// Closes the ledger; the decision file is complete when this returns.
    ///
    /// # Errors
    /// If the decision file cannot be written.
    pub fn close(mut self) -> std::io::Result<Account> {
        if let Some(decisions) = &mut self.decisions {
            decisions.flush()?;
        }
        let Ledger { totals, chosen, marks, curves, .. } = self;
        Ok(Account { totals, chosen, marks, curves })
    }
}

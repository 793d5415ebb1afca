//! The trial, played again up to the slot that is explained.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use fogbit_policy::Policy;
use fogbit_policy::one_bit::argmax;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::{Contexts, Instance, TaskSource, Truth};
use fogbit_task_node::{Decider, Recorder, SimFog, Step, Thought, Trial, TrialError};

use super::choice::{Rows, decider};
use super::{Explanation, Learnt, NodeView};
use crate::backend::sim::now;
use crate::ledger::Ledger;
use crate::logs::feature_names;
use crate::plan::Plan;
use crate::results::decision_file;
use crate::results::read::{self, Decision, ReadError};

/// Why a trial cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ReplayFailure {
    /// The decision file says something else.
    #[error("{0}")]
    Differs(String),
    /// What decided is not here, and its decisions were not kept.
    #[error("what decided is a program of its own, and its decisions were not kept")]
    Elsewhere,
    /// The decision file.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The trial itself.
    #[error(transparent)]
    Trial(#[from] TrialError),
}

/// Plays the trial of the policy with number `policy` up to `slot` and explains what happened there.
pub(super) fn replay(
    dir: &Path,
    plan: &Plan,
    policy: usize,
    seed: u64,
    slot: u64,
) -> Result<Explanation, ReplayFailure> {
    let instance = plan.scenario.instance(seed);
    let name = &plan.policies[policy].name;
    let file = format!("decisions/{}", decision_file(name, seed));
    let is_kept = dir.join(&file).exists();
    let rows = || -> Result<Option<Rows>, ReadError> {
        is_kept.then(|| Ok(Box::new(read::decisions(dir, name, seed)?) as Rows)).transpose()
    };
    let replica = plan.replica(policy, &instance);
    let mut decider = decider(replica, rows()?).ok_or(ReplayFailure::Elsewhere)?;
    let ledger = Ledger::new(&instance, [].into(), [].into(), None)
        .map_err(|error| TrialError::Record { reason: error.to_string() })?;
    let mut witness = Witness {
        slot,
        is_fresh: matches!(decider, Decider::Policy(_)),
        names: plan.scenario.helpers().iter().map(|helper| helper.name.clone()).collect(),
        truth: Truth::new(&instance),
        ledger,
        rows: rows()?,
        before: estimates_of(decider.policy(), instance.helpers.len(), instance.features),
        found: Explanation {
            policy: name.clone(),
            kind: plan.policies[policy].spec.kind().into(),
            seed,
            slot,
            checked: is_kept,
            chosen: 0,
            best: 0,
            bit: None,
            regret_linear: 0.0,
            regret_happiness: 0.0,
            average_regret: 0.0,
            delay_slots: instance.rules.delay_slots,
            features: feature_names(&plan.scenario),
            nodes: Vec::new(),
            learnt: None,
        },
        differs: None,
    };
    let played = play(&instance, slot, &mut decider, &mut witness);
    if let Some(difference) = witness.differs {
        return Err(ReplayFailure::Differs(format!("{file}: {difference}")));
    }
    played?;
    Ok(witness.found)
}

fn play(
    instance: &Instance,
    slots: u64,
    decider: &mut Decider<super::choice::Chooser>,
    witness: &mut Witness,
) -> Result<(), TrialError> {
    let mut trial = Trial {
        tasks: TaskSource::new(&instance.tasks),
        rules: &instance.rules,
        shape: (instance.helpers.len(), instance.features),
        slots,
    };
    let (mut fog, stop) = (SimFog::new(instance), AtomicBool::new(false));
    now(trial.play(&mut fog, decider, witness, &stop)).map(drop)
}

/// Looks on while the trial is played.
struct Witness {
    /// The slot that is explained.
    slot: u64,
    /// Whether what decides is a policy that has learnt nothing since it decided. An oracle's has:
    /// it is told the bits at once.
    is_fresh: bool,
    names: Vec<String>,
    truth: Truth,
    ledger: Ledger,
    /// What the decision file says.
    rows: Option<Rows>,
    /// The estimates of all nodes right before the bit of the slot is learnt: those after the bit of
    /// the slot before.
    before: Vec<Vec<f64>>,
    found: Explanation,
    differs: Option<String>,
}

impl Witness {
    /// What the decision looked like.
    fn look(&mut self, contexts: &Contexts, node: usize, policy: Option<&dyn Policy>) {
        self.truth.step_to(self.slot);
        self.found.chosen = node;
        let worths = self.truth.worths(contexts);
        contexts.mask(worths);
        self.found.best = argmax(worths);
        let estimates = match self.is_fresh {
            true => estimates_of(policy, contexts.nodes(), contexts.features()),
            false => self.before.clone(),
        };
        self.found.nodes = (0..contexts.nodes())
            .map(|node| self.node(node, contexts, policy, estimates.get(node)))
            .collect();
    }

    fn node(
        &mut self,
        node: usize,
        contexts: &Contexts,
        policy: Option<&dyn Policy>,
        estimate: Option<&Vec<f64>>,
    ) -> NodeView {
        let present = contexts.is_present(node);
        let scores = policy.map_or(&[][..], Policy::scores);
        let score = scores.get(node).copied().filter(|_| present);
        let propensity = policy.and_then(|policy| policy.propensity(node));
        let estimated_product = estimate.map(|w| contexts.dot(node, w));
        let weights = self.truth.weights().map_or_else(Vec::new, |weights| weights[node].clone());
        let product = self.truth.worth(node, contexts);
        NodeView {
            name: self.names[node].clone(),
            present,
            features: contexts.node(node).collect(),
            score,
            propensity: propensity.filter(|_| present),
            estimated_product,
            bonus: score.zip(estimated_product).map(|(score, product)| score - product),
            estimate: estimate.cloned(),
            weights,
            product,
            happiness: self.truth.model(node).happiness(product),
            potential_bit: self.truth.potential_bit(node, contexts).sign(),
        }
    }

    /// Compares a slot with what the decision file says of it, if it is kept.
    fn compare(&mut self, found: Decision) -> Result<(), String> {
        let Some(rows) = &mut self.rows else { return Ok(()) };
        let row = match rows.next() {
            Some(Ok(row)) => row,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err(format!("it ends before slot {}", found.slot)),
        };
        if row == found {
            return Ok(());
        }
        let tell = |row: Decision| {
            let bit = row.outcome.column().map_or("none".into(), |bit| bit.to_string());
            let Decision { slot, node, regret_linear, .. } = row;
            format!("slot {slot}: node {node}, bit {bit}, regret {regret_linear:?}")
        };
        Err(format!("it says {}, but played again it is {}", tell(row), tell(found)))
    }
}

impl Recorder for Witness {
    fn decided(&mut self, slot: u64, contexts: &Contexts, node: usize, thought: Thought<'_>) {
        if slot == self.slot {
            self.look(contexts, node, thought.policy());
        }
    }

    async fn record(
        &mut self,
        step: Step<'_>,
        policy: Option<&dyn Policy>,
    ) -> Result<(), TrialError> {
        let Step { slot, contexts, node, outcome } = step;
        let loss = self.ledger.price(contexts, node);
        let unbooked =
            |reason: String| TrialError::Record { reason: format!("slot {slot}: {reason}") };
        self.ledger.book(node, outcome, loss, None).map_err(|error| unbooked(error.to_string()))?;
        let (regret_linear, regret_happiness) = (loss.linear, loss.happiness);
        let found = Decision { slot, node, outcome, regret_linear, regret_happiness };
        if let Err(difference) = self.compare(found) {
            self.differs = Some(difference.clone());
            return Err(unbooked(difference));
        }
        if slot + 1 == self.slot {
            self.before = estimates_of(policy, contexts.nodes(), contexts.features());
        }
        if slot == self.slot {
            self.found.bit = outcome.column();
            (self.found.regret_linear, self.found.regret_happiness) =
                (regret_linear, regret_happiness);
            self.found.average_regret = self.ledger.totals().regret_linear / slot as f64;
            let after = policy.and_then(|p| estimate(p, node, contexts.features()));
            let bit_came = matches!(outcome, Outcome::Answered(_)) || !self.is_fresh;
            if let (true, Some(after)) = (bit_came, after) {
                let before = self.before.swap_remove(node);
                self.found.learnt = Some(Learnt { before, after });
            }
        }
        Ok(())
    }
}

/// What the policy believes of the weights of `node`, if it estimates them.
fn estimate(policy: &dyn Policy, node: usize, features: usize) -> Option<Vec<f64>> {
    let belief = policy.belief()?;
    let mut estimate = vec![0.0; features];
    belief.estimate(node, &mut estimate);
    Some(estimate)
}

fn estimates_of(policy: Option<&dyn Policy>, nodes: usize, features: usize) -> Vec<Vec<f64>> {
    (0..nodes).filter_map(|node| estimate(policy?, node, features)).collect()
}

//! Results, computed anew by a separate path, and compared run with run.
//!
//! What is here shares with the rest what a seed means (the keyed draws, the hidden weights and the
//! scaling of features, which have golden vectors of their own) and the policies, which have traces
//! of an independent implementation. Queues, channels, products, bits and sums are written again, in
//! the plainest way, straight from the formulas. It is slow on purpose.

pub(crate) mod beside;
mod deadline;
pub(crate) mod expect;
mod means;
mod node;
pub(crate) mod pairs;
mod sums;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use fogbit_policy::Policy;
use fogbit_policy::one_bit::FullInformationPolicy;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::instance::{TaskSpec, policy_key};
use fogbit_scenario::topology::PolicySpec;
use fogbit_scenario::{Bit, Contexts, Instance, Scenario, TopologyFile, TrialRules};

use self::means::{Marks, Recomputed};
use self::node::{Node, task};
use crate::exit::{Exit, Failure};
use crate::plan::{Curve, Status};
use crate::results::read::{self, Decision, ReadError};
use crate::results::summary::TrialSummary;
use crate::stats::sample::MOST_KEPT;

/// Sums must agree to this, relative.
const TOLERANCE: f64 = 1e-9;
/// A probability that is computed in another way agrees to this.
const ROUNDED: f64 = 1e-12;
const NO_DECISIONS: &str = "a run keeps a file for each trial in decisions/, unless it is endless or was \
                            made with --no-decisions; without it there is nothing to look at";
/// No more findings than this are told of one trial: the first says what is wrong.
const MOST_FINDINGS: usize = 3;

/// A difference, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file and the slot, or the key.
    pub place: String,
    /// What differs.
    pub difference: String,
}

/// What was compared, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// Trials compared.
    pub trials: u64,
    /// Slots compared.
    pub slots: u64,
    /// All differences.
    pub findings: Vec<Finding>,
}

impl Compared {
    pub(crate) fn find(&mut self, place: impl Into<String>, difference: impl Into<String>) {
        self.findings.push(Finding { place: place.into(), difference: difference.into() });
    }
}

/// A bit in words.
fn bit(outcome: Outcome) -> String {
    outcome.column().map_or("none (timed out)".into(), |bit| bit.to_string())
}

pub(crate) fn unreadable(error: &ReadError) -> Failure {
    Failure::new(Exit::Usage, error)
}

/// Recomputes every trial of a results directory.
///
/// # Errors
/// If the directory cannot be read, or keeps no decisions.
pub fn verify(dir: &Path) -> Result<Compared, Failure> {
    let summary = read::summary(dir).map_err(|error| unreadable(&error))?;
    let scenario = Scenario::from_file(&TopologyFile::read(&dir.join("topology.toml"))?)?;
    let curve = read::curve(dir, Curve::AverageRegret).map_err(|error| unreadable(&error))?;
    let watched = means::watched(&scenario, &curve);
    let mut compared = Compared::default();
    means::check_beside(dir, &scenario, &summary, &mut compared)?;
    if !compared.findings.is_empty() {
        return Ok(compared);
    }
    if scenario.wall_clock().is_some() && summary.run.backend != "sim" {
        // What happened in real time cannot happen again.
        let mut trials = Vec::new();
        for trial in &summary.trials {
            trials.extend(sums::verify_trial(dir, &scenario, trial, &mut compared)?);
        }
        if compared.findings.is_empty() {
            means::check_expectations(&scenario, &summary, &trials, &mut compared);
        }
        return Ok(compared);
    }
    let mut trials = Vec::new();
    for trial in &summary.trials {
        trials.extend(verify_trial(dir, &scenario, trial, &watched, &mut compared)?);
    }
    if summary.trials.is_empty() {
        compared.find("summary.json", "there is no trial");
    }
    if compared.findings.is_empty() {
        // What is said over seeds follows from the trials; it is looked at where these are right.
        means::check(&scenario, &summary, &curve, &trials, &mut compared);
        let marks: Vec<Marks> = trials.into_iter().map(|trial| trial.marks).collect();
        means::check_expectations(&scenario, &summary, &marks, &mut compared);
    }
    Ok(compared)
}

fn verify_trial(
    dir: &Path,
    scenario: &Scenario,
    trial: &TrialSummary,
    watched: &BTreeSet<u64>,
    compared: &mut Compared,
) -> Result<Option<Recomputed>, Failure> {
    let place = format!("decisions/{}-{}.csv", trial.policy, trial.seed);
    let found = scenario.policies().find(|(name, _)| *name == trial.policy);
    let Some((_, spec)) = found else {
        compared.find(place, "topology.toml has no such policy");
        return Ok(None);
    };
    if trial.slots == 0 && trial.status != Status::Complete {
        return Ok(None); // it was not begun
    }
    let rows = read::decisions(dir, &trial.policy, trial.seed)
        .map_err(|error| unreadable(&error).help(NO_DECISIONS))?;
    compared.trials += 1;
    let mut again = Again::new(&scenario.instance(trial.seed), spec, &trial.policy);
    let before = compared.findings.len();
    for row in rows {
        let row = row.map_err(|error| unreadable(&error))?;
        compared.slots += 1;
        again.check(&row, &place, compared);
        if compared.findings.len() >= before + MOST_FINDINGS {
            return Ok(None);
        }
        if watched.contains(&again.slot) {
            again.average_regret.insert(again.slot, again.regret_linear / again.slot as f64);
            again.marks.insert(again.slot, again.mark());
        }
    }
    again.check_sums(trial, compared);
    let marks = Marks {
        policy: trial.policy.clone(),
        seed: trial.seed,
        complete: trial.status == Status::Complete,
        at: std::mem::take(&mut again.marks),
    };
    let whole = scenario.length().slots().is_none_or(|slots| again.slot == slots);
    if (trial.status == Status::Complete) != whole {
        let difference = format!(
            "{} slots, where trials are of {}, in a trial that is {:?}",
            again.slot,
            scenario.length(),
            trial.status
        );
        compared.find(place, difference);
    }
    Ok(Some(Recomputed {
        policy: trial.policy.clone(),
        seed: trial.seed,
        complete: whole,
        slots: again.slot,
        regret_linear: again.regret_linear,
        regret_happiness: again.regret_happiness,
        reward: again.reward as f64,
        happy: (again.reward + again.slot as i64) as u64 / 2,
        refused: again.refused,
        chosen: again.chosen,
        average_regret: again.average_regret,
        marks,
    }))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1e-300)
}

/// Whether `found` is the quantile `p` of ascending values; of very many, of which a run does not keep
/// all, whether it is near in rank.
pub(crate) fn is_quantile(values: &[f64], p: f64, found: f64) -> bool {
    let Some(last) = values.len().checked_sub(1).filter(|_| (0.0..=1.0).contains(&p)) else {
        return false;
    };
    if values.len() > MOST_KEPT {
        let rank = |count: usize| count as f64 / values.len() as f64;
        let below = rank(values.partition_point(|value| *value < found));
        let not_above = rank(values.partition_point(|value| *value <= found));
        return below <= p + 0.01 && not_above >= p - 0.01;
    }
    let place = last as f64 * p;
    let (low, part) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(last);
    close(found, values[low] * (1.0 - part) + values[high] * part)
}

/// A trial, computed anew from its decisions.
struct Again {
    nodes: Vec<Node>,
    rules: TrialRules,
    tasks: TaskSpec,
    features: usize,
    contexts: Contexts,
    decider: Decider,
    /// Slots whose bits are not learnt yet: contexts, node and bit.
    late: VecDeque<(u64, Contexts, usize, Bit)>,
    slot: u64,
    regret_linear: f64,
    regret_happiness: f64,
    reward: i64,
    optimal_reward: f64,
    refused: u64,
    chosen: Vec<u64>,
    average_regret: BTreeMap<u64, f64>,
    marks: BTreeMap<u64, [f64; 3]>,
}

impl Again {
    /// The sums of which expectations speak: both kinds of regret, and reward.
    fn mark(&self) -> [f64; 3] {
        [self.regret_linear, self.regret_happiness, self.reward as f64]
    }

    fn new(instance: &Instance, spec: &PolicySpec, name: &str) -> Again {
        let (nodes, features) = (instance.helpers.len(), instance.features);
        Again {
            nodes: instance.helpers.iter().map(Node::new).collect(),
            rules: instance.rules.clone(),
            tasks: instance.tasks.clone(),
            features,
            contexts: Contexts::new(nodes, features),
            decider: Decider::new(spec, instance, name),
            late: VecDeque::new(),
            slot: 0,
            regret_linear: 0.0,
            regret_happiness: 0.0,
            reward: 0,
            optimal_reward: 0.0,
            refused: 0,
            chosen: vec![0; nodes],
            average_regret: BTreeMap::new(),
            marks: BTreeMap::new(),
        }
    }

    /// Computes the next slot and compares it with its row.
    fn check(&mut self, row: &Decision, file: &str, compared: &mut Compared) {
        self.slot += 1;
        let slot = self.slot;
        let place = || format!("{file}: slot {slot}");
        if row.slot != slot {
            return compared.find(place(), format!("the row is of slot {}", row.slot));
        }
        if row.node >= self.nodes.len() {
            return compared.find(place(), format!("there is no node {}", row.node));
        }
        let task = task(&self.tasks, slot);
        let (mut products, mut best) = (Vec::new(), None);
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let mut x = task.clone();
            x.extend(node.observe(slot));
            for (feature, value) in x.iter().enumerate().take(self.features) {
                self.contexts.set(index, feature, *value);
            }
            let product = node.worth(slot, &x);
            products.push(product);
            let present = is_present(&self.rules, index, slot);
            self.contexts.set_present(index, present);
            if present && best.is_none_or(|best: usize| product > products[best]) {
                best = Some(index);
            }
        }
        let Some(best) = best else { return compared.find(place(), "no node is there") };
        if !self.contexts.is_present(row.node) {
            compared.find(place(), format!("node {} is away", row.node));
        }
        let delay = u64::from(self.rules.delay_slots);
        while let Some((sent, contexts, node, bit)) =
            self.late.pop_front_if(|(sent, ..)| *sent + delay < slot)
        {
            self.decider.learn(sent, &contexts, node, bit);
        }
        let choice = match &mut self.decider {
            Decider::Policy(policy) => policy.decide(slot, &self.contexts),
            // Nodes that are as good as each other may be told apart by rounding.
            Decider::Optimal
                if self.nodes[best].is_rounded()
                    && products[best] - products[row.node] <= ROUNDED =>
            {
                row.node
            }
            Decider::Optimal => best,
            Decider::FullInformation(policy) => policy.decide(slot, &self.contexts),
            Decider::External => row.node,
        };
        if choice != row.node {
            compared.find(place(), format!("node {} where the policy chooses {choice}", row.node));
        }
        if let Decider::FullInformation(policy) = &mut self.decider {
            for (index, node) in self.nodes.iter().enumerate() {
                if self.contexts.is_present(index) {
                    let bit = node.bit(slot, node.happiness(products[index]));
                    policy.learn(slot, &self.contexts, index, bit);
                }
            }
        }
        let happiness = |product: f64| self.nodes[row.node].happiness(product);
        let (best, chosen) = (products[best], products[row.node]);
        let (best_happiness, chosen_happiness) = (happiness(best), happiness(chosen));
        let outcome = self.nodes[row.node].take(slot, chosen_happiness);
        if outcome != row.outcome {
            let (told, right) = (bit(row.outcome), bit(outcome));
            compared.find(place(), format!("bit {told} where {right} is right"));
        }
        let linear = best - chosen;
        let lost = best_happiness - chosen_happiness;
        for (name, told, right) in [
            ("regret_linear", row.regret_linear, linear),
            ("regret_happiness", row.regret_happiness, lost),
        ] {
            let same = match self.nodes[row.node].is_rounded() {
                true => (told - right).abs() <= ROUNDED,
                false => told.to_bits() == right.to_bits(),
            };
            if !same {
                compared.find(place(), format!("{name} {told:?} where {right:?} is right"));
            }
        }
        if let Outcome::Answered(bit) = outcome {
            self.late.push_back((slot, self.contexts.clone(), row.node, bit));
        }
        let best_told = self.nodes[row.node].told(best_happiness);
        for node in &mut self.nodes {
            node.serve();
        }
        self.regret_linear += linear;
        self.regret_happiness += lost;
        self.optimal_reward += 2.0 * best_told - 1.0;
        self.reward += if outcome == Outcome::Answered(Bit::Happy) { 1 } else { -1 };
        self.chosen[row.node] += 1;
        self.refused += u64::from(outcome == Outcome::Refused);
    }

    fn check_sums(&self, trial: &TrialSummary, compared: &mut Compared) {
        let place = |name: &str| {
            format!("summary.json: {name} of {} with seed {}", trial.policy, trial.seed)
        };
        for (name, told, right) in [
            ("regret_linear", trial.whole.regret_linear, self.regret_linear),
            ("regret_happiness", trial.whole.regret_happiness, self.regret_happiness),
            ("optimal_reward", trial.whole.optimal_reward, self.optimal_reward),
        ] {
            if !close(told, right) {
                compared.find(place(name), format!("{told} where {right} is right"));
            }
        }
        let tasks = &trial.whole.tasks;
        for (name, told, right) in [
            ("reward", trial.whole.reward, self.reward),
            ("slots", trial.slots as i64, self.slot as i64),
            ("offloaded", tasks.offloaded as i64, self.slot as i64),
            ("refused", tasks.refused as i64, self.refused as i64),
            ("answered", tasks.answered as i64, (self.slot - self.refused) as i64),
            ("timed_out", tasks.timed_out as i64, 0),
        ] {
            if told != right {
                compared.find(place(name), format!("{told} where {right} is right"));
            }
        }
    }
}

/// What decides in a trial, made anew.
enum Decider {
    Policy(Box<dyn Policy>),
    /// The best by the truth.
    Optimal,
    /// Learns the bits of all nodes.
    FullInformation(FullInformationPolicy),
    /// A program: nobody knows what it chooses, and what it chose is taken.
    External,
}

impl Decider {
    fn new(spec: &PolicySpec, instance: &Instance, name: &str) -> Decider {
        let (nodes, features) = (instance.helpers.len(), instance.features);
        match spec {
            PolicySpec::External(_) => return Decider::External,
            PolicySpec::FullInformation(parameters) => {
                let policy = FullInformationPolicy::new(parameters, nodes, features);
                return Decider::FullInformation(policy);
            }
            _ => {}
        }
        match fogbit_policy::build(spec, nodes, features, &policy_key(instance.seed, name)) {
            Some(policy) => Decider::Policy(policy),
            None => Decider::Optimal,
        }
    }

    fn learn(&mut self, slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
        if let Decider::Policy(policy) = self {
            policy.learn(slot, contexts, node, bit);
        }
    }
}

/// Whether `node` is there in `slot` by schedule: all are, but for the last word on them.
fn is_present(rules: &TrialRules, node: usize, slot: u64) -> bool {
    let mut own = rules.schedule.iter().filter(|p| p.node as usize == node && p.at <= slot);
    own.next_back().is_none_or(|presence| presence.present)
}

/// Finds the first slot in which two runs part, trial by trial.
///
/// # Errors
/// If a directory cannot be read.
pub fn diff(a: &Path, b: &Path) -> Result<Compared, Failure> {
    let mut compared = Compared::default();
    let trials = |dir: &Path| -> Result<BTreeMap<(String, u64), Status>, Failure> {
        let summary = read::summary(dir).map_err(|error| unreadable(&error))?;
        Ok(summary.trials.into_iter().map(|t| ((t.policy, t.seed), t.status)).collect())
    };
    let (in_a, in_b) = (trials(a)?, trials(b)?);
    for (name, dir, other) in [(b, &in_a, &in_b), (a, &in_b, &in_a)] {
        for (policy, seed) in dir.keys().filter(|trial| !other.contains_key(*trial)) {
            let place = format!("{policy} with seed {seed}");
            compared.find(place, format!("there is no such trial in {}", name.display()));
        }
    }
    for (policy, seed) in in_a.keys().filter(|trial| in_b.contains_key(*trial)) {
        compared.trials += 1;
        diff_trial(a, b, policy, *seed, &mut compared)?;
    }
    Ok(compared)
}

fn diff_trial(
    a: &Path,
    b: &Path,
    policy: &str,
    seed: u64,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let kept_none = |error: ReadError| unreadable(&error).help(NO_DECISIONS);
    let mut rows_a = read::decisions(a, policy, seed).map_err(kept_none)?;
    let mut rows_b = read::decisions(b, policy, seed).map_err(kept_none)?;
    let place = |slot: u64| format!("{policy} with seed {seed}: slot {slot}");
    for slot in 1.. {
        let next = |row: Option<Result<Decision, ReadError>>| {
            row.transpose().map_err(|error| unreadable(&error))
        };
        let (row_a, row_b) = (next(rows_a.next())?, next(rows_b.next())?);
        match (row_a, row_b) {
            (None, None) => break,
            (Some(row_a), Some(row_b)) if row_a == row_b => compared.slots += 1,
            (Some(row_a), Some(row_b)) => {
                let tell = |row: Decision| {
                    format!(
                        "slot {} node {} bit {} regret {:?} / {:?}",
                        row.slot,
                        row.node,
                        bit(row.outcome),
                        row.regret_linear,
                        row.regret_happiness
                    )
                };
                compared.find(place(slot), format!("{} | {}", tell(row_a), tell(row_b)));
                break;
            }
            (Some(_), None) => {
                compared.find(place(slot), format!("{} ends before", b.display()));
                break;
            }
            (None, Some(_)) => {
                compared.find(place(slot), format!("{} ends before", a.display()));
                break;
            }
        }
    }
    Ok(())
}

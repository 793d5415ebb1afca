//! What a run will do, and what its trials come to.

use std::sync::Arc;

use fogbit_scenario::draw::Key;
use fogbit_scenario::topology::{Metric, PolicySpec, RunLength};
use fogbit_scenario::{Instance, Scenario};
use fogbit_task_node::TruthOracle;
use serde::{Deserialize, Serialize};

use crate::harness::{self, ProblemCollector, ProblemPlan};
use crate::ledger::{Account, Replica, Totals, curve_slots};
use crate::links::TrialLinks;
use crate::results::pairs::default_versus;
use crate::results::summary::metric_value;
use crate::stats::Running;

/// The slots at which every summary states the average regret.
pub const SUMMARY_SLOTS: [u64; 3] = [100, 1000, 10_000];

/// One policy of a run.
pub type PlannedPolicy = harness::PlannedPolicy<PolicySpec>;

/// All trials of one run: each policy with each seed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The topology.
    pub scenario: Arc<Scenario>,
    /// The policies, in the order of the file.
    pub policies: Vec<PlannedPolicy>,
    /// Which of the policies the others are compared with.
    pub versus: usize,
    /// The seeds, in the order of the run.
    pub seeds: Vec<u64>,
    /// Where curves have points.
    pub curve_slots: Arc<[u64]>,
    /// Where each trial's sums are kept: the summary's slots, those of expectations, and the last;
    /// of endless trials all powers of ten.
    pub marks: Arc<[u64]>,
}

impl Plan {
    /// The plan of a whole topology.
    pub fn new(scenario: Scenario) -> Plan {
        let length = scenario.length();
        let expected = scenario.topology().expectations.iter().map(|e| e.slot);
        let mut marks: Vec<u64> = SUMMARY_SLOTS
            .into_iter()
            .chain(expected)
            .chain(length.slots())
            // An endless trial has no last slot: policies are compared at the last of these.
            .chain((5..=12).map(|power| 10u64.pow(power)).filter(|_| length.slots().is_none()))
            .filter(|slot| *slot <= length.last_slot())
            .collect();
        marks.sort_unstable();
        marks.dedup();
        Plan {
            policies: PlannedPolicy::all(scenario.policies()),
            versus: default_versus(scenario.policies().map(|(name, _)| name)),
            seeds: scenario.seeds(),
            curve_slots: curve_slots(length, &marks),
            marks: marks.into(),
            scenario: Arc::new(scenario),
        }
    }

    /// How far a trial got that was stopped after `slots` slots: an endless one has no other end.
    pub fn stopped(&self, slots: u64) -> Status {
        let endless = self.scenario.length() == RunLength::Endless;
        if endless && slots > 0 { Status::Complete } else { Status::Partial }
    }

    /// A copy of what decides in the trials of a policy under one seed, as far as it can be had.
    pub fn replica(&self, policy: usize, instance: &Instance) -> Replica {
        let spec = &self.policies[policy].spec;
        if let Some(oracle) = TruthOracle::new(spec, instance) {
            return Replica::Oracle(oracle);
        }
        let key = self.policy_key(policy, instance.seed);
        match fogbit_policy::build(spec, instance.helpers.len(), instance.features, &key) {
            Some(policy) => Replica::Policy(policy),
            None => Replica::Nobody,
        }
    }

    /// The policy's private randomness under a seed.
    pub fn policy_key(&self, policy: usize, seed: u64) -> Key {
        fogbit_scenario::instance::policy_key(seed, &self.policies[policy].name)
    }
}

impl ProblemPlan for Plan {
    type Spec = PolicySpec;

    fn policies(&self) -> &[PlannedPolicy] {
        &self.policies
    }

    fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    fn versus(&self) -> usize {
        self.versus
    }

    fn compare_with(&mut self, policy: usize) {
        self.versus = policy;
    }
}

/// How far a trial or a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// To the end; an endless trial is complete where it is stopped.
    Complete,
    /// It was stopped; what there is, is right.
    Partial,
    /// Something failed; what there is up to there, is right.
    Failed,
}

/// What one trial came to.
#[derive(Debug, Clone)]
pub struct TrialResult {
    /// Which policy of the plan.
    pub policy: usize,
    /// The seed.
    pub seed: u64,
    /// How far it got.
    pub status: Status,
    /// The ledger's account.
    pub account: Account,
    /// How long it took, in seconds of wall time.
    pub seconds: f64,
    /// Why it failed.
    pub failure: Option<String>,
    /// Whether it failed by its own policy: then the other trials go on.
    pub of_policy: bool,
    /// What was measured of its links, in real time over emulated ones.
    pub links: TrialLinks,
}

/// What one trial came to, without its curves.
#[derive(Debug, Clone)]
pub struct TrialFigures {
    /// The sums at the end.
    pub totals: Totals,
    /// The sums at the plan's marks, as far as it got.
    pub marks: Vec<Totals>,
    /// How often each node was chosen.
    pub chosen: Vec<u64>,
}

/// One trial without its curves.
pub type TrialRow = harness::TrialRow<TrialFigures>;

/// What is drawn as a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// Linear regret of all slots so far, divided by their number.
    AverageRegret,
    /// Lost happiness of all slots so far, divided by their number.
    AverageLostHappiness,
    /// Cumulative reward.
    Reward,
    /// Cumulative expected reward of the best choices.
    OptimalReward,
    /// Mean over the nodes of ||estimate - w||.
    WeightError,
    /// Right side of (19).
    Bound,
    /// Share of nodes and slots for which (14) held.
    Covered,
}

impl Curve {
    /// All of them.
    pub const ALL: [Curve; 7] = [
        Curve::AverageRegret,
        Curve::AverageLostHappiness,
        Curve::Reward,
        Curve::OptimalReward,
        Curve::WeightError,
        Curve::Bound,
        Curve::Covered,
    ];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Curve::AverageRegret => "average_regret",
            Curve::AverageLostHappiness => "average_lost_happiness",
            Curve::Reward => "reward",
            Curve::OptimalReward => "optimal_reward",
            Curve::WeightError => "weight_error",
            Curve::Bound => "bound",
            Curve::Covered => "covered",
        }
    }
}

/// Gathers trials as they end. Curves are averaged at once, so that memory grows with the number
/// of trials by no more than a row each.
#[derive(Debug, Clone)]
pub struct Collector {
    /// The trials, in the order in which they were added.
    pub rows: Vec<TrialRow>,
    /// For each policy and curve, the mean over seeds at each curve slot.
    curves: Vec<[Vec<Running>; Curve::ALL.len()]>,
    curve_slots: Arc<[u64]>,
}

impl Collector {
    /// For the trials of `plan`.
    pub fn new(plan: &Plan) -> Collector {
        Collector {
            rows: Vec::new(),
            curves: plan.policies.iter().map(|_| Default::default()).collect(),
            curve_slots: Arc::clone(&plan.curve_slots),
        }
    }

    /// Adds one trial. The order of additions is part of the result: seed by seed.
    pub fn add(&mut self, trial: TrialResult) {
        let TrialResult { policy, seed, status, account, seconds, failure, .. } = trial;
        let curves = &account.curves;
        let slots = &self.curve_slots;
        let average = |sums: &[f64]| -> Vec<Option<f64>> {
            sums.iter().zip(slots.iter()).map(|(sum, slot)| Some(sum / *slot as f64)).collect()
        };
        let some = |sums: &[f64]| sums.iter().copied().map(Some).collect();
        for (curve, into) in Curve::ALL.into_iter().zip(&mut self.curves[policy]) {
            let values = match curve {
                Curve::AverageRegret => average(&curves.regret_linear),
                Curve::AverageLostHappiness => average(&curves.regret_happiness),
                Curve::Reward => some(&curves.reward),
                Curve::OptimalReward => some(&curves.optimal_reward),
                Curve::WeightError => curves.weight_error.clone(),
                Curve::Bound => curves.bound.clone(),
                Curve::Covered => curves.covered.clone(),
            };
            into.resize(into.len().max(values.len()), Running::default());
            for (running, value) in into.iter_mut().zip(values) {
                if let Some(value) = value {
                    running.add(value);
                }
            }
        }
        let Account { totals, marks, chosen, .. } = account;
        let (slots, figures) = (totals.slots, TrialFigures { totals, marks, chosen });
        self.rows.push(TrialRow { policy, seed, status, slots, seconds, failure, figures });
    }

    /// The mean over seeds of a curve: slot and value, as far as trials got; empty if the policy
    /// has no such curve.
    pub fn curve(&self, policy: usize, curve: Curve) -> impl Iterator<Item = (u64, &Running)> {
        let index = Curve::ALL.iter().position(|c| *c == curve).expect("it is one of all");
        self.curve_slots.iter().copied().zip(&self.curves[policy][index])
    }
}

impl ProblemCollector for Collector {
    type Plan = Plan;
    type Metric = Metric;
    type Figures = TrialFigures;

    fn rows(&self) -> &[TrialRow] {
        &self.rows
    }

    fn rows_mut(&mut self) -> &mut Vec<TrialRow> {
        &mut self.rows
    }

    fn unplayed(plan: &Plan) -> TrialFigures {
        let chosen = vec![0; plan.scenario.nodes()];
        TrialFigures { totals: Totals::default(), marks: Vec::new(), chosen }
    }

    /// The last slot, or where trials are endless the last mark that all of them have reached.
    fn compared_at(&self, plan: &Plan, policies: &[usize]) -> Option<u64> {
        let reached = match plan.scenario.length().slots() {
            Some(_) => plan.marks.len(),
            None => {
                let rows = policies.iter().flat_map(|policy| self.complete(*policy));
                rows.map(|row| row.figures.marks.len()).min()?
            }
        };
        plan.marks.get(reached.checked_sub(1)?).copied()
    }

    /// The value at the mark in that slot: an endless trial may have been stopped before it.
    fn value(plan: &Plan, trial: &TrialRow, metric: Metric, slot: u64) -> Option<f64> {
        let mark = plan.marks.iter().position(|mark| *mark == slot)?;
        Some(metric_value(metric, trial.figures.marks.get(mark)?))
    }
}

//! What a run will do, and what its trials come to.

use std::collections::BTreeSet;
use std::sync::Arc;

use fogbit_scenario::draw::Key;
use fogbit_scenario::topology::{PolicySpec, RunLength};
use fogbit_scenario::{Instance, Scenario};
use fogbit_task_node::TruthOracle;
use serde::{Deserialize, Serialize};

use crate::ledger::{Account, Replica, Totals, curve_slots};
use crate::links::TrialLinks;
use crate::results::pairs::default_versus;
use crate::stats::Running;

/// The slots at which every summary states the average regret.
pub const SUMMARY_SLOTS: [u64; 3] = [100, 1000, 10_000];

/// One policy of a run.
#[derive(Debug, Clone)]
pub struct PlannedPolicy {
    /// Its name in the topology file.
    pub name: String,
    /// What it is.
    pub spec: PolicySpec,
}

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
            policies: scenario
                .policies()
                .map(|(name, spec)| PlannedPolicy { name: name.into(), spec: spec.clone() })
                .collect(),
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

/// One trial without its curves.
#[derive(Debug, Clone)]
pub struct TrialRow {
    /// Which policy of the plan.
    pub policy: usize,
    /// The seed.
    pub seed: u64,
    /// How far it got.
    pub status: Status,
    /// The sums at the end.
    pub totals: Totals,
    /// The sums at the plan's marks, as far as it got.
    pub marks: Vec<Totals>,
    /// How often each node was chosen.
    pub chosen: Vec<u64>,
    /// How long it took, in seconds of wall time.
    pub seconds: f64,
    /// Why it failed.
    pub failure: Option<String>,
}

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
        let row = TrialRow { policy, seed, status, totals, marks, chosen, seconds, failure };
        self.rows.push(row);
    }

    /// Adds a row for every trial of the plan that was not begun.
    pub fn add_unplayed(&mut self, plan: &Plan) {
        let played: BTreeSet<(u64, usize)> =
            self.rows.iter().map(|row| (row.seed, row.policy)).collect();
        for seed in &plan.seeds {
            for policy in 0..plan.policies.len() {
                if !played.contains(&(*seed, policy)) {
                    self.rows.push(TrialRow {
                        policy,
                        seed: *seed,
                        status: Status::Partial,
                        totals: Totals::default(),
                        marks: Vec::new(),
                        chosen: vec![0; plan.scenario.nodes()],
                        seconds: 0.0,
                        failure: None,
                    });
                }
            }
        }
    }

    /// The mean over seeds of a curve: slot and value, as far as trials got; empty if the policy
    /// has no such curve.
    pub fn curve(&self, policy: usize, curve: Curve) -> impl Iterator<Item = (u64, &Running)> {
        let index = Curve::ALL.iter().position(|c| *c == curve).expect("it is one of all");
        self.curve_slots.iter().copied().zip(&self.curves[policy][index])
    }

    /// The complete trials of a policy.
    pub fn complete(&self, policy: usize) -> impl Iterator<Item = &TrialRow> {
        self.rows.iter().filter(move |r| r.policy == policy && r.status == Status::Complete)
    }
}

//! What `summary.json` and `curves.csv` say over seeds, against the trials computed anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fogbit_scenario::Scenario;
use fogbit_scenario::topology::{Metric, PolicySpec};

use super::{Compared, beside, close, expect, pairs};
use crate::exit::Failure;
use crate::expect::Expected;
use crate::harness::PolicyKind;
use crate::harness::ProblemSummary;
use crate::plan::SUMMARY_SLOTS;
use crate::results::read::CurvePoint;
use crate::results::summary::{PolicySummary, Summary};
use crate::stats::MeanSd;

/// What one trial came to, computed anew.
#[derive(Debug)]
pub(super) struct Recomputed {
    pub(super) policy: String,
    pub(super) seed: u64,
    pub(super) complete: bool,
    pub(super) slots: u64,
    pub(super) regret_linear: f64,
    pub(super) regret_happiness: f64,
    pub(super) reward: f64,
    pub(super) happy: u64,
    pub(super) refused: u64,
    pub(super) chosen: Vec<u64>,
    /// Average regret at the slots that are looked at.
    pub(super) average_regret: BTreeMap<u64, f64>,
    pub(super) marks: Marks,
}

/// The sums of a trial up to the slots of which expectations speak.
#[derive(Debug)]
pub(super) struct Marks {
    pub(super) policy: String,
    pub(super) seed: u64,
    pub(super) complete: bool,
    /// By slot: regret in linear units and as lost happiness, and reward.
    pub(super) at: BTreeMap<u64, [f64; 3]>,
}

/// A sum over a trial.
type Sum = fn(&Recomputed) -> f64;

/// The slots at which a trial is looked at.
pub(super) fn watched(scenario: &Scenario, curve: &[CurvePoint]) -> BTreeSet<u64> {
    let points = curve.iter().map(|point| point.slot);
    SUMMARY_SLOTS.into_iter().chain(points).chain(expected(scenario)).collect()
}

/// The slots of which expectations speak.
pub(super) fn expected(scenario: &Scenario) -> impl Iterator<Item = u64> {
    scenario.topology().expectations.iter().map(|expect| expect.slot)
}

/// Compares what is said beside the figures.
///
/// # Errors
/// If a file of the directory cannot be read.
pub(super) fn check_beside(
    dir: &Path,
    scenario: &Scenario,
    summary: &Summary,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let run = &summary.run;
    let policies = summary.policies.iter();
    let policies =
        policies.map(|p| ((p.name.as_str(), p.kind.as_str(), p.parameters.clone()), p.seeds));
    let head = ProblemSummary::head(summary);
    let told = beside::Told::of(&head, &run.version, policies, &summary.trials);
    let about = scenario.topology().about.as_deref();
    let measured = (dir, run.late_share);
    let due = beside::Due::of(about, scenario.policies(), scenario.seeds(), measured)?;
    beside::check(dir, &told, &due, compared)?;
    if run.clock != scenario.clock().kind() {
        compared.find("summary.json: run.clock", "not what topology.toml says");
    }
    Ok(())
}

/// Compares what is said of the expectations.
pub(super) fn check_expectations(
    scenario: &Scenario,
    summary: &Summary,
    trials: &[Marks],
    compared: &mut Compared,
) {
    let expected: Vec<Expected<'_, Metric>> =
        scenario.topology().expectations.iter().map(Into::into).collect();
    let policies: Vec<&str> = summary.policies.iter().map(|p| p.name.as_str()).collect();
    let values = |policy: &str, metric: Metric, slot: Option<u64>| {
        let slot = slot?;
        let value = |trial: &Marks| {
            let [linear, happiness, reward] = *trial.at.get(&slot)?;
            Some(match metric {
                Metric::RegretLinear => linear,
                Metric::AverageRegret => linear / slot as f64,
                Metric::RegretHappiness => happiness,
                Metric::Reward => reward,
            })
        };
        let own = trials.iter().filter(|trial| trial.policy == policy && trial.complete);
        Some(own.filter_map(|trial| Some((trial.seed, value(trial)?))).collect())
    };
    expect::check(&summary.expectations, &expected, &policies, &values, compared);
}

/// Compares everything that is said over seeds.
pub(super) fn check(
    scenario: &Scenario,
    summary: &Summary,
    curve: &[CurvePoint],
    trials: &[Recomputed],
    compared: &mut Compared,
) {
    check_run(scenario, summary, compared);
    for policy in &summary.policies {
        let complete: Vec<&Recomputed> =
            trials.iter().filter(|t| t.policy == policy.name && t.complete).collect();
        check_policy(scenario, policy, &complete, compared);
        let all = trials.iter().filter(|t| t.policy == policy.name);
        check_curve(&policy.name, curve, &all.collect::<Vec<_>>(), compared);
    }
    check_pairs(summary, trials, compared);
}

/// Compares pairs and ranks. Every metric has been told since there are any.
fn check_pairs(summary: &Summary, trials: &[Recomputed], compared: &mut Compared) {
    let told = pairs::Told {
        pairs: &summary.pairs,
        ranks: &summary.ranks,
        policies: (summary.policies.iter())
            .map(|policy| (policy.name.as_str(), PolicySpec::is_ranked(&policy.kind)))
            .collect(),
        metrics: &["regret_linear", "regret_happiness", "reward", "average_regret"],
    };
    let value = |trial: &Recomputed, metric: &str| match metric {
        "regret_linear" => Some(trial.regret_linear),
        "regret_happiness" => Some(trial.regret_happiness),
        "reward" => Some(trial.reward),
        "average_regret" => Some(trial.regret_linear / trial.slots as f64),
        _ => None,
    };
    let values = |policy: &str, metric: &str| -> BTreeMap<u64, f64> {
        let own = trials.iter().filter(|trial| trial.policy == policy && trial.complete);
        own.filter_map(|trial| Some((trial.seed, value(trial, metric)?))).collect()
    };
    pairs::check(&told, &values, compared);
}

fn check_run(scenario: &Scenario, summary: &Summary, compared: &mut Compared) {
    let nodes: Vec<String> = scenario.helpers().iter().map(|h| h.name.clone()).collect();
    let run = &summary.run;
    for (name, same) in [
        ("slots", run.slots == scenario.length().slots()),
        ("nodes", run.nodes == nodes),
        ("features", run.features == scenario.features()),
    ] {
        if !same {
            compared.find(format!("summary.json: {name}"), "not that of topology.toml");
        }
    }
}

fn check_policy(
    scenario: &Scenario,
    policy: &PolicySummary,
    trials: &[&Recomputed],
    compared: &mut Compared,
) {
    let place = |name: &str| format!("summary.json: {name} of {}", policy.name);
    let mut check = |name: &str, told: Option<f64>, right: Option<f64>| {
        let same = match (told, right) {
            (Some(told), Some(right)) => close(told, right),
            (told, right) => told == right,
        };
        if !same {
            compared.find(place(name), format!("{told:?} where {right:?} is right"));
        }
    };
    let n = trials.len() as f64;
    let mean = |value: &dyn Fn(&Recomputed) -> f64| {
        (!trials.is_empty()).then(|| trials.iter().map(|t| value(t)).sum::<f64>() / n)
    };
    let sums: [(&str, Option<MeanSd>, Sum); 3] = [
        ("regret_linear", policy.regret_linear, |t| t.regret_linear),
        ("regret_happiness", policy.regret_happiness, |t| t.regret_happiness),
        ("reward", policy.reward, |t| t.reward),
    ];
    for (name, told, value) in sums {
        check(name, told.map(|v| v.mean), mean(&value));
        let values: Vec<f64> = trials.iter().map(|t| value(t)).collect();
        // Earlier versions told no median.
        if let Some(median) = told.and_then(|v| v.median) {
            check(&format!("median of {name}"), Some(median), pairs::middle(&values));
        }
        check(&format!("sd of {name}"), told.and_then(|v| v.sd), pairs::deviation(&values));
    }
    let last = scenario.length().slots().into_iter();
    for slot in SUMMARY_SLOTS.into_iter().chain(last) {
        // Earlier versions did not tell the last slot.
        if !policy.average_regret.contains_key(&slot.to_string()) {
            continue;
        }
        let right = if slot <= scenario.last_slot() {
            mean(&|t| t.average_regret.get(&slot).copied().unwrap_or(f64::NAN))
        } else {
            None
        };
        let told = policy.average_regret.get(&slot.to_string()).copied().flatten();
        check(&format!("average_regret at {slot}"), told, right);
    }
    let count = |value: &dyn Fn(&Recomputed) -> u64| trials.iter().map(|t| value(t)).sum::<u64>();
    let (slots, refused) = (count(&|t| t.slots), count(&|t| t.refused));
    for (name, told, right) in [
        ("offloaded", policy.tasks.offloaded, slots),
        ("answered", policy.tasks.answered, slots - refused),
        ("refused", policy.tasks.refused, refused),
        ("timed_out", policy.tasks.timed_out, 0),
        ("seeds", policy.seeds, trials.len() as u64),
    ] {
        check(name, Some(told as f64), Some(right as f64));
    }
    let share = |part: u64| (slots > 0).then(|| part as f64 / slots as f64);
    check("happy_share", policy.happy_share, share(count(&|t| t.happy)));
    if slots > 0 {
        for node in 0..scenario.nodes() {
            let told = policy.chosen_share.get(node).copied();
            let right = share(count(&|t| t.chosen[node]));
            check(&format!("chosen_share of node {node}"), told, right);
        }
    }
}

fn check_curve(
    policy: &str,
    curve: &[CurvePoint],
    trials: &[&Recomputed],
    compared: &mut Compared,
) {
    let mut last = 0;
    for point in curve.iter().filter(|point| point.policy == policy) {
        let values: Vec<f64> =
            trials.iter().filter_map(|t| t.average_regret.get(&point.slot).copied()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        if values.len() as u64 != point.n || !close(point.mean, mean) {
            compared.find(
                format!("curves.csv: {policy} at slot {}", point.slot),
                format!(
                    "{} over {} seeds where {mean} over {} is right",
                    point.mean,
                    point.n,
                    values.len()
                ),
            );
            return;
        }
        last = point.slot;
    }
    let longest = trials.iter().filter(|t| t.complete).map(|t| t.slots).max().unwrap_or(0);
    if longest > last {
        compared.find(
            format!("curves.csv: {policy}"),
            format!("ends at slot {last} where a trial has {longest}"),
        );
    }
}

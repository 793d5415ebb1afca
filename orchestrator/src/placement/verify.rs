//! Results, computed anew from the decision files by a separate path, and compared run with run.
//!
//! What is here shares with the rest what a seed means (the keyed draws, which have golden vectors of
//! their own) and the cost model (which has worked examples). Everything that is summed, counted or
//! sorted from there on is written again, in the plainest way.

mod diff;
mod figures;
mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::cost::expected_latency_s;
use fogbit_scenario::placement::{PlacementInstance, PlacementScenario, Site, SiteSight};
use fogbit_scenario::topology::{PlacementMetric, PlacementPolicySpec};

pub use self::diff::diff;
use self::figures::{Fact, check_break_even, check_kpis, figures};
use self::files::{Curves, SegmentRows};
use super::plan::{Segment, segments};
use super::read::{self, Decision, ToldFate};
use super::summary::{PlacementSummary, PolicySummary, TrialSummary};
use crate::exit::{Exit, Failure};
use crate::expect::Expected;
use crate::harness::ProblemSummary;
use crate::harness::{PolicyKind, ProblemMetric};
use crate::plan::Status;
use crate::results::read::ReadError;
use crate::stats::MeanSd;
use crate::verify::{Compared, beside, expect, pairs};

const NO_DECISIONS: &str = "a run keeps a file for each trial in decisions/, unless it was made with \
                            --no-decisions; without it there is nothing to look at";
/// No more findings than this are told of one trial: the first says what is wrong.
const MOST_FINDINGS: usize = 3;

fn unreadable(error: &ReadError) -> Failure {
    Failure::new(Exit::Usage, error)
}

/// Whether two sums agree to 1e-9 of the larger, or of `scale`.
fn close(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(scale)
}

/// Recomputes every trial of a results directory.
///
/// # Errors
/// If the directory cannot be read, or keeps no decisions.
pub fn verify(dir: &Path) -> Result<Compared, Failure> {
    let summary = read::summary(dir).map_err(|error| unreadable(&error))?;
    let file = TopologyFile::read(&dir.join("topology.toml"))?;
    let scenario = PlacementScenario::from_file(&file)?;
    let segments = segments(&scenario);
    let mut compared = Compared::default();
    if summary.run.segments != segments {
        compared.find("summary.json: segments", "topology.toml has others");
        return Ok(compared);
    }
    check_head(dir, &summary, &scenario, &mut compared)?;
    if !compared.findings.is_empty() {
        return Ok(compared);
    }
    let mut facts: BTreeMap<&str, Vec<Fact>> = BTreeMap::new();
    let mut values = Values::new();
    let mut curves = Curves::read(dir).map_err(|error| unreadable(&error))?;
    let mut rows = SegmentRows::read(dir).map_err(|error| unreadable(&error))?;
    for trial in &summary.trials {
        let found = verify_trial(dir, &scenario, &segments, trial, &mut compared)?;
        if compared.findings.is_empty() {
            rows.check((&trial.policy, trial.seed), &segments, &found, &mut compared);
        }
        curves.add(&trial.policy, &found);
        if trial.status == Status::Complete {
            let figures = figures(&found.iter().collect::<Vec<_>>()).into_iter();
            let told = figures.filter_map(|(name, value)| Some((name, value?)));
            values.insert((&trial.policy, trial.seed), told.collect());
            facts.entry(&trial.policy).or_default().extend(found);
        }
    }
    if summary.trials.is_empty() {
        compared.find("summary.json", "there is no trial");
    }
    if compared.findings.is_empty() {
        // What is said over seeds follows from the trials; it is looked at where these are right.
        check_policies(&summary, &segments, &facts, &mut compared);
        check_break_even(&summary, &facts, &mut compared);
        check_pairs(&summary, &values, &mut compared);
        check_expectations(&summary, &scenario, &values, &mut compared);
        curves.check(&segments, &mut compared);
        rows.end(&mut compared);
    }
    Ok(compared)
}

/// The figures of each complete trial by name, by policy and seed.
type Values<'s> = BTreeMap<(&'s str, u64), BTreeMap<&'static str, f64>>;

/// Compares pairs and ranks.
fn check_pairs(summary: &PlacementSummary, values: &Values<'_>, compared: &mut Compared) {
    let told = pairs::Told {
        pairs: &summary.pairs,
        ranks: &summary.ranks,
        policies: (summary.policies.iter())
            .map(|policy| (policy.name.as_str(), PlacementPolicySpec::is_ranked(&policy.kind)))
            .collect(),
        metrics: &["mean_latency_ms", "mean_regret_ms", "accuracy", "accuracy_outside_band"],
    };
    let values = |policy: &str, metric: &str| -> BTreeMap<u64, f64> {
        let own = values.iter().filter(|((name, _), _)| *name == policy);
        own.filter_map(|((_, seed), told)| Some((*seed, *told.get(metric)?))).collect()
    };
    pairs::check(&told, &values, compared);
}

/// Compares what is said of the expectations.
fn check_expectations(
    summary: &PlacementSummary,
    scenario: &PlacementScenario,
    values: &Values<'_>,
    compared: &mut Compared,
) {
    let expected: Vec<Expected<'_, PlacementMetric>> =
        scenario.topology().expectations.iter().map(Into::into).collect();
    let policies: Vec<&str> = summary.policies.iter().map(|p| p.name.as_str()).collect();
    let of = |policy: &str, metric: PlacementMetric, _: Option<u64>| {
        let own = values.iter().filter(|((name, _), _)| *name == policy);
        Some(own.filter_map(|((_, seed), told)| Some((*seed, *told.get(metric.name())?))).collect())
    };
    expect::check(&summary.expectations, &expected, &policies, &of, compared);
}

/// Holds what is said of the run as a whole against topology, manifest and links.
fn check_head(
    dir: &Path,
    summary: &PlacementSummary,
    scenario: &PlacementScenario,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let run = &summary.run;
    let policies = summary.policies.iter();
    let policies =
        policies.map(|p| ((p.name.as_str(), p.kind.as_str(), p.parameters.clone()), p.seeds));
    let head = ProblemSummary::head(summary);
    let told = beside::Told::of(&head, &run.version, policies, &summary.trials);
    let about = scenario.topology().about.as_deref();
    let measured = (dir, None);
    let due = beside::Due::of(about, scenario.policies(), scenario.seeds(), measured)?;
    beside::check(dir, &told, &due, compared)?;
    let clock = scenario.topology().clock.kind();
    let nodes: Vec<&str> = scenario.helpers().iter().map(|node| node.name.as_str()).collect();
    let pairs = [
        ("problem", run.problem == "placement"),
        ("slots", run.slots == scenario.slots()),
        ("clock", run.clock == clock),
        ("task_node", run.task_node == scenario.task_node().name),
        ("nodes", run.nodes == nodes),
    ];
    for (key, _) in pairs.iter().filter(|(_, right)| !right) {
        compared.find(format!("summary.json: run.{key}"), "not what topology.toml says");
    }
    Ok(())
}

/// Compares a trial; gives what its rows say.
fn verify_trial(
    dir: &Path,
    scenario: &PlacementScenario,
    segments: &[Segment],
    trial: &TrialSummary,
    compared: &mut Compared,
) -> Result<Vec<Fact>, Failure> {
    let place = format!("decisions/{}-{}.csv", trial.policy, trial.seed);
    if !scenario.policies().any(|(name, _)| name == trial.policy) {
        compared.find(place, "topology.toml has no such policy");
        return Ok(Vec::new());
    }
    if trial.slots == 0 && trial.status != Status::Complete {
        return Ok(Vec::new()); // it was not begun
    }
    let sites = scenario.site_names();
    let rows = read::decisions(dir, &trial.policy, trial.seed, &sites)
        .map_err(|error| unreadable(&error).help(NO_DECISIONS))?;
    compared.trials += 1;
    let mut instance = scenario.instance(trial.seed);
    let before = compared.findings.len();
    let mut facts = Vec::new();
    for row in rows {
        let row = row.map_err(|error| unreadable(&error))?;
        compared.slots += 1;
        let slot = facts.len() as u64 + 1;
        if let Err(why) = check_row(&mut instance, slot, &row) {
            compared.find(format!("{place}: slot {slot}"), why);
        }
        if compared.findings.len() >= before + MOST_FINDINGS {
            return Ok(facts);
        }
        let segment = segments.iter().position(|s| (s.from..=s.to).contains(&slot));
        let fact = Fact::new(&row, segment.unwrap_or(0), scenario.deadline_ns());
        facts.push(fact.with_pairs(break_even(&mut instance, slot, &row)));
    }
    let slots = facts.len() as u64;
    if slots != trial.slots || (trial.status == Status::Complete) != (slots == scenario.slots()) {
        let difference = format!(
            "{slots} slots of {}, in a trial that is {:?} with {}",
            scenario.slots(),
            trial.status,
            trial.slots
        );
        compared.find(place, difference);
    } else if compared.findings.len() == before {
        let all: Vec<&Fact> = facts.iter().collect();
        check_kpis(&place, &trial.whole, &all, compared);
    }
    Ok(facts)
}

/// Holds what the model says of a row against the row.
fn check_row(instance: &mut PlacementInstance, slot: u64, row: &Decision) -> Result<(), String> {
    let task = instance.task(slot);
    if (row.slot, row.cycles, row.input_bytes, row.output_bytes)
        != (slot, task.cycles, task.input_bytes, task.output_bytes)
    {
        return Err(format!("slot {slot} has the task {task:?}"));
    }
    let expected: Vec<f64> = instance.expected_s(slot, &task).iter().map(|s| s * 1e3).collect();
    for (told, right) in row.sites.iter().zip(&expected) {
        if told.expected_ms != *right {
            return Err(format!("expected_ms {:?} where {right:?} is right", told.expected_ms));
        }
    }
    let least = expected.iter().copied().reduce(f64::min).unwrap_or(f64::NAN);
    if row.regret_ms != expected[row.site] - least {
        return Err(format!("regret_ms {:?} is not that of the choice", row.regret_ms));
    }
    if expected[row.best] != least || (row.regret_ms == 0.0 && row.best != row.site) {
        return Err(format!("site {} is not the best", row.best));
    }
    if !(row.latency_ms >= 0.0 && row.latency_ms.is_finite()) {
        return Err(format!("latency_ms {:?}", row.latency_ms));
    }
    Ok(())
}

/// The break-even round trips of a row whose task was tried on other sites too: helper node, as
/// measured, and by the formula, in milliseconds. Both by halving intervals: where the model, and
/// the model moved by what the execution took more than it, cross the local latency.
fn break_even(
    instance: &mut PlacementInstance,
    slot: u64,
    row: &Decision,
) -> Vec<(usize, f64, f64)> {
    let latency = |site: usize| match (site == row.site, row.fate) {
        (true, ToldFate::Done) => Some(row.latency_ms),
        (true, _) => None,
        (false, _) => row.sites[site].shadow_ms,
    };
    let tried = row.sites.iter().any(|site| site.shadow_ms.is_some());
    let Some(local) = latency(0).filter(|_| tried) else { return Vec::new() };
    let (task, cost) = (instance.task(slot), *instance.cost());
    let mut pairs = Vec::new();
    for site in 1..row.sites.len() {
        let Some(away) = latency(site) else { continue };
        let edge = instance.truth(slot, Site::at(site));
        let model = |rtt_ms: f64| {
            let edge = SiteSight { rtt_s: rtt_ms / 1e3, ..edge };
            expected_latency_s(&task, &edge, &cost) * 1e3
        };
        let later = away - model(row.sites[site].rtt_ms);
        let measured = crossing(|rtt| model(rtt) + later, local);
        pairs.push((site - 1, measured, crossing(model, row.sites[0].expected_ms)));
    }
    pairs
}

/// Where a function that grows with a slope of 1 or more reaches `value`.
fn crossing(function: impl Fn(f64) -> f64, value: f64) -> f64 {
    let reach = (function(0.0) - value).abs() + 1.0;
    let (mut low, mut high) = (-reach, reach);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if function(middle) < value { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// What is said of each policy over its seeds.
fn check_policies(
    summary: &PlacementSummary,
    segments: &[Segment],
    facts: &BTreeMap<&str, Vec<Fact>>,
    compared: &mut Compared,
) {
    for policy in &summary.policies {
        let all: Vec<&Fact> = facts.get(policy.name.as_str()).into_iter().flatten().collect();
        let place = format!("summary.json: {}", policy.name);
        check_kpis(&place, &policy.whole, &all, compared);
        if policy.segments.len() != segments.len() {
            compared.find(place.clone(), "not as many segments as the run has");
        }
        for (index, told) in policy.segments.iter().enumerate() {
            let own: Vec<&Fact> = all.iter().copied().filter(|f| f.segment == index).collect();
            check_kpis(&format!("{place}, segment {index}"), told, &own, compared);
        }
        check_over_seeds(&place, summary, policy, compared);
        let answers: BTreeSet<bool> = all.iter().map(|fact| fact.offloaded).collect();
        let only = match answers.iter().collect::<Vec<_>>()[..] {
            [false] => Some("local"),
            [true] => Some("offload"),
            _ => None,
        };
        if policy.degenerate.map(|answer| answer.name()) != only {
            compared.find(place, format!("degenerate {:?}, {only:?} is right", policy.degenerate));
        }
    }
}

/// Means and deviations over the complete trials.
fn check_over_seeds(
    place: &str,
    summary: &PlacementSummary,
    policy: &PolicySummary,
    compared: &mut Compared,
) {
    let trials: Vec<&TrialSummary> = summary
        .trials
        .iter()
        .filter(|trial| trial.policy == policy.name && trial.status == Status::Complete)
        .collect();
    if policy.seeds != trials.len() as u64 {
        compared.find(place, format!("{} complete trials, not {}", trials.len(), policy.seeds));
    }
    type Value = fn(&TrialSummary) -> Option<f64>;
    let told: [(&str, Option<MeanSd>, Value); 4] = [
        ("mean_latency_ms", policy.mean_latency_ms, |t| t.whole.mean_latency_ms),
        ("mean_regret_ms", policy.mean_regret_ms, |t| t.whole.mean_regret_ms),
        ("accuracy", policy.accuracy, |t| t.whole.accuracy),
        ("accuracy_outside_band", policy.accuracy_outside_band, |t| t.whole.accuracy_outside_band),
    ];
    for (name, told, value) in told {
        let values: Vec<f64> = trials.iter().filter_map(|trial| value(trial)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let (sd, median) = (pairs::deviation(&values), pairs::middle(&values));
        let median = median.unwrap_or(f64::NAN);
        let right = match (told, values.is_empty()) {
            (None, empty) => empty,
            (Some(told), false) => {
                close(told.mean, mean, 0.0)
                    && told.median.is_none_or(|told| close(told, median, 0.0))
                    && match (told.sd, sd) {
                        (Some(a), Some(b)) => close(a, b, mean.abs()),
                        (a, b) => a == b,
                    }
            }
            (Some(_), true) => false,
        };
        if !right {
            compared.find(place, format!("{name} {told:?} where {mean:?} and {sd:?} are right"));
        }
    }
}

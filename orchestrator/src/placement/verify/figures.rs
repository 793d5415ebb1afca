//! The figures of a stretch of slots, from the rows of decision files in the plainest way.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::read::{Decision, ToldFate};
use super::super::summary::{BreakEven, PlacementSummary};
use super::super::tally::Kpis;
use super::close;
use crate::stats::Interval;
use crate::stats::sample::MOST_KEPT;
use crate::verify::{Compared, is_quantile};

/// What a row comes to.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) segment: usize,
    pub(super) offloaded: bool,
    fate: ToldFate,
    late: bool,
    pub(super) latency_ms: f64,
    pub(super) regret_ms: f64,
    pub(super) right: bool,
    outside: bool,
    best_offloaded: bool,
    rtt_ms: Vec<f64>,
    score: Option<f64>,
    bits: f64,
    /// Helper node, break-even as measured, and by the formula.
    pairs: Vec<(usize, f64, f64)>,
}

impl Fact {
    pub(super) fn new(row: &Decision, segment: usize, deadline_ns: Option<u64>) -> Fact {
        let local = row.sites[0].expected_ms;
        let away = row.sites[1..].iter().map(|s| s.expected_ms).reduce(f64::min);
        let away = away.unwrap_or(f64::INFINITY);
        let predicted: Option<Vec<f64>> = row.sites.iter().map(|s| s.predicted_ms).collect();
        let score = predicted
            .map(|p| p[0] - p[1..].iter().copied().reduce(f64::min).unwrap_or(f64::INFINITY));
        Fact {
            segment,
            offloaded: row.site > 0,
            fate: row.fate,
            late: deadline_ns.is_some_and(|ns| row.latency_ms > ns as f64 / 1e6),
            latency_ms: row.latency_ms,
            regret_ms: row.regret_ms,
            right: row.site == row.best,
            outside: (local - away).abs() > 0.1 * local.min(away),
            best_offloaded: away < local,
            rtt_ms: row.sites[1..].iter().map(|site| site.rtt_ms).collect(),
            score: score.filter(|score| !score.is_nan()),
            bits: 8.0 * (row.input_bytes + row.output_bytes) as f64,
            pairs: Vec::new(),
        }
    }

    pub(super) fn with_pairs(self, pairs: Vec<(usize, f64, f64)>) -> Fact {
        Fact { pairs, ..self }
    }

    pub(super) fn came_back(&self) -> bool {
        self.fate == ToldFate::Done
    }
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn share(part: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// Compares what is told of some tasks with what their rows say.
pub(super) fn check_kpis(place: &str, told: &Kpis, facts: &[&Fact], compared: &mut Compared) {
    let json = serde_json::to_value(told).expect("figures are plain data");
    for (name, right) in figures(facts) {
        let found = json.pointer(&format!("/{name}")).and_then(Value::as_f64);
        let scale = if name.contains("regret") { 1.0 } else { 0.0 };
        let same = match (found, right) {
            (Some(found), Some(right)) => close(found, right, scale),
            (found, right) => found == right,
        };
        if !same {
            compared.find(place, format!("{name} {found:?} where {right:?} is right"));
        }
    }
    for (name, values) in spread(facts) {
        check_spread(place, name, &json[name], values, compared);
    }
}

/// Everything that is one number.
pub(super) fn figures(facts: &[&Fact]) -> Vec<(&'static str, Option<f64>)> {
    let count = |wanted: &dyn Fn(&Fact) -> bool| facts.iter().filter(|f| wanted(f)).count();
    let number = |wanted: &dyn Fn(&Fact) -> bool| Some(count(wanted) as f64);
    let collect = |wanted: &dyn Fn(&Fact) -> bool, value: &dyn Fn(&Fact) -> f64| -> Vec<f64> {
        facts.iter().filter(|f| wanted(f)).map(|f| value(f)).collect()
    };
    let all = facts.len();
    let regrets = collect(&|_| true, &|f| f.regret_ms);
    let outside = count(&|f| f.outside);
    let away_and_back = |f: &Fact| f.offloaded && f.came_back();
    let bits: f64 = collect(&away_and_back, &|f| f.bits).iter().sum();
    let time_ms: f64 = collect(&away_and_back, &|f| f.latency_ms).iter().sum();
    let cell = |best: bool, chosen: bool| {
        count(&|f: &Fact| f.best_offloaded == best && f.offloaded == chosen)
    };
    let (ll, lo, ol, oo) =
        (cell(false, false), cell(false, true), cell(true, false), cell(true, true));
    let balanced = share(ll, ll + lo).zip(share(oo, ol + oo)).map(|(a, b)| (a + b) / 2.0);
    let mut told = vec![
        ("tasks", Some(all as f64)),
        ("local", number(&|f| !f.offloaded)),
        ("offloaded", number(&|f| f.offloaded)),
        ("done", number(&|f| f.came_back() && !f.late)),
        ("deadline_missed", number(&|f| f.came_back() && f.late)),
        ("timed_out", number(&|f| f.fate == ToldFate::TimedOut)),
        ("refused", number(&|f| f.fate == ToldFate::Refused)),
        ("offloaded_share", share(count(&|f| f.offloaded), all)),
        ("mean_latency_ms", mean(&collect(&Fact::came_back, &|f| f.latency_ms))),
        ("throughput_mbit_s", (time_ms > 0.0).then(|| bits / time_ms / 1e3)),
        ("mean_regret_ms", mean(&regrets)),
        ("worst_regret_ms", regrets.iter().copied().reduce(f64::max)),
        ("accuracy", share(count(&|f| f.right), all)),
        ("outside_band", Some(outside as f64)),
        ("accuracy_outside_band", share(count(&|f| f.outside && f.right), outside)),
        ("confusion/local_local", Some(ll as f64)),
        ("confusion/local_offloaded", Some(lo as f64)),
        ("confusion/offloaded_local", Some(ol as f64)),
        ("confusion/offloaded_offloaded", Some(oo as f64)),
        ("balanced_accuracy", balanced),
    ];
    // Of very many tasks a part is looked at.
    if all <= MOST_KEPT {
        told.push(("auc", auc(facts)));
    }
    told
}

/// The share of the pairs of a task that is best offloaded and one that is not in which the first
/// has the higher score.
fn auc(facts: &[&Fact]) -> Option<f64> {
    let of = |best: bool| -> Vec<f64> {
        let own = facts.iter().filter(|f| f.best_offloaded == best);
        let mut scores: Vec<f64> = own.filter_map(|f| f.score).collect();
        scores.sort_by(f64::total_cmp);
        scores
    };
    let (local, away) = (of(false), of(true));
    if local.is_empty() || away.is_empty() {
        return None;
    }
    let won = away.iter().map(|score| {
        let below = local.partition_point(|other| other < score);
        let not_above = local.partition_point(|other| other <= score);
        (below + not_above) as f64 / 2.0
    });
    Some(won.sum::<f64>() / (local.len() * away.len()) as f64)
}

/// What is told as a distribution, in ascending order.
pub(super) fn spread(facts: &[&Fact]) -> [(&'static str, Vec<f64>); 3] {
    let latencies = |offloaded: bool| -> Vec<f64> {
        let own = facts.iter().filter(|f| f.offloaded == offloaded && f.came_back());
        own.map(|f| f.latency_ms).collect()
    };
    let rtt: Vec<f64> = facts.iter().flat_map(|f| f.rtt_ms.iter().copied()).collect();
    [
        ("latency_local_ms", latencies(false)),
        ("latency_offloaded_ms", latencies(true)),
        ("rtt_ms", rtt),
    ]
    .map(|(name, mut values)| {
        values.sort_by(f64::total_cmp);
        (name, values)
    })
}

fn check_spread(place: &str, name: &str, told: &Value, values: Vec<f64>, compared: &mut Compared) {
    if values.is_empty() || told.is_null() {
        if values.is_empty() != told.is_null() {
            compared.find(place, format!("{name} {told} of {} values", values.len()));
        }
        return;
    }
    let sum: f64 = values.iter().sum();
    let ends = [
        ("count", values.len() as f64),
        ("mean", sum / values.len() as f64),
        ("min", values[0]),
        ("max", values[values.len() - 1]),
    ];
    for (part, right) in ends {
        if !told[part].as_f64().is_some_and(|found| close(found, right, 0.0)) {
            compared.find(place, format!("{name}.{part} {} where {right} is right", told[part]));
        }
    }
    for (part, p) in
        [("p5", 0.05), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p95", 0.95), ("p99", 0.99)]
    {
        let found = told[part].as_f64().unwrap_or(f64::NAN);
        if !is_quantile(&values, p, found) {
            compared.find(place, format!("{name}.{part} {found} is not the quantile"));
        }
    }
}

/// Measured break-even round trips.
pub(super) fn check_break_even(
    summary: &PlacementSummary,
    facts: &BTreeMap<&str, Vec<Fact>>,
    compared: &mut Compared,
) {
    for BreakEven { segment, node, measured, .. } in &summary.break_even {
        let place = format!("summary.json: break_even of {node} in segment {segment}");
        let number = summary.run.nodes.iter().position(|name| name == node);
        // In the order of the trials, as sums run.
        let of_trials = facts.values().flatten().filter(|fact| fact.segment == *segment);
        let pairs: Vec<(f64, f64)> = of_trials
            .flat_map(|fact| &fact.pairs)
            .filter(|(node, ..)| Some(*node) == number)
            .map(|(_, measured, formula)| (*measured, *formula))
            .collect();
        let values: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
        let formulas: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
        let Some(told) = measured else {
            if !pairs.is_empty() {
                compared.find(place, format!("none, of {} pairs", pairs.len()));
            }
            continue;
        };
        if told.pairs != pairs.len() as u64 || pairs.is_empty() {
            compared.find(place, format!("{} pairs, not {}", pairs.len(), told.pairs));
            continue;
        }
        let right = Interval::of_differences(&values, &formulas);
        let moved = |end: Option<f64>| Some(mean(&formulas)? + end?);
        let near = |a: f64, b: Option<f64>| b.is_some_and(|b| (a - b).abs() <= 1e-6);
        let ends = match (told.low_ms, told.high_ms) {
            (Some(low), Some(high)) => near(low, moved(right.low)) && near(high, moved(right.high)),
            (low, high) => low.is_none() && high.is_none() && pairs.len() == 1,
        };
        if !ends
            || !near(told.measured_ms, mean(&values))
            || !near(told.formula_ms, mean(&formulas))
        {
            compared.find(place, format!("{told:?} where {right:?} is right"));
        }
    }
}

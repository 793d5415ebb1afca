//! The ranking with paired differences, for terminals.

use std::fmt::Write;

use comfy_table::Table;

use super::table::{Rows, new_table, percent, right};
use crate::report::words;
use crate::results::summary::{Pair, PolicyRank, Reading};

/// Rankings by several metrics, and how to read them; empty where there is one seed.
pub(super) fn rankings(
    policies: &[&str],
    ranks: &[PolicyRank],
    pairs: &[Pair],
    metrics: &[&str],
) -> String {
    let mut text = String::new();
    if pairs.iter().all(|pair| pair.low.is_none()) {
        return text;
    }
    for table in metrics.iter().filter_map(|metric| ranking(policies, ranks, pairs, metric)) {
        let _ = writeln!(text, "\n{table}");
    }
    if pairs.iter().any(|pair| pair.reading() == Reading::Open) {
        text += "open: 0 lies within; with so many seeds, chances are even that it would not\n";
    }
    text
}

/// Policies by mean rank, with their paired differences by one metric; those that are not ranked
/// come last. Nothing where there is nothing to compare.
fn ranking(policies: &[&str], ranks: &[PolicyRank], pairs: &[Pair], metric: &str) -> Option<Table> {
    let pairs: Vec<&Pair> = pairs.iter().filter(|pair| pair.metric == metric).collect();
    let versus = &pairs.first()?.versus;
    let rank_of = |name: &str| ranks.iter().find(|r| r.metric == metric && r.policy == name);
    let mut order = policies.to_vec();
    order.sort_by(|a, b| {
        let key = |name: &str| rank_of(name).map_or(f64::INFINITY, |rank| rank.mean_rank);
        key(a).total_cmp(&key(b))
    });
    let mut table = new_table(Rows::Close);
    table.set_header(right([
        format!("by {metric}"),
        "mean rank".into(),
        "best in".into(),
        format!("minus {versus}"),
        "95 % interval".into(),
        "reading".into(),
    ]));
    for name in order {
        let rank = rank_of(name);
        let pair = pairs.iter().find(|pair| pair.policy == name);
        table.add_row(right([
            name.into(),
            rank.map_or("-".into(), |rank| format!("{:.2}", rank.mean_rank)),
            percent(rank.map(|rank| rank.best_share)),
            pair.map_or("-".into(), |pair| signed(pair.mean, digits(&pairs))),
            pair.map_or("-".into(), |pair| interval(pair.low, pair.high, digits(&pairs))),
            pair.map_or(String::new(), |pair| reading(pair)),
        ]));
    }
    Some(table)
}

/// As many digits after the point as show three digits of the largest difference.
pub(super) fn digits(pairs: &[&Pair]) -> usize {
    let largest = pairs.iter().map(|pair| pair.mean.abs()).fold(0.0, f64::max);
    match largest {
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        _ => 4,
    }
}

pub(super) fn signed(value: f64, digits: usize) -> String {
    format!("{value:+.digits$}")
}

pub(super) fn interval(low: Option<f64>, high: Option<f64>, digits: usize) -> String {
    low.zip(high).map_or("-".into(), |(low, high)| {
        format!("{} to {}", signed(low, digits), signed(high, digits))
    })
}

/// `open: about 140 seeds`.
pub(super) fn reading(pair: &Pair) -> String {
    let reading = pair.reading();
    match words::seeds_wanted(pair) {
        Some(seeds) if reading == Reading::Open => format!("open: {seeds} seeds"),
        _ => words::reading(reading).into(),
    }
}

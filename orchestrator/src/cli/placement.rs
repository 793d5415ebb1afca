//! What is printed of a run of the problem `placement`.

use std::fmt::Write;
use std::path::Path;

use comfy_table::{Cell, CellAlignment, Table};

use super::ranking::rankings;
use super::table::{Rows, end, grouped, head, new_table, percent, right};
use crate::harness::ProblemSummary;
use crate::placement::summary::{BreakEven, PlacementSummary, PolicySummary};
use crate::placement::tally::Kpis;
use crate::stats::sample::Distribution;

/// Of more segments than these only the whole is shown.
const MOST_SEGMENTS: usize = 12;

/// The results for people.
pub(crate) fn render(summary: &PlacementSummary, dir: &Path) -> String {
    let mut text = head(&summary.head());
    let _ = writeln!(text, "{}", policies(summary));
    if summary.run.segments.len() > MOST_SEGMENTS {
        let _ = writeln!(text, "{} segments: segments.csv has each", summary.run.segments.len());
    }
    if let Some(links) = &summary.run.links {
        let _ = writeln!(text, "{}", links.line());
    }
    let _ = writeln!(text, "\n{}", break_even(summary));
    notes(&mut text, summary);
    let names: Vec<&str> = summary.policies.iter().map(|p| p.name.as_str()).collect();
    let metrics = ["mean_latency_ms", "mean_regret_ms"];
    text += &rankings(&names, &summary.ranks, &summary.pairs, &metrics);
    text += &end(&summary.expectations, dir);
    text
}

fn policies(summary: &PlacementSummary) -> Table {
    let mut table = new_table(Rows::Close);
    table.set_header(cells([
        "profile",
        "policy",
        "RTT ms\np50/p95/p99",
        "local ms\np50/p95/p99",
        "offloaded ms\np50/p95/p99",
        "mean\nms",
        "payload\nMbit/s",
        "off-\nloaded",
        "right",
        "right\noff band",
        "regret\nms",
        "lost or\nlate",
    ]));
    let segments = &summary.run.segments;
    if segments.len() <= MOST_SEGMENTS {
        for (index, segment) in segments.iter().enumerate() {
            let name = format!("{}\n{}-{}", segment.profile, segment.from, segment.to);
            rows(&mut table, summary, &name, |policy| policy.segments.get(index));
        }
    }
    if segments.len() != 1 {
        rows(&mut table, summary, "all", |policy| Some(&policy.whole));
    }
    table
}

/// Each policy in a row; the name of the stretch, a line a row, stands before them.
fn rows<'s>(
    table: &mut Table,
    summary: &'s PlacementSummary,
    name: &str,
    kpis: impl Fn(&'s PolicySummary) -> Option<&'s Kpis>,
) {
    let mut names = name.lines();
    for policy in &summary.policies {
        let Some(kpis) = kpis(policy) else { continue };
        let one = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
        let counts = &kpis.counts;
        let lost = counts.timed_out + counts.refused + counts.deadline_missed;
        table.add_row(cells([
            names.next().unwrap_or_default().to_owned(),
            policy.name.clone(),
            quantiles(kpis.rtt_ms.as_ref()),
            quantiles(kpis.latency_local_ms.as_ref()),
            quantiles(kpis.latency_offloaded_ms.as_ref()),
            one(kpis.mean_latency_ms),
            kpis.throughput_mbit_s.map_or("-".into(), |value| format!("{value:.2}")),
            percent(kpis.offloaded_share),
            percent(kpis.accuracy),
            percent(kpis.accuracy_outside_band),
            kpis.mean_regret_ms.map_or("-".into(), |value| format!("{value:.2}")),
            grouped(lost as f64),
        ]));
    }
    // A name of more lines than there are policies is told all the same.
    for rest in names {
        table.add_row(right([rest]));
    }
}

/// A row whose first two cells are names, and the others numbers.
fn cells<T: ToString>(texts: impl AsRef<[T]>) -> Vec<Cell> {
    let mut cells = right(texts);
    if let Some(second) = cells.get_mut(1) {
        *second = second.clone().set_alignment(CellAlignment::Left);
    }
    cells
}

fn quantiles(of: Option<&Distribution>) -> String {
    let Some(Distribution { p50, p95, p99, .. }) = of else { return "-".into() };
    let digits = usize::from(*p99 < 100.0);
    format!("{p50:.digits$}/{p95:.digits$}/{p99:.digits$}")
}

fn break_even(summary: &PlacementSummary) -> Table {
    let mut table = new_table(Rows::Close);
    table.set_header(cells([
        "break-even round trip",
        "node",
        "RTT ms",
        "local ms",
        "offloaded ms",
        "formula ms",
        "measured ms",
        "95 % interval",
        "formula, same tasks",
        "tasks",
    ]));
    let shown = if summary.run.segments.len() > MOST_SEGMENTS { 0 } else { usize::MAX };
    for row in summary.break_even.iter().filter(|row| row.segment <= shown) {
        let BreakEven { profile, node, rtt_ms, local_ms, offloaded_ms, formula_ms, .. } = row;
        let measured = row.measured.as_ref();
        let of = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
        let ends = measured.and_then(|m| m.low_ms.zip(m.high_ms));
        table.add_row(cells([
            profile.clone(),
            node.clone(),
            of(Some(*rtt_ms)),
            of(Some(*local_ms)),
            of(Some(*offloaded_ms)),
            of(Some(*formula_ms)),
            of(measured.map(|m| m.measured_ms)),
            ends.map_or("-".into(), |(low, high)| format!("{low:.1} to {high:.1}")),
            of(measured.map(|m| m.formula_ms)),
            measured.map_or("-".into(), |m| grouped(m.pairs as f64)),
        ]));
    }
    table
}

fn notes(text: &mut String, summary: &PlacementSummary) {
    let degenerate: Vec<String> = summary
        .policies
        .iter()
        .filter_map(|policy| Some(format!("{} ({})", policy.name, policy.degenerate?.name())))
        .collect();
    if !degenerate.is_empty() {
        let _ = writeln!(text, "degenerate, one answer to every task: {}", degenerate.join(", "));
    }
    let scored: Vec<String> = summary
        .policies
        .iter()
        .filter_map(|policy| {
            let balanced = policy.whole.balanced_accuracy?;
            let auc = policy.whole.auc.map_or(String::new(), |auc| format!(", AUC {auc:.4}"));
            Some(format!("{} {balanced:.4}{auc}", policy.name))
        })
        .collect();
    if !scored.is_empty() {
        let _ = writeln!(text, "balanced accuracy: {}", scored.join("; "));
    }
    type Count = fn(&Kpis) -> u64;
    let lost: [(&str, Count); 3] = [
        ("timed out", |kpis| kpis.counts.timed_out),
        ("refused", |kpis| kpis.counts.refused),
        ("after the deadline", |kpis| kpis.counts.deadline_missed),
    ];
    for (what, count) in lost {
        let parts: Vec<String> = summary
            .policies
            .iter()
            .filter(|policy| count(&policy.whole) > 0)
            .map(|policy| {
                let (lost, tasks) = (count(&policy.whole), policy.whole.counts.tasks);
                let share = percent(Some(lost as f64 / tasks as f64));
                format!("{} {} ({share})", policy.name, grouped(lost as f64))
            })
            .collect();
        if !parts.is_empty() {
            let _ = writeln!(text, "{what}: {}", parts.join(", "));
        }
    }
}

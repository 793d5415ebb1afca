//! What is printed of a suite.

use std::fmt::Write;
use std::path::Path;

use comfy_table::Table;

use super::super::table::{Rows, new_table, percent, right};
use crate::bench::summary::{BenchSummary, NEAR};
use crate::results::RunStatus;

/// The results for people.
pub(super) fn render(summary: &BenchSummary, dir: &Path) -> String {
    let bench = &summary.bench;
    let mut text = format!(
        "{}: {} to {}, {} of {} experiments, backend {}, {:.1} s\n",
        bench.topology,
        bench.nodes[0],
        bench.nodes[1],
        bench.complete,
        bench.experiments,
        bench.backend,
        bench.seconds
    );
    if bench.status != RunStatus::Complete {
        let _ = writeln!(text, "This suite is not complete: what is missing was not measured.");
    }
    if !bench.valid {
        let _ = writeln!(
            text,
            "This suite is INVALID: more than 1 % of the packets were delivered more than 5 ms late. \
             The host did not keep up: fewer --jobs, or a faster host."
        );
    }
    for (title, table) in [
        ("Profiles, loads and payloads (ms; medians)", grid(summary)),
        ("Break-even round trip (ms)", break_even(summary)),
        ("Loss (ms)", loss(summary)),
        ("Least rate to the helper node (Mbit/s)", rate(summary)),
    ] {
        if table.row_count() > 0 {
            let _ = writeln!(text, "\n{title}\n{table}");
        }
    }
    notes(&mut text, summary);
    let _ = writeln!(text, "results: {0}  report: {0}/report.html", dir.display());
    text
}

fn ms(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.1}"))
}

fn kilobytes(bytes: u64) -> String {
    format!("{} kB", bytes as f64 / 1e3)
}

fn grid(summary: &BenchSummary) -> Table {
    let mut table = new_table(Rows::Close);
    let policies = summary.decisions.iter().map(|own| format!("{} right", own.policy));
    let head = ["profile", "load", "payload", "round trip", "local", "offloaded", "p95", "Mbit/s"];
    table.set_header(right(
        head.iter().map(ToString::to_string).chain(policies).collect::<Vec<_>>(),
    ));
    for cell in &summary.grid {
        let mut row = vec![
            cell.profile.clone(),
            percent(Some(cell.load)),
            kilobytes(cell.payload_bytes),
            ms(cell.rtt_p50_ms),
            ms(cell.local_p50_ms),
            ms(cell.offloaded_p50_ms),
            ms(cell.offloaded_p95_ms),
            cell.throughput_mbit_s.map_or("-".into(), |rate| format!("{rate:.2}")),
        ];
        row.extend(cell.decisions.iter().map(|own| percent(own.accuracy())));
        table.add_row(right(row));
    }
    table
}

fn break_even(summary: &BenchSummary) -> Table {
    let mut table = new_table(Rows::Close);
    table.set_header(right([
        "profile",
        "formula",
        "lossless",
        "measured",
        "95 % from",
        "to",
        "apart",
        "local",
        "slope",
    ]));
    for row in &summary.break_even {
        let apart = row.relative.map_or("-".into(), |apart| format!("{:+.1} %", 100.0 * apart));
        let formula = match row.formula_ms {
            formula if formula <= 0.0 => format!("never ({formula:.0})"),
            formula => format!("{formula:.1}"),
        };
        table.add_row(right([
            row.profile.clone(),
            formula,
            ms(row.lossless_ms),
            ms(row.measured_ms),
            ms(row.low_ms),
            ms(row.high_ms),
            apart,
            ms(row.local_ms),
            row.slope.map_or("-".into(), |slope| format!("{slope:.3}")),
        ]));
    }
    table
}

fn loss(summary: &BenchSummary) -> Table {
    let mut table = new_table(Rows::Close);
    table.set_header(right(["profile", "loss", "tasks", "in time", "p50", "p95", "p99"]));
    for row in &summary.loss {
        table.add_row(right([
            row.profile.clone(),
            percent(Some(row.loss)),
            row.tasks.to_string(),
            percent(row.success),
            ms(row.p50_ms),
            ms(row.p95_ms),
            ms(row.p99_ms),
        ]));
    }
    table
}

fn rate(summary: &BenchSummary) -> Table {
    let mut table = new_table(Rows::Close);
    table.set_header(right([
        "payload",
        "every ms",
        "payload rate",
        "pipelined",
        "formula",
        "one by one",
        "formula",
    ]));
    let rate = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
    for row in &summary.rate {
        table.add_row(right([
            kilobytes(row.payload_bytes),
            format!("{:.0}", row.period_ms),
            rate(Some(row.arithmetic_mbit_s)),
            rate(row.pipelined_mbit_s),
            rate(Some(row.pipelined_formula_mbit_s)),
            rate(row.sequential_mbit_s),
            rate(row.sequential_formula_mbit_s),
        ]));
    }
    table
}

fn notes(text: &mut String, summary: &BenchSummary) {
    let (measured, near) = summary.near();
    if measured > 0 {
        let _ = writeln!(
            text,
            "\nmeasured break-even within {:.0} % of the formula on {near} of {measured} profiles",
            100.0 * NEAR
        );
    }
    if let Some(row) = summary.loss.first() {
        let _ = writeln!(text, "in time: done within {:.0} ms", row.deadline_ms);
    }
    let links = &summary.links;
    if links.verdicts > 0 {
        let _ = writeln!(
            text,
            "links: {} findings contradict what is configured, {} agree, {} are not resolved{}",
            links.wrong + links.wrong_loss,
            links.verdicts - links.wrong - links.wrong_loss,
            links.not_resolved,
            if summary.bench.links_wrong {
                ": a link is WRONG (experiments/*/links.json)"
            } else {
                ""
            }
        );
    }
}

//! The tables at the end of a sweep.

use std::fmt::Write;
use std::path::Path;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Table};
use fogbit_scenario::topology::Metric;

use crate::stats::{MeanSd, PairStatistics};
use crate::sweep::summary::{PointSummary, Ranked, SweepSummary, short_key};

/// Rows of the ranking that are shown.
const RANKED: usize = 15;
/// Points whose best policy is shown.
const POINTS: usize = 30;

/// The results for people.
pub(crate) fn render(summary: &SweepSummary, dir: &Path) -> String {
    let head = &summary.sweep;
    let mut text = String::new();
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let _ = writeln!(
        text,
        "{}: {} point{}, {} seed{}, {} trials; ranked by {}",
        head.topology,
        head.points,
        plural(head.points),
        head.seeds,
        plural(head.seeds),
        head.trials,
        head.rank_by.name()
    );
    let _ = writeln!(text, "{}", ranking(summary));
    let left = summary.ranking.len().saturating_sub(RANKED);
    if left > 0 {
        let _ = writeln!(text, "{left} more in points.csv");
    }
    if summary.points.len() > 1 {
        let _ = writeln!(text, "\n{}", best(summary));
    }
    if summary.points.iter().any(|point| point.own_path) {
        let _ = writeln!(
            text,
            "Queues depend on the choices: regret is measured on each policy's own path; compare \
             the total reward (--rank-by reward)."
        );
    }
    let _ = writeln!(text, "results: {0}  report: {0}/report.html", dir.display());
    text
}

fn ranking(summary: &SweepSummary) -> Table {
    let mut table = Table::new();
    let mut header = vec!["".to_owned(), "point".to_owned()];
    header.extend(summary.sweep.keys.iter().map(|key| short_key(key)));
    header.extend(["policy", "mean ± sd", "behind the first", "95 % interval"].map(String::from));
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
    for ranked in summary.ranking.iter().take(RANKED) {
        let Some(point) = point_of(summary, &ranked.point) else { continue };
        let mut row = vec![right(ranked.place.to_string()), Cell::new(&ranked.point)];
        row.extend(settings(summary, point));
        row.push(Cell::new(&ranked.policy));
        row.push(right(value(summary.sweep.rank_by, ranked.value)));
        row.extend(behind(summary.sweep.rank_by, ranked));
        table.add_row(row);
    }
    table
}

fn best(summary: &SweepSummary) -> Table {
    let mut table = Table::new();
    let mut header = vec!["point".to_owned()];
    header.extend(summary.sweep.keys.iter().map(|key| short_key(key)));
    header.extend(["best policy", "mean ± sd"].map(String::from));
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
    for best in summary.best.iter().take(POINTS) {
        let Some(point) = point_of(summary, &best.point) else { continue };
        let mut row = vec![Cell::new(&best.point)];
        row.extend(settings(summary, point));
        row.push(Cell::new(&best.policy));
        row.push(right(value(summary.sweep.rank_by, best.value)));
        table.add_row(row);
    }
    table
}

fn point_of<'s>(summary: &'s SweepSummary, name: &str) -> Option<&'s PointSummary> {
    summary.points.iter().find(|point| point.point == name)
}

fn settings(summary: &SweepSummary, point: &PointSummary) -> Vec<Cell> {
    let keys = summary.sweep.keys.iter();
    keys.map(|key| right(point.settings.get(key).cloned().unwrap_or_else(|| "-".into()))).collect()
}

/// A number at the right of its cell.
fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn digits(metric: Metric) -> usize {
    if metric == Metric::AverageRegret { 4 } else { 1 }
}

fn value(metric: Metric, value: MeanSd) -> String {
    let digits = digits(metric);
    match value.sd {
        Some(sd) => format!("{:.digits$} ± {sd:.digits$}", value.mean),
        None => format!("{:.digits$}", value.mean),
    }
}

fn behind(metric: Metric, ranked: &Ranked) -> [Cell; 2] {
    let digits = digits(metric);
    let Some(PairStatistics { mean, t, .. }) = &ranked.behind else {
        return ["".to_owned(), "".to_owned()].map(right);
    };
    let interval = t.low.zip(t.high);
    let interval = interval.map(|(low, high)| format!("{low:+.digits$} to {high:+.digits$}"));
    [format!("{mean:+.digits$}"), interval.unwrap_or_else(|| "-".into())].map(right)
}

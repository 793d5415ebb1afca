//! The tables at the end of a sweep.

use std::fmt::Write;
use std::path::Path;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Table};

use crate::harness::metric::Known;
use crate::stats::{MeanSd, PairStatistics};
use crate::sweep::environment::{Environment, is_of_policies, touches};
use crate::sweep::summary::{Ranked, SweepSummary, short_key};

/// Rows of a ranking that are shown, and of all rankings together.
const RANKED: (usize, usize) = (15, 40);
/// Environments whose ranking is shown.
const RANKINGS: usize = 8;
/// Environments whose best policy is shown.
const BEST: usize = 30;

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
        head.rank_by.name
    );
    rankings(&mut text, summary);
    if summary.environments.len() > 1 {
        let _ =
            writeln!(text, "\nThe best policy and setting in each environment\n{}", best(summary));
        let left = summary.environments.len().saturating_sub(BEST);
        if left > 0 {
            let _ = writeln!(text, "{left} more environments in summary.json");
        }
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

/// A ranking for each environment: what is lost in one says nothing about another one.
fn rankings(text: &mut String, summary: &SweepSummary) {
    let count = summary.environments.len();
    let shown = count.min(RANKINGS);
    let rows = (RANKED.1 / shown.max(1)).min(RANKED.0);
    for environment in &summary.environments[..shown] {
        let places: Vec<&Ranked> = summary.ranking_of(environment).collect();
        if count > 1 {
            let _ = writeln!(text, "\n{}", title(environment));
        }
        let _ = writeln!(text, "{}", ranking(summary, &places[..places.len().min(rows)]));
        let left = places.len().saturating_sub(rows);
        if left > 0 {
            let _ = writeln!(text, "{left} more in summary.json");
        }
    }
    if count > shown {
        let _ = writeln!(text, "\nrankings of {} more environments in summary.json", count - shown);
    }
}

/// What an environment sets.
fn title(environment: &Environment) -> String {
    let label = environment.label();
    if label.is_empty() { "as in the topology".into() } else { label }
}

fn ranking(summary: &SweepSummary, places: &[&Ranked]) -> Table {
    let keys: Vec<&String> = summary.sweep.keys.iter().filter(|key| is_of_policies(key)).collect();
    let mut table = Table::new();
    let mut header = vec!["".to_owned(), "policy".to_owned()];
    header.extend(keys.iter().map(|key| short_key(key)));
    header.extend(["mean ± sd", "behind the first", "95 % interval", "points"].map(String::from));
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
    for ranked in places {
        let Some(point) = summary.point(&ranked.point) else { continue };
        let mut row = vec![right(ranked.place.to_string()), Cell::new(&ranked.policy)];
        row.extend(keys.iter().map(|key| {
            let value = point.settings.get(*key).filter(|_| touches(key, &ranked.policy));
            right(value.cloned().unwrap_or_default())
        }));
        row.push(right(value(summary.sweep.rank_by, ranked.value)));
        row.extend(behind(summary.sweep.rank_by, ranked));
        row.push(Cell::new(ranked.points()));
        table.add_row(row);
    }
    table
}

fn best(summary: &SweepSummary) -> Table {
    let keys: Vec<&String> = summary.sweep.keys.iter().filter(|key| !is_of_policies(key)).collect();
    let settings = summary.sweep.keys.len() > keys.len();
    let mut table = Table::new();
    let mut header: Vec<String> = keys.iter().map(|key| short_key(key)).collect();
    header.push("best policy".into());
    if settings {
        header.push("setting".into());
    }
    header.extend(["mean ± sd", "point"].map(String::from));
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
    for environment in summary.environments.iter().take(BEST) {
        let Some(first) = summary.ranking_of(environment).next() else { continue };
        let Some(point) = summary.point(&first.point) else { continue };
        let setting = |key: &&String| environment.settings.get(*key).cloned();
        let mut row: Vec<Cell> =
            keys.iter().map(|key| right(setting(key).unwrap_or_else(|| "-".into()))).collect();
        row.push(Cell::new(&first.policy));
        if settings {
            row.push(Cell::new(point.label_of(&first.policy)));
        }
        row.push(right(value(summary.sweep.rank_by, first.value)));
        row.push(Cell::new(&first.point));
        table.add_row(row);
    }
    table
}

/// A number at the right of its cell.
fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn value(metric: Known, value: MeanSd) -> String {
    let digits = metric.style.digits;
    match value.sd {
        Some(sd) => format!("{:.digits$} ± {sd:.digits$}", value.mean),
        None => format!("{:.digits$}", value.mean),
    }
}

fn behind(metric: Known, ranked: &Ranked) -> [Cell; 2] {
    let digits = metric.style.digits;
    let Some(PairStatistics { mean, t, .. }) = &ranked.behind else {
        return ["".to_owned(), "".to_owned()].map(right);
    };
    let interval = t.low.zip(t.high);
    let interval = interval.map(|(low, high)| format!("{low:+.digits$} to {high:+.digits$}"));
    [format!("{mean:+.digits$}"), interval.unwrap_or_else(|| "-".into())].map(right)
}

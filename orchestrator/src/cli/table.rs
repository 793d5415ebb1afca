//! The table at the end of a run.

use std::fmt::Write;
use std::path::Path;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, LineStyle, Table};

use super::ranking::rankings;
use crate::expect::{Judgement, Verdict};
use crate::harness::{ProblemSummary, RunHead};
use crate::plan::SUMMARY_SLOTS;
use crate::results::RunStatus;
use crate::results::summary::{PolicySummary, Summary, TaskCounts};
use crate::stats::MeanSd;
use crate::validity::MOST_LATE;

/// Why a run is not to be believed of whose slots this share was late; empty where that is none.
pub(crate) fn late_slots(share: Option<f64>) -> String {
    let Some(late) = share.filter(|late| *late > MOST_LATE) else { return String::new() };
    format!(
        "This run is INVALID: {} of its slots began later than a tenth of a slot (1 % may). The \
         host did not keep up: longer slots, fewer nodes or policies, or a faster host.\n",
        percent(Some(late))
    )
}

/// The results for people.
pub(crate) fn render(summary: &Summary, dir: &Path) -> String {
    let mut text = head(&summary.head());
    let run = &summary.run;
    text += &late_slots(run.late_share.filter(|_| !run.valid));
    let _ = writeln!(text, "{}", policies(summary));
    if let Some(links) = &run.links {
        let _ = writeln!(text, "{}", links.line());
    }
    if summary.policies.iter().any(|p| p.tasks.refused > 0) {
        let _ = writeln!(text, "{}", losses(summary, "refused by full queues", |t| t.refused));
    }
    if let Some(losses) = run.node_losses.filter(|losses| *losses > 0) {
        let _ = writeln!(text, "helper nodes were lost {losses} times while the run went on");
    }
    if summary.policies.iter().any(|p| p.idle_slots > 0) {
        let idle = summary.policies.iter().filter(|p| p.idle_slots > 0);
        let parts: Vec<String> =
            idle.map(|p| format!("{} {}", p.name, grouped(p.idle_slots as f64))).collect();
        let _ = writeln!(text, "slots in which no helper node was there: {}", parts.join(", "));
    }
    if summary.policies.iter().any(|p| p.tasks.timed_out > 0) {
        let _ = writeln!(text, "{}", losses(summary, "without an answer in time", |t| t.timed_out));
    }
    if run.own_path {
        let _ = writeln!(
            text,
            "Queues depend on the choices: regret is measured on each policy's own path; compare \
             the total reward beside it."
        );
    }
    let names: Vec<&str> = summary.policies.iter().map(|p| p.name.as_str()).collect();
    // First by what is to be compared first.
    let metrics = match run.own_path {
        true => ["reward", "regret_linear"],
        false => ["regret_linear", "reward"],
    };
    text += &rankings(&names, &summary.ranks, &summary.pairs, &metrics);
    text += &end(&summary.expectations, dir);
    text
}

/// How what is printed of a run begins, whatever the problem: what it was, and why not to believe it.
pub(super) fn head(run: &RunHead<'_>) -> String {
    let count = |n: u64, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{} {one}s", grouped(n as f64)),
    };
    let mut text = format!(
        "{}: {}, {}, {}, backend {}, {:.1} s\n",
        run.topology,
        count(run.nodes.len() as u64, "helper node"),
        run.slots.map_or("endless".into(), |slots| count(slots, run.counted)),
        count(run.seeds, "seed"),
        run.backend,
        run.seconds
    );
    if run.status != RunStatus::Complete {
        text += "This run is not complete: the tables hold complete trials only.\n";
    }
    if run.links.is_some_and(|links| !links.are_in_time()) {
        text += "This run is INVALID: more than 1 % of the packets over its links were delivered \
                 more than 5 ms late. The host did not keep up: fewer nodes or policies, or a \
                 faster host.\n";
    }
    text
}

/// How it ends: what became of the expectations, and where the results are.
pub(super) fn end(expectations: &[Verdict], dir: &Path) -> String {
    let mut text = String::new();
    verdicts(&mut text, expectations);
    let _ = writeln!(text, "results: {0}  report: {0}/report.html", dir.display());
    text
}

/// What became of the expectations, a line each.
fn verdicts(text: &mut String, verdicts: &[Verdict]) {
    for verdict in verdicts {
        let mark = match verdict.judgement {
            Judgement::Met => "met",
            Judgement::Failed => "FAILED",
            Judgement::NotEvaluated => "not evaluated",
        };
        let _ = writeln!(text, "expectation {mark}: {} ({})", verdict.expectation, verdict.finding);
    }
}

fn policies(summary: &Summary) -> Table {
    let mut table = new_table(Rows::Apart);
    let length = summary.run.slots;
    let mut slots: Vec<u64> =
        SUMMARY_SLOTS.into_iter().filter(|slot| length.is_none_or(|all| *slot <= all)).collect();
    slots.extend(length.filter(|last| !slots.contains(last)));
    slots.sort_unstable();
    let mut header = vec!["policy".to_owned()];
    for (index, slot) in slots.iter().enumerate() {
        let what = if index == 0 { "avg regret " } else { "" };
        header.push(format!("{what}@{}", grouped(*slot as f64)));
    }
    header.extend(["total reward", "of optimal", "happy", "slots/s"].map(str::to_owned));
    table.set_header(right(header));
    for policy in &summary.policies {
        let regret = |slot: &u64| {
            let value = policy.average_regret.get(&slot.to_string()).copied().flatten();
            value.map_or("-".into(), |v| format!("{v:.4}"))
        };
        let mut row = vec![policy.name.clone()];
        row.extend(slots.iter().map(regret));
        row.extend([
            reward(policy.reward),
            percent(policy.share_of_optimal_reward),
            percent(policy.happy_share),
            policy.slots_per_second.map_or("-".into(), grouped),
        ]);
        table.add_row(right(row));
    }
    table
}

fn reward(reward: Option<MeanSd>) -> String {
    match reward {
        Some(MeanSd { mean, sd: Some(sd), .. }) => format!("{} ± {}", grouped(mean), grouped(sd)),
        Some(MeanSd { mean, sd: None, .. }) => grouped(mean),
        None => "-".into(),
    }
}

/// How many tasks of each policy were lost in one way.
fn losses(summary: &Summary, what: &str, lost: impl Fn(&TaskCounts) -> u64) -> String {
    let lost = |p: &PolicySummary| lost(&p.tasks) as f64;
    let share = |p: &PolicySummary| 100.0 * lost(p) / p.tasks.offloaded as f64;
    let parts: Vec<String> = summary
        .policies
        .iter()
        .filter(|p| p.tasks.offloaded > 0)
        .map(|p| format!("{} {} ({:.1} %)", p.name, grouped(lost(p)), share(p)))
        .collect();
    format!("{what}: {}", parts.join(", "))
}

/// How the rows of a table follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// With a line between two.
    Apart,
    /// With nothing between two.
    Close,
}

/// A table of the look that all have.
pub(super) fn new_table(rows: Rows) -> Table {
    let mut table = Table::new();
    table.load_style(match rows {
        Rows::Apart => UTF8_HORIZONTAL_ONLY,
        Rows::Close => UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()),
    });
    table
}

/// A row whose numbers are aligned at the right.
pub(super) fn right<T: ToString>(cells: impl AsRef<[T]>) -> Vec<Cell> {
    let align = |(index, cell): (usize, &dyn ToString)| {
        let cell = Cell::new(cell.to_string());
        if index == 0 { cell } else { cell.set_alignment(CellAlignment::Right) }
    };
    cells
        .as_ref()
        .iter()
        .enumerate()
        .map(|(index, cell)| align((index, cell as &dyn ToString)))
        .collect()
}

pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{:.1} %", 100.0 * share))
}

/// A whole number with commas between thousands.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        let cases = [(0.0, "0"), (999.4, "999"), (1000.0, "1,000"), (-1234567.0, "-1,234,567")];
        for (value, text) in cases {
            assert_eq!(grouped(value), text);
        }
    }
}

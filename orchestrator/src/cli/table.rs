//! The table at the end of a run.

use std::fmt::Write;
use std::path::Path;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Table};

use crate::expect::Judgement;
use crate::results::RunStatus;
use crate::results::summary::{PolicySummary, Summary, TaskCounts};
use crate::stats::MeanSd;

/// The results for people.
pub(crate) fn render(summary: &Summary, dir: &Path) -> String {
    let mut text = String::new();
    let run = &summary.run;
    let seeds = if run.seeds == 1 { "1 seed".into() } else { format!("{} seeds", run.seeds) };
    let _ = writeln!(
        text,
        "{}: {} helper nodes, {}, {seeds}, backend {}, {:.1} s",
        run.topology,
        run.nodes.len(),
        run.slots.map_or("endless".into(), |slots| format!("{} slots", grouped(slots as f64))),
        run.backend,
        run.seconds
    );
    if run.status != RunStatus::Complete {
        let _ = writeln!(text, "This run is not complete: the table holds complete trials only.");
    }
    if let (false, Some(late)) = (run.valid, run.late_share) {
        let _ = writeln!(
            text,
            "This run is INVALID: {} of its slots began later than a tenth of a slot (1 % may). The \
             host did not keep up: longer slots, fewer nodes or policies, or a faster host.",
            percent(Some(late))
        );
    }
    let _ = writeln!(text, "{}", policies(summary));
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
    if summary.pairs.iter().any(|p| p.low.is_some()) {
        let _ = writeln!(text, "\n{}", pairs(summary));
    }
    for verdict in &summary.expectations {
        let mark = match verdict.judgement {
            Judgement::Met => "met",
            Judgement::Failed => "FAILED",
            Judgement::NotEvaluated => "not evaluated",
        };
        let _ = writeln!(text, "expectation {mark}: {} ({})", verdict.expectation, verdict.finding);
    }
    let _ = writeln!(text, "results: {0}  report: {0}/report.html", dir.display());
    text
}

fn policies(summary: &Summary) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(right([
        "policy",
        "avg regret @100",
        "@1,000",
        "@10,000",
        "total reward",
        "of optimal",
        "happy",
        "slots/s",
    ]));
    for policy in &summary.policies {
        let regret = |slot: &str| {
            let value = policy.average_regret.get(slot).copied().flatten();
            value.map_or("-".into(), |v| format!("{v:.4}"))
        };
        table.add_row(right([
            policy.name.clone(),
            regret("100"),
            regret("1000"),
            regret("10000"),
            reward(policy.reward),
            percent(policy.share_of_optimal_reward),
            percent(policy.happy_share),
            policy.slots_per_second.map_or("-".into(), grouped),
        ]));
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

fn pairs(summary: &Summary) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(right([
        "paired difference",
        "metric",
        "mean",
        "95 % interval",
        "seeds",
    ]));
    let shown = ["regret_linear", "reward"];
    for pair in summary.pairs.iter().filter(|p| shown.contains(&p.metric.as_str())) {
        let interval = match (pair.low, pair.high) {
            (Some(low), Some(high)) => format!("{low:+.1} to {high:+.1}"),
            _ => "-".into(),
        };
        table.add_row(right([
            format!("{} - {}", pair.policy, pair.versus),
            pair.metric.clone(),
            format!("{:+.1}", pair.mean),
            interval,
            pair.seeds.to_string(),
        ]));
    }
    table
}

/// A row whose numbers are aligned at the right.
fn right<const N: usize>(cells: [impl ToString; N]) -> Vec<Cell> {
    let align = |(index, cell): (usize, &dyn ToString)| {
        let cell = Cell::new(cell.to_string());
        if index == 0 { cell } else { cell.set_alignment(CellAlignment::Right) }
    };
    cells.iter().enumerate().map(|(index, cell)| align((index, cell as &dyn ToString))).collect()
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{:.1} %", 100.0 * share))
}

/// A whole number with commas between thousands.
fn grouped(value: f64) -> String {
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

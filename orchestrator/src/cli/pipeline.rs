//! What is printed of a run of the problem `pipeline`.

use std::fmt::Write;
use std::path::Path;

use comfy_table::Table;

use super::ranking::rankings;
use super::table::{Rows, end, grouped, head, new_table, percent, right};
use crate::harness::ProblemSummary;
use crate::pipeline::summary::{PipelineSummary, PolicySummary, duration_text};
use crate::pipeline::tally::MeasuredKpis;
use crate::stats::{Interval, MeanSd};

/// Why the run is not to be believed; empty where it is.
fn held_up(summary: &PipelineSummary) -> String {
    if summary.run.valid {
        return String::new();
    }
    let measured = || summary.policies.iter().filter_map(|policy| policy.whole.measured.as_ref());
    let (late, all): (u64, u64) =
        measured().fold((0, 0), |sum, own| (sum.0 + own.late, sum.1 + own.ratio.count));
    format!(
        "This run is INVALID: the host held up the sub-tasks of {late} of {all} applications for more \
         than 5 % of their delay (1 % of them may be). It was busy with something else: try again \
         when it is idle.\n"
    )
}

/// The results for people.
pub(crate) fn render(summary: &PipelineSummary, dir: &Path) -> String {
    let mut text = head(&summary.head());
    text += &held_up(summary);
    let _ = writeln!(text, "{}", policies(summary));
    if let Some(line) = summary.exhaustive_line() {
        let _ = writeln!(text, "{line}");
    }
    notes(&mut text, summary);
    let names: Vec<&str> = summary.policies.iter().map(|p| p.name.as_str()).collect();
    text += &rankings(&names, &summary.ranks, &summary.pairs, &["delay_ratio"]);
    text += &end(&summary.expectations, dir);
    text
}

fn policies(summary: &PipelineSummary) -> Table {
    let measured = summary.policies.iter().any(|policy| policy.whole.measured.is_some());
    let mut table = new_table(Rows::Close);
    let mut header = vec![
        "policy",
        "mean delay\nover optimum",
        "95 % interval",
        "mean delay\nms",
        "as in\nlabel",
        "exact\nmatch",
        "optimal",
        "decision",
    ];
    if measured {
        header.extend(["measured\nms", "modelled\nms", "median\nratio"]);
    }
    table.set_header(right(header));
    for policy in &summary.policies {
        let mut row = vec![
            policy.name.clone(),
            policy.delay_ratio.map_or("-".into(), |of| format!("{:.4}", of.mean)),
            policy.delay_ratio_interval.map_or("-".into(), |ends| interval(&ends)),
            policy.mean_delay_ms.map_or("-".into(), |of| format!("{:.2}", of.mean)),
            share(policy.label_accuracy),
            share(policy.exact_match),
            share(policy.optimal_share),
            policy.decision.map_or("-".into(), |times| duration_text(times.median_ns)),
        ];
        if measured {
            row.extend(beside(policy.whole.measured.as_ref()));
        }
        table.add_row(right(row));
    }
    table
}

/// What was measured beside what the model says of the same applications.
fn beside(measured: Option<&MeasuredKpis>) -> [String; 3] {
    match measured {
        None => ["-", "-", "-"].map(str::to_owned),
        Some(MeasuredKpis { mean_delay_ms, mean_modelled_ms, ratio, .. }) => [
            format!("{mean_delay_ms:.2}"),
            format!("{mean_modelled_ms:.2}"),
            format!("{:.4}", ratio.p50),
        ],
    }
}

fn share(of: Option<MeanSd>) -> String {
    percent(of.map(|of| of.mean))
}

fn interval(ends: &Interval) -> String {
    ends.low.zip(ends.high).map_or("-".into(), |(low, high)| format!("{low:.4} to {high:.4}"))
}

fn notes(text: &mut String, summary: &PipelineSummary) {
    let lost = |what: &str, count: &dyn Fn(&PolicySummary) -> u64| {
        let parts: Vec<String> = summary
            .policies
            .iter()
            .filter(|policy| count(policy) > 0)
            .map(|policy| {
                let (lost, all) = (count(policy), policy.whole.counts.applications);
                let share = percent(Some(lost as f64 / all as f64));
                format!("{} {} ({share})", policy.name, grouped(lost as f64))
            })
            .collect();
        (!parts.is_empty()).then(|| format!("{what}: {}\n", parts.join(", ")))
    };
    let lines = [
        lost("not done in time", &|policy| policy.whole.counts.timed_out),
        lost("refused by a site", &|policy| policy.whole.counts.refused),
    ];
    lines.into_iter().flatten().for_each(|line| *text += &line);
}

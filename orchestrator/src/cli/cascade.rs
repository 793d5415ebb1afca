//! What is printed of a run of the problem `cascade`.

use std::fmt::Write;
use std::path::Path;

use comfy_table::Table;

use super::ranking::rankings;
use super::table::{Rows, end, grouped, head, late_slots, new_table, percent, right};
use crate::cascade::summary::{CascadeSummary, PolicySummary, stage_text};
use crate::harness::ProblemSummary;
use crate::stats::{Interval, MeanSd};

/// The results for people.
pub(crate) fn render(summary: &CascadeSummary, dir: &Path) -> String {
    let mut text = head(&summary.head());
    let run = &summary.run;
    text += &late_slots(run.late_share.filter(|_| !run.valid));
    let _ = writeln!(
        text,
        "bucket: {} tokens a slot, {} at most; loss {:.4} if no image is sent, {:.4} if all are",
        run.bucket.rate, run.bucket.depth, run.weak_loss, run.strong_loss
    );
    let _ = writeln!(text, "{}", policies(summary));
    notes(&mut text, summary);
    if let Some(times) = times(summary) {
        let _ = writeln!(text, "\n{times}");
    }
    if let Some(links) = &run.links {
        let _ = writeln!(text, "{}", links.line());
    }
    let names: Vec<&str> = summary.policies.iter().map(|p| p.name.as_str()).collect();
    text += &rankings(&names, &summary.ranks, &summary.pairs, &["average_loss"]);
    text += &end(&summary.expectations, dir);
    text
}

fn policies(summary: &CascadeSummary) -> Table {
    let mut table = new_table(Rows::Close);
    let baseline = summary.run.baseline.as_deref().unwrap_or("-");
    let header = [
        "policy",
        "average\nloss",
        "95 % interval",
        "sent",
        "tokens\nwasted",
        &format!("gain over\n{baseline}"),
        "gain",
        "mdp to\nhidden",
        "images/s",
    ];
    table.set_header(right(header));
    for policy in &summary.policies {
        let mark = if policy.told_more { "*" } else { "" };
        let gain = policy.gain.as_ref();
        table.add_row(right([
            format!("{}{mark}", policy.name),
            policy.average_loss.map_or("-".into(), |loss| format!("{:.5}", loss.mean)),
            policy.average_loss_interval.map_or("-".into(), |ends| interval(&ends)),
            share(policy.offloaded_share),
            share(policy.wasted_share),
            gain.map_or("-".into(), |gain| format!("{:+.5}", gain.loss.mean)),
            gain.and_then(|gain| gain.percent).map_or("-".into(), |share| format!("{share:+.1} %")),
            policy.way.map_or("-".into(), |way| format!("{:.0} %", 100.0 * way)),
            policy.images_per_second.map_or("-".into(), grouped),
        ]));
    }
    table
}

fn share(of: Option<MeanSd>) -> String {
    percent(of.map(|of| of.mean))
}

fn interval(ends: &Interval) -> String {
    ends.low.zip(ends.high).map_or("-".into(), |(low, high)| format!("{low:.5} to {high:.5}"))
}

fn notes(text: &mut String, summary: &CascadeSummary) {
    if summary.policies.iter().any(|policy| policy.told_more) {
        *text += "*: is told more than a task node can see, and is not ranked\n";
    }
    let named = |of: &dyn Fn(&PolicySummary) -> Option<String>| -> Vec<String> {
        summary.policies.iter().filter_map(of).collect()
    };
    let degenerate = named(&|p| Some(format!("{} ({})", p.name, p.degenerate?.name())));
    if !degenerate.is_empty() {
        let _ = writeln!(text, "degenerate, one answer to every image: {}", degenerate.join(", "));
    }
    let lost = |what: &str, count: &dyn Fn(&PolicySummary) -> u64| {
        let parts = named(&|policy| {
            let (lost, sent) = (count(policy), policy.whole.counts.offloaded);
            let share = percent(Some(lost as f64 / sent as f64));
            (lost > 0).then(|| format!("{} {} ({share})", policy.name, grouped(lost as f64)))
        });
        (!parts.is_empty()).then(|| format!("{what}: {}\n", parts.join(", ")))
    };
    let lines = [
        lost("sent without an answer in time", &|policy| policy.whole.counts.timed_out),
        lost("refused by the helper node", &|policy| policy.whole.counts.refused),
    ];
    lines.into_iter().flatten().for_each(|line| *text += &line);
    if let Some(kept) = summary.run.kept_images {
        let kept = grouped(kept as f64);
        let _ = writeln!(text, "decision files hold the first {kept} images of each trial");
    }
}

/// Table I of the paper; none where nobody measured.
fn times(summary: &CascadeSummary) -> Option<Table> {
    let mut table = new_table(Rows::Close);
    table.set_header(right([
        "mean (sd) in ms",
        "images",
        "weak",
        "decision",
        "transmission",
        "queued",
        "strong",
        "all",
    ]));
    let mut any = false;
    for policy in &summary.policies {
        let Some(stages) = &policy.stages_ms else { continue };
        for (what, times) in [("kept", &stages.kept), ("sent", &stages.answered)] {
            let Some(times) = times else { continue };
            any = true;
            let mut row = vec![policy.name.clone(), what.to_owned()];
            row.extend(times.by_name().iter().map(|(_, ms)| stage_text(ms)));
            table.add_row(right(row));
        }
    }
    any.then_some(table)
}

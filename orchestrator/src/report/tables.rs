//! The tables: policies, expectations, trials that did not end well.

use super::Data;
use super::markup::{digits_for, escape, fixed, grouped, mean_sd, parameters, percent, put};
use crate::expect::{Judgement, Verdict};
use crate::harness::TrialSummary;
use crate::plan::{Curve, Status};
use crate::results::summary::PolicySummary;
use crate::stats::MeanSd;

const NONE: &str = "–";
/// Trials that did not end well are listed up to this number.
const MOST_TRIALS: usize = 40;

/// What a column says of a policy, if it has something to say.
type Content<'d> = dyn Fn(&PolicySummary) -> Option<String> + 'd;
/// A number of tasks.
type Count = fn(&PolicySummary) -> u64;

/// A column of the table of policies.
struct Column<'d> {
    title: String,
    content: Box<Content<'d>>,
}

impl<'d> Column<'d> {
    fn new(
        title: impl Into<String>,
        content: impl Fn(&PolicySummary) -> Option<String> + 'd,
    ) -> Column<'d> {
        Column { title: title.into(), content: Box::new(content) }
    }
}

/// Each policy in a row.
pub(super) fn policies(data: &Data) -> String {
    let (averages, others) = (average_columns(data), other_columns(data));
    let mut out = String::from(
        "<div class='wide'><table class='full'><thead><tr><th rowspan='2'>policy</th>",
    );
    put!(out, "<th class='group' colspan='{}'>average regret at slot</th>", averages.len());
    for column in &others {
        put!(out, "<th rowspan='2'>{}</th>", column.title);
    }
    out.push_str("</tr><tr>");
    for column in &averages {
        put!(out, "<th class='number'>{}</th>", column.title);
    }
    out.push_str("</tr></thead><tbody>\n");
    for (index, policy) in data.summary.policies.iter().enumerate() {
        put!(out, "<tr><td>{}</td>", name_cell(data, index));
        for column in averages.iter().chain(&others) {
            let content = (column.content)(policy);
            put!(out, "<td>{}</td>", content.as_deref().unwrap_or(NONE));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    let path = if data.summary.run.own_path { " on the policy’s own path" } else { "" };
    put!(
        out,
        "<p class='small'>Regret is x*·w* − x·w, in linear units. Reward is +1 for a happy bit and \
         −1 for anything else; the optimal reward is what the best choices{path} can expect."
    );
    if data.summary.run.seeds > 1 {
        out.push_str(" Means over the complete trials, ± one standard deviation over seeds.");
    }
    out.push_str("</p>\n");
    out
}

/// Average regret at the slots of the summary that the run reaches, and at its last.
fn average_columns(data: &Data) -> Vec<Column<'_>> {
    let keys = data.summary.policies.first().map(|policy| policy.average_regret.keys());
    let marks: Vec<(&String, u64)> =
        keys.into_iter().flatten().filter_map(|key| Some((key, key.parse().ok()?))).collect();
    let mut columns: Vec<Column<'_>> = marks
        .iter()
        .filter(|(key, _)| {
            let reached =
                |p: &PolicySummary| p.average_regret.get(*key).is_some_and(|v| v.is_some());
            data.summary.policies.iter().any(reached)
        })
        .map(|&(key, slot)| {
            Column::new(grouped(slot), move |policy| {
                let mean = policy.average_regret.get(key).copied().flatten()?;
                let sd = data.sd_at(Curve::AverageRegret, policy, slot);
                Some(mean_sd(MeanSd::without_median(mean, sd), 4))
            })
        })
        .collect();
    // Endless trials do not end at one slot.
    if let Some(slots) = data.summary.run.slots
        && marks.iter().all(|(_, slot)| *slot != slots)
    {
        columns.push(Column::new(grouped(slots), move |policy| {
            let MeanSd { mean, sd, .. } = policy.regret_linear?;
            let slots = slots as f64;
            let average = MeanSd::without_median(mean / slots, sd.map(|sd| sd / slots));
            Some(mean_sd(average, 4))
        }));
    }
    columns
}

fn other_columns(data: &Data) -> Vec<Column<'_>> {
    let mut columns = vec![
        Column::new("regret,<br>total", |p| p.regret_linear.map(|v| mean_sd(v, digits(v)))),
        Column::new("reward,<br>total", |p| {
            // One trial's reward is a whole number.
            p.reward.map(|v| mean_sd(v, if v.sd.is_some() { digits(v) } else { 0 }))
        }),
        Column::new("of optimal<br>reward", |p| p.share_of_optimal_reward.map(percent)),
        Column::new("happy<br>bits", |p| p.happy_share.map(percent)),
    ];
    let lost: [(&str, Count); 2] =
        [("refused", |p| p.tasks.refused), ("timed<br>out", |p| p.tasks.timed_out)];
    for (title, count) in lost {
        if data.summary.policies.iter().any(|policy| count(policy) > 0) {
            columns.push(Column::new(title, move |policy| {
                let share = count(policy) as f64 / policy.tasks.offloaded as f64;
                let count = grouped(count(policy));
                (share.is_finite())
                    .then(|| format!("{count}<span class='sub'>{}</span>", percent(share)))
            }));
        }
    }
    columns.push(Column::new("slots/s", |p| p.slots_per_second.map(|rate| fixed(rate, 0))));
    columns
}

/// Totals need no more than one digit after the point.
fn digits(value: MeanSd) -> usize {
    digits_for(value.mean.abs().max(value.sd.unwrap_or(0.0))).min(1)
}

/// Colour, name, and what tells the policy from others of its kind.
fn name_cell(data: &Data, index: usize) -> String {
    let policy = &data.summary.policies[index];
    let mut below = Vec::new();
    if policy.kind != policy.name {
        below.push(policy.kind.clone());
    }
    below.push(parameters(&policy.parameters));
    if policy.seeds < data.summary.run.seeds {
        below.push(format!("{} of {} seeds", policy.seeds, data.summary.run.seeds));
    }
    below.retain(|text| !text.is_empty());
    let below = match below.is_empty() {
        true => String::new(),
        false => format!("<span class='sub'>{}</span>", escape(&below.join(", "))),
    };
    data.policies.name(index) + &below
}

/// What became of expectations.
pub(crate) fn verdicts(verdicts: &[Verdict]) -> String {
    if verdicts.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<h2>Expectations of the topology file</h2>\n<div class='wide'><table><thead><tr>\
         <th>verdict</th><th class='left'>expectation</th><th class='left'>found</th>\
         </tr></thead><tbody>\n",
    );
    for verdict in verdicts {
        let (class, text) = match verdict.judgement {
            Judgement::Met => ("met", "✓ met"),
            Judgement::Failed => ("failed", "✗ failed"),
            Judgement::NotEvaluated => ("open", "not evaluated"),
        };
        put!(out, "<tr><td class='{class}'>{text}</td>");
        for content in [&verdict.expectation, &verdict.finding] {
            put!(out, "<td class='left'>{}</td>", escape(content));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// Trials that did not end well; empty if all did.
pub(crate) fn unfinished<F>(trials: &[TrialSummary<F>]) -> String {
    let trials: Vec<_> = trials.iter().filter(|trial| trial.status != Status::Complete).collect();
    if trials.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<h2>Trials that are not complete</h2>\n<div class='wide'><table><thead><tr>\
         <th>policy</th><th>seed</th><th>slots played</th><th class='left'>status</th>\
         </tr></thead><tbody>\n",
    );
    for trial in trials.iter().take(MOST_TRIALS) {
        let status = match trial.status {
            Status::Failed => "failed",
            Status::Partial | Status::Complete if trial.slots == 0 => "not started",
            Status::Partial | Status::Complete => "partial",
        };
        let reason = trial.failure.as_deref().map_or(String::new(), |f| format!(": {f}"));
        let (policy, slots) = (escape(&trial.policy), grouped(trial.slots));
        put!(out, "<tr><td>{policy}</td><td>{}</td><td>{slots}</td>", trial.seed);
        put!(out, "<td class='left'>{status}{}</td></tr>\n", escape(&reason));
    }
    out.push_str("</tbody></table></div>\n");
    if let Some(more) = trials.len().checked_sub(MOST_TRIALS).filter(|more| *more > 0) {
        put!(out, "<p class='small'>And {more} more: see <code>summary.json</code>.</p>\n");
    }
    out
}

//! The tables: figures by segment and policy, decisions against the best.

use super::Data;
use crate::placement::scores::Confusion;
use crate::placement::summary::PolicySummary;
use crate::placement::tally::Kpis;
use crate::report::markup::{escape, fixed, grouped, percent, put};
use crate::stats::sample::Distribution;

const NONE: &str = "–";
/// Of more segments than these only the whole is shown.
const MOST_SEGMENTS: usize = 24;

/// Names the policies that give one answer whatever they are asked.
pub(super) fn degenerate(data: &Data) -> String {
    let named: Vec<String> = data
        .summary
        .policies
        .iter()
        .filter_map(|p| Some(format!("<b>{}</b> ({})", escape(&p.name), p.degenerate?.name())))
        .collect();
    if named.is_empty() {
        return String::new();
    }
    format!(
        "<p class='note'>Degenerate, one answer to every task: {}. Their accuracy is the share of \
         the tasks for which that answer happens to be the best.</p>\n",
        named.join(", ")
    )
}

/// Each policy in each segment, and over the whole run.
pub(super) fn policies(data: &Data) -> String {
    let mut out = String::from(
        "<h2>By profile and policy</h2>\n<div class='wide'><table class='full'><thead><tr>\
         <th rowspan='2'>policy</th><th rowspan='2'>round trip<br>ms</th>\
         <th class='group' colspan='3'>latency, ms</th><th rowspan='2'>payload<br>Mbit/s</th>\
         <th rowspan='2'>off-<br>loaded</th><th rowspan='2'>decided<br>right</th>\
         <th rowspan='2'>regret<br>ms</th><th rowspan='2'>tasks</th></tr><tr>\
         <th class='number'>local</th><th class='number'>offloaded</th>\
         <th class='number'>mean</th></tr></thead>\n",
    );
    let segments = &data.summary.run.segments;
    if segments.len() <= MOST_SEGMENTS {
        for (index, segment) in segments.iter().enumerate() {
            let (from, to) = (grouped(segment.from), grouped(segment.to));
            let title =
                format!("{} <span class='sub'>slots {from}–{to}</span>", escape(&segment.profile));
            body(&mut out, data, &title, |policy| policy.segments.get(index));
        }
    }
    if segments.len() != 1 {
        body(&mut out, data, "whole run", |policy| Some(&policy.whole));
    }
    out.push_str(
        "</table></div>\n<p class='small'>Times as median, below it the quantiles of 95 and \
         99 %. Latency is that of tasks whose output came back, from the decision to the last byte. \
         Payload is that of \
         offloaded tasks over the time that they took. Right is a \
         decision with the least expected latency by the model, with the link’s true state; below \
         it the share among tasks whose local and offloaded latency differ by more than 10 %. Regret \
         is the expected latency of the choice minus the least. Tasks of all complete trials. Each \
         trial: <a href='segments.csv'><code>segments.csv</code></a>.</p>\n",
    );
    out
}

fn body<'d>(
    out: &mut String,
    data: &'d Data,
    title: &str,
    kpis: impl Fn(&'d PolicySummary) -> Option<&'d Kpis>,
) {
    put!(out, "<tbody><tr><th class='left' colspan='10'>{title}</th></tr>\n");
    for (index, policy) in data.summary.policies.iter().enumerate() {
        let Some(kpis) = kpis(policy) else { continue };
        let number = |value: Option<f64>, digits: usize| {
            value.map_or(NONE.into(), |value| fixed(value, digits))
        };
        let share = |value: Option<f64>| value.map_or(NONE.into(), percent);
        put!(out, "<tr><td><span class='word'>{}</span></td>", data.policies.name(index));
        for of in [&kpis.rtt_ms, &kpis.latency_local_ms, &kpis.latency_offloaded_ms] {
            put!(out, "<td>{}</td>", quantiles(of.as_ref()));
        }
        put!(out, "<td>{}</td>", number(kpis.mean_latency_ms, 1));
        put!(out, "<td>{}</td>", number(kpis.throughput_mbit_s, 2));
        put!(out, "<td>{}</td>", share(kpis.offloaded_share));
        let outside = share(kpis.accuracy_outside_band);
        put!(out, "<td>{}<span class='sub'>{outside}</span></td>", share(kpis.accuracy));
        put!(out, "<td>{}</td><td>{}</td></tr>\n", number(kpis.mean_regret_ms, 2), tasks(kpis));
    }
    out.push_str("</tbody>");
}

/// How many tasks, and how many of them were lost or late.
fn tasks(kpis: &Kpis) -> String {
    let counts = &kpis.counts;
    let lost = [
        (counts.timed_out, "timed out"),
        (counts.refused, "refused"),
        (counts.deadline_missed, "too late"),
    ];
    let mut text = grouped(counts.tasks);
    for (count, what) in lost.into_iter().filter(|(count, _)| *count > 0) {
        put!(text, "<span class='sub'>{} {what}</span>", grouped(count));
    }
    text
}

fn quantiles(of: Option<&Distribution>) -> String {
    let Some(Distribution { p50, p95, p99, .. }) = of else { return NONE.into() };
    let digits = usize::from(*p99 < 1000.0);
    let below = format!("{} · {}", fixed(*p95, digits), fixed(*p99, digits));
    format!("{}<span class='sub'>{below}</span>", fixed(*p50, digits))
}

/// What was chosen against what would have been best.
pub(super) fn decisions(data: &Data) -> String {
    let mut out = String::from(
        "<h2>Decisions against the best</h2>\n<div class='wide'><table class='full'><thead><tr>\
         <th rowspan='2'>policy</th><th class='group' colspan='2'>local is best</th>\
         <th class='group' colspan='2'>offloading is best</th>\
         <th rowspan='2'>accuracy</th><th rowspan='2'>balanced<br>accuracy</th>\
         <th rowspan='2'>AUC</th><th rowspan='2'>mean regret<br>s</th>\
         <th rowspan='2'>worst regret<br>s</th></tr><tr><th class='number'>ran here</th>\
         <th class='number'>offloaded</th><th class='number'>ran here</th>\
         <th class='number'>offloaded</th></tr></thead><tbody>\n",
    );
    for (index, policy) in data.summary.policies.iter().enumerate() {
        let kpis = &policy.whole;
        let Confusion { local_local, local_offloaded, offloaded_local, offloaded_offloaded } =
            kpis.confusion;
        let degenerate = policy.degenerate.map_or("", |_| "<span class='sub'>degenerate</span>");
        put!(out, "<tr><td>{}{degenerate}</td>", data.policies.name(index));
        let rows = [
            (local_local, local_local + local_offloaded),
            (local_offloaded, local_local + local_offloaded),
            (offloaded_local, offloaded_local + offloaded_offloaded),
            (offloaded_offloaded, offloaded_local + offloaded_offloaded),
        ];
        for (count, all) in rows {
            let share = if all > 0 { percent(count as f64 / all as f64) } else { NONE.into() };
            put!(out, "<td>{}<span class='sub'>{share}</span></td>", grouped(count));
        }
        let number = |value: Option<f64>, digits: usize| {
            value.map_or(NONE.into(), |value| fixed(value, digits))
        };
        put!(out, "<td>{}</td>", kpis.accuracy.map_or(NONE.into(), percent));
        put!(out, "<td>{}</td>", kpis.balanced_accuracy.map_or(NONE.into(), percent));
        put!(out, "<td>{}</td>", number(kpis.auc, 4));
        put!(out, "<td>{}</td>", number(kpis.mean_regret_ms.map(|ms| ms / 1e3), 5));
        put!(out, "<td>{}</td></tr>\n", number(kpis.worst_regret_ms.map(|ms| ms / 1e3), 4));
    }
    out.push_str(
        "</tbody></table></div>\n<p class='small'>Confusion matrices over the whole run; per cents \
         are of the tasks for which that side is best. Balanced accuracy is the mean of the two \
         shares that are right. AUC is the probability that the policy’s own predictions favour \
         offloading more for a task that is best offloaded than for one that is not. With several \
         helper nodes accuracy also asks for the right one. Drawn from \
         <a href='summary.json'><code>summary.json</code></a> (<code>policies</code>).</p>\n",
    );
    out
}

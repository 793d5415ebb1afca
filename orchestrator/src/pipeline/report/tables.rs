//! The tables: what each policy comes to, and what was measured.

use super::Data;
use crate::harness::ProblemSummary;
use crate::pipeline::summary::{PolicySummary, duration_text};
use crate::pipeline::tally::MeasuredKpis;
use crate::report::head_of;
use crate::report::markup::{escape, fixed, grouped, percent, put};
use crate::stats::{Interval, MeanSd};

const NONE: &str = "–";

/// What was run.
pub(super) fn head(data: &Data) -> String {
    let run = &data.summary.run;
    let beyond = [
        format!("sites {}", run.sites().join(", ")),
        format!("up to {} sub-tasks", run.most_sub_tasks),
    ];
    let first = ("problem <b>pipeline</b>".into(), String::new());
    head_of(&data.summary.head(), &data.manifest, first, &beyond)
}

/// Each policy over the seeds.
pub(super) fn policies(data: &Data) -> String {
    let sites = data.summary.run.sites();
    let mut out = String::from(
        "<h2>Policies</h2>\n<div class='wide'><table class='full'><thead><tr>\
         <th rowspan='2'>policy</th><th rowspan='2'>mean delay<br>over optimum</th>\
         <th rowspan='2'>mean delay<br>ms</th><th rowspan='2'>as in<br>label</th>\
         <th rowspan='2'>exact<br>match</th><th rowspan='2'>optimal</th>\
         <th rowspan='2'>decision</th>",
    );
    put!(out, "<th class='group' colspan='{}'>sub-tasks at</th>", sites.len());
    out.push_str("</tr><tr>");
    for site in &sites {
        put!(out, "<th class='number'>{}</th>", escape(site));
    }
    out.push_str("</tr></thead><tbody>\n");
    for (index, policy) in data.summary.policies.iter().enumerate() {
        row(&mut out, data, index, policy, sites.len());
    }
    let optimum = data.summary.policies.iter().find_map(|policy| policy.whole.mean_optimum_ms);
    put!(
        out,
        "</tbody></table></div>\n<p class='small'>Delays are modelled: from the arrival of an \
         application until its last sub-task is done and its output on the device{}. Over the \
         optimum: the mean delay over the mean of the least possible ones, below it the 95 % \
         confidence interval of the mean over seeds (Student). The label is the best placement, of \
         equal ones one; a placement that differs from it may be as fast, which “optimal” counts. A decision is the \
         median on one core, below it the quantile of 95 %.",
        optimum.map_or(String::new(), |ms| format!(" ({} ms at best)", fixed(ms, 2)))
    );
    if let Some(line) = data.summary.exhaustive_line() {
        put!(out, " For comparison, {}.", escape(&line));
    }
    out.push_str(
        " Drawn from <a href='summary.json'><code>summary.json</code></a> (<code>policies\
         </code>).</p>\n",
    );
    out
}

fn row(out: &mut String, data: &Data, index: usize, policy: &PolicySummary, sites: usize) {
    let below = match data.details(index) {
        text if text.is_empty() => text,
        text => format!("<span class='sub'>{}</span>", escape(&text)),
    };
    put!(out, "<tr><td><span class='word'>{}</span>{below}</td>", data.policies.name(index));
    let ratio = policy.delay_ratio.map_or(NONE.into(), |of| fixed(of.mean, 4));
    put!(out, "<td>{ratio}{}</td>", ends(policy.delay_ratio_interval.as_ref()));
    put!(out, "<td>{}</td>", policy.mean_delay_ms.map_or(NONE.into(), |of| fixed(of.mean, 2)));
    let share = |of: Option<MeanSd>| of.map_or(NONE.into(), |of| percent(of.mean));
    for of in [policy.label_accuracy, policy.exact_match, policy.optimal_share] {
        put!(out, "<td>{}</td>", share(of));
    }
    match policy.decision {
        Some(times) => put!(
            out,
            "<td>{}<span class='sub'>{}</span></td>",
            duration_text(times.median_ns),
            duration_text(times.p95_ns)
        ),
        None => put!(out, "<td>{NONE}</td>"),
    }
    for site in 0..sites {
        let share = policy.whole.site_share.get(site).copied();
        put!(out, "<td>{}</td>", share.map_or(NONE.into(), percent));
    }
    out.push_str("</tr>\n");
}

fn ends(of: Option<&Interval>) -> String {
    let ends = of.and_then(|of| of.low.zip(of.high));
    ends.map_or(String::new(), |(low, high)| {
        format!("<span class='sub'>{} to {}</span>", fixed(low, 4), fixed(high, 4))
    })
}

/// What was measured beside the model, and what was lost on the way; empty where nobody measured.
pub(super) fn measured(data: &Data) -> String {
    let lost = |policy: &PolicySummary| policy.whole.counts.timed_out + policy.whole.counts.refused;
    let policies = || data.summary.policies.iter();
    if policies().all(|policy| policy.whole.measured.is_none() && lost(policy) == 0) {
        return String::new();
    }
    let mut out = String::from(
        "<h2>Measured and modelled</h2>\n<div class='wide'><table class='full'><thead><tr>\
         <th rowspan='2'>policy</th><th class='group' colspan='2'>mean delay, ms</th>\
         <th class='group' colspan='4'>measured over modelled delay</th>\
         <th class='group' colspan='4'>applications</th></tr><tr><th class='number'>measured</th>\
         <th class='number'>modelled</th><th class='number'>5 %</th>\
         <th class='number'>median</th><th class='number'>95 %</th>\
         <th class='number'>99 %</th><th class='number'>done</th>\
         <th class='number'>timed out</th><th class='number'>refused</th>\
         <th class='number'>held up</th></tr></thead><tbody>\n",
    );
    for (index, policy) in policies().enumerate() {
        put!(out, "<tr><td>{}</td>", data.policies.name(index));
        let measured = policy.whole.measured.as_ref();
        let told =
            measured.map(|MeasuredKpis { mean_delay_ms, mean_modelled_ms, ratio, .. }| {
                let ms = [*mean_delay_ms, *mean_modelled_ms].map(|ms| fixed(ms, 2));
                let ratios = [ratio.p5, ratio.p50, ratio.p95, ratio.p99].map(|own| fixed(own, 4));
                [&ms[..], &ratios[..]].concat()
            });
        for text in told.unwrap_or_else(|| vec![NONE.to_owned(); 6]) {
            put!(out, "<td>{text}</td>");
        }
        let counts = &policy.whole.counts;
        let late = measured.map_or(0, |own| own.late);
        for count in [counts.done, counts.timed_out, counts.refused, late] {
            put!(out, "<td>{}</td>", grouped(count));
        }
        out.push_str("</tr>\n");
    }
    out.push_str(
        "</tbody></table></div>\n<p class='small'>Sub-tasks really ran at their sites, and data \
         travelled over emulated links, from site to site. Measured are applications that were \
         done; beside their measured delay stands the modelled one of the same applications under \
         the same placements. The host held up the sub-tasks of some for more than 5 % of their delay; \
         if these are more than 1 %, the run is invalid. Drawn from <a href='summary.json'><code>summary.json</code></a> \
         (<code>policies.whole</code>).</p>\n",
    );
    out
}

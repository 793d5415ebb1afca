//! The ranking, and the best policy of each point.

use fogbit_scenario::topology::Metric;

use super::grid::Varying;
use super::{Data, digits_of, title_of};
use crate::report::markup::{self, escape, fixed, grouped, put, shortened};
use crate::stats::MeanSd;
use crate::sweep::summary::{PointSummary, short_key};

/// Rows of the ranking that are shown.
const RANKED: usize = 40;
/// Points whose best policy is shown.
const POINTS: usize = 200;

/// The heads of columns for the keys that vary.
pub(super) fn key_heads(data: &Data) -> String {
    let head = |key: &Varying| {
        format!("<th title='{}'>{}</th>", escape(&key.key), escape(&short_key(&key.key)))
    };
    data.varying.iter().map(head).collect()
}

/// What a point sets of them.
pub(super) fn key_cells(data: &Data, point: &PointSummary) -> String {
    let cell = |key: &Varying| {
        let value = point.settings.get(&key.key).map_or("–", String::as_str);
        format!("<td>{}</td>", escape(&shortened(value, 40)))
    };
    data.varying.iter().map(cell).collect()
}

/// Points and policies, the best first.
pub(super) fn ranking(data: &Data) -> String {
    let metric = data.metric();
    let digits = digits_of(metric);
    let mut out =
        String::from("<h2>Ranking</h2>\n<div class='wide'><table class='ranks'><thead><tr>");
    put!(
        out,
        "<th>place</th><th>point</th>{}<th class='left'>policy</th><th>{}</th>\
         <th>behind the first</th><th>95 % interval</th></tr></thead><tbody>\n",
        key_heads(data),
        column_head(metric)
    );
    for ranked in data.summary.ranking.iter().take(RANKED) {
        let Some(point) = data.point(&ranked.point) else { continue };
        let (behind, interval) =
            ranked.behind.as_ref().map_or(("–".into(), "–".into()), |pair| {
                let ends = pair.t.low.zip(pair.t.high);
                let interval = ends.map_or("–".into(), |(low, high)| {
                    format!("{} to {}", fixed(low, digits), fixed(high, digits))
                });
                (fixed(pair.mean, digits), interval)
            });
        put!(
            out,
            "<tr><td>{}</td><td>{}</td>{}<td class='left'>{}</td><td>{}</td><td>{behind}</td>\
             <td>{interval}</td></tr>\n",
            ranked.place,
            escape(&ranked.point),
            key_cells(data, point),
            data.policy_name(&ranked.policy),
            mean_sd(metric, ranked.value)
        );
    }
    out.push_str("</tbody></table></div>\n<p class='small'>");
    let left = data.summary.ranking.len().saturating_sub(RANKED);
    if left > 0 {
        put!(out, "{} more are in <code>points.csv</code>. ", grouped(left as u64));
    }
    out.push_str(
        "Means over seeds, with one standard deviation between them. Differences to the first \
         place are paired by seed, with Student’s 95 % interval: one that holds 0 leaves the order \
         open. Of many compared with one, some seem decided by luck. Policies that know more than \
         a task node can are not ranked.</p>\n",
    );
    out
}

/// The best policy of each point; empty where there is one point.
pub(super) fn best(data: &Data) -> String {
    if data.summary.best.len() < 2 {
        return String::new();
    }
    let mut out = String::from(
        "<h2>The best policy of each point</h2>\n<div class='wide'><table class='ranks'>",
    );
    put!(
        out,
        "<thead><tr><th>point</th>{}<th class='left'>best policy</th><th>{}</th></tr></thead>\
         <tbody>\n",
        key_heads(data),
        column_head(data.metric())
    );
    for best in data.summary.best.iter().take(POINTS) {
        let Some(point) = data.point(&best.point) else { continue };
        put!(
            out,
            "<tr><td><a href='topologies/{0}.toml'>{0}</a></td>{1}<td class='left'>{2}</td>\
             <td>{3}</td></tr>\n",
            escape(&best.point),
            key_cells(data, point),
            data.policy_name(&best.policy),
            mean_sd(data.metric(), best.value)
        );
    }
    out.push_str("</tbody></table></div>\n");
    let left = data.summary.best.len().saturating_sub(POINTS);
    if left > 0 {
        put!(out, "<p class='small'>{} more points are not shown.</p>\n", grouped(left as u64));
    }
    out
}

/// The same as the head of a column, with the unit below.
fn column_head(metric: Metric) -> String {
    let (name, unit) = title_of(metric).split_once(" (").unwrap_or_default();
    format!("{name}<span class='sub'>{}</span>", unit.trim_end_matches(')'))
}

fn mean_sd(metric: Metric, value: MeanSd) -> String {
    markup::mean_sd(value, digits_of(metric))
}

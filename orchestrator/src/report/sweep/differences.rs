//! Paired differences to the chosen policy, point by point, with their intervals drawn.

use super::Data;
use super::tables::{key_cells, key_heads};
use crate::harness::metric::known;
use crate::report::intervals::Intervals;
use crate::report::markup::{escape, fixed, grouped, put};
use crate::report::plot::label;
use crate::stats::PairStatistics;
use crate::sweep::summary::PointSummary;

/// Rows that are shown.
const ROWS: usize = 120;
/// Width of the drawn intervals; the style sheet knows it too.
const WIDTH: f64 = 220.0;

/// The section; empty where there is nothing to compare.
pub(super) fn section(data: &Data) -> String {
    let Some(versus) = &data.summary.sweep.versus else { return String::new() };
    let rows: Vec<(&PointSummary, &str, &PairStatistics)> = data
        .summary
        .points
        .iter()
        .flat_map(|point| {
            point.policies.iter().filter_map(move |policy| {
                let difference = policy.difference.as_ref()?;
                Some((point, policy.name.as_str(), difference.of(data.metric())?))
            })
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let metric = data.metric();
    let told = metric.per_slot_of.and_then(known).unwrap_or(metric);
    let what = told.title.replacen(|_| true, &told.title[..1].to_lowercase(), 1);
    let credit = if metric.higher_is_better { 1.0 } else { -1.0 };
    let mut out = format!("<h2>Paired differences to {}</h2>\n", escape(versus));
    put!(
        out,
        "<p>Policy minus {} at the same point, in {what}. Under a seed all policies meet the same \
         {} and draws. Intervals are 95 % confidence intervals of the mean (Student); \
         a filled dot has one without 0, a hollow one leaves the question open, with the number of \
         seeds that would decide it if mean and deviation stayed as they are.</p>\n",
        escape(versus),
        data.plan.played.said().met()
    );
    let shown = &rows[..rows.len().min(ROWS)];
    table(&mut out, data, shown, credit);
    let left = rows.len() - shown.len();
    if left > 0 {
        put!(
            out,
            "<p class='small'>{} more are in <code>points.csv</code>.</p>\n",
            grouped(left as u64)
        );
    }
    out
}

fn table(
    out: &mut String,
    data: &Data,
    rows: &[(&PointSummary, &str, &PairStatistics)],
    credit: f64,
) {
    let values =
        rows.iter().flat_map(|(_, _, p)| [p.t.low, p.t.high, Some(p.mean), Some(0.0)]).flatten();
    let drawing = Intervals::new(WIDTH, values);
    let digits = drawing.digits;
    put!(
        out,
        "<div class='wide'><table class='pairs ranks'><thead><tr><th>point</th>{}\
         <th class='left'>policy</th><th>difference</th><th>95 % interval</th><th></th>\
         <th class='left'>reading</th></tr></thead><tbody>\n",
        key_heads(data)
    );
    for (point, policy, pair) in rows {
        let keys = key_cells(data, point);
        let (name, difference) = (data.policy_name(policy), fixed(pair.mean, digits));
        let ends = pair.t.low.zip(pair.t.high);
        let interval = ends.map_or("–".into(), |(low, high)| {
            format!("{} to {}", fixed(low, digits), fixed(high, digits))
        });
        put!(
            out,
            "<tr><td>{}</td>{keys}<td class='left'>{name}</td><td>{difference}</td>\
             <td>{interval}</td><td class='drawn'>{}</td><td class='left'>{}</td></tr>\n",
            escape(&point.point),
            drawing.drawn(pair.mean, ends, data.look(policy), pair.open() == Some(false)),
            reading(pair, credit)
        );
    }
    out.push_str("</tbody><tfoot><tr><td></td>");
    out.push_str(&"<td></td>".repeat(data.varying.len() + 3));
    put!(out, "<td class='drawn'>{}", drawing.open_axis());
    let ticks = drawing.axis.ticks();
    let every = ticks.len().div_ceil(4);
    let zero = ticks.iter().position(|(value, _)| value.abs() < 1e-12).unwrap_or(0);
    for (_, (value, text)) in
        ticks.iter().enumerate().filter(|(index, _)| index.abs_diff(zero) % every == 0)
    {
        let x = drawing.at(*value);
        put!(out, "<path class='axis' d='M{x:.1} 1V5'/>");
        label(out, "tick", x.clamp(16.0, WIDTH - 16.0), 18.0, "middle", text);
    }
    out.push_str("</svg></td><td></td></tr></tfoot></table></div>\n");
}

fn reading(pair: &PairStatistics, credit: f64) -> String {
    match (pair.open(), pair.seeds_needed) {
        (None, _) => "one seed".into(),
        (Some(true), _) if pair.sd == Some(0.0) => "the same".into(),
        (Some(true), Some(seeds)) => {
            format!("open ({} seeds)", grouped(seeds))
        }
        (Some(true), None) => "open".into(),
        (Some(false), _) if pair.mean * credit > 0.0 => "better".into(),
        (Some(false), _) => "worse".into(),
    }
}

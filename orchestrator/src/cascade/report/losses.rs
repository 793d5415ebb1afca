//! Average losses with their intervals.

use super::{Data, not_drawn};
use crate::report::figures::frame;
use crate::report::markup::{escape, fixed, put};
use crate::report::panel::{Panel, axis, open, range};
use crate::report::plot::{CHARACTER, WIDTH, label};

const TITLE: &str = "Average loss";
const ROW: f64 = 26.0;

/// A row for each policy.
pub(super) fn figure(data: &Data<'_>) -> String {
    let policies: Vec<_> = data.summary.policies.iter().zip(data.policies.looks()).collect();
    let told = policies.iter().filter_map(|(policy, look)| {
        Some((policy.name.as_str(), policy.told_more, *look, policy.average_loss_interval?))
    });
    let rows: Vec<_> = told.collect();
    if rows.is_empty() {
        return not_drawn(TITLE, "no trial is complete");
    }
    let ends = rows.iter().flat_map(|(.., of)| [Some(of.mean), of.low, of.high]).flatten();
    let (low, high) = range(ends);
    let longest = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    let bottom = 8.0 + ROW * rows.len() as f64;
    let panel = Panel {
        x: axis("average loss", low, high),
        y: axis("", 0.0, 1.0),
        left: 20.0 + CHARACTER * longest as f64,
        right: WIDTH - 90.0,
        top: 4.0,
        bottom,
    };
    let mut svg = open(WIDTH, bottom + 42.0, "Average loss of each policy with its interval");
    let out = &mut svg;
    for (value, text) in panel.x.ticks() {
        let x = panel.at_x(value);
        put!(out, "<path class='grid' d='M{x:.1} {:.1}V{bottom:.1}'/>", panel.top);
        label(out, "tick", x, bottom + 17.0, "middle", &text);
    }
    put!(out, "<path class='axis' d='M{:.1} {bottom:.1}H{:.1}'/>\n", panel.left, panel.right);
    label(out, "name", (panel.left + panel.right) / 2.0, bottom + 36.0, "middle", "average loss");
    for (index, (name, told_more, look, of)) in rows.iter().enumerate() {
        let y = 8.0 + ROW * (index as f64 + 0.5);
        label(out, "end", panel.left - 10.0, y + 4.0, "end", name);
        if let Some((low, high)) = of.low.zip(of.high) {
            let (low, high) = (panel.at_x(low), panel.at_x(high));
            let (up, down) = (y - 5.0, y + 5.0);
            put!(
                out,
                "<path class='line {look}' style='stroke-dasharray:none' d='M{low:.1} {y:.1}"
            );
            put!(out, "H{high:.1}M{low:.1} {up:.1}V{down:.1}M{high:.1} {up:.1}V{down:.1}'/>");
        }
        let hollow = if *told_more { " hollow" } else { "" };
        let (x, title) = (panel.at_x(of.mean), escape(name));
        put!(out, "<circle class='dot{hollow} {look}' cx='{x:.1}' cy='{y:.1}' r='4.5'>");
        put!(out, "<title>{title}: {}</title></circle>\n", fixed(of.mean, 5));
        label(out, "tick", panel.right + 12.0, y + 4.0, "start", &fixed(of.mean, 5));
    }
    svg.push_str("</svg>\n");
    let caption = "Mean over seeds with its 95 % confidence interval; a dot with a rim only is of a \
                   policy that is told more than a task node can see. Seeds differ more than policies do under one seed: whether one \
                   policy is better than another is in the paired differences. Drawn from \
                   <a href='summary.json'><code>summary.json</code></a> (<code>policies</code>).";
    frame("losses", TITLE, "", &svg, caption)
}

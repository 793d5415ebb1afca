//! How latencies are spread: bars of quantiles.

use super::Data;
use crate::report::axis::{Axis, Scale};
use crate::report::figures::frame;
use crate::report::markup::{escape, fixed, grouped, put, shortened};
use crate::report::plot::{CHARACTER, WIDTH, label};
use crate::stats::sample::Distribution;

const ROW: f64 = 19.0;
const TITLE: f64 = 26.0;
const TOP: f64 = 8.0;
/// More rows than these nobody reads.
const MOST_ROWS: usize = 80;

/// A bar.
struct Bar<'d> {
    look: &'d str,
    name: String,
    of: &'d Distribution,
}

/// The figure; says why where there is none.
pub(super) fn figure(data: &Data) -> String {
    const HEADING: &str = "How latencies are spread";
    let groups = groups(data);
    let rows: usize = groups.iter().map(|(_, bars)| bars.len()).sum();
    if rows == 0 {
        return format!(
            "<p class='small'><b>{HEADING}</b> is not drawn: no trial is complete.</p>\n"
        );
    }
    let caption = "The bar holds the middle half of the tasks, the line 5 to 95 %, the dot is the \
                   median and the tick the quantile of 99 %; logarithmic. Drawn from \
                   <a href='summary.json'><code>summary.json</code></a> (<code>policies</code>).";
    frame("spread", HEADING, "", &svg(&groups), caption)
}

/// For each segment (or for the whole run, where there are too many), local and offloaded tasks of
/// each policy.
fn groups(data: &Data) -> Vec<(String, Vec<Bar<'_>>)> {
    let (policies, segments) = (&data.summary.policies, &data.summary.run.segments);
    let whole = 2 * policies.len() * segments.len() > MOST_ROWS;
    let count = if whole { 1 } else { segments.len() };
    let group = |index: usize| {
        let mut bars = Vec::new();
        for (policy, look) in policies.iter().zip(data.policies.looks()) {
            let kpis = if whole { Some(&policy.whole) } else { policy.segments.get(index) };
            let Some(kpis) = kpis else { continue };
            for (what, of) in
                [("local", &kpis.latency_local_ms), ("offloaded", &kpis.latency_offloaded_ms)]
            {
                if let Some(of) = of {
                    let name = format!("{}, {what}", shortened(&policy.name, 24));
                    bars.push(Bar { look, name, of });
                }
            }
        }
        let title = match whole {
            true => "whole run".into(),
            false => {
                let segment = &segments[index];
                let (from, to) = (grouped(segment.from), grouped(segment.to));
                format!("{}, slots {from}–{to}", segment.profile)
            }
        };
        (title, bars)
    };
    (0..count).map(group).filter(|(_, bars)| !bars.is_empty()).collect()
}

fn svg(groups: &[(String, Vec<Bar<'_>>)]) -> String {
    let bars = || groups.iter().flat_map(|(_, bars)| bars);
    let longest = bars().map(|bar| bar.name.chars().count()).max().unwrap_or(0);
    let low = bars().map(|bar| bar.of.p5).fold(f64::INFINITY, f64::min).max(1e-3);
    let high = bars().map(|bar| bar.of.p99).fold(low, f64::max);
    let axis = Axis {
        title: "latency (ms)".into(),
        scale: Scale::Log,
        low: low / 1.15,
        high: high * 1.15,
        percent: false,
    };
    let left = 16.0 + CHARACTER * longest as f64;
    let right = WIDTH - 16.0;
    let bottom = TOP + TITLE * groups.len() as f64 + ROW * bars().count() as f64 + 4.0;
    let at = |ms: f64| left + axis.place(ms.max(axis.low)) * (right - left);
    let height = bottom + 42.0;
    let mut svg = format!(
        "<svg viewBox='0 0 {WIDTH} {height:.1}' role='img' aria-label='Quantiles of latency'>\n"
    );
    let out = &mut svg;
    for (value, text) in axis.ticks() {
        let x = at(value);
        put!(out, "<path class='grid' d='M{x:.1} {TOP}V{bottom:.1}'/>");
        label(out, "tick", x, bottom + 16.0, "middle", &text);
    }
    put!(out, "<path class='axis' d='M{left:.1} {bottom:.1}H{right:.1}'/>\n");
    label(out, "name", (left + right) / 2.0, height - 6.0, "middle", &axis.title);
    let mut y = TOP;
    for (title, bars) in groups {
        label(out, "name", 4.0, y + 18.0, "start", title);
        y += TITLE;
        for bar in bars {
            draw(out, bar, (left, y), &at);
            y += ROW;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(out: &mut String, bar: &Bar<'_>, (left, y): (f64, f64), at: &impl Fn(f64) -> f64) {
    let Distribution { count, p5, p25, p50, p75, p95, p99, .. } = bar.of;
    let (middle, look) = (y + ROW / 2.0, bar.look);
    label(out, "tick", left - 8.0, middle + 4.0, "end", &bar.name);
    let told =
        [("5 %", p5), ("25 %", p25), ("50 %", p50), ("75 %", p75), ("95 %", p95), ("99 %", p99)];
    let told: Vec<String> =
        told.iter().map(|(p, ms)| format!("{p} {} ms", fixed(**ms, 1))).collect();
    let title = escape(&format!("{} ({} tasks): {}", bar.name, grouped(*count), told.join(", ")));
    let (a, b, c, d) = (at(*p5), at(*p25), at(*p75), at(*p95));
    put!(
        out,
        "<g><title>{title}</title><path class='line {look}' d='M{a:.1} {middle:.1}H{d:.1}'/>"
    );
    let (top, width, tall) = (y + 4.0, (c - b).max(1.0), ROW - 8.0);
    put!(out, "<rect class='band {look}' style='fill-opacity:.45' x='{b:.1}' y='{top:.1}' ");
    put!(out, "width='{width:.1}' height='{tall:.1}'/>");
    let (x, up, down) = (at(*p99), middle - 4.0, middle + 4.0);
    put!(out, "<path class='line {look}' d='M{x:.1} {up:.1}V{down:.1}'/>");
    put!(out, "<circle class='dot {look}' cx='{:.1}' cy='{middle:.1}' r='3'/></g>\n", at(*p50));
}

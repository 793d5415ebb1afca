//! The figures of a suite's report.

use crate::bench::break_even::BreakEvenRow;
use crate::bench::summary::BenchSummary;
use crate::report::axis::{Axis, Scale, round_up};
use crate::report::figures::frame;
use crate::report::markup::{escape, fixed, put};
use crate::report::plot::{Dot, Line, Plot, Point};

fn linear(title: &str, high: f64) -> Axis {
    let high = round_up(high.max(1e-3));
    Axis { title: title.into(), scale: Scale::Linear, low: 0.0, high, percent: false }
}

fn percents(title: &str, high: f64) -> Axis {
    Axis { title: title.into(), scale: Scale::Linear, low: 0.0, high, percent: true }
}

fn look(index: usize) -> String {
    format!("c{} d{}", index % 6, index / 6)
}

fn line(index: usize, name: &str, points: Vec<(f64, f64)>) -> Line {
    Line {
        class: look(index),
        guide: false,
        label: name.into(),
        title: name.into(),
        points: points.into_iter().map(|(x, y)| Point { x, y, sd: None }).collect(),
    }
}

/// A dashed line at a height.
fn level(label: &str, y: f64, (low, high): (f64, f64)) -> Line {
    let points = vec![Point { x: low, y, sd: None }, Point { x: high, y, sd: None }];
    let title = format!("{label}: {} ms", fixed(y, 1));
    Line { class: "best".into(), guide: true, label: label.into(), title, points }
}

fn legend(names: impl Iterator<Item = String>) -> String {
    let mut out = String::from("<ul class='legend'>");
    for (index, name) in names.enumerate() {
        let (look, name) = (look(index), escape(&name));
        put!(out, "<li><svg viewBox='0 0 30 10' aria-hidden='true'>");
        put!(out, "<path class='line {look}' d='M1 5H29'/></svg>{name}</li>");
    }
    out.push_str("</ul>\n");
    out
}

fn highest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|point| point.y).fold(0.0, f64::max)
}

pub(super) fn break_even(summary: &BenchSummary) -> String {
    let rows: Vec<&BreakEvenRow> =
        summary.break_even.iter().filter(|row| row.points.len() > 1).collect();
    let points = rows.iter().flat_map(|row| &row.points);
    let most = round_up(points.map(|point| point.rtt_ms).fold(1.0, f64::max));
    let mut lines = Vec::new();
    let mut dots = Vec::new();
    let local: Vec<f64> = rows.iter().filter_map(|row| row.local_ms).collect();
    if local.is_empty() {
        return String::new();
    }
    let local_ms = crate::stats::median(&local);
    lines.push(level("local", local_ms, (0.0, most)));
    for (index, row) in rows.iter().enumerate() {
        let known = row.points.iter().filter_map(|p| Some((p.rtt_ms, p.offloaded_ms?)));
        // The legend names them: at their ends they would be in each other's way.
        lines.push(Line { label: String::new(), ..line(index, &row.profile, known.collect()) });
        let mut dot = |x: f64, hollow: bool, what: &str| {
            if (0.0..=most).contains(&x) {
                let title = format!("{}: {what} {} ms", row.profile, fixed(x, 1));
                dots.push(Dot { x, y: local_ms, class: look(index), hollow, title });
            }
        };
        dot(row.formula_ms, true, "break-even by formula");
        if let Some(measured) = row.measured_ms {
            dot(measured, false, "measured break-even");
        }
    }
    let plot = Plot {
        description: "Median latency of offloaded tasks over the round-trip time".into(),
        x: linear("round-trip time (ms)", most),
        y: linear("median latency (ms)", highest(&lines) * 1.05),
        lines,
    };
    frame(
        "break-even",
        "Latency against the round-trip time",
        &legend(rows.iter().map(|row| row.profile.clone())),
        &plot.svg_with(&[], &dots),
        "Lines are medians of offloaded tasks on links with the profile’s rates, loss and jitter and \
         with round-trip times around its break-even. A filled dot is the measured break-even, a \
         hollow one the formula’s; left of it offloading is faster. Drawn from \
         <a href='breakeven.csv'><code>breakeven.csv</code></a>.",
    )
}

/// A point of a curve over loss, where there is one.
type OverLoss = fn(&crate::bench::loss::LossRow) -> Option<f64>;

fn over_loss(summary: &BenchSummary, of: OverLoss) -> Vec<(f64, f64)> {
    summary.loss.iter().filter_map(|row| Some((row.loss, of(row)?))).collect()
}

fn most_loss(summary: &BenchSummary) -> f64 {
    summary.loss.iter().map(|row| row.loss).fold(0.0, f64::max)
}

pub(super) fn success(summary: &BenchSummary) -> String {
    let most = most_loss(summary);
    if most == 0.0 {
        return String::new();
    }
    let points = over_loss(summary, |row| row.success);
    let plot = Plot {
        description: "Share of tasks in time over the share of packets lost".into(),
        x: percents("packets lost, each way", most),
        y: percents("tasks in time", 1.0),
        lines: vec![line(0, "in time", points)],
    };
    let caption = "Drawn from <a href='loss.csv'><code>loss.csv</code></a>.";
    frame("success", "Success against loss", "", &plot.svg(&[]), caption)
}

pub(super) fn loss(summary: &BenchSummary) -> String {
    let most = most_loss(summary);
    if most == 0.0 {
        return String::new();
    }
    let curves: [(&str, OverLoss); 3] =
        [("median", |row| row.p50_ms), ("95 %", |row| row.p95_ms), ("99 %", |row| row.p99_ms)];
    let mut lines: Vec<Line> = curves
        .iter()
        .enumerate()
        .map(|(index, (name, of))| line(index, name, over_loss(summary, *of)))
        .filter(|line| !line.points.is_empty())
        .collect();
    if let Some(row) = summary.loss.first() {
        lines.push(level("deadline", row.deadline_ms, (0.0, most)));
    }
    let plot = Plot {
        description: "Quantiles of offloaded latency over the share of packets lost".into(),
        x: percents("packets lost, each way", most),
        y: linear("latency of offloaded tasks (ms)", highest(&lines) * 1.05),
        lines,
    };
    let caption = "Tasks that never came back took infinitely long. Drawn from \
                   <a href='loss.csv'><code>loss.csv</code></a>.";
    frame("loss", "Latency against loss", "", &plot.svg(&[]), caption)
}

pub(super) fn rate(summary: &BenchSummary) -> String {
    let points = || summary.rate.iter().flat_map(|row| &row.points);
    let low = points().map(|point| point.up_mbit_s).fold(f64::INFINITY, f64::min);
    let high = points().map(|point| point.up_mbit_s).fold(0.0, f64::max);
    if !low.is_finite() || low >= high {
        return String::new();
    }
    let name = |bytes: u64| format!("{} kB", fixed(bytes as f64 / 1e3, 1));
    let mut lines = Vec::new();
    let mut dots = Vec::new();
    for (index, row) in summary.rate.iter().enumerate() {
        let mut own: Vec<(f64, f64)> =
            row.points.iter().filter_map(|p| Some((p.up_mbit_s, p.p50_ms?))).collect();
        own.sort_by(|a, b| a.0.total_cmp(&b.0));
        lines.push(line(index, &name(row.payload_bytes), own));
        if let Some(x) = row.sequential_mbit_s {
            let title = format!("{}: {} Mbit/s", name(row.payload_bytes), fixed(x, 3));
            dots.push(Dot { x, y: row.period_ms, class: look(index), hollow: false, title });
        }
    }
    if let Some(row) = summary.rate.first() {
        lines.push(level("time to the next", row.period_ms, (low, high)));
    }
    let x = Axis {
        title: "rate to the helper node (Mbit/s)".into(),
        scale: Scale::Log,
        low,
        high,
        percent: false,
    };
    let plot = Plot {
        description: "Median latency of offloaded tasks over the rate, by payload".into(),
        x,
        y: linear("median latency (ms)", highest(&lines) * 1.05),
        lines,
    };
    let names = summary.rate.iter().map(|row| name(row.payload_bytes));
    let caption = "A dot is the least rate at which payloads one by one keep up. Drawn from \
                   <a href='rate.csv'><code>rate.csv</code></a>.";
    let title = "Latency against the rate";
    frame("rate", title, &legend(names), &plot.svg_with(&[], &dots), caption)
}

/// Only where there are several payloads.
pub(super) fn payloads(summary: &BenchSummary) -> String {
    let mut sizes: Vec<u64> = summary.grid.iter().map(|cell| cell.payload_bytes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let Some(most) = sizes.last().filter(|_| sizes.len() > 1) else { return String::new() };
    let most = *most as f64 / 1e3;
    let mut loads: Vec<f64> = summary.grid.iter().map(|cell| cell.load).collect();
    loads.sort_by(f64::total_cmp);
    loads.dedup();
    let mut lines = Vec::new();
    for (index, profile) in summary.bench.profiles.iter().enumerate() {
        let own = summary.grid.iter().filter(|c| c.profile == *profile && c.load == loads[0]);
        let points: Vec<(f64, f64)> = own
            .filter_map(|cell| Some((cell.payload_bytes as f64 / 1e3, cell.offloaded_p50_ms?)))
            .collect();
        lines.push(line(index, profile, points));
    }
    for load in &loads {
        let cells = summary.grid.iter().filter(|cell| cell.load == *load);
        let local: Vec<f64> = cells.filter_map(|cell| cell.local_p50_ms).collect();
        if !local.is_empty() {
            let label = format!("local, load {}", crate::report::markup::percent(*load));
            lines.push(level(&label, crate::stats::median(&local), (0.0, most)));
        }
    }
    lines.retain(|line| !line.points.is_empty());
    let plot = Plot {
        description: "Median latency of offloaded tasks over the payload, by profile".into(),
        x: Axis { high: most, ..linear("payload (kB)", most) },
        y: linear("median latency (ms)", highest(&lines) * 1.02),
        lines,
    };
    let caption = "Offloaded tasks are on lines, tasks on the task node on dashed ones, by its load. \
                   Drawn from <a href='bench.csv'><code>bench.csv</code></a>.";
    let names = summary.bench.profiles.iter().cloned();
    frame("payloads", "Latency against the payload", &legend(names), &plot.svg(&[]), caption)
}

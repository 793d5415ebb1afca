//! The tables of a suite's report.

use crate::bench::summary::{BenchSummary, NEAR};
use crate::report::markup::{escape, fixed, percent, put};

const NONE: &str = "–";

fn ms(value: Option<f64>) -> String {
    value.map_or(NONE.into(), |value| fixed(value, 1))
}

fn share(value: Option<f64>) -> String {
    value.map_or(NONE.into(), percent)
}

fn mbit(value: Option<f64>) -> String {
    value.map_or(NONE.into(), |value| fixed(value, 3))
}

fn table(head: &[&str], rows: &[Vec<String>], caption: &str) -> String {
    if rows.is_empty() {
        return "<p class='small'>Nothing was measured.</p>\n".into();
    }
    let mut out = String::from("<div class='wide'><table class='full'><thead><tr>");
    for (index, name) in head.iter().enumerate() {
        let class = if index == 0 { "" } else { " class='number'" };
        put!(out, "<th{class}>{}</th>", escape(name));
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            put!(out, "<td>{cell}</td>");
        }
        out.push_str("</tr>\n");
    }
    put!(out, "</tbody></table></div>\n<p class='small'>{caption}</p>\n");
    out
}

pub(super) fn break_even(summary: &BenchSummary) -> String {
    let rows: Vec<Vec<String>> = summary
        .break_even
        .iter()
        .map(|row| {
            let ends = row.low_ms.zip(row.high_ms);
            let interval =
                ends.map(|(low, high)| format!("{} to {}", fixed(low, 1), fixed(high, 1)));
            let apart = row.relative.map(|relative| {
                let sign = if relative > 0.0 { "+" } else { "" };
                let class = if relative.abs() <= NEAR { "met" } else { "open" };
                format!("<span class='{class}'>{sign}{} %</span>", fixed(100.0 * relative, 1))
            });
            let tasks: u64 = row.points.iter().map(|point| point.tasks).sum();
            vec![
                escape(&row.profile),
                fixed(row.formula_ms, 1),
                ms(row.lossless_ms),
                ms(row.measured_ms),
                interval.unwrap_or(NONE.into()),
                apart.unwrap_or(NONE.into()),
                ms(row.local_ms),
                row.slope.map_or(NONE.into(), |slope| fixed(slope, 3)),
                tasks.to_string(),
            ]
        })
        .collect();
    table(
        &[
            "profile",
            "formula, ms",
            "no packet lost",
            "measured, ms",
            "95 % interval",
            "apart",
            "local, ms",
            "round trips a task",
            "tasks",
        ],
        &rows,
        "Measured: where the straight line through the medians of offloaded latency over round-trip \
         times crosses the median of local latency; the interval is the bootstrap’s. A formula below \
         0: the rates alone forbid offloading, and nothing was measured. The formula’s term for loss \
         is that of a long transfer; beside it the break-even of a task of which no packet is lost. \
         <a href='breakeven.csv'><code>breakeven.csv</code></a>",
    )
}

pub(super) fn loss(summary: &BenchSummary) -> String {
    let rows: Vec<Vec<String>> = summary
        .loss
        .iter()
        .map(|row| {
            let ends = row.success_low.zip(row.success_high);
            let interval = ends.map(|(low, high)| format!("{} to {}", percent(low), percent(high)));
            vec![
                format!("{}, {}", escape(&row.profile), percent(row.loss)),
                row.tasks.to_string(),
                share(row.success),
                interval.unwrap_or(NONE.into()),
                ms(row.p50_ms),
                ms(row.p95_ms),
                ms(row.p99_ms),
            ]
        })
        .collect();
    let deadline = summary.loss.first().map_or(0.0, |row| row.deadline_ms);
    let caption = format!(
        "A task is in time if it is done within {} ms. Loss is that of each direction, packet by \
         packet. It shows at the 95th and 99th percentile; those of too few tasks are left out. \
         <a href='loss.csv'><code>loss.csv</code></a>",
        fixed(deadline, 0)
    );
    let head =
        ["loss", "tasks", "in time", "99.9 % interval", "median, ms", "95 %, ms", "99 %, ms"];
    table(&head, &rows, &caption)
}

pub(super) fn rate(summary: &BenchSummary) -> String {
    let rows: Vec<Vec<String>> = summary
        .rate
        .iter()
        .map(|row| {
            vec![
                format!(
                    "{} kB every {} ms",
                    fixed(row.payload_bytes as f64 / 1e3, 1),
                    fixed(row.period_ms, 0)
                ),
                mbit(Some(row.arithmetic_mbit_s)),
                mbit(row.pipelined_mbit_s),
                mbit(Some(row.pipelined_formula_mbit_s)),
                mbit(row.sequential_mbit_s),
                mbit(row.sequential_formula_mbit_s),
                row.wire_bits_per_bit.map_or(NONE.into(), |bits| fixed(bits, 3)),
            ]
        })
        .collect();
    table(
        &[
            "payload",
            "payload over time",
            "pipelined",
            "formula",
            "one by one",
            "formula",
            "bits a payload bit",
        ],
        &rows,
        "The least rate to the helper node in Mbit/s. Pipelined: a task node sends each payload when \
         it comes; the link must not be occupied by a payload for longer than the time to the next \
         one, or latency grows without end. One by one: it waits for each output before it sends the \
         next payload, so latency must be no longer than that. Payloads come as often as the task \
         node could do the tasks itself. <a href='rate.csv'><code>rate.csv</code></a>",
    )
}

pub(super) fn decisions(summary: &BenchSummary) -> String {
    let rows: Vec<Vec<String>> = summary
        .decisions
        .iter()
        .map(|own| {
            let lost = (own.tasks > 0).then(|| own.lost_ms / own.tasks as f64);
            vec![
                escape(&own.policy),
                own.tasks.to_string(),
                share(own.accuracy()),
                share(own.accuracy_outside_band()),
                ms(lost),
            ]
        })
        .collect();
    table(
        &["policy", "tasks", "right", "right outside the band", "lost a task, ms"],
        &rows,
        "Every task was executed on both sides, so it is known which was faster. The policies of the \
         topology decide on what the task node measured before the task and learn what their choice \
         took. The band: latencies within 10 % of each other.",
    )
}

pub(super) fn grid(summary: &BenchSummary) -> String {
    let rows: Vec<Vec<String>> = summary
        .grid
        .iter()
        .map(|cell| {
            vec![
                escape(&cell.profile),
                percent(cell.load),
                fixed(cell.payload_bytes as f64 / 1e3, 1),
                ms(cell.rtt_p50_ms),
                ms(cell.rtt_p95_ms),
                ms(cell.local_p50_ms),
                ms(cell.offloaded_p50_ms),
                ms(cell.offloaded_p95_ms),
                cell.throughput_mbit_s.map_or(NONE.into(), |rate| fixed(rate, 2)),
                share(cell.offload_faster),
                fixed(cell.break_even_ms, 1),
            ]
        })
        .collect();
    table(
        &[
            "profile",
            "load",
            "kB",
            "round trip",
            "95 %",
            "local",
            "offloaded",
            "95 %",
            "Mbit/s",
            "faster there",
            "break-even",
        ],
        &rows,
        "Medians and 95th percentiles in milliseconds; throughput is payload (input and output) over \
         the latency of offloaded tasks; the break-even is the formula’s. \
         <a href='bench.csv'><code>bench.csv</code></a>",
    )
}

//! The files of a suite: one in long form with every figure, and one for each of its questions.

use std::fmt::Write;

use super::summary::BenchSummary;
use crate::results::{ResultsDir, ResultsError};

/// A row of a file: its cells.
type Row = Vec<String>;

/// Writes `bench.csv`, `breakeven.csv`, `loss.csv` and `rate.csv`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(dir: &ResultsDir, summary: &BenchSummary) -> Result<(), ResultsError> {
    for (name, head, rows) in [
        ("breakeven.csv", BREAK_EVEN, break_even(summary)),
        ("loss.csv", LOSS, loss(summary)),
        ("rate.csv", RATE, rate(summary)),
        ("bench.csv", LONG, long(summary)),
    ] {
        let mut text = head.to_owned() + "\n";
        for row in rows {
            let _ = writeln!(text, "{}", row.join(","));
        }
        dir.write(name, text.as_bytes())?;
    }
    Ok(())
}

const BREAK_EVEN: &str = "profile,formula_ms,lossless_ms,measured_ms,low_ms,high_ms,relative,local_p50_ms,\
                          rtt_ms,measured_rtt_ms,tasks,offloaded_p50_ms";
const LOSS: &str = "profile,loss,tasks,successes,deadline_ms,success,success_low,success_high,\
                    p50_ms,p95_ms,p99_ms";
const RATE: &str = "profile,payload_bytes,period_ms,arithmetic_mbit_s,pipelined_formula_mbit_s,\
                    pipelined_mbit_s,sequential_formula_mbit_s,sequential_mbit_s,up_mbit_s,tasks,\
                    p50_ms,p90_ms";
const LONG: &str = "part,profile,load,payload_bytes,rtt_ms,loss,up_mbit_s,policy,metric,value";

fn number(value: f64) -> String {
    format!("{value:?}")
}

fn maybe(value: Option<f64>) -> String {
    value.map_or(String::new(), number)
}

/// A row for each round-trip time; one for a profile that has no break-even.
fn break_even(summary: &BenchSummary) -> Vec<Row> {
    let mut rows = Vec::new();
    for row in &summary.break_even {
        let head = vec![
            row.profile.clone(),
            number(row.formula_ms),
            maybe(row.lossless_ms),
            maybe(row.measured_ms),
            maybe(row.low_ms),
            maybe(row.high_ms),
            maybe(row.relative),
            maybe(row.local_ms),
        ];
        if row.points.is_empty() {
            rows.push([head.clone(), vec![String::new(); 4]].concat());
        }
        for point in &row.points {
            let own = vec![
                number(point.rtt_ms),
                maybe(point.measured_rtt_ms),
                point.tasks.to_string(),
                maybe(point.offloaded_ms),
            ];
            rows.push([head.clone(), own].concat());
        }
    }
    rows
}

fn loss(summary: &BenchSummary) -> Vec<Row> {
    let row = |row: &super::loss::LossRow| {
        vec![
            row.profile.clone(),
            number(row.loss),
            row.tasks.to_string(),
            row.successes.to_string(),
            number(row.deadline_ms),
            maybe(row.success),
            maybe(row.success_low),
            maybe(row.success_high),
            maybe(row.p50_ms),
            maybe(row.p95_ms),
            maybe(row.p99_ms),
        ]
    };
    summary.loss.iter().map(row).collect()
}

fn rate(summary: &BenchSummary) -> Vec<Row> {
    let mut rows = Vec::new();
    for row in &summary.rate {
        for point in &row.points {
            rows.push(vec![
                row.profile.clone(),
                row.payload_bytes.to_string(),
                number(row.period_ms),
                number(row.arithmetic_mbit_s),
                number(row.pipelined_formula_mbit_s),
                maybe(row.pipelined_mbit_s),
                maybe(row.sequential_formula_mbit_s),
                maybe(row.sequential_mbit_s),
                number(point.up_mbit_s),
                point.tasks.to_string(),
                maybe(point.p50_ms),
                maybe(point.p90_ms),
            ]);
        }
    }
    rows
}

/// What a figure in long form is about; what is empty does not apply.
#[derive(Debug, Clone, Default)]
struct About {
    part: &'static str,
    profile: String,
    load: String,
    payload: String,
    rtt: String,
    loss: String,
    rate: String,
}

impl About {
    fn row(&self, policy: &str, metric: &str, value: f64) -> Row {
        vec![
            self.part.to_owned(),
            self.profile.clone(),
            self.load.clone(),
            self.payload.clone(),
            self.rtt.clone(),
            self.loss.clone(),
            self.rate.clone(),
            policy.to_owned(),
            metric.to_owned(),
            number(value),
        ]
    }

    fn rows(&self, values: &[(&str, Option<f64>)], rows: &mut Vec<Row>) {
        let known = values.iter().filter_map(|(metric, value)| Some((metric, (*value)?)));
        rows.extend(known.map(|(metric, value)| self.row("", metric, value)));
    }
}

fn long(summary: &BenchSummary) -> Vec<Row> {
    let mut rows = Vec::new();
    long_grid(summary, &mut rows);
    for row in &summary.break_even {
        let about = About { part: "break-even", profile: row.profile.clone(), ..About::default() };
        about.rows(
            &[
                ("break_even_formula_ms", Some(row.formula_ms)),
                ("break_even_lossless_ms", row.lossless_ms),
                ("break_even_measured_ms", row.measured_ms),
                ("break_even_low_ms", row.low_ms),
                ("break_even_high_ms", row.high_ms),
                ("local_p50_ms", row.local_ms),
            ],
            &mut rows,
        );
        for point in &row.points {
            let about = About { rtt: number(point.rtt_ms), ..about.clone() };
            let values = [
                ("rtt_p50_ms", point.measured_rtt_ms),
                ("offloaded_p50_ms", point.offloaded_ms),
                ("offloaded_p25_ms", point.p25_ms),
                ("offloaded_p75_ms", point.p75_ms),
            ];
            about.rows(&values, &mut rows);
        }
    }
    for row in &summary.loss {
        let (profile, loss) = (row.profile.clone(), number(row.loss));
        let about = About { part: "loss", profile, loss, ..About::default() };
        let values = [
            ("success", row.success),
            ("offloaded_p50_ms", row.p50_ms),
            ("offloaded_p95_ms", row.p95_ms),
            ("offloaded_p99_ms", row.p99_ms),
        ];
        about.rows(&values, &mut rows);
    }
    for row in &summary.rate {
        let (profile, payload) = (row.profile.clone(), row.payload_bytes.to_string());
        let about = About { part: "rate", profile, payload, ..About::default() };
        let values = [
            ("least_rate_arithmetic_mbit_s", Some(row.arithmetic_mbit_s)),
            ("least_rate_pipelined_mbit_s", row.pipelined_mbit_s),
            ("least_rate_sequential_mbit_s", row.sequential_mbit_s),
        ];
        about.rows(&values, &mut rows);
        for point in &row.points {
            let about = About { rate: number(point.up_mbit_s), ..about.clone() };
            let values = [("offloaded_p50_ms", point.p50_ms), ("offloaded_p90_ms", point.p90_ms)];
            about.rows(&values, &mut rows);
        }
    }
    rows
}

fn long_grid(summary: &BenchSummary, rows: &mut Vec<Row>) {
    for cell in &summary.grid {
        let about = About {
            part: "grid",
            profile: cell.profile.clone(),
            load: number(cell.load),
            payload: cell.payload_bytes.to_string(),
            ..About::default()
        };
        let values = [
            ("rtt_p50_ms", cell.rtt_p50_ms),
            ("rtt_p95_ms", cell.rtt_p95_ms),
            ("local_p50_ms", cell.local_p50_ms),
            ("offloaded_p50_ms", cell.offloaded_p50_ms),
            ("offloaded_p95_ms", cell.offloaded_p95_ms),
            ("throughput_mbit_s", cell.throughput_mbit_s),
            ("offload_faster", cell.offload_faster),
            ("break_even_formula_ms", Some(cell.break_even_ms)),
        ];
        about.rows(&values, rows);
        for own in &cell.decisions {
            rows.extend(own.accuracy().map(|value| about.row(&own.policy, "accuracy", value)));
        }
    }
}

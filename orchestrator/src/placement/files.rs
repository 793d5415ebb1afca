//! The files of a results directory beside `summary.json`.

use std::fmt::Write;

use super::collect::{PlacementCollector, WindowMeans};
use super::plan::PlacementPlan;
use super::tally::Kpis;
use crate::results::{Over, Point, ResultsDir, ResultsError, points_csv};
use crate::stats::Running;
use crate::stats::sample::Distribution;

/// The file of every trial's segments.
pub const SEGMENTS_FILE: &str = "segments.csv";

/// What is drawn over the slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// Mean latency in milliseconds.
    Latency,
    /// Mean regret in milliseconds.
    Regret,
    /// Share of the tasks that were offloaded.
    Offloaded,
    /// Share of the decisions that are the best by the model.
    Accuracy,
}

impl Curve {
    /// All of them.
    pub const ALL: [Curve; 4] = [Curve::Latency, Curve::Regret, Curve::Offloaded, Curve::Accuracy];

    /// Its file, relative to the results directory.
    pub fn file(self) -> &'static str {
        match self {
            Curve::Latency => "curves/latency_ms.csv",
            Curve::Regret => "curves/regret_ms.csv",
            Curve::Offloaded => "curves/offloaded_share.csv",
            Curve::Accuracy => "curves/accuracy.csv",
        }
    }

    fn of(self, window: &WindowMeans) -> &Running {
        match self {
            Curve::Latency => &window.latency_ms,
            Curve::Regret => &window.regret_ms,
            Curve::Offloaded => &window.offloaded_share,
            Curve::Accuracy => &window.accuracy,
        }
    }
}

/// Writes curves and segments.
///
/// # Errors
/// If a file cannot be written.
pub fn write(
    dir: &ResultsDir,
    plan: &PlacementPlan,
    collector: &PlacementCollector,
) -> Result<(), ResultsError> {
    for curve in Curve::ALL {
        let policies = plan.policies.iter().zip(&collector.pooled);
        let points = policies.flat_map(|(policy, pooled)| {
            plan.windows.iter().zip(&pooled.windows).map(move |(window, means)| Point {
                policy: &policy.name,
                from: Some(window.from),
                slot: window.to,
                value: curve.of(means),
            })
        });
        dir.write(curve.file(), points_csv(Over::Windows, points).as_bytes())?;
    }
    dir.write(SEGMENTS_FILE, segments(plan, collector).as_bytes())
}

/// Every trial, segment by segment.
fn segments(plan: &PlacementPlan, collector: &PlacementCollector) -> String {
    let mut head = String::from("policy,seed,profile,from,to");
    for (name, _) in columns(&super::tally::Tally::default().kpis()) {
        let _ = write!(head, ",{name}");
    }
    let mut csv = head + "\n";
    for row in &collector.rows {
        for (segment, kpis) in plan.segments.iter().zip(&row.figures.segments) {
            let (name, profile) = (plan.name(row.policy), &segment.profile);
            let _ = write!(csv, "{name},{},{profile},{},{}", row.seed, segment.from, segment.to);
            for (_, value) in columns(kpis) {
                let _ = write!(csv, ",{value}");
            }
            csv.push('\n');
        }
    }
    csv
}

/// The figures of a segment by name; empty where there is none.
fn columns(kpis: &Kpis) -> Vec<(String, String)> {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:?}"));
    let count = |value: u64| value.to_string();
    let counts = &kpis.counts;
    let confusion = &kpis.confusion;
    let mut all = vec![
        ("tasks".to_owned(), count(counts.tasks)),
        ("local".into(), count(counts.local)),
        ("offloaded".into(), count(counts.offloaded)),
        ("done".into(), count(counts.done)),
        ("deadline_missed".into(), count(counts.deadline_missed)),
        ("timed_out".into(), count(counts.timed_out)),
        ("refused".into(), count(counts.refused)),
        ("offloaded_share".into(), number(kpis.offloaded_share)),
        ("mean_latency_ms".into(), number(kpis.mean_latency_ms)),
    ];
    for (name, of) in [
        ("latency_local", &kpis.latency_local_ms),
        ("latency_offloaded", &kpis.latency_offloaded_ms),
        ("rtt", &kpis.rtt_ms),
    ] {
        type Part = fn(&Distribution) -> f64;
        let parts: [(&str, Part); 4] =
            [("mean", |d| d.mean), ("p50", |d| d.p50), ("p95", |d| d.p95), ("p99", |d| d.p99)];
        for (part, value) in parts {
            all.push((format!("{name}_{part}_ms"), number(of.as_ref().map(value))));
        }
    }
    all.extend([
        ("throughput_mbit_s".into(), number(kpis.throughput_mbit_s)),
        ("mean_regret_ms".into(), number(kpis.mean_regret_ms)),
        ("worst_regret_ms".into(), number(kpis.worst_regret_ms)),
        ("accuracy".into(), number(kpis.accuracy)),
        ("outside_band".into(), count(kpis.outside_band)),
        ("accuracy_outside_band".into(), number(kpis.accuracy_outside_band)),
        ("best_local_chosen_local".into(), count(confusion.local_local)),
        ("best_local_chosen_offload".into(), count(confusion.local_offloaded)),
        ("best_offload_chosen_local".into(), count(confusion.offloaded_local)),
        ("best_offload_chosen_offload".into(), count(confusion.offloaded_offloaded)),
        ("balanced_accuracy".into(), number(kpis.balanced_accuracy)),
        ("auc".into(), number(kpis.auc)),
    ]);
    all
}

//! Decision files: a row for each slot of a trial.

use std::fmt::Write;

use fogbit_scenario::placement::{Fate, Step};

use super::tally::{Priced, milliseconds};

/// The columns that stand once in a row.
pub const COLUMNS: [&str; 11] = [
    "slot",
    "site",
    "fate",
    "latency_ms",
    "queued_ms",
    "executed_ms",
    "best",
    "regret_ms",
    "cycles",
    "input_bytes",
    "output_bytes",
];

/// The columns that stand in a row for each site, as `NAME.COLUMN`.
pub const SITE_COLUMNS: [&str; 5] = ["expected_ms", "predicted_ms", "load", "rtt_ms", "shadow_ms"];

/// The head of the file, for the sites of these names. In `site` and `best` a site is a number: 0 is
/// the task node, and so on in the order of the names.
pub fn header(sites: &[&str]) -> String {
    let mut text = COLUMNS.join(",");
    for site in sites {
        for column in SITE_COLUMNS {
            let _ = write!(text, ",{site}.{column}");
        }
    }
    text.push('\n');
    text
}

/// A row of it.
#[derive(Debug, Clone, Copy)]
pub struct DecisionRow<'s> {
    /// What happened.
    pub step: &'s Step,
    /// What the model says of it.
    pub priced: &'s Priced,
    /// Expected latency on each site in milliseconds.
    pub expected_ms: &'s [f64],
}

/// `done`, `timed-out`, or `refused-CODE`.
pub fn fate(fate: Fate) -> String {
    match fate {
        Fate::Done => "done".into(),
        Fate::TimedOut => "timed-out".into(),
        Fate::Refused(code) => format!("refused-{code}"),
    }
}

impl DecisionRow<'_> {
    /// Appends it to `text`. Numbers read back to the same ones.
    pub fn append_to(&self, text: &mut String) {
        let Step { slot, task, sights, predicted_s, execution, shadows } = self.step;
        let Priced { best, regret_ms, .. } = self.priced;
        let (site, best) = (execution.site.index(), best.index());
        let fate = fate(execution.fate);
        let latency = milliseconds(execution.latency_ns);
        let queued = milliseconds(execution.queued_ns);
        let executed = milliseconds(execution.executed_ns);
        let _ = write!(
            text,
            "{slot},{site},{fate},{latency:?},{queued:?},{executed:?},{best},{regret_ms:?},{},{},{}",
            task.cycles, task.input_bytes, task.output_bytes
        );
        for (index, (sight, expected)) in sights.iter().zip(self.expected_ms).enumerate() {
            let _ = write!(text, ",{expected:?},");
            if let Some(predicted) = predicted_s.get(index) {
                let _ = write!(text, "{:?}", predicted * 1e3);
            }
            let _ = write!(text, ",{:?},{:?},", sight.load, sight.rtt_s * 1e3);
            let shadow = shadows.iter().find(|shadow| shadow.site.index() == index);
            if let Some(shadow) = shadow {
                match shadow.fate {
                    Fate::Done => {
                        let _ = write!(text, "{:?}", milliseconds(shadow.latency_ns));
                    }
                    lost => text.push_str(&self::fate(lost)),
                }
            }
        }
        text.push('\n');
    }
}

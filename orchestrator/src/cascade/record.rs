//! Decision files: a row for each image of a trial.

use std::fmt::Write;

use fogbit_scenario::cascade::{Fate, Hidden, ImageRow, ImageStep, Stages, TokenBucket};

use super::tally::milliseconds;

/// The columns.
pub const COLUMNS: [&str; 17] = [
    "image",
    "slot",
    "id",
    "metric",
    "gap",
    "tokens",
    "wasted",
    "wanted",
    "fate",
    "loss",
    "place",
    "state",
    "weak_ms",
    "decision_ms",
    "transmission_ms",
    "queued_ms",
    "strong_ms",
];

/// In virtual time so many images of each trial are kept: any trial can be played again from its
/// seed. Over processes, where times are measured, all are.
pub const KEPT_IN_SIM: u64 = 10_000;

/// The head of the file.
pub fn header() -> String {
    COLUMNS.join(",") + "\n"
}

/// `kept`, `answered`, `timed-out`, or `refused-CODE`.
pub fn fate(fate: Fate) -> String {
    match fate {
        Fate::Kept => "kept".into(),
        Fate::Answered => "answered".into(),
        Fate::TimedOut => "timed-out".into(),
        Fate::Refused(code) => format!("refused-{code}"),
    }
}

/// A row of it.
#[derive(Debug, Clone, Copy)]
pub struct DecisionRow<'s> {
    /// What happened.
    pub step: &'s ImageStep,
    /// The image.
    pub row: &'s ImageRow,
    /// What it cost.
    pub loss: f64,
    /// Where the stream is.
    pub hidden: Hidden,
    /// The bucket.
    pub bucket: TokenBucket,
}

impl DecisionRow<'_> {
    /// Appends it to `text`. Numbers read back to the same ones; times are left out where nobody
    /// measured.
    pub fn append_to(&self, text: &mut String) {
        let DecisionRow { step, row, loss, hidden, bucket } = self;
        let (tokens, wasted) =
            (bucket.tokens(u64::from(step.sight.level)), bucket.tokens(step.wasted));
        let _ = write!(
            text,
            "{},{},{},{:?},{},{tokens},{wasted},{},{},{loss:?},{},{}",
            step.image,
            step.slot,
            row.id,
            step.sight.metric,
            step.sight.gap,
            u8::from(step.wanted),
            fate(step.fate),
            hidden.place,
            hidden.state
        );
        if step.stages == Stages::default() {
            text.push_str(",,,,,\n");
            return;
        }
        let Stages { weak_ns, decision_ns, transmission_ns, queued_ns, strong_ns } = step.stages;
        for ns in [weak_ns, decision_ns, transmission_ns, queued_ns, strong_ns] {
            let _ = write!(text, ",{}", milliseconds(ns));
        }
        text.push('\n');
    }
}

//! What lies beyond the model of the paper: other feedback, late and wrong bits, weights that move,
//! nodes that come and go, features that say nothing. Every backend plays it alike, and alike to an
//! implementation in another language; `verify` knows all of it.

#[path = "../common/mod.rs"]
mod common;
mod parity;
mod real_time;
mod reference;
mod told;
mod verified;

use std::path::{Path, PathBuf};

/// Everything at once.
pub(crate) fn everything() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/beyond/everything.toml")
}

/// The topologies that ship, each with what makes it short enough to be played by processes.
pub(crate) const SHORT: [(&str, &[&str]); 8] = [
    ("probit.toml", &["slots=300"]),
    ("threshold.toml", &["slots=300"]),
    ("flipped.toml", &["slots=300"]),
    ("delayed.toml", &["slots=300", "feedback.delay_slots=90"]),
    ("drift.toml", &["slots=300", "nodes.drift.period_slots=100"]),
    ("sudden.toml", &["slots=300", "event.0.at=150"]),
    (
        "churn.toml",
        &["slots=300", "event.0.at=60", "event.1.at=120", "event.2.at=180", "event.3.at=240"],
    ),
    ("noise.toml", &["slots=300"]),
];

/// `--set` before each.
pub(crate) fn set<'a>(assignments: &[&'a str]) -> Vec<&'a str> {
    assignments.iter().flat_map(|assignment| ["--set", *assignment]).collect()
}

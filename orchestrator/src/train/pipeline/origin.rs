//! What networks and labels of a topology were made for.

use std::fmt::Write as _;

use fogbit_neural::Metadata;
use fogbit_scenario::pipeline::{ApplicationSource, ConditionDraws, PipelineScenario};
use serde::Serialize;
use sha2::{Digest, Sha256};

const SUMMARY: &str = "scenario";
const DIGEST: &str = "scenario.sha256";

/// What applications are and what they meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// For people.
    pub summary: String,
    /// SHA-256, in hexadecimal digits, of all that labels depend on but the seed.
    pub digest: String,
}

/// All that labels depend on.
#[derive(Serialize)]
struct World<'s> {
    source: &'s ApplicationSource,
    conditions: &'s ConditionDraws,
}

impl Origin {
    /// That of networks and labels that are made for `scenario`.
    pub fn of(scenario: &PipelineScenario) -> Origin {
        let world = World { source: scenario.source(), conditions: scenario.condition_draws() };
        let json = serde_json::to_vec(&world).expect("plain data");
        let source = match scenario.source() {
            ApplicationSource::Drawn(draws) => match draws.sub_tasks {
                [low, high] if low == high => format!("drawn applications of {low} sub-tasks"),
                [low, high] => format!("drawn applications of {low} to {high} sub-tasks"),
            },
            ApplicationSource::Given(all) => format!("{} given applications", all.len()),
        };
        let sites = scenario.sites().join(", ");
        let summary = format!("{}: {source}; {sites}", scenario.name());
        Origin { summary, digest: hex(&Sha256::digest(&json)) }
    }

    /// What a model says; none where it says nothing.
    pub fn read(metadata: &Metadata) -> Option<Origin> {
        let entry = |name| metadata.get(name).cloned();
        Some(Origin { summary: entry(SUMMARY)?, digest: entry(DIGEST)? })
    }

    /// Puts it into a model's metadata.
    pub(super) fn store(&self, metadata: &mut Metadata) {
        metadata.insert(SUMMARY.into(), self.summary.clone());
        metadata.insert(DIGEST.into(), self.digest.clone());
    }
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

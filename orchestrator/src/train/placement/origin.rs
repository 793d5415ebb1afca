//! What a model says of where it comes from.

use std::fmt::Write as _;

use fogbit_neural::Metadata;
use fogbit_scenario::link::LinkPath;
use fogbit_scenario::placement::{HelperNode, LocalNode, PlacementScenario};
use fogbit_scenario::topology::{PlacementTask, PlacementTraining, Range, TransferModel};
use serde::Serialize;
use sha2::{Digest, Sha256};

const SUMMARY: &str = "scenario";
const DIGEST: &str = "scenario_digest";
const SETTING: &str = "setting";
const INPUTS: &str = "inputs";
const ANSWERS: &str = "answers";

/// The scenario that a model was trained for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// For people.
    pub summary: String,
    /// SHA-256, in hexadecimal digits, of all that tasks and labels depend on.
    pub digest: String,
}

/// All that tasks and labels depend on.
#[derive(Serialize)]
struct World<'s> {
    task: (Range, Range, f64),
    task_node: &'s LocalNode,
    helpers: &'s [HelperNode],
    links: &'s [LinkPath],
    /// Says how long each state of the links holds.
    slots: Option<u64>,
    drawn_rtt_ms: Option<Range>,
    transfer: TransferModel,
}

impl Origin {
    /// That of models that are trained for `scenario`.
    pub fn of(scenario: &PlacementScenario) -> Origin {
        let topology = scenario.topology();
        let PlacementTask { complexity_cycles, input_kb, output_kb, .. } = topology.task;
        let changes = scenario.links().iter().any(|path| !path.changes.is_empty());
        let world = World {
            task: (complexity_cycles, input_kb, output_kb),
            task_node: scenario.task_node(),
            helpers: scenario.helpers(),
            links: scenario.links(),
            slots: changes.then(|| scenario.slots()),
            drawn_rtt_ms: topology.links.drawn_rtt_ms,
            transfer: scenario.transfer(),
        };
        let json = serde_json::to_vec(&world).expect("plain data");
        let hash = Sha256::digest(&json);
        let digest = hash.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Origin { summary: summary(scenario), digest }
    }

    /// What a model says; none where it says nothing.
    pub fn read(metadata: &Metadata) -> Option<Origin> {
        let entry = |name| metadata.get(name).cloned();
        Some(Origin { summary: entry(SUMMARY)?, digest: entry(DIGEST)? })
    }

    /// Puts it into a model's metadata, with the setting of the training.
    pub(super) fn store(self, setting: &PlacementTraining, metadata: &mut Metadata) {
        let setting = serde_json::to_string(setting).expect("plain data");
        let inputs = "input KB, cycles, round-trip time s, load of the task node";
        for (entry, text) in [
            (SUMMARY, self.summary),
            (DIGEST, self.digest),
            (SETTING, setting),
            (INPUTS, inputs.into()),
            (ANSWERS, "local, offload".into()),
        ] {
            metadata.insert(entry.into(), text);
        }
    }
}

fn summary(scenario: &PlacementScenario) -> String {
    let task = &scenario.topology().task;
    let own = scenario.task_node();
    let mut text = format!(
        "{}: {} KB in, {} KB out, {} cycles; {} of {} GHz, load {}",
        scenario.name(),
        between(task.input_kb),
        task.output_kb,
        between(task.complexity_cycles),
        own.name,
        own.frequency_hz / 1e9,
        between(own.load),
    );
    for helper in scenario.helpers().iter().take(3) {
        let _ = write!(text, "; {} of {} GHz", helper.name, helper.frequency_hz / 1e9);
        let _ = write!(text, ", load {}", between(helper.load));
    }
    if let more @ 1.. = scenario.helpers().len().saturating_sub(3) {
        let _ = write!(text, " and {more} more");
    }
    for path in scenario.links().iter().take(1) {
        let names = std::iter::once(&path.first).chain(path.changes.iter().map(|c| &c.state));
        let names: Vec<&str> = names.map(|state| state.profile.as_str()).collect();
        let _ = write!(text, "; link {}", names.join(", "));
    }
    if let Some(rtt) = scenario.topology().links.drawn_rtt_ms {
        let _ = write!(text, "; round trips of {} ms", between(rtt));
    }
    text
}

fn between(range: Range) -> String {
    if range.min == range.max {
        return range.min.to_string();
    }
    format!("{} to {}", range.min, range.max)
}

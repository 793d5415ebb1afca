//! What of a topology lies beyond the model of the paper, in a few words, and when it changes.

use std::path::Path;

use fogbit_scenario::event::{Change, Event};
use fogbit_scenario::topology::{Drift, Feedback};
use fogbit_scenario::{Scenario, TopologyFile};

/// A slot in which something changes by schedule, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) slot: u64,
    pub(crate) what: String,
}

/// The scenario of a results directory; none where its topology cannot be read any more.
pub(super) fn scenario(dir: &Path) -> Option<Scenario> {
    scenario_of(&dir.join("topology.toml"))
}

/// The scenario of a resolved topology; none where it cannot be read any more.
pub(super) fn scenario_of(path: &Path) -> Option<Scenario> {
    Scenario::from_file(&TopologyFile::read(path).ok()?).ok()
}

/// What is not as in the model, each in a few words; nothing where all is.
pub(crate) fn facts(scenario: &Scenario) -> Vec<String> {
    let feedback = &scenario.topology().feedback;
    let mut facts = Vec::new();
    match feedback {
        Feedback::Logit(_) => {}
        Feedback::Probit(_) => facts.push("feedback by probit".into()),
        Feedback::Threshold(threshold) => {
            facts.push(format!("feedback by a threshold at {}", threshold.level));
        }
        Feedback::Deadline(deadline) => {
            facts.push(format!("happy if answered within {} ms", deadline.deadline_ms));
        }
    }
    let flip = feedback.flip();
    if flip > 0.0 {
        facts.push(format!("bits turned over with probability {flip}"));
    }
    match feedback.delay_slots() {
        0 => {}
        1 => facts.push("bits learnt 1 slot late".into()),
        delay => facts.push(format!("bits learnt {delay} slots late")),
    }
    facts.extend(links(scenario));
    if scenario.helpers().iter().any(|helper| matches!(helper.drift, Drift::Rotate(_))) {
        facts.push("drifting weights".into());
    }
    match scenario.noise_features() {
        0 => {}
        1 => facts.push("1 feature that says nothing".into()),
        noise => facts.push(format!("{noise} features that say nothing")),
    }
    match events(scenario).count() {
        0 => {}
        1 => facts.push("1 event".into()),
        count => facts.push(format!("{count} events")),
    }
    facts
}

/// The profiles of the links in slot 1, each once, if links are emulated.
fn links(scenario: &Scenario) -> Option<String> {
    /// More names than these are not told.
    const MOST: usize = 6;
    let mut names: Vec<&str> = Vec::new();
    for link in scenario.links() {
        let name = link.first.profile.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = if names.len() > MOST { ", ..." } else { "" };
    names.truncate(MOST);
    (!names.is_empty()).then(|| format!("links: {}{more}", names.join(", ")))
}

/// The slots in which events happen, in their order.
pub(super) fn marks(scenario: &Scenario) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for event in events(scenario) {
        let name = |node: usize| scenario.helpers()[node].name.as_str();
        let what = match &event.change {
            Change::Presence { node, present: true } => format!("{} joins", name(*node)),
            Change::Presence { node, present: false } => format!("{} leaves", name(*node)),
            Change::Weights { node, .. } => {
                format!("{}: other weights", node.map_or("all nodes", name))
            }
            Change::Link { node, state } => {
                format!("link to {}: {}", node.map_or("all nodes", name), state.profile)
            }
        };
        match marks.last_mut().filter(|mark| mark.slot == event.at) {
            Some(mark) => mark.what = format!("{}, {what}", mark.what),
            None => marks.push(Mark { slot: event.at, what }),
        }
    }
    marks
}

/// Those that happen before the trials are over.
fn events(scenario: &Scenario) -> impl Iterator<Item = &Event> {
    scenario.events().iter().filter(|event| event.at <= scenario.last_slot())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(text: &str) -> Scenario {
        let text = format!(
            "slots = 300\n{text}\n[nodes]\ncount = 2\nweights = {{ kind = \"sphere\" }}\n\
             [policies.toof]\nkind = \"toof\"\n"
        );
        let file = TopologyFile::from_text(Path::new("t.toml"), text);
        Scenario::from_file(&file).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn of_the_model_there_is_nothing_to_say() {
        let plain = scenario("");
        assert!(facts(&plain).is_empty() && marks(&plain).is_empty());
    }

    #[test]
    fn what_is_beyond_it_is_said_and_events_of_a_slot_share_a_mark() {
        let text = "[[event]]\nat = 20\nnode = \"h1\"\naction = \"join\"\n\
                    [[event]]\nat = 20\nweights = { kind = \"sphere\" }\n\
                    [[event]]\nat = 300\nnode = \"h1\"\naction = \"leave\"\n\
                    [[event]]\nat = 301\nnode = \"h1\"\naction = \"join\"\n\
                    [feedback]\nkind = \"threshold\"\nlevel = 0.5\nflip = 0.25\ndelay_slots = 1\n\
                    [features]\nnoise = 2\n";
        let scenario = scenario(text);
        let said = [
            "feedback by a threshold at 0.5",
            "bits turned over with probability 0.25",
            "bits learnt 1 slot late",
            "2 features that say nothing",
            "3 events",
        ];
        assert_eq!(facts(&scenario), said);
        let mark = |slot, what: &str| Mark { slot, what: what.into() };
        let right = [mark(20, "h1 joins, all nodes: other weights"), mark(300, "h1 leaves")];
        assert_eq!(marks(&scenario), right);
    }
}

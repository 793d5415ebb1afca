//! What can be wrong with feedback and with events.

use super::{Check, LONGEST_DELAY, Shape, below};
use crate::event::{Change, Event};
use crate::scenario::Helper;
use crate::topology::places::{Step, way};
use crate::topology::{Action, Event as Written, Feedback, Topology};

impl Check<'_, '_> {
    pub(super) fn feedback(&mut self, feedback: &Feedback) {
        let place = way!["feedback"];
        self.within(below(&place, "flip"), "flip", feedback.flip(), 0.0, 1.0);
        match feedback {
            Feedback::Threshold(threshold) => {
                self.within(below(&place, "level"), "level", threshold.level, -1.0, 1.0);
            }
            Feedback::Deadline(deadline) => self.deadline_feedback(deadline),
            Feedback::Logit(_) | Feedback::Probit(_) => {}
        }
        let delay = feedback.delay_slots();
        if delay > LONGEST_DELAY {
            self.fail(
                below(&place, "delay_slots"),
                format!("delay_slots = {delay} is out of range"),
                format!("from 0 to {LONGEST_DELAY} slots"),
            );
        }
    }

    /// The events with names turned into numbers.
    pub(super) fn events(
        &mut self,
        topology: &Topology,
        helpers: &[Helper],
        shape: &Shape<'_>,
    ) -> Vec<Event> {
        let mut before = 1;
        // Who is there; a node whose first event is to join is away until then.
        let mut present: Vec<bool> = helpers
            .iter()
            .map(|helper| {
                let own = |event: &&Written| event.node.as_ref() == Some(&helper.name);
                let mut actions = topology.events.iter().filter(own).filter_map(|e| e.action);
                actions.next() != Some(Action::Join)
            })
            .collect();
        if !helpers.is_empty() && !present.contains(&true) {
            self.nobody(way!["event", 0usize], 1);
        }
        let mut events = Vec::new();
        for (index, event) in topology.events.iter().enumerate() {
            let place = way!["event", index];
            self.slot_of(&place, event.at, &mut before);
            let Some(change) = self.change(&place, event, helpers, shape) else { continue };
            if let Change::Presence { node, present: joins } = change {
                self.presence(&place, event.at, (node, joins), &mut present);
            }
            events.push(Event { at: event.at, change });
        }
        events
    }

    /// Fails unless `at` is a slot, and not before that of the event before.
    pub(super) fn slot_of(&mut self, place: &[Step], at: u64, before: &mut u64) {
        if at == 0 {
            self.fail(below(place, "at"), "there is no slot 0", "slots count from 1");
        } else if at < *before {
            self.fail(
                below(place, "at"),
                format!("slot {at} is listed after slot {before}"),
                "events are listed in the order of their slots",
            );
        }
        *before = at.max(*before);
    }

    /// What an event changes; none if that cannot be said.
    fn change(
        &mut self,
        place: &[Step],
        event: &Written,
        helpers: &[Helper],
        shape: &Shape<'_>,
    ) -> Option<Change> {
        let given = [
            ("action", event.action.is_some()),
            ("weights", event.weights.is_some()),
            ("profile", event.profile.is_some()),
        ];
        let mut given = given.iter().filter(|(_, given)| *given).map(|(key, _)| *key);
        let (first, second) = (given.next(), given.next());
        if let (Some(first), Some(second)) = (first, second) {
            self.fail(
                below(place, second),
                format!("both `{first}` and `{second}`"),
                "two events at the same slot",
            );
            return None;
        }
        let (known, unknown) = match first {
            Some("profile") => (("link", &event.link), ("node", &event.node)),
            _ => (("node", &event.node), ("link", &event.link)),
        };
        if let (Some(first), (key, Some(_))) = (first, unknown) {
            self.fail(
                below(place, key),
                format!("`{key}` has nothing to do with `{first}`"),
                format!("{} = ... says what it happens to", known.0),
            );
        }
        let node = self.node_called(&below(place, known.0), known.1.as_deref(), helpers)?;
        if let Some(action) = event.action {
            let Some(node) = node else {
                self.fail(
                    below(place, "action"),
                    "it is not said which helper node",
                    "for example node = \"h0\"",
                );
                return None;
            };
            return Some(Change::Presence { node, present: action == Action::Join });
        }
        if let Some(weights) = &event.weights {
            self.weights(&below(place, "weights"), weights, shape);
            if !shape.weighted {
                self.weightless(below(place, "weights"));
            }
            return Some(Change::Weights { node, weights: weights.clone() });
        }
        if let Some(profile) = &event.profile {
            let state = self.link_state(&below(place, "profile"), profile)?;
            return Some(Change::Link { node, state });
        }
        self.fail(
            place.to_vec(),
            "nothing happens in this event",
            "action = \"leave\", action = \"join\", weights = { kind = ... }, or profile = \"lte\"",
        );
        None
    }

    /// The number of the node called `name`: `Some(None)` if none is named, `None` if there is no
    /// such node.
    fn node_called(
        &mut self,
        place: &[Step],
        name: Option<&str>,
        helpers: &[Helper],
    ) -> Option<Option<usize>> {
        let names: Vec<&str> = helpers.iter().map(|helper| helper.name.as_str()).collect();
        self.named(place, name, &names)
    }

    /// As [`node_called`](Self::node_called), among nodes called `names`.
    pub(super) fn named(
        &mut self,
        place: &[Step],
        name: Option<&str>,
        names: &[&str],
    ) -> Option<Option<usize>> {
        let Some(name) = name else { return Some(None) };
        let node = names.iter().position(|known| *known == name);
        if node.is_none() && !names.is_empty() {
            let known: Vec<&str> = names.iter().copied().take(12).collect();
            let more = if names.len() > 12 { ", ..." } else { "" };
            self.fail(
                place.to_vec(),
                format!("no helper node is called `{name}`"),
                format!("helper nodes here: {}{more}", known.join(", ")),
            );
        }
        node.map(Some)
    }

    fn presence(
        &mut self,
        place: &[Step],
        slot: u64,
        (node, joins): (usize, bool),
        present: &mut [bool],
    ) {
        if present[node] == joins {
            let message = match joins {
                true => "the node is there already",
                false => "the node is away already",
            };
            self.fail(below(place, "action"), message, "a node leaves and joins by turns");
        }
        present[node] = joins;
        if !present.contains(&true) {
            self.nobody(place.to_vec(), slot);
        }
    }

    fn nobody(&mut self, place: Vec<Step>, slot: u64) {
        self.fail(
            place,
            format!("no helper node is there in slot {slot}"),
            "at least one has to stay: let another join before",
        );
    }
}

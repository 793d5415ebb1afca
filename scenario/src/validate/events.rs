//! What can be wrong with feedback and with events.

use super::{Check, LONGEST_DELAY, Shape, below};
use crate::scenario::Helper;
use crate::topology::places::{Step, way};
use crate::topology::{Action, Event, Feedback, Topology};

impl Check<'_, '_> {
    pub(super) fn feedback(&mut self, feedback: &Feedback) {
        let place = way!["feedback"];
        let model = feedback.model();
        self.within(below(&place, "flip"), "flip", model.flip, 0.0, 1.0);
        if let Feedback::Threshold(threshold) = feedback {
            self.within(below(&place, "level"), "level", threshold.level, -1.0, 1.0);
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

    pub(super) fn events(&mut self, topology: &Topology, helpers: &[Helper], shape: &Shape<'_>) {
        let mut before = 1;
        // Who is there; a node whose first event is to join is away until then.
        let mut present: Vec<bool> = helpers
            .iter()
            .map(|helper| {
                let own = |event: &&Event| event.node.as_ref() == Some(&helper.name);
                let mut actions = topology.events.iter().filter(own).filter_map(|e| e.action);
                actions.next() != Some(Action::Join)
            })
            .collect();
        if !helpers.is_empty() && !present.contains(&true) {
            self.nobody(way!["event", 0usize], 1);
        }
        for (index, event) in topology.events.iter().enumerate() {
            let place = way!["event", index];
            if event.at == 0 {
                self.fail(below(&place, "at"), "there is no slot 0", "slots count from 1");
            } else if event.at < before {
                self.fail(
                    below(&place, "at"),
                    format!("slot {} is listed after slot {before}", event.at),
                    "events are listed in the order of their slots",
                );
            }
            before = before.max(event.at);
            let node = self.node_of(&place, event, helpers);
            match (event.action, &event.weights) {
                (Some(action), None) => {
                    if let Some(node) = node {
                        self.action(&place, event, action, node, &mut present);
                    } else if event.node.is_none() {
                        self.fail(
                            below(&place, "action"),
                            "it is not said which helper node",
                            "for example node = \"h0\"",
                        );
                    }
                }
                (None, Some(weights)) => self.weights(&below(&place, "weights"), weights, shape),
                (Some(_), Some(_)) => self.fail(
                    below(&place, "weights"),
                    "both `action` and `weights`",
                    "two events at the same slot",
                ),
                (None, None) => self.fail(
                    place,
                    "nothing happens in this event",
                    "action = \"leave\", action = \"join\", or weights = { kind = ... }",
                ),
            }
        }
    }

    /// The number of the node that an event names, if it exists.
    fn node_of(&mut self, place: &[Step], event: &Event, helpers: &[Helper]) -> Option<usize> {
        let name = event.node.as_ref()?;
        let node = helpers.iter().position(|helper| helper.name == *name);
        if node.is_none() && !helpers.is_empty() {
            let known: Vec<&str> = helpers.iter().map(|h| h.name.as_str()).take(12).collect();
            let more = if helpers.len() > 12 { ", ..." } else { "" };
            self.fail(
                below(place, "node"),
                format!("no helper node is called `{name}`"),
                format!("helper nodes here: {}{more}", known.join(", ")),
            );
        }
        node
    }

    fn action(
        &mut self,
        place: &[Step],
        event: &Event,
        action: Action,
        node: usize,
        present: &mut [bool],
    ) {
        let joins = action == Action::Join;
        if present[node] == joins {
            let message = match action {
                Action::Join => "the node is there already",
                Action::Leave => "the node is away already",
            };
            self.fail(below(place, "action"), message, "a node leaves and joins by turns");
        }
        present[node] = joins;
        if !present.contains(&true) {
            self.nobody(place.to_vec(), event.at);
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

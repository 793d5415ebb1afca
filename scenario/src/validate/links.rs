//! What can be wrong with links, and what they are.

use std::collections::BTreeSet;

use super::{Check, below};
use crate::event::{Change, Event};
use crate::link::{LinkChange, LinkPath, LinkSpec, LinkState};
use crate::topology::places::{Step, way};
use crate::topology::{Link, LinkDefaults, LinkEvent, LinkProfile};

impl Check<'_, '_> {
    /// The link between the task node called `task` and each of the helper nodes called `helpers`,
    /// as it is in slot 1; none where nothing is emulated.
    pub(super) fn links(
        &mut self,
        task: &str,
        helpers: &[&str],
        defaults: Option<&LinkDefaults>,
        links: &[Link],
    ) -> Vec<Option<LinkState>> {
        let default = defaults.and_then(|links| links.profile.as_ref());
        let default =
            default.and_then(|profile| self.link_state(&way!["links", "profile"], profile));
        let mut states = vec![default; helpers.len()];
        let mut linked = BTreeSet::new();
        for (index, link) in links.iter().enumerate() {
            if let Some(from) = link.from.as_deref().filter(|from| *from != task) {
                self.fail(
                    way!["link", index, "from"],
                    format!("`{from}` is not the task node"),
                    format!("from = \"{task}\""),
                );
            }
            let place = way!["link", index, "profile"];
            let profile = link.profile.as_ref();
            let state = profile.and_then(|profile| self.link_state(&place, profile));
            let place = way!["link", index, "to"];
            let Some(Some(node)) = self.named(&place, Some(&link.to), helpers) else { continue };
            if !linked.insert(node) {
                self.fail(
                    place,
                    format!("`{}` is linked twice", link.to),
                    "one link for each helper node",
                );
            }
            if state.is_some() {
                states[node] = state;
            }
        }
        states
    }

    /// The link that `profile` describes, if it does.
    pub(super) fn link_state(
        &mut self,
        place: &[Step],
        profile: &LinkProfile,
    ) -> Option<LinkState> {
        match profile.resolve() {
            Ok(state) => Some(state),
            Err(fault) => {
                let way = fault.keys.iter().fold(place.to_vec(), |way, key| below(&way, key));
                self.fail(way, fault.message, fault.help);
                None
            }
        }
    }

    /// The changes of links; without a number it is that of all links.
    pub(super) fn link_events(&mut self, events: &[LinkEvent], names: &[&str]) -> Vec<Changed> {
        let mut before = 1;
        let mut changes = Vec::new();
        for (index, event) in events.iter().enumerate() {
            let place = way!["event", index];
            self.slot_of(&place, event.at, &mut before);
            let node = self.named(&below(&place, "link"), event.link.as_deref(), names);
            let state = self.link_state(&below(&place, "profile"), &event.profile);
            if let (Some(node), Some(state)) = (node, state) {
                changes.push((node, LinkChange { at: event.at, state }));
            }
        }
        changes
    }
}

/// A change of the link to one helper node, or of all links.
pub(super) type Changed = (Option<usize>, LinkChange);

/// The changes of links among the events of the problem `one-bit`.
pub(super) fn link_changes(events: &[Event]) -> Vec<Changed> {
    let change = |event: &Event| match &event.change {
        Change::Link { node, state } => {
            Some((*node, LinkChange { at: event.at, state: state.clone() }))
        }
        Change::Presence { .. } | Change::Weights { .. } => None,
    };
    events.iter().filter_map(change).collect()
}

/// The links over a trial: one for each of `first`, or none at all where nothing is emulated.
pub(super) fn link_paths(first: Vec<Option<LinkState>>, changes: &[Changed]) -> Vec<LinkPath> {
    if first.iter().all(Option::is_none) && changes.is_empty() {
        return Vec::new();
    }
    let path = |(node, first): (usize, Option<LinkState>)| LinkPath {
        first: first.unwrap_or_else(unimpaired),
        changes: changes
            .iter()
            .filter(|(concerned, _)| concerned.is_none_or(|concerned| concerned == node))
            .map(|(_, change)| change.clone())
            .collect(),
    };
    first.into_iter().enumerate().map(path).collect()
}

/// A link that does nothing to packets.
fn unimpaired() -> LinkState {
    LinkState { profile: "loopback".into(), spec: LinkSpec::UNIMPAIRED }
}

//! What can be wrong with feedback by a deadline, and with links that are too slow for the clock.

use std::time::Duration;

use super::{Check, below};
use crate::deadline::MOST_BYTES;
use crate::link::{LinkPath, LinkSpec};
use crate::topology::places::way;
use crate::topology::{
    Clock, Cqi, DeadlineFeedback, Features, Feedback, Task, TimeSpan, Topology, WallClock,
};

/// Milliseconds beyond this are a slip of the keyboard: an hour.
const LONGEST_MS: f64 = 3.6e6;

impl Check<'_, '_> {
    /// The numbers of a deadline.
    pub(super) fn deadline_feedback(&mut self, deadline: &DeadlineFeedback) {
        let place = way!["feedback"];
        let DeadlineFeedback { deadline_ms, full_queue_ms, response_bytes, .. } = deadline;
        for (key, value, least) in
            [("deadline_ms", *deadline_ms, 1e-3), ("full_queue_ms", *full_queue_ms, 0.0)]
        {
            self.within(below(&place, key), key, value, least, LONGEST_MS);
        }
        let (key, bytes) = ("response_bytes", f64::from(*response_bytes));
        self.within(below(&place, key), key, bytes, 1.0, MOST_BYTES as f64);
    }

    /// Fails where the channel quality is that of a link and there are no links.
    pub(super) fn channels(&mut self, topology: &Topology, links: &[LinkPath]) {
        if !links.is_empty() {
            return;
        }
        let common = (way!["nodes", "cqi"], &topology.nodes.cqi);
        let listed = topology.node_list.iter().enumerate();
        let own = listed.map(|(index, node)| (way!["node", index, "cqi"], &node.cqi));
        for (place, cqi) in std::iter::once(common).chain(own) {
            if matches!(cqi, Some(Cqi::Link(_))) {
                self.fail(
                    below(&place, "kind"),
                    "there are no links here whose rate could say it",
                    "for example links.profile = \"lte\", or another kind",
                );
            }
        }
    }

    /// What a deadline does not go together with, and what does not go together with links in real
    /// time.
    pub(super) fn deadline(&mut self, topology: &Topology, links: &[LinkPath]) {
        let deadline = match &topology.feedback {
            Feedback::Deadline(deadline) => Some(deadline),
            _ => None,
        };
        if deadline.is_some() {
            if let Features::Trace(_) = &topology.features {
                self.fail(
                    way!["feedback", "kind"],
                    "a trace does not say how long a task is or how many cycles it takes",
                    "another kind, or delete [features]",
                );
            }
            let task = topology.task.clone().unwrap_or_default();
            self.payload(&task);
        }
        if let Clock::Wall(clock) = &topology.clock {
            self.round_trips(clock, deadline, links);
        }
    }

    /// Tasks travel as so many bytes, which have to fit into a message.
    fn payload(&mut self, task: &Task) {
        let most = MOST_BYTES as f64 / 1000.0;
        let longest = task.length_kb.max;
        if longest > most {
            self.fail(
                way!["task", "length_kb", "max"],
                format!("a task of {longest} KB is too long to be sent"),
                format!("at most {most} KB with a deadline: tasks travel as so many bytes"),
            );
        }
    }

    /// Fails where answers over some link are given up before they can come.
    fn round_trips(
        &mut self,
        clock: &WallClock,
        deadline: Option<&DeadlineFeedback>,
        links: &[LinkPath],
    ) {
        let states = links.iter().flat_map(LinkPath::states).map(|(_, state)| state);
        let Some(slowest) = states.max_by_key(|state| longest_round_trip_ns(&state.spec)) else {
            return;
        };
        let round_trip = Duration::from_nanos(longest_round_trip_ns(&slowest.spec));
        let waiting = deadline.map_or(0.0, |deadline| deadline.deadline_ms);
        if !(0.0..=LONGEST_MS).contains(&waiting) {
            return; // that is the fault
        }
        let least = round_trip + Duration::from_secs_f64(waiting / 1e3);
        let timeout = clock.timeout().0;
        if timeout >= least {
            return;
        }
        let take = if deadline.is_some() { " and the deadline take" } else { " takes" };
        self.fail(
            way!["clock", "timeout"],
            format!(
                "answers are given up after {}, but the round trip over a link `{}`{take} up to {}",
                clock.timeout(),
                slowest.profile,
                TimeSpan(least),
            ),
            format!("for example timeout = \"{}\"", TimeSpan(whole_seconds(least))),
        );
    }
}

/// The longest round trip of a small packet, in nanoseconds.
fn longest_round_trip_ns(link: &LinkSpec) -> u64 {
    link.round_trip_ns() + link.up.jitter_ns + link.down.jitter_ns
}

/// The next whole second.
fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs() + 1)
}

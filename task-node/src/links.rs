//! The link to one helper node as the task node keeps it: its way up is emulated here, and both ways
//! are probed at the start and after each change, and counted as long as they last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::verdict::{EndCounts, Lateness as Told, LinkCheck, PassiveCounts};
use fogbit_scenario::link::{LinkPath, LinkState};
use fogbit_transport::Links;
use fogbit_transport::emulation::Lateness;
use fogbit_transport::probe::{ProbeId, Probed, Prober, counts};
use fogbit_transport::wire::{CountsAnswer, CountsAsk};

/// The link to one helper node.
#[derive(Debug)]
pub(crate) struct KeptLink {
    /// Name of the helper node.
    helper: String,
    links: Links,
    peer: SocketAddr,
    path: LinkPath,
    probed: Option<Probed>,
    /// Which of the path's states it is in.
    state: usize,
    /// What was counted before this state's own packets: up and down.
    before: [PassiveCounts; 2],
    late: [Lateness; 2],
    /// What the probe of this state has found.
    check: Option<LinkCheck>,
}

impl KeptLink {
    /// Puts what is sent to `peer` on the link as it is in slot 1; `id` is that of its probes.
    pub(crate) fn set(
        (links, prober): (&Links, &Arc<Prober>),
        helper: &str,
        peer: SocketAddr,
        (path, key): (LinkPath, Key),
        id: ProbeId,
    ) -> KeptLink {
        links.set(peer, path.at(1).spec.up, key);
        KeptLink {
            helper: helper.to_owned(),
            links: links.clone(),
            peer,
            probed: prober.open(id, peer, &path),
            path,
            state: 0,
            before: Default::default(),
            late: Default::default(),
            check: None,
        }
    }

    /// The state that the link has in `slot`, if that is another one than now.
    pub(crate) fn next(&self, slot: u64) -> Option<usize> {
        let begun = self.path.states().take_while(|(first, _)| *first <= slot).count();
        Some(begun - 1).filter(|state| *state != self.state)
    }

    /// The way up becomes that of `state`.
    pub(crate) fn change(&mut self, state: usize) {
        self.state = state;
        self.links.change(self.peer, self.now().1.spec.up);
    }

    /// Measures the link in its present state, on both ways.
    ///
    /// # Errors
    /// If the system gives no timer.
    pub(crate) async fn probe(&mut self) -> io::Result<&LinkCheck> {
        let measured = match &self.probed {
            Some(probed) => probed.probe(self.state as u32).await?,
            None => Default::default(),
        };
        let (slot, state) = self.now();
        let check = LinkCheck::of_probe(&self.helper, slot, state, &measured);
        Ok(self.check.insert(check))
    }

    /// The question of what the helper node has counted.
    pub(crate) fn ask(&self) -> CountsAsk {
        CountsAsk { state: self.state as u32, counts: counts(&self.links, self.peer).0 }
    }

    /// The answer to it, after a probe: what comes from now on is counted.
    pub(crate) fn begin(&mut self, asked: EndCounts, answer: &CountsAnswer) {
        let (heard, late) = counts(&self.links, self.peer);
        self.before = PassiveCounts::exchanged(asked, answer.counts, heard);
        self.late = [late, answer.lateness.clone()];
    }

    /// The answer to it, before a change or at the end: what was found of this state.
    pub(crate) fn end(&mut self, asked: EndCounts, answer: &CountsAnswer) -> Option<LinkCheck> {
        let (heard, late) = counts(&self.links, self.peer);
        let now = PassiveCounts::exchanged(asked, answer.counts, heard);
        let mut check = self.check.take()?;
        let spec = self.now().1.spec;
        let [up, down] = [0, 1].map(|way| now[way].since(&self.before[way]));
        check.up.count(&spec.up, up, told(&late.since(&self.late[0])));
        check.down.count(&spec.down, down, told(&answer.lateness.since(&self.late[1])));
        Some(check)
    }

    /// The present state, and the slot from which on it holds.
    fn now(&self) -> (u64, &LinkState) {
        self.path.states().nth(self.state).expect("it is one of the path's states")
    }
}

impl Drop for KeptLink {
    fn drop(&mut self) {
        self.links.remove(self.peer);
    }
}

fn told(lateness: &Lateness) -> Told {
    Told::of(lateness.buckets(), lateness.max_ns())
}

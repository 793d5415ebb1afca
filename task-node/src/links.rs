//! The link to one helper node as the task node keeps it: its way up is emulated here, and both ways
//! are probed at the start and after each change, and counted as long as they last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::verdict::{EndCounts, Lateness as Told, LinkCheck, PassiveCounts};
use fogbit_scenario::link::{Direction, LinkPath, LinkState};
use fogbit_transport::Links;
use fogbit_transport::emulation::Lateness;
use fogbit_transport::probe::{ProbeId, Probed, Prober, counts};
use fogbit_transport::wire::{CountsAnswer, CountsAsk};

/// The link to one helper node.
#[derive(Debug)]
pub(crate) struct KeptLink {
    /// Name of the helper node.
    helper: String,
    way: Arc<WayUp>,
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
        let way = Arc::new(WayUp::set(links, peer, (&path, key), 1));
        if path.at(1).spec.up.is_dead() {
            // Somebody has to be reached first; the link is what it is to be from slot 1 on.
            way.change(Direction::UNIMPAIRED);
        }
        KeptLink::over(way, prober, helper, (path, 1), id)
    }

    /// The link whose way up is `way`, and which has the state of `slot` now.
    pub(crate) fn over(
        way: Arc<WayUp>,
        prober: &Arc<Prober>,
        helper: &str,
        (path, slot): (LinkPath, u64),
        id: ProbeId,
    ) -> KeptLink {
        KeptLink {
            helper: helper.to_owned(),
            probed: prober.open(id, way.peer, &path),
            way,
            state: state_in(&path, slot),
            path,
            before: Default::default(),
            late: Default::default(),
            check: None,
        }
    }

    /// The state that the link has in `slot`, if that is another one than now.
    pub(crate) fn next(&self, slot: u64) -> Option<usize> {
        Some(state_in(&self.path, slot)).filter(|state| *state != self.state)
    }

    /// The slots after the first in which it becomes something else.
    pub(crate) fn changes(&self) -> Vec<u64> {
        let mut slots: Vec<u64> = self.path.states().map(|(slot, _)| slot).skip(1).collect();
        slots.dedup();
        slots
    }

    /// Whether packets get through on the way up once it is in `state`, and whether they do now.
    pub(crate) fn gets_through(&self, state: usize) -> (bool, bool) {
        let at = |state| self.path.states().nth(state).is_some_and(|(_, s)| !s.spec.up.is_dead());
        (at(state), at(self.state))
    }

    /// The way up becomes that of `state`.
    pub(crate) fn change(&mut self, state: usize) {
        self.state = state;
        self.way.change(self.now().1.spec.up);
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

    /// The probe shared the link with tasks; gives what it says nevertheless.
    pub(crate) fn beside_tasks(&mut self) -> Option<&LinkCheck> {
        self.check = self.check.take().map(LinkCheck::beside_tasks);
        self.check.as_ref()
    }

    /// What is told of the present state if it could not be measured.
    pub(crate) fn unmeasured(&self) -> LinkCheck {
        let (slot, state) = self.now();
        LinkCheck::of_probe(&self.helper, slot, state, &Default::default())
    }

    /// The question of what the helper node has counted.
    pub(crate) fn ask(&self) -> CountsAsk {
        CountsAsk { state: self.state as u32, counts: self.way.counts().0 }
    }

    /// The answer to it, after a probe: what comes from now on is counted.
    pub(crate) fn begin(&mut self, asked: EndCounts, answer: &CountsAnswer) {
        let (heard, late) = self.way.counts();
        self.before = PassiveCounts::exchanged(asked, answer.counts, heard);
        self.late = [late, answer.lateness.clone()];
    }

    /// The answer to it, before a change or at the end: what was found of this state.
    pub(crate) fn end(&mut self, asked: EndCounts, answer: &CountsAnswer) -> Option<LinkCheck> {
        let (heard, late) = self.way.counts();
        let now = PassiveCounts::exchanged(asked, answer.counts, heard);
        let mut check = self.check.take()?;
        let spec = self.now().1.spec;
        let [up, down] = [0, 1].map(|way| now[way].since(&self.before[way]));
        check.up.count(&spec.up, up, told(&late.since(&self.late[0])));
        check.down.count(&spec.down, down, told(&answer.lateness.since(&self.late[1])));
        Some(check)
    }

    /// What was found of this state, without counts.
    pub(crate) fn give_up(&mut self) -> Option<LinkCheck> {
        self.check.take()
    }

    /// The present state, and the slot from which on it holds.
    pub(crate) fn now(&self) -> (u64, &LinkState) {
        self.path.states().nth(self.state).expect("it is one of the path's states")
    }
}

/// Which of the path's states holds in `slot`, from 0.
fn state_in(path: &LinkPath, slot: u64) -> usize {
    path.states().take_while(|(first, _)| *first <= slot).count() - 1
}

/// What is sent to one helper node takes the link, until this is dropped.
#[derive(Debug)]
pub(crate) struct WayUp {
    links: Links,
    peer: SocketAddr,
    is_replaced: AtomicBool,
}

impl WayUp {
    /// Puts what is sent to `peer` on the link as it is in `slot`.
    pub(crate) fn set(
        links: &Links,
        peer: SocketAddr,
        (path, key): (&LinkPath, Key),
        slot: u64,
    ) -> WayUp {
        links.set(peer, path.at(slot).spec.up, key);
        WayUp { links: links.clone(), peer, is_replaced: AtomicBool::new(false) }
    }

    /// It becomes `direction`.
    pub(crate) fn change(&self, direction: Direction) {
        self.links.change(self.peer, direction);
    }

    /// Another one is put in its place, which outlasts this one.
    pub(crate) fn replace(&self) {
        self.is_replaced.store(true, Ordering::Relaxed);
    }

    fn counts(&self) -> (EndCounts, Lateness) {
        counts(&self.links, self.peer)
    }
}

impl Drop for WayUp {
    fn drop(&mut self) {
        if !self.is_replaced.load(Ordering::Relaxed) {
            self.links.remove(self.peer);
        }
    }
}

fn told(lateness: &Lateness) -> Told {
    Told::of(lateness.buckets(), lateness.max_ns())
}

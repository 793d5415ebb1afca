//! The emulated way back from a helper node to a task node, and the helper node's end of what verifies
//! it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::LinkPath;
use fogbit_transport::Links;
use fogbit_transport::probe::{Probed, Prober, counts};
use fogbit_transport::wire::{CountsAnswer, ProbeHello, ProbeReady};

use super::Caller;

/// The ways back to all task nodes. The sessions of a task node that plays several policies share its
/// way: it is set once, or counts of it would begin anew in the midst of being taken.
#[derive(Debug, Clone, Default)]
pub(super) struct WaysBack(Arc<Mutex<BTreeMap<SocketAddr, Known>>>);

/// The draws of a way, and whether a session still has it.
type Known = (Key, Weak<()>);

/// The way to one task node, which changes with the slots of a session.
#[derive(Debug)]
pub(super) struct WayBack {
    links: Links,
    prober: Arc<Prober>,
    probed: Option<Probed>,
    peer: SocketAddr,
    path: LinkPath,
    /// The first slot in which it may be something else.
    until: u64,
    _use: Arc<()>,
}

impl WaysBack {
    /// Puts what is sent to `to` on the link as it is in slot 1, unless another session has.
    pub(super) fn set(&self, to: &Caller, path: LinkPath, key: Key) -> WayBack {
        let mut way = WayBack {
            links: to.links.clone(),
            prober: Arc::clone(&to.prober),
            probed: None,
            peer: to.address,
            until: 0,
            _use: self.occupy(to, &path, key),
            path,
        };
        way.until = way.next(1);
        way
    }

    fn occupy(&self, to: &Caller, path: &LinkPath, key: Key) -> Arc<()> {
        // Nothing panics while it holds the lock.
        let mut ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ways.get(&to.address).filter(|(of, _)| *of == key);
        if let Some(shared) = known.and_then(|(_, sessions)| sessions.upgrade()) {
            return shared;
        }
        to.links.set(to.address, path.at(1).spec.down, key);
        ways.retain(|_, (_, sessions)| sessions.strong_count() > 0);
        let sessions = Arc::new(());
        ways.insert(to.address, (key, Arc::downgrade(&sessions)));
        sessions
    }
}

impl WayBack {
    /// A slot begins.
    pub(super) fn begin(&mut self, slot: u64) {
        if slot >= self.until {
            self.links.change(self.peer, self.path.at(slot).spec.down);
            self.until = self.next(slot);
        }
    }

    /// Probes come under this id from now on.
    pub(super) fn probe(&mut self, ProbeHello { id }: ProbeHello) -> ProbeReady {
        self.probed = self.prober.open(id, self.peer, &self.path);
        ProbeReady
    }

    /// What has been counted of it.
    pub(super) fn counts(&self) -> CountsAnswer {
        let (counts, lateness) = counts(&self.links, self.peer);
        CountsAnswer { counts, lateness }
    }

    /// The slot of the first change after `slot`.
    fn next(&self, slot: u64) -> u64 {
        let mut later = self.path.changes.iter().map(|change| change.at).filter(|at| *at > slot);
        later.next().unwrap_or(u64::MAX)
    }
}

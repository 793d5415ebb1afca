//! The ways to helper nodes over emulated links, shared by the trials of one task node.
//!
//! A task node that plays several policies has one connection to each helper node, and so one link. It is
//! set once and measured by one of its trials; the others wait until that is done and use it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::Direction;
use fogbit_transport::Links;
use fogbit_transport::probe::{Prober, Turns};
use fogbit_transport::wire::LinkEnd;
use tokio::sync::watch;

use crate::links::WayUp;

/// All of one process.
#[derive(Debug, Clone)]
pub(crate) struct Ways {
    /// The probes of this process's socket.
    pub(super) prober: Arc<Prober>,
    /// Whose turn it is to probe.
    pub(super) turns: Turns,
    open: Arc<Mutex<BTreeMap<SocketAddr, Known>>>,
}

/// The draws of a way, and the way if somebody still has it.
type Known = (Key, Weak<Way>);

/// The way to one helper node, as long as somebody has it.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) up: Arc<WayUp>,
    is_taken: AtomicBool,
    /// Whether it is measured, or nobody is going to before it is used.
    measured: watch::Sender<bool>,
}

/// Whoever has this measures the link, and nobody else does.
#[derive(Debug)]
pub(super) struct Claim(Arc<Way>);

impl Ways {
    /// None yet.
    pub(crate) fn new(prober: Arc<Prober>) -> Ways {
        Ways { prober, turns: Turns::default(), open: Arc::default() }
    }

    /// The probes of this process's socket.
    pub(crate) fn prober(&self) -> Arc<Prober> {
        Arc::clone(&self.prober)
    }

    /// Puts what is sent to `peer` on the link as it is in `slot`, unless another trial has.
    pub(super) fn open(
        &self,
        links: &Links,
        peer: SocketAddr,
        LinkEnd { path, key }: &LinkEnd,
        slot: u64,
    ) -> Arc<Way> {
        // Nothing panics while it holds the lock.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, way)) = open.get(&peer)
            && let Some(way) = way.upgrade()
        {
            if of == key {
                return way;
            }
            // That of a seed that is over.
            way.up.replace();
        }
        open.retain(|_, (_, way)| way.strong_count() > 0);
        let way = Arc::new(Way {
            up: Arc::new(WayUp::set(links, peer, (path, *key), slot)),
            is_taken: AtomicBool::new(false),
            measured: watch::Sender::new(false),
        });
        open.insert(peer, (*key, Arc::downgrade(&way)));
        way
    }
}

impl Way {
    /// The right to measure it, if nobody has it.
    pub(super) fn claim(self: &Arc<Self>) -> Option<Claim> {
        let was_taken = self.is_taken.swap(true, Ordering::Relaxed);
        (!was_taken).then(|| Claim(Arc::clone(self)))
    }

    /// The way up becomes `direction`; it may be that already.
    pub(super) fn change(&self, direction: Direction) {
        self.up.change(direction);
    }

    /// Waits until it is measured, or nobody is going to.
    pub(super) async fn measured(&self) {
        let _ = self.measured.subscribe().wait_for(|measured| *measured).await;
    }
}

impl Claim {
    /// Others need not wait any more.
    pub(super) fn is_measured(&self) {
        self.0.measured.send_replace(true);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.is_measured();
        self.0.is_taken.store(false, Ordering::Relaxed);
    }
}

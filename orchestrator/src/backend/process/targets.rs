//! Where the processes of a run serve their metrics, for Prometheus' service discovery.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fogbit_transport::Role;

use crate::exporter::Target;

/// The processes that serve metrics, by role and name; shared.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// Whether nodes that this process starts are to serve metrics too.
    wanted: bool,
    members: Arc<Mutex<BTreeMap<(Role, String), SocketAddr>>>,
}

impl Targets {
    /// None yet; `wanted` says whether anybody will ask.
    pub fn new(wanted: bool) -> Targets {
        Targets { wanted, members: Arc::default() }
    }

    /// Whether anybody will ask.
    pub fn wanted(&self) -> bool {
        self.wanted
    }

    /// A process has come, and serves its metrics at `address`.
    pub(super) fn add(&self, role: Role, name: &str, address: SocketAddr) {
        self.lock().insert((role, name.to_owned()), address);
    }

    /// It is gone.
    pub(super) fn remove(&self, role: Role, name: &str) {
        self.lock().remove(&(role, name.to_owned()));
    }

    /// All of them, and the orchestrator itself at `own`.
    pub fn all(&self, own: SocketAddr) -> Vec<Target> {
        let orchestrator =
            Target { address: own, role: Role::Orchestrator.label().into(), node: None };
        let members = self.lock();
        let nodes = members.iter().map(|((role, name), address)| Target {
            address: *address,
            role: role.label().into(),
            node: Some(name.clone()),
        });
        std::iter::once(orchestrator).chain(nodes).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Role, String), SocketAddr>> {
        // Nothing panics while it holds the lock.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

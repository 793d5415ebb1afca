//! The orchestrator's side of joining: who is let in, under what name, and who is there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::targets::Targets;
use fogbit_scenario::topology::is_node_name;
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::endpoint::transport_config;
use fogbit_transport::identity::{PeerName, certificate_digest, digest};
use fogbit_transport::token::{Tokens, TokensError};
use fogbit_transport::wire::{Hello, JoinReply, JoinRequest, Welcome};
use fogbit_transport::{
    ALPN_JOIN, CloseCode, FrameReceiver, FrameSender, Role, WireError, alpn, server_config,
};
use quinn::{Connection, Endpoint, Incoming};
use rustls::pki_types::CertificateDer;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

/// A peer must get through each step of joining within this time.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// How many peers, besides one for each helper node, may be on their way to membership at once.
/// More are refused before they cost anything; nodes that wait to join just try again.
const MOST_ON_THE_WAY: usize = 256;

/// A node that is a member of the run.
#[derive(Debug, Clone)]
pub(crate) struct MemberHandle {
    /// Its name.
    pub(crate) name: String,
    /// Its connection.
    pub(crate) connection: Connection,
    /// Where a helper node listens.
    pub(crate) listens: Option<SocketAddr>,
    /// Where it serves metrics, if it does.
    pub(super) metrics: Option<SocketAddr>,
}

/// A member is gone.
#[derive(Debug)]
pub(super) struct Lost {
    /// Who.
    pub(super) peer: PeerName,
    /// How.
    pub(super) error: String,
    /// Whether it was stopped, rather than lost.
    pub(super) left: bool,
    /// Its connection: the same node may be there again over another one.
    pub(super) connection: usize,
}

/// Lets nodes in.
#[derive(Debug)]
pub(super) struct Hub {
    endpoint: Endpoint,
    tokens: Tokens,
    run: String,
    members: Mutex<Members>,
    changed: Notify,
    /// A permit for each peer that is on its way to membership.
    on_the_way: Arc<Semaphore>,
    lost: mpsc::UnboundedSender<Lost>,
    targets: Targets,
}

#[derive(Debug)]
struct Members {
    /// Each helper node of the topology, in the order of their numbers.
    helpers: Vec<Place>,
    /// Task nodes in the order in which they came.
    task_nodes: Vec<Place>,
    /// No more task nodes are taken than this.
    most_task_nodes: usize,
}

/// A name, and who has it.
#[derive(Debug)]
struct Place {
    name: String,
    /// Digest of the certificate that was signed for it; no other may enter.
    promised: Option<[u8; 32]>,
    member: Option<MemberHandle>,
}

impl Place {
    fn free(name: &str) -> Place {
        Place { name: name.into(), promised: None, member: None }
    }
}

/// Why a peer is turned away; travels with its code.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{1}")]
    Coded(CloseCode, String),
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("it took too long")]
    Slow(#[from] tokio::time::error::Elapsed),
}

impl Hub {
    /// A hub for the helper nodes called `helpers` on `endpoint`. Tells `lost` when a member goes.
    pub(super) fn new(
        endpoint: Endpoint,
        tokens: Tokens,
        run: &str,
        helpers: &[String],
        most_task_nodes: usize,
        lost: mpsc::UnboundedSender<Lost>,
        targets: Targets,
    ) -> Result<Arc<Hub>, TokensError> {
        let identity = tokens.authority.issue(&PeerName::orchestrator())?;
        let mut server = server_config(&identity, true).map_err(|error| TokensError::Content {
            path: "authority".into(),
            reason: error.to_string(),
        })?;
        // A node opens one stream: to ask for a certificate, or to greet. More would only be memory
        // that a peer without a token can make this process hold.
        server.transport_config(transport_config(1));
        endpoint.set_server_config(Some(server));
        let members = Members {
            helpers: helpers.iter().map(|name| Place::free(name)).collect(),
            task_nodes: Vec::new(),
            most_task_nodes,
        };
        Ok(Arc::new(Hub {
            endpoint,
            tokens,
            run: run.into(),
            members: Mutex::new(members),
            changed: Notify::new(),
            on_the_way: Arc::new(Semaphore::new(MOST_ON_THE_WAY + helpers.len())),
            lost,
            targets,
        }))
    }

    /// Lets nodes in for as long as the endpoint is open.
    pub(super) async fn accept(self: Arc<Hub>) {
        while let Some(incoming) = self.endpoint.accept().await {
            let Ok(permit) = Arc::clone(&self.on_the_way).try_acquire_owned() else {
                tracing::debug!(from = %incoming.remote_address(), "too many peers at once");
                incoming.refuse();
                continue;
            };
            let hub = Arc::clone(&self);
            tokio::spawn(async move { hub.admit(incoming, permit).await });
        }
    }

    /// How many helper nodes and task nodes are members.
    pub(super) fn count(&self) -> (usize, usize) {
        let members = self.lock();
        let here = |places: &[Place]| places.iter().filter(|p| p.member.is_some()).count();
        (here(&members.helpers), here(&members.task_nodes))
    }

    /// Names of the helper nodes that are not there.
    pub(super) fn missing(&self) -> Vec<String> {
        let members = self.lock();
        let missing = members.helpers.iter().filter(|p| p.member.is_none());
        missing.map(|p| p.name.clone()).collect()
    }

    /// Waits until somebody came or went.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Each helper node that is there, in the order of their numbers.
    pub(super) fn helpers(&self) -> Vec<Option<MemberHandle>> {
        self.lock().helpers.iter().map(|p| p.member.clone()).collect()
    }

    /// The task nodes by name.
    pub(super) fn task_nodes(&self) -> Vec<MemberHandle> {
        let members = self.lock();
        let mut nodes: Vec<_> =
            members.task_nodes.iter().filter_map(|p| p.member.clone()).collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        nodes
    }

    /// Gives up a node that is known to be dead, so that nobody need wait for its silence.
    pub(super) fn disconnect(&self, role: Role, name: &str) {
        let mut members = self.lock();
        let dead = members.places(role).iter().filter(|place| place.name == name);
        for node in dead.filter_map(|place| place.member.as_ref()) {
            node.connection.close(CloseCode::Failed.var_int(), b"the process died");
        }
    }

    /// Ends all memberships.
    pub(super) fn close(&self, code: CloseCode, reason: &str) {
        self.endpoint.close(code.var_int(), reason.as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        // Nothing panics while it holds the lock.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn admit(self: Arc<Hub>, incoming: Incoming, permit: OwnedSemaphorePermit) {
        let from = incoming.remote_address();
        let connection = match incoming.await {
            Ok(connection) => connection,
            Err(error) => return tracing::warn!(%from, %error, "a peer was turned away"),
        };
        let admitted = if alpn(&connection).as_deref() == Some(ALPN_JOIN) {
            self.join(&connection, permit).await
        } else {
            self.greet(&connection, permit).await
        };
        if let Err(refusal) = admitted {
            let code = match &refusal {
                Refusal::Coded(code, _) => *code,
                Refusal::Wire(_) => CloseCode::BadMessage,
                Refusal::Slow(_) => CloseCode::Failed,
            };
            // Spares knock again and again, and that is as it should be.
            if matches!(code, CloseCode::NoPlace | CloseCode::NameTaken) {
                tracing::info!(%from, %code, reason = %refusal, "a peer was turned away");
            } else {
                tracing::warn!(%from, %code, reason = %refusal, "a peer was turned away");
            }
            connection.close(code.var_int(), refusal.to_string().as_bytes());
        }
    }

    /// Signs a certificate for somebody with a token.
    async fn join(
        &self,
        connection: &Connection,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), Refusal> {
        let (send, receive) = tokio::time::timeout(STEP_TIMEOUT, connection.accept_bi())
            .await?
            .map_err(WireError::from)?;
        let mut receive = FrameReceiver::new(receive, 1 << 16);
        let request: JoinRequest = tokio::time::timeout(STEP_TIMEOUT, receive.expect()).await??;
        let role = self.tokens.role_of(&request.secret).ok_or_else(|| {
            Refusal::Coded(CloseCode::BadToken, "the token is not one of this run".into())
        })?;
        if role != request.role {
            let reason = format!("the token is for a {role}, not for a {}", request.role);
            return Err(Refusal::Coded(CloseCode::WrongRole, reason));
        }
        let (peer, leaf) = self.promise(role, request.name.as_deref(), &request.request)?;
        let chain = vec![leaf.to_vec(), self.tokens.authority.certificate().to_vec()];
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let told = send.send(&JoinReply { name: peer.name.clone(), chain }).await;
        if told.is_ok() {
            // The node closes once it has its certificate; it then has a while to come back.
            let _ = tokio::time::timeout(STEP_TIMEOUT, connection.closed()).await;
            drop(permit);
            tokio::time::sleep(STEP_TIMEOUT).await;
        }
        self.lock().take_back(&peer, digest(&leaf));
        Ok(told?)
    }

    /// Finds a place and signs a certificate for it, which alone may take it.
    fn promise(
        &self,
        role: Role,
        wish: Option<&str>,
        request: &[u8],
    ) -> Result<(PeerName, CertificateDer<'static>), Refusal> {
        let mut members = self.lock();
        let name = members.free_name(role, wish)?;
        let peer = PeerName { name: name.clone(), role };
        let leaf = self
            .tokens
            .authority
            .sign(request, &peer)
            .map_err(|error| Refusal::Coded(CloseCode::BadMessage, error.to_string()))?;
        let places = members.places(role);
        if places.iter().all(|place| place.name != name) {
            places.push(Place::free(&name));
        }
        for place in places.iter_mut().filter(|place| place.name == name) {
            place.promised = Some(digest(&leaf));
        }
        Ok((peer, leaf))
    }

    /// Welcomes somebody with a certificate.
    async fn greet(
        self: &Arc<Hub>,
        connection: &Connection,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), Refusal> {
        let coded = |code, reason: &str| Refusal::Coded(code, reason.into());
        let (peer, certificate) = PeerName::of_connection(connection)
            .zip(certificate_digest(connection))
            .ok_or_else(|| coded(CloseCode::NoCertificate, "no certificate of this run"))?;
        if peer.role == Role::Orchestrator {
            return Err(coded(CloseCode::WrongRole, "there is one orchestrator"));
        }
        let (send, receive) = tokio::time::timeout(STEP_TIMEOUT, connection.accept_bi())
            .await?
            .map_err(WireError::from)?;
        let mut receive = FrameReceiver::new(receive, 1 << 16);
        let hello: Hello = tokio::time::timeout(STEP_TIMEOUT, receive.expect()).await??;
        let handle = MemberHandle {
            name: peer.name.clone(),
            connection: connection.clone(),
            listens: seen(hello.listens, connection),
            metrics: seen(hello.metrics, connection),
        };
        let (listens, metrics) = (handle.listens, handle.metrics);
        if peer.role == Role::Helper && listens.is_none() {
            return Err(coded(CloseCode::BadRequest, "a helper node must listen"));
        }
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        self.lock().enter(&peer, certificate, handle)?;
        let error = match send.send(&Welcome { run: self.run.clone() }).await {
            Ok(()) => {
                drop(permit);
                let (name, role, version) = (&peer.name, peer.role, &hello.version);
                tracing::info!(name, %role, version, ?listens, ?metrics, "node joined");
                if let Some(metrics) = metrics {
                    self.targets.add(peer.role, &peer.name, metrics);
                }
                self.changed.notify_one();
                connection.closed().await.into()
            }
            // It has gone in the very moment in which it came.
            Err(error) => error,
        };
        self.targets.remove(peer.role, &peer.name);
        self.lock().leave(&peer, certificate);
        self.changed.notify_one();
        // Nobody listens any more when the run is over.
        let (connection, left) = (connection.stable_id(), error.code() == Some(CloseCode::Stopped));
        let _ = self.lost.send(Lost { peer, error: error.to_string(), left, connection });
        Ok(())
    }
}

/// An address as its node tells it: one without an IP address is where the node is seen.
fn seen(told: Option<SocketAddr>, connection: &Connection) -> Option<SocketAddr> {
    told.map(|mut address| {
        if address.ip().is_unspecified() {
            address.set_ip(connection.remote_address().ip());
        }
        address
    })
}

impl Members {
    fn places(&mut self, role: Role) -> &mut Vec<Place> {
        match role {
            Role::TaskNode => &mut self.task_nodes,
            Role::Helper | Role::Orchestrator => &mut self.helpers,
        }
    }

    /// A name for a new node: the one it wishes, if it is free.
    fn free_name(&self, role: Role, wish: Option<&str>) -> Result<String, Refusal> {
        let taken = |name: &str| {
            Refusal::Coded(CloseCode::NameTaken, format!("the name {name} is taken or unknown"))
        };
        let full = |what: &str| Refusal::Coded(CloseCode::NoPlace, what.into());
        if role == Role::TaskNode {
            let unused = |name: &str| self.task_nodes.iter().all(|place| place.name != name);
            if self.task_nodes.len() >= self.most_task_nodes {
                return Err(full("no more task nodes needed"));
            }
            return match wish {
                Some(wish) if unused(wish) && is_node_name(wish) => Ok(wish.to_owned()),
                Some(wish) => Err(taken(wish)),
                None => Ok((0..)
                    .map(|number| format!("task-{number}"))
                    .find(|name| unused(name))
                    .expect("there is always another number")),
            };
        }
        let mut free = self.helpers.iter().filter(|p| p.promised.is_none() && p.member.is_none());
        let place = match wish {
            Some(wish) => free.find(|p| p.name == wish).ok_or_else(|| taken(wish))?,
            None => free.next().ok_or_else(|| full("all helper nodes are there"))?,
        };
        Ok(place.name.clone())
    }

    /// The node did not come back with its certificate: the place is free again.
    fn take_back(&mut self, peer: &PeerName, certificate: [u8; 32]) {
        for place in self.places(peer.role).iter_mut() {
            if place.promised == Some(certificate) && place.member.is_none() {
                place.promised = None;
            }
        }
        self.forget_free_task_nodes();
    }

    /// Takes the place that was promised to a certificate.
    fn enter(
        &mut self,
        peer: &PeerName,
        certificate: [u8; 32],
        handle: MemberHandle,
    ) -> Result<(), Refusal> {
        let promised = |p: &&mut Place| p.name == peer.name && p.promised == Some(certificate);
        match self.places(peer.role).iter_mut().find(promised) {
            Some(place) if place.member.is_none() => {
                place.member = Some(handle);
                Ok(())
            }
            _ => Err(Refusal::Coded(
                CloseCode::NameTaken,
                format!("the place of {} {} is not for this certificate", peer.role, peer.name),
            )),
        }
    }

    fn leave(&mut self, peer: &PeerName, certificate: [u8; 32]) {
        for place in self.places(peer.role).iter_mut() {
            if place.promised == Some(certificate) {
                place.member = None;
                place.promised = None;
            }
        }
        self.forget_free_task_nodes();
    }

    fn forget_free_task_nodes(&mut self) {
        self.task_nodes.retain(|place| place.promised.is_some() || place.member.is_some());
    }
}

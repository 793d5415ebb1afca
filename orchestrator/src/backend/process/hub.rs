//! The orchestrator's side of joining: who is let in, under what name, and who is there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fogbit_scenario::topology::is_node_name;
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::endpoint::transport_config;
use fogbit_transport::identity::PeerName;
use fogbit_transport::token::{Tokens, TokensError};
use fogbit_transport::wire::{Hello, JoinReply, JoinRequest, Welcome};
use fogbit_transport::{
    ALPN_JOIN, CloseCode, FrameReceiver, FrameSender, Role, WireError, alpn, server_config,
};
use quinn::{Connection, Endpoint, Incoming};
use tokio::sync::{Notify, mpsc};

/// A peer must get through each step of joining within this time.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// A node that is a member of the run.
#[derive(Debug, Clone)]
pub(super) struct MemberHandle {
    /// Its name.
    pub(super) name: String,
    /// Its connection.
    pub(super) connection: Connection,
    /// Where a helper node listens.
    pub(super) listens: Option<SocketAddr>,
}

/// A member is gone.
#[derive(Debug)]
pub(super) struct Lost {
    /// Who.
    pub(super) peer: PeerName,
    /// How.
    pub(super) error: String,
}

/// Lets nodes in.
#[derive(Debug)]
pub(super) struct Hub {
    endpoint: Endpoint,
    tokens: Tokens,
    run: String,
    members: Mutex<Members>,
    changed: Notify,
    lost: mpsc::UnboundedSender<Lost>,
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
    /// A certificate for it was signed.
    promised: bool,
    member: Option<MemberHandle>,
}

impl Place {
    fn free(name: &str) -> Place {
        Place { name: name.into(), promised: false, member: None }
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
    ) -> Result<Arc<Hub>, TokensError> {
        let identity = tokens.authority.issue(&PeerName::orchestrator())?;
        let mut server = server_config(&identity, true).map_err(|error| TokensError::Content {
            path: "authority".into(),
            reason: error.to_string(),
        })?;
        server.transport_config(transport_config());
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
            lost,
        }))
    }

    /// Lets nodes in for as long as the endpoint is open.
    pub(super) async fn accept(self: Arc<Hub>) {
        while let Some(incoming) = self.endpoint.accept().await {
            let hub = Arc::clone(&self);
            tokio::spawn(async move { hub.admit(incoming).await });
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

    /// The helper nodes in the order of their numbers, if all are there.
    pub(super) fn helpers(&self) -> Option<Vec<MemberHandle>> {
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

    /// Gives up a task node that is known to be dead, so that its trials need not wait for silence.
    pub(super) fn disconnect_task_node(&self, name: &str) {
        for node in self.task_nodes().iter().filter(|node| node.name == name) {
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

    async fn admit(self: Arc<Hub>, incoming: Incoming) {
        let from = incoming.remote_address();
        let connection = match incoming.await {
            Ok(connection) => connection,
            Err(error) => return tracing::warn!(%from, %error, "a peer was turned away"),
        };
        let admitted = if alpn(&connection).as_deref() == Some(ALPN_JOIN) {
            self.join(&connection).await
        } else {
            self.greet(&connection).await
        };
        if let Err(refusal) = admitted {
            let code = match &refusal {
                Refusal::Coded(code, _) => *code,
                Refusal::Wire(_) => CloseCode::BadMessage,
                Refusal::Slow(_) => CloseCode::Failed,
            };
            tracing::warn!(%from, %code, reason = %refusal, "a peer was turned away");
            connection.close(code.var_int(), refusal.to_string().as_bytes());
        }
    }

    /// Signs a certificate for somebody with a token.
    async fn join(&self, connection: &Connection) -> Result<(), Refusal> {
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
        let name = self.lock().promise(role, request.name.as_deref())?;
        let peer = PeerName { name: name.clone(), role };
        let granted = async {
            let leaf = self
                .tokens
                .authority
                .sign(&request.request, &peer)
                .map_err(|error| Refusal::Coded(CloseCode::BadMessage, error.to_string()))?;
            let chain = vec![leaf.to_vec(), self.tokens.authority.certificate().to_vec()];
            let mut send = FrameSender::new(send, CONTROL_LIMIT);
            send.send(&JoinReply { name: name.clone(), chain }).await?;
            Ok(())
        };
        if let Err(refusal) = granted.await {
            self.lock().take_back(&peer);
            return Err(refusal);
        }
        // The node closes once it has its certificate; it then has a while to come back.
        let _ = tokio::time::timeout(STEP_TIMEOUT, connection.closed()).await;
        tokio::time::sleep(STEP_TIMEOUT).await;
        self.lock().take_back(&peer);
        Ok(())
    }

    /// Welcomes somebody with a certificate.
    async fn greet(self: &Arc<Hub>, connection: &Connection) -> Result<(), Refusal> {
        let coded = |code, reason: &str| Refusal::Coded(code, reason.into());
        let peer = PeerName::of_connection(connection)
            .ok_or_else(|| coded(CloseCode::NoCertificate, "no certificate of this run"))?;
        if peer.role == Role::Orchestrator {
            return Err(coded(CloseCode::WrongRole, "there is one orchestrator"));
        }
        let (send, receive) = tokio::time::timeout(STEP_TIMEOUT, connection.accept_bi())
            .await?
            .map_err(WireError::from)?;
        let mut receive = FrameReceiver::new(receive, 1 << 16);
        let hello: Hello = tokio::time::timeout(STEP_TIMEOUT, receive.expect()).await??;
        let listens = hello.listens.map(|mut address| {
            if address.ip().is_unspecified() {
                address.set_ip(connection.remote_address().ip());
            }
            address
        });
        if peer.role == Role::Helper && listens.is_none() {
            return Err(coded(CloseCode::BadRequest, "a helper node must listen"));
        }
        let handle =
            MemberHandle { name: peer.name.clone(), connection: connection.clone(), listens };
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        self.lock().enter(&peer, handle)?;
        send.send(&Welcome { run: self.run.clone() }).await?;
        tracing::info!(name = peer.name, role = %peer.role, version = hello.version, "node joined");
        self.changed.notify_one();
        let error = connection.closed().await;
        self.lock().leave(&peer);
        self.changed.notify_one();
        let error = WireError::from(error).to_string();
        // Nobody listens any more when the run is over.
        let _ = self.lost.send(Lost { peer, error });
        Ok(())
    }
}

impl Members {
    fn places(&mut self, role: Role) -> &mut Vec<Place> {
        match role {
            Role::TaskNode => &mut self.task_nodes,
            Role::Helper | Role::Orchestrator => &mut self.helpers,
        }
    }

    /// Finds a name for a new node and keeps it for it.
    fn promise(&mut self, role: Role, wish: Option<&str>) -> Result<String, Refusal> {
        let taken = |name: &str| {
            Refusal::Coded(CloseCode::NameTaken, format!("the name {name} is taken or unknown"))
        };
        if role == Role::TaskNode {
            if self.task_nodes.len() >= self.most_task_nodes {
                return Err(Refusal::Coded(CloseCode::NoPlace, "no more task nodes needed".into()));
            }
            let name = match wish {
                Some(wish) => wish.to_owned(),
                None => (0..)
                    .map(|number| format!("task-{number}"))
                    .find(|name| self.task_nodes.iter().all(|p| p.name != *name))
                    .expect("there is always another number"),
            };
            if self.task_nodes.iter().any(|p| p.name == name) || !is_node_name(&name) {
                return Err(taken(&name));
            }
            self.task_nodes.push(Place { promised: true, ..Place::free(&name) });
            return Ok(name);
        }
        let free = |place: &&mut Place| !place.promised && place.member.is_none();
        let place = match wish {
            Some(wish) => self
                .helpers
                .iter_mut()
                .filter(free)
                .find(|p| p.name == wish)
                .ok_or_else(|| taken(wish))?,
            None => self.helpers.iter_mut().find(free).ok_or_else(|| {
                Refusal::Coded(CloseCode::NoPlace, "all helper nodes are there".into())
            })?,
        };
        place.promised = true;
        Ok(place.name.clone())
    }

    /// The node did not come back with its certificate: the name is free again.
    fn take_back(&mut self, peer: &PeerName) {
        for place in self.places(peer.role).iter_mut() {
            if place.name == peer.name && place.member.is_none() {
                place.promised = false;
            }
        }
        self.task_nodes.retain(|p| p.promised || p.member.is_some());
    }

    fn enter(&mut self, peer: &PeerName, handle: MemberHandle) -> Result<(), Refusal> {
        let place = self.places(peer.role).iter_mut().find(|p| p.name == peer.name);
        match place {
            Some(place) if place.member.is_none() => {
                place.member = Some(handle);
                Ok(())
            }
            _ => Err(Refusal::Coded(
                CloseCode::NameTaken,
                format!("{} {} is there already or not expected", peer.role, peer.name),
            )),
        }
    }

    fn leave(&mut self, peer: &PeerName) {
        for place in self.places(peer.role).iter_mut().filter(|p| p.name == peer.name) {
            place.member = None;
            place.promised = false;
        }
        self.task_nodes.retain(|p| p.promised || p.member.is_some());
    }
}

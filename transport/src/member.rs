//! A member of a run: what a process needs to become one, and why it may not.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::{Connection, ConnectionError, Endpoint};

use crate::close::CloseCode;
use crate::codec::{FrameReceiver, FrameSender, WireError};
use crate::emulation::Links;
use crate::endpoint::{bind_with_links, flow_transport_config, link_transport_config};
use crate::identity::{IdentityError, PeerName, Role};
use crate::join::{Joiner, STREAMS, connect};
use crate::pipeline::WaySocket;
use crate::tls::TlsError;
use crate::token::Token;

/// How to join.
#[derive(Debug, Clone)]
pub struct MemberOptions {
    /// The orchestrator, as `HOST:PORT`.
    pub join: String,
    /// The token of the role.
    pub token: Token,
    /// The role.
    pub role: Role,
    /// The name to ask for.
    pub name: Option<String>,
    /// Where to listen; by default any free port of the address that reaches the orchestrator.
    pub listen: Option<SocketAddr>,
    /// Where others reach a helper node, if not where it listens. An unspecified IP address means:
    /// the address it is seen from.
    pub advertise: Option<SocketAddr>,
    /// Where the node serves metrics, if it does. An unspecified IP address means: the address it
    /// is seen from.
    pub metrics: Option<SocketAddr>,
    /// How soon the orchestrator must show a first sign of life; by default within
    /// [`SILENCE`](crate::endpoint::SILENCE).
    pub answer_within: Option<Duration>,
}

impl MemberOptions {
    /// With everything by default that has one.
    pub fn new(join: &str, token: Token, role: Role) -> MemberOptions {
        MemberOptions {
            join: join.into(),
            token,
            role,
            name: None,
            listen: None,
            advertise: None,
            metrics: None,
            answer_within: None,
        }
    }
}

/// A member of a run.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its socket. Helper nodes accept task nodes on it.
    pub endpoint: Endpoint,
    /// The emulated links of the socket, none at first.
    pub links: Links,
    /// To the orchestrator.
    pub control: Connection,
    /// The stream of the greeting, kept open as long as it belongs to the run.
    pub greeting: (FrameSender, FrameReceiver),
    pub(crate) client: quinn::ClientConfig,
    /// That of a helper node.
    pub(crate) server: Option<quinn::ServerConfig>,
}

/// Why a process did not become a member.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The orchestrator's name has no address.
    #[error("cannot find the orchestrator {join}: {reason}")]
    Address {
        /// As given.
        join: String,
        /// Why.
        reason: String,
    },
    /// No socket.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// No connection.
    #[error("cannot reach the orchestrator {join}: {error}")]
    Connect {
        /// As given.
        join: String,
        /// Why.
        error: WireError,
    },
    /// Turned away.
    #[error("turned away by the orchestrator: {0}")]
    TurnedAway(WireError),
    /// No key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What keeps a process out of a run for now: a later attempt may find it gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The orchestrator's name has no address.
    NoAddress,
    /// Nobody answers there, or somebody who is about to end.
    NoOrchestrator,
    /// The orchestrator there is not of the token's run: one of the two is older.
    OtherRun,
    /// Every place is taken.
    NoPlace,
    /// The name is unknown, or somebody else has it.
    NameTaken,
}

impl MemberError {
    /// The code with which the orchestrator turned the process away, if it did.
    pub fn code(&self) -> Option<CloseCode> {
        self.wire().and_then(WireError::code)
    }

    /// What stood in the way, if waiting may help; `None` if it would be in vain.
    pub fn obstacle(&self) -> Option<Obstacle> {
        if let MemberError::Address { .. } = self {
            return Some(Obstacle::NoAddress);
        }
        let error = self.wire()?;
        match (error.code(), error) {
            (Some(CloseCode::NoPlace), _) => Some(Obstacle::NoPlace),
            (Some(CloseCode::NameTaken), _) => Some(Obstacle::NameTaken),
            // A run that ends closes every connection, those of nodes that just join as well.
            (Some(CloseCode::Done | CloseCode::Stopped | CloseCode::Failed), _) => {
                Some(Obstacle::NoOrchestrator)
            }
            (Some(_), _) | (None, WireError::Connection(ConnectionError::ApplicationClosed(_))) => {
                None
            }
            (None, WireError::Connection(error)) if is_disbelief(error) => Some(Obstacle::OtherRun),
            (None, WireError::Connection(_) | WireError::Unconnectable(_)) => {
                Some(Obstacle::NoOrchestrator)
            }
            (None, _) => None,
        }
    }

    fn wire(&self) -> Option<&WireError> {
        match self {
            MemberError::TurnedAway(error) | MemberError::Connect { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Whether this side broke off the handshake because it does not believe the other one.
fn is_disbelief(error: &ConnectionError) -> bool {
    // TLS alerts travel as QUIC's errors 0x100 to 0x1ff.
    matches!(error, ConnectionError::TransportError(error)
        if (0x100..0x200).contains(&u64::from(error.code)))
}

impl Member {
    /// Joins a run at the first attempt; [`Joiner`] has several.
    ///
    /// # Errors
    /// What went wrong; a refusal carries its code.
    pub async fn join(options: &MemberOptions) -> Result<Member, MemberError> {
        Joiner::default().join(options).await
    }

    /// Connects to a helper node of the run; only a certificate of that name and role is believed.
    ///
    /// # Errors
    /// If it cannot be reached or is somebody else.
    pub async fn connect(
        &self,
        helper: &str,
        address: SocketAddr,
    ) -> Result<Connection, MemberError> {
        self.dial(self.client.clone(), helper, address).await
    }

    /// As [`connect`](Self::connect), with packets no larger than on a real link.
    ///
    /// # Errors
    /// If it cannot be reached or is somebody else.
    pub async fn connect_over_link(
        &self,
        helper: &str,
        address: SocketAddr,
        silence: Duration,
    ) -> Result<Connection, MemberError> {
        let mut client = self.client.clone();
        client.transport_config(link_transport_config(STREAMS, silence));
        self.dial(client, helper, address).await
    }

    async fn dial(
        &self,
        client: quinn::ClientConfig,
        helper: &str,
        address: SocketAddr,
    ) -> Result<Connection, MemberError> {
        let peer = PeerName { name: helper.into(), role: Role::Helper };
        connect(&self.endpoint, client, address, &peer, None)
            .await
            .map_err(|error| MemberError::Connect { join: format!("{helper} ({address})"), error })
    }

    /// Whoever connects to this helper node from now on does so over an emulated link: packets are no
    /// larger than on a real one.
    /// They are given up after `silence`.
    pub fn expect_links(&self, silence: Duration) {
        if let Some(mut server) = self.server.clone() {
            server.transport_config(link_transport_config(STREAMS, silence));
            self.endpoint.set_server_config(Some(server));
        }
    }

    /// Whoever connects to this helper node from now on may be another site, with flows.
    pub fn expect_flows(&self) {
        if let Some(mut server) = self.server.clone() {
            server.transport_config(flow_transport_config(STREAMS));
            self.endpoint.set_server_config(Some(server));
        }
    }

    /// A socket beside that of the member, from which ways to other sites are opened.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn way_socket(&self) -> std::io::Result<WaySocket> {
        let ip = self.endpoint.local_addr()?.ip();
        let (endpoint, links) = bind_with_links((ip, 0).into())?;
        let mut client = self.client.clone();
        client.transport_config(flow_transport_config(STREAMS));
        Ok(WaySocket { endpoint, links, client })
    }

    /// Ends the membership and waits until the others know.
    pub async fn leave(&self, code: CloseCode, reason: &str) {
        self.endpoint.close(code.var_int(), reason.as_bytes());
        let _ = tokio::time::timeout(Duration::from_millis(200), self.endpoint.wait_idle()).await;
    }
}

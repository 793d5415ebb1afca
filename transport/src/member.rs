//! Becoming a member of a run: join with a token, then come back with a certificate.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use quinn::{Connection, Endpoint};
use rustls::pki_types::CertificateDer;

use crate::close::CloseCode;
use crate::codec::{CONTROL_LIMIT, FrameReceiver, FrameSender, WireError};
use crate::endpoint::{self, transport_config};
use crate::identity::{Identity, IdentityError, PeerName, Role, signing_request};
use crate::tls::{TlsError, join_client, node_client, server_config};
use crate::token::Token;
use crate::wire::{Hello, JoinReply, JoinRequest, Welcome};

/// Streams that the orchestrator may have open at once towards a node (a seed or trials), and a
/// task node towards a helper node (sessions).
const STREAMS: u32 = 1024;

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
}

/// A member of a run.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its socket. Helper nodes accept task nodes on it.
    pub endpoint: Endpoint,
    /// To the orchestrator.
    pub control: Connection,
    /// The stream of the greeting, kept open as long as it belongs to the run.
    pub greeting: (FrameSender, FrameReceiver),
    client: quinn::ClientConfig,
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

impl MemberError {
    /// The code with which the orchestrator turned the process away, if it did.
    pub fn code(&self) -> Option<CloseCode> {
        match self {
            MemberError::TurnedAway(error) | MemberError::Connect { error, .. } => error.code(),
            _ => None,
        }
    }
}

impl Member {
    /// Joins a run: trusts the orchestrator by the digest in the token, proves the secret, gets a
    /// certificate for its own key, and comes back with it.
    ///
    /// # Errors
    /// What went wrong; a refusal carries its code.
    pub async fn join(options: &MemberOptions) -> Result<Member, MemberError> {
        let orchestrator = resolve(&options.join).await?;
        let local = options.listen.unwrap_or_else(|| local_address(orchestrator));
        let endpoint =
            endpoint::bind(local).map_err(|error| MemberError::Bind { address: local, error })?;
        let (name, identity) = ask_to_join(options, &endpoint, orchestrator).await?;
        let mut client = node_client(&identity)?;
        client.transport_config(transport_config(STREAMS));
        if options.role == Role::Helper {
            let mut server = server_config(&identity, false)?;
            server.transport_config(transport_config(STREAMS));
            endpoint.set_server_config(Some(server));
        }
        let control = connect(&endpoint, client.clone(), orchestrator, &PeerName::orchestrator())
            .await
            .map_err(|error| options.unreachable(error))?;
        let (send, receive) =
            control.open_bi().await.map_err(|error| MemberError::TurnedAway(error.into()))?;
        let mut greeting =
            (FrameSender::new(send, CONTROL_LIMIT), FrameReceiver::new(receive, CONTROL_LIMIT));
        let listens = (options.role == Role::Helper)
            .then(|| endpoint.local_addr())
            .transpose()
            .map_err(|error| MemberError::Bind { address: local, error })?;
        let hello = Hello { version: env!("CARGO_PKG_VERSION").into(), listens };
        greeting.0.send(&hello).await.map_err(MemberError::TurnedAway)?;
        let _: Welcome = greeting.1.expect().await.map_err(MemberError::TurnedAway)?;
        Ok(Member { name, endpoint, control, greeting, client })
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
        let peer = PeerName { name: helper.into(), role: Role::Helper };
        connect(&self.endpoint, self.client.clone(), address, &peer)
            .await
            .map_err(|error| MemberError::Connect { join: format!("{helper} ({address})"), error })
    }

    /// Ends the membership and waits until the others know.
    pub async fn leave(&self, code: CloseCode, reason: &str) {
        self.endpoint.close(code.var_int(), reason.as_bytes());
        let _ = tokio::time::timeout(Duration::from_millis(200), self.endpoint.wait_idle()).await;
    }
}

impl MemberOptions {
    fn unreachable(&self, error: WireError) -> MemberError {
        if error.code().is_some() {
            MemberError::TurnedAway(error)
        } else {
            MemberError::Connect { join: self.join.clone(), error }
        }
    }
}

async fn ask_to_join(
    options: &MemberOptions,
    endpoint: &Endpoint,
    orchestrator: SocketAddr,
) -> Result<(String, Identity), MemberError> {
    let (key, request) = signing_request()?;
    let mut client = join_client(options.token.authority)?;
    client.transport_config(transport_config(0));
    let connection = connect(endpoint, client, orchestrator, &PeerName::orchestrator())
        .await
        .map_err(|error| options.unreachable(error))?;
    let turned_away = MemberError::TurnedAway;
    let (send, receive) = connection.open_bi().await.map_err(|e| turned_away(e.into()))?;
    let message = JoinRequest {
        role: options.role,
        name: options.name.clone(),
        secret: options.token.secret,
        request,
    };
    let mut send = FrameSender::new(send, CONTROL_LIMIT);
    send.send(&message).await.map_err(turned_away)?;
    let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
    let reply: JoinReply = receive.expect().await.map_err(turned_away)?;
    connection.close(CloseCode::Done.var_int(), b"joined");
    let chain = reply.chain.into_iter().map(CertificateDer::from).collect();
    Ok((reply.name, Identity { chain, key }))
}

async fn connect(
    endpoint: &Endpoint,
    client: quinn::ClientConfig,
    address: SocketAddr,
    peer: &PeerName,
) -> Result<Connection, WireError> {
    let connecting = endpoint.connect_with(client, address, &peer.dns_name())?;
    Ok(connecting.await?)
}

async fn resolve(join: &str) -> Result<SocketAddr, MemberError> {
    let address = |reason: String| MemberError::Address { join: join.into(), reason };
    let found = tokio::net::lookup_host(join).await.map_err(|error| address(error.to_string()))?;
    let all: Vec<SocketAddr> = found.collect();
    // The IPv4 address first: an orchestrator listens there by default.
    all.iter()
        .find(|a| a.is_ipv4())
        .or(all.first())
        .copied()
        .ok_or_else(|| address("it has no address".into()))
}

/// Where to listen so that the orchestrator can be reached.
fn local_address(orchestrator: SocketAddr) -> SocketAddr {
    match orchestrator {
        SocketAddr::V4(a) if a.ip().is_loopback() => (Ipv4Addr::LOCALHOST, 0).into(),
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(a) if a.ip().is_loopback() => (Ipv6Addr::LOCALHOST, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

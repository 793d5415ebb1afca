//! The way into a run: find the orchestrator, ask it for a certificate, come back with it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use quinn::{Connection, ConnectionError, Endpoint};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;

use crate::close::CloseCode;
use crate::codec::{CONTROL_LIMIT, FrameReceiver, FrameSender, WireError};
use crate::emulation::Links;
use crate::endpoint::{self, transport_config};
use crate::identity::{Identity, PeerName, Role, signing_request};
use crate::member::{Member, MemberError, MemberOptions};
use crate::tls::{join_client, node_client, server_config};
use crate::wire::{Hello, JoinReply, JoinRequest, Welcome};

/// Streams that the orchestrator may have open at once towards a node (a seed or trials), and a
/// task node towards a helper node (sessions).
const STREAMS: u32 = 1024;
/// The connections of a member that has left are forgotten within this time, and its port is free.
const FREE_WITHIN: Duration = Duration::from_secs(5);
/// How often a port that is still to become free is tried.
const TRY_PORT_EVERY: Duration = Duration::from_millis(20);

/// Joins runs, attempt after attempt, with one socket: a failed attempt costs no port, and one that
/// was asked for stays bound.
#[derive(Debug, Default)]
pub struct Joiner {
    /// The socket of the last attempt, and the address it was bound for.
    socket: Option<(SocketAddr, Endpoint, Links)>,
    /// The address of the socket that the last member was given.
    given: Option<SocketAddr>,
}

impl Joiner {
    /// One attempt to join: trusts the orchestrator by the digest in the token, proves the secret,
    /// gets a certificate for its own key, and comes back with it. Dropping the future gives the
    /// attempt up.
    ///
    /// # Errors
    /// What went wrong; a refusal carries its code, and
    /// [`obstacle`](MemberError::obstacle) says whether a later attempt may succeed.
    pub async fn join(&mut self, options: &MemberOptions) -> Result<Member, MemberError> {
        let orchestrator = resolve(&options.join).await?;
        let local = options.listen.unwrap_or_else(|| local_address(orchestrator));
        let (endpoint, links) = self.endpoint(local).await?;
        let member =
            Attempt { options, endpoint: &endpoint, links: &links, orchestrator }.join().await?;
        self.given = self.socket.take().map(|(local, ..)| local);
        Ok(member)
    }

    /// A socket on `local` that nobody can connect to yet.
    async fn endpoint(&mut self, local: SocketAddr) -> Result<(Endpoint, Links), MemberError> {
        if let Some((_, endpoint, links)) = self.socket.as_ref().filter(|(at, ..)| *at == local) {
            // An attempt that failed late may have opened it already.
            endpoint.set_server_config(None);
            return Ok((endpoint.clone(), links.clone()));
        }
        self.socket = None;
        let (endpoint, links) = self.bind(local).await?;
        self.socket = Some((local, endpoint.clone(), links.clone()));
        Ok((endpoint, links))
    }

    /// Binds `local`. Where the last member had the same port, it gets a while to become free.
    async fn bind(&self, local: SocketAddr) -> Result<(Endpoint, Links), MemberError> {
        let was_ours = local.port() != 0 && self.given == Some(local);
        let deadline = Instant::now() + FREE_WITHIN;
        loop {
            match endpoint::bind_with_links(local) {
                Err(error)
                    if error.kind() == std::io::ErrorKind::AddrInUse
                        && was_ours
                        && Instant::now() < deadline =>
                {
                    tokio::time::sleep(TRY_PORT_EVERY).await;
                }
                bound => {
                    return bound.map_err(|error| MemberError::Bind { address: local, error });
                }
            }
        }
    }
}

/// One attempt, from a socket to an address.
struct Attempt<'a> {
    options: &'a MemberOptions,
    endpoint: &'a Endpoint,
    links: &'a Links,
    orchestrator: SocketAddr,
}

impl Attempt<'_> {
    async fn join(&self) -> Result<Member, MemberError> {
        let (name, identity) = self.ask_for_certificate().await?;
        let mut client = node_client(&identity)?;
        client.transport_config(transport_config(STREAMS));
        if self.options.role == Role::Helper {
            let mut server = server_config(&identity, false)?;
            server.transport_config(transport_config(STREAMS));
            self.endpoint.set_server_config(Some(server));
        }
        let control = self.connect(client.clone()).await?;
        let greeting = self.greet(&control).await?;
        let (endpoint, links) = (self.endpoint.clone(), self.links.clone());
        Ok(Member { name, endpoint, links, control, greeting, client })
    }

    async fn ask_for_certificate(&self) -> Result<(String, Identity), MemberError> {
        let (key, request) = signing_request()?;
        let mut client = join_client(self.options.token.authority)?;
        client.transport_config(transport_config(0));
        let connection = self.connect(client).await?;
        let turned_away = MemberError::TurnedAway;
        let (send, receive) = connection.open_bi().await.map_err(|e| turned_away(e.into()))?;
        let message = JoinRequest {
            role: self.options.role,
            name: self.options.name.clone(),
            secret: self.options.token.secret,
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

    async fn greet(
        &self,
        control: &Connection,
    ) -> Result<(FrameSender, FrameReceiver), MemberError> {
        let turned_away = MemberError::TurnedAway;
        let (send, receive) = control.open_bi().await.map_err(|e| turned_away(e.into()))?;
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
        let hello = Hello {
            version: env!("CARGO_PKG_VERSION").into(),
            listens: self.listens()?,
            metrics: self.options.metrics,
        };
        send.send(&hello).await.map_err(turned_away)?;
        let _: Welcome = receive.expect().await.map_err(turned_away)?;
        Ok((send, receive))
    }

    /// Where task nodes are to find this node; nowhere if it is no helper node.
    fn listens(&self) -> Result<Option<SocketAddr>, MemberError> {
        if self.options.role != Role::Helper {
            return Ok(None);
        }
        if let Some(advertised) = self.options.advertise {
            return Ok(Some(advertised));
        }
        let address = self.options.listen.unwrap_or_else(|| local_address(self.orchestrator));
        self.endpoint.local_addr().map(Some).map_err(|error| MemberError::Bind { address, error })
    }

    /// Connects to the orchestrator.
    async fn connect(&self, client: quinn::ClientConfig) -> Result<Connection, MemberError> {
        let peer = PeerName::orchestrator();
        let within = self.options.answer_within;
        connect(self.endpoint, client, self.orchestrator, &peer, within).await.map_err(|error| {
            if error.code().is_some() {
                MemberError::TurnedAway(error)
            } else {
                MemberError::Connect { join: self.options.join.clone(), error }
            }
        })
    }
}

/// Connects to a peer, which must show its first sign of life within `answer`.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    client: quinn::ClientConfig,
    address: SocketAddr,
    peer: &PeerName,
    answer: Option<Duration>,
) -> Result<Connection, WireError> {
    let mut connecting = endpoint.connect_with(client, address, &peer.dns_name())?;
    if let Some(limit) = answer {
        tokio::time::timeout(limit, connecting.handshake_data())
            .await
            .map_err(|_| ConnectionError::TimedOut)??;
    }
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

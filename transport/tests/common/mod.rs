//! Two QUIC endpoints on loopback, connected, with or without links.

// Each test program uses some of it.
#![allow(dead_code)]

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use fogbit_transport::identity::{Authority, PeerName, Role};
use fogbit_transport::{ALPN_NODE, Links, endpoint, server_config};
use quinn::congestion::{Controller, ControllerFactory};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, MtuDiscoveryConfig, TransportConfig};
use rustls::pki_types::PrivateKeyDer;

/// A congestion controller with a window that never changes: what is measured is the link, not how
/// soon somebody finds out what it can do.
#[derive(Debug, Clone)]
pub(crate) struct FixedWindow(pub(crate) u64);

impl Controller for FixedWindow {
    fn on_congestion_event(&mut self, _: Instant, _: Instant, _: bool, _: u64) {}

    fn on_mtu_update(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        self.0
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.0
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl ControllerFactory for FixedWindow {
    fn build(self: Arc<Self>, _: Instant, _: u16) -> Box<dyn Controller> {
        Box::new(FixedWindow(self.0))
    }
}

/// Packets of Ethernet, a fixed window, and segmentation offload or not.
pub(crate) fn settings(window: u64, offload: bool) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(1452);
    config.mtu_discovery_config(Some(discovery));
    config.congestion_controller_factory(Arc::new(FixedWindow(window)));
    config.enable_segmentation_offload(offload);
    config.send_window(8 << 20);
    Arc::new(config)
}

/// One end.
pub(crate) struct End {
    pub(crate) endpoint: Endpoint,
    pub(crate) links: Option<Links>,
    pub(crate) address: SocketAddr,
    pub(crate) connection: Connection,
}

impl End {
    pub(crate) fn links(&self) -> &Links {
        self.links.as_ref().expect("an endpoint with links")
    }
}

/// An endpoint on loopback.
pub(crate) fn bound(with_links: bool) -> (Endpoint, Option<Links>) {
    let any = "127.0.0.1:0".parse().unwrap();
    if with_links {
        let (endpoint, links) = endpoint::bind_with_links(any).unwrap();
        (endpoint, Some(links))
    } else {
        (endpoint::bind(any).unwrap(), None)
    }
}

/// What both ends believe in: made once, since keys take time.
pub(crate) struct Trust {
    authority: Authority,
    settings: Arc<TransportConfig>,
}

fn name(role: Role) -> PeerName {
    PeerName { name: "n".into(), role }
}

impl Trust {
    pub(crate) fn new(settings: Arc<TransportConfig>) -> Trust {
        Trust { authority: Authority::generate().unwrap(), settings }
    }

    /// For an endpoint that is connected to.
    pub(crate) fn server(&self) -> quinn::ServerConfig {
        let identity = self.authority.issue(&name(Role::Helper)).unwrap();
        let mut server = server_config(&identity, false).unwrap();
        server.transport_config(self.settings.clone());
        server
    }

    /// Connects to such an endpoint.
    pub(crate) async fn connect(&self, endpoint: &Endpoint, to: SocketAddr) -> Connection {
        let own = self.authority.issue(&name(Role::TaskNode)).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(own.chain.clone(), PrivateKeyDer::Pkcs8(own.key.clone_key()))
            .unwrap();
        tls.alpn_protocols = vec![ALPN_NODE.into()];
        let tls = QuicClientConfig::try_from(tls).unwrap();
        let mut client = quinn::ClientConfig::new(Arc::new(tls));
        client.transport_config(self.settings.clone());
        let dns_name = name(Role::Helper).dns_name();
        endpoint.connect_with(client, to, &dns_name).unwrap().await.unwrap()
    }
}

/// Two endpoints on loopback, connected: the one that connects first.
pub(crate) async fn pair(with_links: bool, settings: Arc<TransportConfig>) -> (End, End) {
    let trust = Trust::new(settings);
    let (here, here_links) = bound(with_links);
    let (there, there_links) = bound(with_links);
    there.set_server_config(Some(trust.server()));
    let to = there.local_addr().unwrap();
    let accepted = async { there.accept().await.unwrap().await.unwrap() };
    let (connected, accepted) = tokio::join!(trust.connect(&here, to), accepted);
    let end = |endpoint: Endpoint, links, connection| End {
        address: endpoint.local_addr().unwrap(),
        endpoint,
        links,
        connection,
    };
    (end(here, here_links, connected), end(there, there_links, accepted))
}

/// Answers every stream with what came on it, until the connection ends.
pub(crate) async fn echo(connection: Connection) {
    while let Ok((mut send, mut receive)) = connection.accept_bi().await {
        let mut bytes = [0; 64];
        while let Ok(Some(count)) = receive.read(&mut bytes).await {
            if send.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    }
}

/// Reads and forgets what comes on streams, until the connection ends.
pub(crate) async fn swallow(connection: Connection) {
    while let Ok(mut receive) = connection.accept_uni().await {
        while let Ok(Some(_)) = receive.read_chunk(usize::MAX, false).await {}
    }
}

/// Sends zeros for ever.
pub(crate) async fn flood(connection: Connection) {
    let Ok(mut send) = connection.open_uni().await else { return };
    let zeros = vec![0; 64 << 10];
    while send.write_all(&zeros).await.is_ok() {}
}

/// `count` round trips of a few bytes on one stream, in nanoseconds.
pub(crate) async fn pings(connection: &Connection, count: usize) -> Vec<u64> {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        send.write_all(&[7; 16]).await.unwrap();
        receive.read_exact(&mut [0; 16]).await.unwrap();
        times.push(began.elapsed().as_nanos() as u64);
    }
    times
}

/// The 10th percentile: what the link does, and not what else the machine has to do.
pub(crate) fn floor(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 10]
}

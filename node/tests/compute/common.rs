//! Services, tasks and connections for tests.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fogbit_node::compute::{ComputeEnd, ComputeService, ComputeTask, serve_compute_stream};
use fogbit_scenario::work::{ComputeSpec, Execution, Work, WorkKind};
use fogbit_transport::compute::ComputeRequest;
use fogbit_transport::endpoint::transport_config;
use fogbit_transport::identity::{Authority, PeerName};
use fogbit_transport::wire::TrialId;
use fogbit_transport::{ALPN_NODE, Identity, Role, server_config};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, TransportConfig};
use rustls::pki_types::PrivateKeyDer;
use tokio::sync::mpsc;

/// Longer than anything should take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The trial of all tasks.
pub(crate) const TRIAL: TrialId = TrialId { seed_number: 3, policy: 1 };
/// How many streams a peer may have open.
pub(crate) const STREAMS: u32 = 64;

/// A node of 1 GHz: a cycle a nanosecond.
pub(crate) fn spec(execution: Execution) -> ComputeSpec {
    ComputeSpec {
        frequency_ghz: 1.0,
        load: 0.0,
        service_overhead_ns: 0,
        workers: 1,
        queue_limit: 1000,
        payload_limit: 1 << 20,
        execution,
    }
}

/// A chain of hashes on a small input.
pub(crate) fn task(cycles: u64) -> ComputeTask {
    ComputeTask {
        work: Work { kind: WorkKind::Sha256Chain, cycles },
        input: Bytes::from_static(b"task"),
        output_bytes: 32,
        deadline_ns: None,
    }
}

/// The request of a task.
pub(crate) fn request(number: u64, task: &ComputeTask) -> ComputeRequest {
    let input_bytes = task.input.len() as u64;
    let request = ComputeRequest::new(TRIAL, number, task.work, input_bytes);
    let ComputeTask { output_bytes, deadline_ns, .. } = *task;
    ComputeRequest { output_bytes, deadline_ns, ..request }
}

/// Gives `future` up when it hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

/// Waits until `holds`.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    soon(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// A helper node with a service and a task node that is connected to it.
pub(crate) struct Fog {
    pub(crate) service: ComputeService,
    pub(crate) connection: Connection,
    /// How the streams ended, in that order.
    pub(crate) ends: mpsc::UnboundedReceiver<ComputeEnd>,
    /// Sockets live as long as their endpoints.
    _endpoints: [Endpoint; 2],
}

impl Fog {
    pub(crate) async fn new(spec: ComputeSpec) -> Fog {
        Fog::with(ComputeService::new(spec).unwrap()).await
    }

    pub(crate) async fn with(service: ComputeService) -> Fog {
        let authority = Authority::generate().unwrap();
        let (server, ends) = serve(&authority, service.clone());
        let address = server.local_addr().unwrap();
        let client = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let connection = connect(&client, &task_node(&authority), address).await;
        Fog { service, connection, ends, _endpoints: [server, client] }
    }

    pub(crate) async fn end(&mut self) -> ComputeEnd {
        soon(self.ends.recv()).await.expect("the helper node serves")
    }
}

/// Serves `service` to whoever has a certificate of `authority`; a silent peer is gone after a
/// second.
pub(crate) fn serve(
    authority: &Authority,
    service: ComputeService,
) -> (Endpoint, mpsc::UnboundedReceiver<ComputeEnd>) {
    let peer = PeerName { name: "helper".into(), role: Role::Helper };
    let mut config = server_config(&authority.issue(&peer).unwrap(), false).unwrap();
    config.transport_config(impatient());
    let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let (told, ends) = mpsc::unbounded_channel();
    let incoming = endpoint.clone();
    tokio::spawn(async move {
        while let Some(incoming) = incoming.accept().await {
            let (service, told) = (service.clone(), told.clone());
            tokio::spawn(async move {
                let Ok(connection) = incoming.await else { return };
                while let Ok((send, receive)) = connection.accept_bi().await {
                    let (service, told) = (service.clone(), told.clone());
                    tokio::spawn(async move {
                        let find = |trial| (trial == TRIAL).then_some(service);
                        let _ = told.send(serve_compute_stream(send, receive, find).await);
                    });
                }
            });
        }
    });
    (endpoint, ends)
}

pub(crate) fn task_node(authority: &Authority) -> Identity {
    authority.issue(&PeerName { name: "task-node".into(), role: Role::TaskNode }).unwrap()
}

pub(crate) async fn connect(
    endpoint: &Endpoint,
    identity: &Identity,
    address: std::net::SocketAddr,
) -> Connection {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(identity.chain.last().unwrap().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            identity.chain.clone(),
            PrivateKeyDer::Pkcs8(identity.key.clone_key()),
        )
        .unwrap();
    tls.alpn_protocols = vec![ALPN_NODE.into()];
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(impatient());
    let name = PeerName { name: "helper".into(), role: Role::Helper }.dns_name();
    soon(endpoint.connect_with(config, address, &name).unwrap()).await.unwrap()
}

/// The usual settings, but a peer that is silent for two seconds is gone.
fn impatient() -> Arc<TransportConfig> {
    let mut config = Arc::into_inner(transport_config(STREAMS)).unwrap();
    config.max_idle_timeout(Some(Duration::from_secs(2).try_into().unwrap()));
    config.keep_alive_interval(Some(Duration::from_millis(300)));
    Arc::new(config)
}

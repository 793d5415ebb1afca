//! A small orchestrator, and nodes on threads of their own that have joined it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fogbit_node::HelperMetrics;
use fogbit_scenario::pipeline::{ApplicationStep, PipelineInstance};
use fogbit_task_node::{ExternalFolder, TaskNodeMetrics};
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::endpoint::{bind, transport_config};
use fogbit_transport::identity::PeerName;
use fogbit_transport::pipeline::{PipelineOrder, PipelineReport, SiteAddress, SiteOrder};
use fogbit_transport::report::Report;
use fogbit_transport::wire::{
    Hello, HelperOrder, JoinReply, JoinRequest, OrderHead, Player, SeedReady, TaskNodeOrder,
    TrialId, Welcome,
};
use fogbit_transport::{
    ALPN_JOIN, CloseCode, FrameReceiver, FrameSender, Member, MemberOptions, Role, Tokens, alpn,
    server_config,
};
use quinn::{Connection, Endpoint};
use tokio::sync::{Notify, mpsc};

/// Longer than anything should take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The trial of all tests.
pub(crate) const TRIAL: TrialId = TrialId { seed_number: 0, policy: 0 };
/// Who plays it.
pub(crate) const PLAYER: &str = "device";

/// Gives `future` up when it hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

/// A node that has joined.
pub(crate) struct Joined {
    pub(crate) name: String,
    pub(crate) listens: Option<SocketAddr>,
    connection: Connection,
    /// Its greeting lasts as long as it belongs to the run.
    _greeting: (FrameSender, FrameReceiver),
    /// Tells the node to end.
    pub(crate) stop: Arc<Notify>,
}

/// The orchestrator.
pub(crate) struct Hub {
    tokens: Arc<Tokens>,
    endpoint: Endpoint,
    joined: mpsc::UnboundedReceiver<Joined>,
    /// The streams of seeds that are being run.
    seeds: Vec<(FrameSender, FrameReceiver)>,
    /// The helper nodes: site 1 first.
    pub(crate) helpers: Vec<Joined>,
    /// Everybody else.
    others: Vec<Joined>,
}

impl Hub {
    /// One whose seed 0 has `count` helper nodes as sites, called `h1`, `h2`, ...
    pub(crate) async fn with_sites(count: u32, real_time: bool) -> Hub {
        let mut hub = Hub::new();
        for site in 1..=count {
            let node = hub.start_helper(&format!("h{site}")).await;
            hub.helpers.push(node);
        }
        for site in 1..=count {
            hub.begin_seed(site, real_time).await;
        }
        hub
    }

    pub(crate) fn new() -> Hub {
        let tokens = Arc::new(Tokens::generate().unwrap());
        let identity = tokens.authority.issue(&PeerName::orchestrator()).unwrap();
        let mut server = server_config(&identity, true).unwrap();
        server.transport_config(transport_config(16));
        let endpoint = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.set_server_config(Some(server));
        let (tell, joined) = mpsc::unbounded_channel();
        let (accepting, known) = (endpoint.clone(), Arc::clone(&tokens));
        tokio::spawn(async move {
            while let Some(incoming) = accepting.accept().await {
                tokio::spawn(admit(incoming, Arc::clone(&known), tell.clone()));
            }
        });
        Hub { tokens, endpoint, joined, seeds: vec![], helpers: vec![], others: vec![] }
    }

    fn options(&self, role: Role, name: &str) -> MemberOptions {
        let join = self.endpoint.local_addr().unwrap().to_string();
        let token = self.tokens.token(role).unwrap();
        MemberOptions { name: Some(name.into()), ..MemberOptions::new(&join, token, role) }
    }

    /// A member that does nothing by itself.
    pub(crate) async fn member(&mut self, role: Role, name: &str) -> Member {
        let options = self.options(role, name);
        let member = soon(Member::join(&options)).await.unwrap();
        self.others.push(soon(self.joined.recv()).await.unwrap());
        member
    }

    async fn start(
        &mut self,
        role: Role,
        name: &str,
        serve: impl AsyncFnOnce(Member, Arc<Notify>) + Send + 'static,
    ) -> Joined {
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let options = self.options(role, name);
        let node = std::thread::Builder::new().name(name.into());
        let node = node.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                serve(Member::join(&options).await.expect("a place"), stopped).await;
            });
        });
        // It ends when the run does.
        drop(node.unwrap());
        let joined = soon(self.joined.recv()).await.expect("it joins");
        Joined { stop, ..joined }
    }

    pub(crate) async fn start_helper(&mut self, name: &str) -> Joined {
        let serve = async |member, stop: Arc<Notify>| {
            let metrics = HelperMetrics::new(&prometheus::Registry::new()).unwrap();
            // The end of a test is nobody's fault.
            let stop = async move { stop.notified().await };
            let _ = fogbit_node::serve(member, metrics, stop).await;
        };
        self.start(Role::Helper, name, serve).await
    }

    /// Tells helper node `site` that seed 0 begins.
    async fn begin_seed(&mut self, site: u32, real_time: bool) {
        let node = &self.helpers[site as usize - 1];
        let player = |policy: &str| Player { policy: policy.into(), task_node: PLAYER.into() };
        let order =
            SiteOrder { number: 0, players: vec![player("p0"), player("p1")], site, real_time };
        let (send, receive) = node.connection.open_bi().await.unwrap();
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
        send.send(&HelperOrder::Pipeline(Box::new(order))).await.unwrap();
        let SeedReady { number } = soon(receive.expect()).await.unwrap();
        assert_eq!(number, 0);
        self.seeds.push((send, receive));
    }

    /// The seed is over.
    pub(crate) fn end_seed(&mut self) {
        for (send, _) in &mut self.seeds {
            send.finish();
        }
        self.seeds.clear();
    }

    /// All sites as a task node called `device` tells of them.
    pub(crate) fn sites(&self, device: &str) -> Vec<SiteAddress> {
        let device = SiteAddress { name: device.into(), address: None };
        let helper = |node: &Joined| SiteAddress { name: node.name.clone(), address: node.listens };
        [device].into_iter().chain(self.helpers.iter().map(helper)).collect()
    }

    /// Has a task node play `policy` (JSON) and gives what it told.
    pub(crate) async fn play(&mut self, policy: &str, instance: PipelineInstance) -> Told {
        let player = self.start_player().await;
        let told = self.order(&player, 0, policy, instance).await;
        self.others.push(player);
        told
    }

    pub(crate) async fn start_player(&mut self) -> Joined {
        let serve = async |member, stop: Arc<Notify>| {
            let metrics = TaskNodeMetrics::new(&prometheus::Registry::new()).unwrap();
            let stop = async move { stop.notified().await };
            let external = ExternalFolder::default();
            let _ = fogbit_task_node::serve(member, metrics, external, stop).await;
        };
        self.start(Role::TaskNode, PLAYER, serve).await
    }

    /// Has `player` play the policy of this number.
    pub(crate) async fn order(
        &self,
        player: &Joined,
        number: u32,
        policy: &str,
        instance: PipelineInstance,
    ) -> Told {
        let helpers = self.helpers.iter().map(|node| (node.name.clone(), node.listens.unwrap()));
        let helpers: Vec<(String, SocketAddr)> = helpers.collect();
        let sites = std::iter::once("device").chain(helpers.iter().map(|(name, _)| name.as_str()));
        let order = PipelineOrder {
            head: OrderHead {
                trial: TrialId { policy: number, ..TRIAL },
                name: format!("p{number}"),
                policy: policy.into(),
                model: None,
                slots_per_second: None,
            },
            instance,
            sites: sites.map(str::to_owned).collect(),
            helpers,
        };
        let (send, receive) = player.connection.open_bi().await.unwrap();
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
        send.send(&TaskNodeOrder::Pipeline(Box::new(order))).await.unwrap();
        let mut steps = Vec::new();
        loop {
            let report: PipelineReport = soon(receive.expect()).await.unwrap();
            match report {
                Report::Steps(more) => steps.extend(more),
                Report::Link(check) => panic!("{check:?}"),
                Report::Done { .. } => return (steps, None),
                Report::Failed { message } => return (steps, Some(message)),
            }
        }
    }
}

/// The steps of a trial, and why it failed if it did.
pub(crate) type Told = (Vec<ApplicationStep>, Option<String>);

impl Drop for Hub {
    fn drop(&mut self) {
        self.endpoint.close(CloseCode::Done.var_int(), b"the run is done");
    }
}

/// Signs a certificate for whoever has a token, and welcomes whoever has a certificate.
async fn admit(
    incoming: quinn::Incoming,
    tokens: Arc<Tokens>,
    tell: mpsc::UnboundedSender<Joined>,
) {
    let connection = incoming.await.unwrap();
    let (send, receive) = connection.accept_bi().await.unwrap();
    let mut send = FrameSender::new(send, CONTROL_LIMIT);
    let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
    if alpn(&connection).as_deref() == Some(ALPN_JOIN) {
        let request: JoinRequest = receive.expect().await.unwrap();
        let role = tokens.role_of(&request.secret).unwrap();
        let name = request.name.unwrap();
        let peer = PeerName { name: name.clone(), role };
        let leaf = tokens.authority.sign(&request.request, &peer).unwrap();
        let chain = vec![leaf.to_vec(), tokens.authority.certificate().to_vec()];
        send.send(&JoinReply { name, chain }).await.unwrap();
        connection.closed().await;
        return;
    }
    let Hello { listens, .. } = receive.expect().await.unwrap();
    send.send(&Welcome { run: "test".into() }).await.unwrap();
    let name = PeerName::of_connection(&connection).unwrap().name;
    let _ = tell.send(Joined {
        name,
        listens,
        connection,
        _greeting: (send, receive),
        stop: Arc::default(),
    });
}

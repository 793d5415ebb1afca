//! The helper node as a process: its sessions, served over QUIC.

mod kept;
mod live;
mod lockstep;
mod pipeline;
mod seeds;
mod steering;
mod way_back;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fogbit_transport::codec::{CONTROL_LIMIT, DATA_LIMIT};
use fogbit_transport::compute::{HEAD_LIMIT, Opening, read_frame};
use fogbit_transport::endpoint::{OUTAGE, SILENCE};
use fogbit_transport::identity::PeerName;
use fogbit_transport::probe::Prober;
use fogbit_transport::wire::{HelperOrder, OpenSession, SeedReady, StateReport, TrialId};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, Links, Member, Role, WireError};
use tokio::sync::mpsc;

use self::pipeline::Plans;
use self::seeds::{Opened, SharedSeeds};
use self::steering::Computers;
use self::way_back::WaysBack;
use crate::compute::{ComputeSetupError, serve_compute, serve_image};
use crate::metrics::HelperMetrics;
use crate::pipeline::SiteError;
use crate::session::SessionError;

/// How many reports of states may wait for the orchestrator.
const WAITING_REPORTS: usize = 64;

/// Why a helper node stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The orchestrator ended the run badly, or is gone.
    #[error("the orchestrator is gone: {0}")]
    Orchestrator(WireError),
}

/// What goes wrong within one session; it harms no other.
#[derive(Debug, thiserror::Error)]
enum SessionFailure {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("seed {} is not being run", .0.seed_number)]
    UnknownTrial(TrialId),
    #[error("{0:?} is not a trial of this task node, or it has a session already")]
    NotYours(TrialId),
    #[error(transparent)]
    Request(#[from] SessionError),
    #[error("a task before the first slot")]
    NotBegun,
    #[error("a session begins once")]
    BegunTwice,
    #[error("a question about a link that is not emulated")]
    NoLink,
    #[error("no timer: {0}")]
    Timer(#[from] std::io::Error),
    #[error(transparent)]
    Computer(#[from] ComputeSetupError),
    #[error("state {0} of a link that has fewer")]
    NoSuchState(u32),
    #[error("a load of {0}")]
    Load(f64),
    #[error("a task for a node that classifies images")]
    NoComputer,
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error("{0} is no site that may open this way, or it is open already")]
    NotNamed(String),
    #[error("a request while another one is under way")]
    UnderWay,
}

impl SessionFailure {
    fn code(&self) -> CloseCode {
        match self {
            SessionFailure::Wire(_) => CloseCode::BadMessage,
            SessionFailure::UnknownTrial(_) => CloseCode::UnknownTrial,
            SessionFailure::NotYours(_)
            | SessionFailure::Request(_)
            | SessionFailure::NotBegun
            | SessionFailure::BegunTwice
            | SessionFailure::NoLink => CloseCode::BadRequest,
            SessionFailure::NoSuchState(_)
            | SessionFailure::Load(_)
            | SessionFailure::NoComputer
            | SessionFailure::NotNamed(_)
            | SessionFailure::UnderWay => CloseCode::BadRequest,
            SessionFailure::Site(error) => error.code(),
            SessionFailure::Timer(_) | SessionFailure::Computer(_) => CloseCode::Failed,
        }
    }
}

/// Serves sessions until the orchestrator says that the run is done, or `shutdown` completes.
///
/// # Errors
/// If the orchestrator is lost.
pub async fn serve(
    member: Member,
    metrics: HelperMetrics,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let problems = Problems {
        seeds: SharedSeeds::new(metrics),
        computers: Computers::default(),
        plans: Plans::default(),
        ways_back: WaysBack::default(),
    };
    let prober = Prober::of_links(&member.links);
    let member = Arc::new(member);
    tokio::pin!(shutdown);
    let result = loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            stream = member.control.accept_bi() => match stream {
                Ok((send, receive)) => {
                    tokio::spawn(keep_seed(Arc::clone(&member), problems.clone(), send, receive));
                }
                Err(error) => match CloseCode::of(&error) {
                    Some(CloseCode::Done | CloseCode::Stopped | CloseCode::Failed) => break Ok(()),
                    _ => break Err(ServeError::Orchestrator(error.into())),
                }
            },
            incoming = member.endpoint.accept() => {
                if let Some(incoming) = incoming {
                    let links = (member.links.clone(), Arc::clone(&prober));
                    let member = Arc::clone(&member);
                    tokio::spawn(accept_peer(member, links, problems.clone(), incoming));
                }
            }
        }
    };
    member.leave(CloseCode::Stopped, "the helper node ends").await;
    result
}

/// Keeps what the orchestrator says of one seed for as long as the stream is open.
async fn keep_seed(
    member: Arc<Member>,
    Problems { seeds, computers, plans, .. }: Problems,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
) {
    let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
    let mut send = FrameSender::new(send, CONTROL_LIMIT);
    let (number, told) = match receive.expect().await {
        Ok(HelperOrder::OneBit(order)) => {
            if order.link_key.is_some() {
                member.expect_links(SILENCE);
            }
            let (reports, told) = mpsc::channel(WAITING_REPORTS);
            let number = order.number;
            seeds.begin(*order, reports);
            (number, told)
        }
        Ok(HelperOrder::Placement(order)) => {
            if order.link.is_some() {
                member.expect_links(OUTAGE);
            }
            let number = order.number;
            computers.begin(*order);
            // There are no states to tell.
            (number, mpsc::channel(1).1)
        }
        Ok(HelperOrder::Cascade(order)) => {
            if order.link.is_some() {
                member.expect_links(OUTAGE);
            }
            let number = order.number;
            if let Err(error) = computers.begin_edge(*order) {
                tracing::error!(%error, "a strong classifier that cannot be used");
                return send.reset(CloseCode::BadRequest);
            }
            (number, mpsc::channel(1).1)
        }
        Ok(HelperOrder::Pipeline(order)) => {
            if order.real_time {
                member.expect_flows();
            }
            let number = order.number;
            plans.begin(*order);
            (number, mpsc::channel(1).1)
        }
        Err(error) => {
            tracing::warn!(%error, "a seed that cannot be read");
            return send.reset(CloseCode::BadMessage);
        }
    };
    tracing::debug!(number, "seed begins");
    if send.send(&SeedReady { number }).await.is_ok() {
        tell_states(&mut send, &mut receive, told).await;
    }
    seeds.end(number);
    computers.end(number);
    plans.end(number);
}

/// Tells the orchestrator the states of the sessions until the seed is over.
async fn tell_states(
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
    mut told: mpsc::Receiver<StateReport>,
) {
    loop {
        tokio::select! {
            biased;
            // Nothing more is sent on this stream: its end is the end of the seed.
            _ = receive.receive::<HelperOrder>() => return,
            Some(report) = told.recv() => {
                if send.send(&report).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Serves a peer, if it is a task node of this run, or a helper node that an open session names.
async fn accept_peer(
    member: Arc<Member>,
    (links, prober): (Links, Arc<Prober>),
    problems: Problems,
    incoming: quinn::Incoming,
) {
    let from = incoming.remote_address();
    let connection = match incoming.await {
        Ok(connection) => connection,
        // Among these are task nodes that gave up trying while this node was not there yet.
        Err(error) => return tracing::info!(%from, %error, "a peer was turned away"),
    };
    let Some(peer) = PeerName::of_connection(&connection) else {
        tracing::warn!(%from, "a peer without a certificate was turned away");
        return connection.close(CloseCode::NoCertificate.var_int(), b"no certificate");
    };
    let from = || Caller {
        member: Arc::clone(&member),
        links: links.clone(),
        prober: Arc::clone(&prober),
        peer: peer.clone(),
        address: connection.remote_address(),
    };
    if peer.role == Role::Helper && problems.plans.names(&peer.name) {
        return accept_site(problems.plans, from(), connection).await;
    }
    if peer.role != Role::TaskNode {
        tracing::warn!(?peer, "a peer that is no task node was turned away");
        return connection.close(CloseCode::WrongRole.var_int(), b"only task nodes are served");
    }
    while let Ok((send, receive)) = connection.accept_bi().await {
        tokio::spawn(serve_stream(problems.clone(), from(), connection.clone(), send, receive));
    }
}

/// Another helper node says in time which way it opens.
const WAY_WITHIN: Duration = Duration::from_secs(5);

/// Takes the one stream of a helper node, which is a way of a session and nothing else.
async fn accept_site(plans: Plans, from: Caller, connection: quinn::Connection) {
    let opening = async {
        let (send, mut receive) = connection.accept_bi().await?;
        let opening = read_frame(&mut receive, HEAD_LIMIT).await?;
        Ok::<_, WireError>((opening, (send, receive)))
    };
    let (code, reason) = match tokio::time::timeout(WAY_WITHIN, opening).await {
        Ok(Ok((Opening::Way(open), streams))) => {
            match plans.take(open, &from, &connection, streams).await {
                Ok(()) => return,
                Err(failure) => (failure.code(), failure.to_string()),
            }
        }
        Ok(Ok(_)) => (CloseCode::WrongRole, "helper nodes may open ways alone".to_owned()),
        Ok(Err(error)) => (CloseCode::BadMessage, error.to_string()),
        Err(_) => (CloseCode::BadRequest, "no way was opened in time".to_owned()),
    };
    tracing::warn!(peer = ?from.peer, reason, "a helper node was turned away");
    connection.close(code.var_int(), reason.as_bytes());
}

/// Serves one stream of a task node, whatever it is for.
async fn serve_stream(
    problems: Problems,
    from: Caller,
    connection: quinn::Connection,
    send: quinn::SendStream,
    mut receive: quinn::RecvStream,
) {
    let opening = read_frame(&mut receive, HEAD_LIMIT).await;
    if let Ok(Opening::Compute(request)) = opening {
        let service = problems.computers.service(request.trial, &from.peer.name);
        let end = serve_compute(request, send, receive, service).await;
        return tracing::debug!(peer = from.peer.name, ?end, "a task is over");
    }
    if let Ok(Opening::Image(request)) = opening {
        let service = problems.computers.service(request.trial, &from.peer.name);
        let end = serve_image(request, send, receive, service).await;
        return tracing::debug!(peer = from.peer.name, ?end, "an image is over");
    }
    let peer = from.peer.name.clone();
    if let Ok(Opening::Way(open)) = opening {
        let taken = problems.plans.take(open, &from, &connection, (send, receive)).await;
        if let Err(failure) = taken {
            tracing::warn!(peer, %failure, "a way was closed");
            connection.close(failure.code().var_int(), failure.to_string().as_bytes());
        }
        return;
    }
    let mut frames = (FrameSender::new(send, DATA_LIMIT), FrameReceiver::new(receive, DATA_LIMIT));
    let (send, receive) = (&mut frames.0, &mut frames.1);
    let served = match opening {
        Ok(Opening::Session(open)) => serve_session(&problems, from, open, send, receive).await,
        Ok(Opening::Steering(open)) => {
            steering::serve(&problems.computers, from, open, send, receive).await
        }
        Ok(Opening::Pipeline(open)) => {
            pipeline::serve(&problems.plans, &from, open, send, receive).await
        }
        Ok(Opening::Compute(_) | Opening::Image(_) | Opening::Way(_)) => {
            unreachable!("served above")
        }
        Err(error) => Err(error.into()),
    };
    let Err(failure) = served else {
        return send.finish();
    };
    if let SessionFailure::Wire(WireError::Connection(_) | WireError::Reset(_) | WireError::Ended) =
        failure
    {
        return tracing::debug!(%failure, "a session ended early");
    }
    tracing::warn!(peer, %failure, "a session was closed");
    let code = failure.code();
    if code == CloseCode::BadMessage {
        // Whoever sends what is no message cannot be trusted with the next one either.
        connection.close(code.var_int(), failure.to_string().as_bytes());
    }
    send.reset(code);
    receive.stop(code);
}

/// What this node is, problem by problem.
#[derive(Debug, Clone)]
struct Problems {
    seeds: SharedSeeds,
    computers: Computers,
    plans: Plans,
    ways_back: WaysBack,
}

/// The peer of a session, which is a task node, or of a way.
struct Caller {
    member: Arc<Member>,
    /// Those of this node's socket.
    links: Links,
    /// The probes of that socket.
    prober: Arc<Prober>,
    peer: PeerName,
    address: SocketAddr,
}

async fn serve_session(
    problems: &Problems,
    from: Caller,
    OpenSession { trial }: OpenSession,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let Opened { spec, metrics, live, link_key } = problems.seeds.open(trial, &from.peer.name)?;
    match live {
        None => lockstep::serve(&spec, metrics, send, receive).await,
        Some(live) => {
            let way_back = link_key.zip(spec.link.clone()).map(|(key, path)| {
                // The answer that the session is open takes this way already.
                problems.ways_back.set(&from, path, key)
            });
            let session = live::Opened { spec, metrics, live, way_back };
            live::serve(trial.policy, session, send, receive).await
        }
    }
}

//! The helper node as a process: its sessions, served over QUIC.

mod kept;
mod live;
mod lockstep;
mod peers;
mod pipeline;
mod seeds;
mod steering;
mod way_back;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::endpoint::{OUTAGE, SILENCE};
use fogbit_transport::identity::PeerName;
use fogbit_transport::probe::Prober;
use fogbit_transport::wire::{HelperOrder, SeedReady, StateReport, TrialId};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, Links, Member, WireError};
use tokio::sync::mpsc;

use self::peers::accept_peer;
use self::pipeline::Plans;
use self::seeds::SharedSeeds;
use self::steering::Computers;
use self::way_back::WaysBack;
use crate::compute::ComputeSetupError;
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
        seeds: SharedSeeds::new(metrics.clone()),
        metrics,
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

/// What this node is, problem by problem.
#[derive(Debug, Clone)]
struct Problems {
    metrics: HelperMetrics,
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

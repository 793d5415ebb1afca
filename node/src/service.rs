//! The helper node as a process: its sessions, served over QUIC.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use fogbit_scenario::HelperSpec;
use fogbit_transport::codec::{CONTROL_LIMIT, DATA_LIMIT};
use fogbit_transport::identity::PeerName;
use fogbit_transport::wire::{
    OpenSession, SeedOrder, SeedReady, SessionReply, SessionRequest, TrialId,
};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, Member, Role, WireError};

use crate::session::{Session, SessionError};

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
}

impl SessionFailure {
    fn code(&self) -> CloseCode {
        match self {
            SessionFailure::Wire(_) => CloseCode::BadMessage,
            SessionFailure::UnknownTrial(_) => CloseCode::UnknownTrial,
            SessionFailure::NotYours(_) | SessionFailure::Request(_) => CloseCode::BadRequest,
        }
    }
}

/// What this node is under the seeds that are being run, and which sessions are still to come.
#[derive(Debug, Default)]
struct Seeds(HashMap<u64, Seed>);

/// One of them.
#[derive(Debug)]
struct Seed {
    spec: Arc<HelperSpec>,
    /// For each policy the task node that plays it, until it has opened its session.
    players: Vec<Option<String>>,
}

impl Seeds {
    /// Opens the one session that `peer` has for `trial`.
    fn open(&mut self, trial: TrialId, peer: &str) -> Result<Arc<HelperSpec>, SessionFailure> {
        let seed = self.0.get_mut(&trial.seed_number).ok_or(SessionFailure::UnknownTrial(trial))?;
        seed.players
            .get_mut(trial.policy as usize)
            .and_then(|player| player.take_if(|name| name == peer))
            .ok_or(SessionFailure::NotYours(trial))?;
        Ok(Arc::clone(&seed.spec))
    }
}

type SharedSeeds = Arc<Mutex<Seeds>>;

/// Serves sessions until the orchestrator says that the run is done, or `shutdown` completes.
///
/// # Errors
/// If the orchestrator is lost.
pub async fn serve(member: Member, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
    let seeds = SharedSeeds::default();
    tokio::pin!(shutdown);
    let result = loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            stream = member.control.accept_bi() => match stream {
                Ok((send, receive)) => {
                    tokio::spawn(keep_seed(Arc::clone(&seeds), send, receive));
                }
                Err(error) => match CloseCode::of(&error) {
                    Some(CloseCode::Done | CloseCode::Stopped | CloseCode::Failed) => break Ok(()),
                    _ => break Err(ServeError::Orchestrator(error.into())),
                }
            },
            incoming = member.endpoint.accept() => {
                if let Some(incoming) = incoming {
                    tokio::spawn(accept_task_node(Arc::clone(&seeds), incoming));
                }
            }
        }
    };
    member.leave(CloseCode::Stopped, "the helper node ends").await;
    result
}

/// Keeps what the orchestrator says of one seed for as long as the stream is open.
async fn keep_seed(seeds: SharedSeeds, send: quinn::SendStream, receive: quinn::RecvStream) {
    let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
    let mut send = FrameSender::new(send, CONTROL_LIMIT);
    let order: SeedOrder = match receive.expect().await {
        Ok(order) => order,
        Err(error) => {
            tracing::warn!(%error, "a seed that cannot be read");
            return send.reset(CloseCode::BadMessage);
        }
    };
    let number = order.number;
    let players = order.players.into_iter().map(Some).collect();
    lock(&seeds).0.insert(number, Seed { spec: Arc::new(order.spec), players });
    tracing::debug!(number, "seed begins");
    if send.send(&SeedReady { number }).await.is_ok() {
        // Nothing more is sent on this stream: its end is the end of the seed.
        let _ = receive.receive::<SeedOrder>().await;
    }
    lock(&seeds).0.remove(&number);
}

/// Serves a peer, if it is a task node of this run.
async fn accept_task_node(seeds: SharedSeeds, incoming: quinn::Incoming) {
    let from = incoming.remote_address();
    let connection = match incoming.await {
        Ok(connection) => connection,
        Err(error) => return tracing::warn!(%from, %error, "a peer was turned away"),
    };
    let Some(peer) = PeerName::of_connection(&connection) else {
        tracing::warn!(%from, "a peer without a certificate was turned away");
        return connection.close(CloseCode::NoCertificate.var_int(), b"no certificate");
    };
    if peer.role != Role::TaskNode {
        tracing::warn!(%from, ?peer, "a peer that is no task node was turned away");
        return connection.close(CloseCode::WrongRole.var_int(), b"only task nodes are served");
    }
    while let Ok((send, receive)) = connection.accept_bi().await {
        let (seeds, peer) = (Arc::clone(&seeds), peer.clone());
        let connection = connection.clone();
        tokio::spawn(async move {
            let mut send = FrameSender::new(send, DATA_LIMIT);
            let mut receive = FrameReceiver::new(receive, DATA_LIMIT);
            let served = serve_session(&seeds, &peer.name, &mut send, &mut receive).await;
            let Err(failure) = served else {
                return send.finish();
            };
            if let SessionFailure::Wire(
                WireError::Connection(_) | WireError::Reset(_) | WireError::Ended,
            ) = failure
            {
                return tracing::debug!(%failure, "a session ended early");
            }
            tracing::warn!(peer = peer.name, %failure, "a session was closed");
            let code = failure.code();
            if code == CloseCode::BadMessage {
                // Whoever sends what is no message cannot be trusted with the next one either.
                connection.close(code.var_int(), failure.to_string().as_bytes());
            }
            send.reset(code);
            receive.stop(code);
        });
    }
}

async fn serve_session(
    seeds: &SharedSeeds,
    peer: &str,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let OpenSession { trial } = receive.expect().await?;
    let spec = lock(seeds).open(trial, peer)?;
    let mut session = Session::new(&spec);
    send.send(&SessionReply::Opened).await?;
    while let Some(request) = receive.receive().await? {
        let reply = match request {
            SessionRequest::Announce { now, through } => {
                SessionReply::Announced { states: session.announce(now, through)? }
            }
            SessionRequest::Offload { slot, task } => {
                let answer = session.offload(slot, &task)?;
                SessionReply::Answer { outcome: answer.outcome, changed: answer.changed }
            }
        };
        send.send(&reply).await?;
    }
    Ok(())
}

fn lock(seeds: &SharedSeeds) -> std::sync::MutexGuard<'_, Seeds> {
    // Nothing panics while it holds the lock.
    seeds.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

//! The link to one helper node in real time: connected, and connected again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbit_scenario::feedback::Outcome;
use fogbit_transport::codec::DATA_LIMIT;
use fogbit_transport::timer::Timer;
use fogbit_transport::wire::{LiveReply, LiveRequest, OpenSession, TrialId};
use fogbit_transport::{FrameReceiver, FrameSender, Member, WireError};
use tokio::sync::{mpsc, watch};

use super::Schedule;
use crate::connections::Connections;

/// Between attempts to reach a helper node that is not there.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// An attempt takes no longer than this.
const ATTEMPT: Duration = Duration::from_secs(3);

/// Something happened at a helper node.
#[derive(Debug)]
pub(super) struct Event {
    /// Which.
    pub(super) node: usize,
    /// When it was heard of.
    pub(super) at: Instant,
    /// What.
    pub(super) what: What,
}

/// What happened.
#[derive(Debug)]
pub(super) enum What {
    /// It can be begun.
    Opened,
    /// It cannot be reached now.
    Failed,
    /// Its session has begun and takes tasks.
    Ready(FrameSender),
    /// A slot has begun.
    State(Vec<f64>),
    /// What became of the task of a slot.
    Answer { slot: u64, outcome: Outcome },
    /// Its session is over, well or not.
    Lost,
}

/// Keeps a session open on one helper node.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) member: Arc<Member>,
    pub(super) connections: Connections,
    pub(super) trial: TrialId,
    /// Its number and name.
    pub(super) node: usize,
    pub(super) name: String,
    /// Number of its own features.
    pub(super) width: usize,
    /// Where it is.
    pub(super) address: watch::Receiver<Option<SocketAddr>>,
    /// The slots, once that is known.
    pub(super) schedule: watch::Receiver<Option<Schedule>>,
    pub(super) tell: mpsc::Sender<Event>,
}

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Member(#[from] fogbit_transport::MemberError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("no timer: {0}")]
    Timer(#[from] std::io::Error),
    #[error("it took too long")]
    Slow(#[from] tokio::time::error::Elapsed),
    #[error("the trial is over")]
    Over,
}

impl Keeper {
    /// Keeps it for as long as the trial lasts.
    pub(super) async fn keep(mut self) {
        loop {
            let known = *self.address.borrow_and_update();
            let Some(address) = known else {
                if self.address.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let error = match self.open(address).await {
                Ok(session) => {
                    self.tell(What::Opened).await;
                    let error = match self.serve(session).await {
                        Ok(never) => match never {},
                        Err(error) => error,
                    };
                    self.tell(What::Lost).await;
                    error
                }
                Err(error) => {
                    self.tell(What::Failed).await;
                    error
                }
            };
            tracing::debug!(helper = self.name, %error, "a session is over");
            if matches!(error, Broken::Over) {
                return;
            }
            // Another address needs no waiting for.
            let _ = tokio::time::timeout(RETRY_AFTER, self.address.changed()).await;
        }
    }

    async fn open(&self, address: SocketAddr) -> Result<(FrameSender, FrameReceiver), Broken> {
        let opening = async {
            let connection = self.connections.get(&self.member, &self.name, address).await?;
            let (send, receive) = connection.open_bi().await.map_err(WireError::from)?;
            let mut send = FrameSender::new(send, DATA_LIMIT);
            let mut receive = FrameReceiver::new(receive, DATA_LIMIT);
            send.send(&OpenSession { trial: self.trial }).await?;
            match receive.expect().await? {
                LiveReply::Opened => Ok((send, receive)),
                other => Err(unexpected(&other).into()),
            }
        };
        tokio::time::timeout(ATTEMPT, opening).await?
    }

    /// Begins the session with the next slot and hears what it says.
    async fn serve(
        &mut self,
        (mut send, mut receive): (FrameSender, FrameReceiver),
    ) -> Result<std::convert::Infallible, Broken> {
        let known = self.schedule.wait_for(Option::is_some).await.map_or(None, |known| *known);
        let schedule = known.ok_or(Broken::Over)?;
        let slot = schedule.next(Instant::now());
        Timer::new()?.until(schedule.begin(slot)).await?;
        send.send(&LiveRequest::Begin { slot }).await?;
        self.tell(What::Ready(send)).await;
        loop {
            let what = match receive.expect().await? {
                LiveReply::State { state, .. } if state.len() == self.width && finite(&state) => {
                    What::State(state)
                }
                LiveReply::Answer { slot, outcome } => What::Answer { slot, outcome },
                other => return Err(unexpected(&other).into()),
            };
            self.tell(what).await;
        }
    }

    /// Whoever is told may be gone; then this task ends with the trial.
    async fn tell(&self, what: What) {
        let _ = self.tell.send(Event { node: self.node, at: Instant::now(), what }).await;
    }
}

fn finite(state: &[f64]) -> bool {
    state.iter().all(|value| value.is_finite())
}

fn unexpected(reply: &LiveReply) -> WireError {
    WireError::Malformed(format!("unexpected {reply:?}"))
}

//! The link to one helper node in real time: connected, and connected again.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbit_scenario::feedback::Outcome;
use fogbit_transport::codec::DATA_LIMIT;
use fogbit_transport::compute::Opening;
use fogbit_transport::timer::Timer;
use fogbit_transport::wire::{LinkEnd, LiveReply, LiveRequest, OpenSession, TrialId};
use fogbit_transport::{FrameReceiver, FrameSender, Member, WireError};
use tokio::sync::{mpsc, watch};

use super::Schedule;
use crate::connections::Connections;

/// Between attempts to reach a helper node that is not there.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// An attempt takes no longer than this, and so many round trips over an emulated link: for the
/// handshake, for the session, and as much again for packets that are lost.
const ATTEMPT: Duration = Duration::from_secs(3);
const ATTEMPT_ROUND_TRIPS: u32 = 6;
/// Requests that may wait for the link; what finds no room is lost, and times out.
const WAITING_REQUESTS: usize = 256;

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
    /// Its session has begun and takes requests.
    Ready(mpsc::Sender<LiveRequest>),
    /// A slot has begun.
    State(Vec<f64>),
    /// What became of the task of a slot.
    Answer { slot: u64, outcome: Outcome },
    /// The task of a slot is done, and how long that took makes the bit.
    Done { slot: u64 },
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
    /// The link to it, if that is emulated.
    pub(super) link: Option<LinkEnd>,
    /// Whether the time that a task takes makes the bit.
    pub(super) is_timed: bool,
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
                    let error = match self.serve(address, session).await {
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
            // The handshake takes the link as well.
            self.set_link(address);
            let over_link = self.link.is_some();
            let connection =
                self.connections.get(&self.member, &self.name, address, over_link).await?;
            let (send, receive) = connection.open_bi().await.map_err(WireError::from)?;
            let mut send = FrameSender::new(send, DATA_LIMIT);
            let mut receive = FrameReceiver::new(receive, DATA_LIMIT);
            send.send(&Opening::Session(OpenSession { trial: self.trial })).await?;
            match receive.expect().await? {
                LiveReply::Opened => Ok((send, receive)),
                other => Err(unexpected(&other).into()),
            }
        };
        tokio::time::timeout(ATTEMPT + self.round_trip() * ATTEMPT_ROUND_TRIPS, opening).await?
    }

    /// Puts what is sent to `address` on the link as it is now.
    fn set_link(&self, address: SocketAddr) {
        let Some(LinkEnd { path, key }) = &self.link else { return };
        let now = Instant::now();
        let slot = self.schedule.borrow().map_or(1, |schedule| schedule.current(now));
        self.member.links.set(address, path.at(slot).spec.up, *key);
    }

    /// The longest round trip over the link.
    pub(super) fn round_trip(&self) -> Duration {
        let states = self.link.iter().flat_map(|link| link.path.states());
        let longest = states.map(|(_, state)| state.spec.round_trip_ns()).max();
        Duration::from_nanos(longest.unwrap_or(0))
    }

    /// Begins the session with the next slot and hears what it says.
    async fn serve(
        &mut self,
        address: SocketAddr,
        (mut send, mut receive): (FrameSender, FrameReceiver),
    ) -> Result<Infallible, Broken> {
        let known = self.schedule.wait_for(Option::is_some).await.map_or(None, |known| *known);
        let schedule = known.ok_or(Broken::Over)?;
        let slot = schedule.next(Instant::now());
        Timer::new()?.until(schedule.begin(slot)).await?;
        send.send(&LiveRequest::Begin { slot }).await?;
        let (requests, waiting) = mpsc::channel(WAITING_REQUESTS);
        self.tell(What::Ready(requests)).await;
        tokio::select! {
            biased;
            broken = write(&mut send, waiting) => broken,
            broken = self.hear(&mut receive) => broken,
            broken = self.change_link(address, schedule) => broken,
        }
    }

    /// Hands on what the session says.
    async fn hear(&self, receive: &mut FrameReceiver) -> Result<Infallible, Broken> {
        loop {
            let what = match receive.expect().await? {
                LiveReply::State { state, .. } if state.len() == self.width && finite(&state) => {
                    What::State(state)
                }
                LiveReply::Answer { slot, outcome: Outcome::Refused } => {
                    What::Answer { slot, outcome: Outcome::Refused }
                }
                LiveReply::Answer { slot, outcome } if !self.is_timed => {
                    What::Answer { slot, outcome }
                }
                LiveReply::Done { slot, .. } if self.is_timed => What::Done { slot },
                other => return Err(unexpected(&other).into()),
            };
            self.tell(what).await;
        }
    }

    /// Changes the link to `address` when its slots come.
    async fn change_link(
        &self,
        address: SocketAddr,
        schedule: Schedule,
    ) -> Result<Infallible, Broken> {
        let begun = schedule.current(Instant::now());
        let changes = self.link.iter().flat_map(|link| &link.path.changes);
        let mut timer = None;
        for change in changes.filter(|change| change.at > begun) {
            let timer = match &mut timer {
                Some(timer) => timer,
                none => none.insert(Timer::new()?),
            };
            timer.until(schedule.begin(change.at)).await?;
            self.member.links.change(address, change.state.spec.up);
        }
        std::future::pending().await
    }

    /// Whoever is told may be gone; then this task ends with the trial.
    async fn tell(&self, what: What) {
        let _ = self.tell.send(Event { node: self.node, at: Instant::now(), what }).await;
    }
}

/// Writes requests as they come: a link that is full keeps nobody else from working.
async fn write(
    send: &mut FrameSender,
    mut requests: mpsc::Receiver<LiveRequest>,
) -> Result<Infallible, Broken> {
    while let Some(request) = requests.recv().await {
        send.send(&request).await?;
    }
    // The trial does not want to send more, but may still hear.
    std::future::pending().await
}

fn finite(state: &[f64]) -> bool {
    state.iter().all(|value| value.is_finite())
}

fn unexpected(reply: &LiveReply) -> WireError {
    WireError::Malformed(format!("unexpected {reply:?}"))
}

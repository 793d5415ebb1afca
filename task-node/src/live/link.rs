//! The link to one helper node in real time: connected, and connected again.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbit_scenario::feedback::Outcome;
use fogbit_transport::codec::DATA_LIMIT;
use fogbit_transport::compute::Opening;
use fogbit_transport::probe::new_id;
use fogbit_transport::timer::Timer;
use fogbit_transport::wire::{
    CountsAnswer, LinkEnd, LiveReply, LiveRequest, OpenSession, ProbeHello, TrialId,
};
use fogbit_transport::{FrameReceiver, FrameSender, Member, WireError};
use tokio::sync::{mpsc, watch};

use super::Schedule;
use super::verify::{Findings, Talk, Verifier, told, wait};
use super::ways::{Way, Ways};
use crate::connections::Connections;

/// Between attempts to reach a helper node that is not there.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// An attempt takes no longer than this, and so many round trips over an emulated link: for the
/// handshake, for the session and its probes, and as much again for packets that are lost.
const ATTEMPT: Duration = Duration::from_secs(3);
const ATTEMPT_ROUND_TRIPS: u32 = 8;
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
    /// It can be begun, and its link is measured.
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
    pub(super) ways: Ways,
    /// Where it is told what was found of the link.
    pub(super) findings: Arc<Findings>,
    /// Whether the time that a task takes makes the bit.
    pub(super) is_timed: bool,
    /// Where it is.
    pub(super) address: watch::Receiver<Option<SocketAddr>>,
    /// The slots, once that is known.
    pub(super) schedule: watch::Receiver<Option<Schedule>>,
    /// Turns true when the trial wants nothing more but what the links have come to.
    pub(super) over: watch::Receiver<bool>,
    pub(super) tell: mpsc::Sender<Event>,
}

/// A session that is open.
#[derive(Debug)]
struct Session {
    send: FrameSender,
    receive: FrameReceiver,
    /// The way up, where links are emulated.
    way: Option<Arc<Way>>,
    /// Measures the link, unless another trial does.
    verifier: Option<Verifier>,
}

/// What of a session is heard by whoever measures its link.
#[derive(Debug)]
struct Overheard {
    answers: mpsc::UnboundedSender<CountsAnswer>,
    /// The helper node's slot.
    slot: watch::Sender<u64>,
}

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
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
        let mut over = self.over.clone();
        loop {
            let opened = tokio::select! {
                biased;
                () = told(&mut over) => return,
                opened = self.open_somewhere() => opened,
            };
            let error = match opened {
                Ok(session) => {
                    self.tell(What::Opened).await;
                    let error = match self.serve(session).await {
                        Ok(never) => match never {},
                        Err(error) => error,
                    };
                    self.tell(What::Lost).await;
                    error
                }
                Err(Broken::Over) => return,
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

    /// Opens a session, once it is known where, and before the first slot measures its link.
    async fn open_somewhere(&mut self) -> Result<Session, Broken> {
        let known = self.address.wait_for(Option::is_some).await.map_or(None, |known| *known);
        self.address.mark_unchanged();
        let address = known.ok_or(Broken::Over)?;
        let patience = ATTEMPT + self.round_trip() * ATTEMPT_ROUND_TRIPS;
        let mut session = tokio::time::timeout(patience, self.open(address)).await??;
        if self.schedule.borrow().is_none() {
            self.measure(&mut session, patience).await?;
        }
        Ok(session)
    }

    async fn open(&self, address: SocketAddr) -> Result<Session, Broken> {
        let now = Instant::now();
        let slot = self.schedule.borrow().map_or(1, |schedule| schedule.current(now));
        // The handshake takes the link as well.
        let way =
            self.link.as_ref().map(|link| self.ways.open(&self.member.links, address, link, slot));
        let connection =
            self.connections.get(&self.member, &self.name, address, way.is_some()).await?;
        let (send, receive) = connection.open_bi().await.map_err(WireError::from)?;
        let mut send = FrameSender::new(send, DATA_LIMIT);
        let mut receive = FrameReceiver::new(receive, DATA_LIMIT);
        send.send(&Opening::Session(OpenSession { trial: self.trial })).await?;
        match receive.expect().await? {
            LiveReply::Opened => {}
            other => return Err(unexpected(&other).into()),
        }
        let mut session = Session { send, receive, way, verifier: None };
        self.verify(&mut session, slot).await?;
        Ok(session)
    }

    /// Takes it on itself to measure the link, unless another trial does.
    async fn verify(&self, session: &mut Session, slot: u64) -> Result<(), Broken> {
        let (Some(way), Some(link)) = (&session.way, &self.link) else { return Ok(()) };
        let Some(claim) = way.claim() else { return Ok(()) };
        let (id, findings) = (new_id()?, Arc::clone(&self.findings));
        let verifier =
            Verifier::new((way, claim), &self.ways, (&self.name, id), (link, slot), findings);
        session.send.send(&LiveRequest::Probe(ProbeHello { id })).await?;
        match session.receive.expect().await? {
            LiveReply::Probe(_) => session.verifier = Some(verifier),
            other => return Err(unexpected(&other).into()),
        }
        Ok(())
    }

    /// Measures the link while nothing else is on it, or waits until another trial has.
    async fn measure(&mut self, session: &mut Session, patience: Duration) -> Result<(), Broken> {
        let Session { send, receive, way, verifier } = session;
        match (verifier, way) {
            (Some(verifier), _) => verifier.measure_alone(send, receive, patience).await,
            (None, Some(way)) => {
                tokio::select! {
                    biased;
                    () = way.measured() => Ok(()),
                    // The trial begins all the same.
                    _ = self.schedule.wait_for(Option::is_some) => Ok(()),
                }
            }
            (None, None) => Ok(()),
        }
    }

    /// The longest round trip over the link.
    pub(super) fn round_trip(&self) -> Duration {
        let states = self.link.iter().flat_map(|link| link.path.states());
        let longest = states.map(|(_, state)| state.spec.round_trip_ns()).max();
        Duration::from_nanos(longest.unwrap_or(0))
    }

    /// Begins the session with the next slot and hears what it says.
    async fn serve(&mut self, session: Session) -> Result<Infallible, Broken> {
        let Session { mut send, mut receive, way, verifier } = session;
        let known = self.schedule.wait_for(Option::is_some).await.map_or(None, |known| *known);
        let schedule = known.ok_or(Broken::Over)?;
        let slot = schedule.next(Instant::now());
        Timer::new()?.until(schedule.begin(slot)).await?;
        send.send(&LiveRequest::Begin { slot }).await?;
        let (requests, waiting) = mpsc::channel(WAITING_REQUESTS);
        let (answers, answered) = mpsc::unbounded_channel();
        let (heard, heard_of) = watch::channel(0);
        let overheard = Overheard { answers, slot: heard };
        let mut talk = Talk::new(requests.clone(), answered, heard_of);
        self.tell(What::Ready(requests)).await;
        tokio::select! {
            biased;
            broken = write(&mut send, waiting) => broken,
            broken = self.hear(&mut receive, &overheard) => broken,
            broken = self.keep_link((way, verifier), schedule, &mut talk) => broken,
        }
    }

    /// Hands on what the session says.
    async fn hear(
        &self,
        receive: &mut FrameReceiver,
        overheard: &Overheard,
    ) -> Result<Infallible, Broken> {
        loop {
            let what = match receive.expect().await? {
                LiveReply::State { slot, state } if state.len() == self.width && finite(&state) => {
                    overheard.slot.send_replace(slot);
                    What::State(state)
                }
                LiveReply::Counts(answer) => {
                    // Nobody may wait for it any more.
                    let _ = overheard.answers.send(*answer);
                    continue;
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

    /// Changes the link when its slots come, and measures each of its states.
    async fn keep_link(
        &self,
        (way, mut verifier): (Option<Arc<Way>>, Option<Verifier>),
        schedule: Schedule,
        talk: &mut Talk,
    ) -> Result<Infallible, Broken> {
        let mut over = self.over.clone();
        let (Some(way), Some(link)) = (way, &self.link) else {
            told(&mut over).await;
            return Err(Broken::Over);
        };
        let mut timer = Timer::new()?;
        let mut slot = schedule.current(Instant::now());
        loop {
            match &mut verifier {
                Some(verifier) => verifier.change(slot),
                None => way.change(link.path.at(slot).spec.up),
            }
            let next = link.path.changes.iter().map(|change| change.at).find(|at| *at > slot);
            let until = next.map(|at| schedule.begin(at));
            if let Some(verifier) = &mut verifier
                && verifier.keep(talk, until, &mut over).await?
            {
                return Err(Broken::Over);
            }
            tokio::select! {
                biased;
                () = told(&mut over) => return Err(Broken::Over),
                waited = wait(&mut timer, until) => waited?,
            }
            slot = next.unwrap_or(slot);
        }
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

pub(super) fn unexpected(reply: &LiveReply) -> WireError {
    WireError::Malformed(format!("unexpected {reply:?}"))
}

//! One session in real time: a slot begins when its time has come, whatever the task node does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbit_scenario::HelperSpec;
use fogbit_scenario::feedback::Outcome;
use fogbit_transport::timer::Timer;
use fogbit_transport::wire::{LiveReply, LiveRequest, ProbeHello, StateReport};
use fogbit_transport::{FrameReceiver, FrameSender, Payload};

use super::SessionFailure;
use super::kept::Kept;
use super::seeds::Live;
use super::way_back::WayBack;
use crate::live::{LiveSession, Taken};
use crate::metrics::SessionMetrics;

/// States are told to the orchestrator at least this often.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// And no more of them at once, in values.
const MOST_VALUES: usize = 4096;

/// What is to be served.
#[derive(Debug)]
pub(super) struct Opened {
    /// What the node is.
    pub(super) spec: Arc<HelperSpec>,
    /// Where the session is counted.
    pub(super) metrics: SessionMetrics,
    /// What real time needs.
    pub(super) live: Live,
    /// The way to the task node, where it is emulated.
    pub(super) way_back: Option<WayBack>,
}

/// Serves a session of `policy` to its end.
#[expect(clippy::disallowed_methods, reason = "in real time the time is what a clock says")]
pub(super) async fn serve(
    policy: u32,
    opened: Opened,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let Opened { spec, mut metrics, live, mut way_back } = opened;
    let answer = Payload { bytes: spec.model.deadline().map_or(0, |d| d.response_bytes) };
    let Live { slot, reports, mut replaced } = live;
    send.send(&LiveReply::Opened).await?;
    let first = loop {
        match receive.receive().await? {
            // No run gets as far as the largest number, and counting must not go beyond it.
            Some(LiveRequest::Begin { slot }) => break slot.clamp(1, u64::MAX / 2),
            Some(LiveRequest::Offload { .. }) => return Err(SessionFailure::NotBegun),
            Some(LiveRequest::Probe(hello)) => send.send(&probe(&mut way_back, hello)?).await?,
            Some(LiveRequest::Counts(_)) => send.send(&counts(&way_back)?).await?,
            None => return Ok(()),
        }
    };
    let begun = Instant::now();
    let mut session = LiveSession::new(&spec, first);
    let mut diary = Diary::new(policy, &session, begun);
    let served = async {
        let mut timer = Timer::new()?;
        let mut done_timer = Timer::new()?;
        let mut kept = Kept::default();
        let mut due = begun + slot;
        way_back.iter_mut().for_each(|way| way.begin(first));
        metrics.tell(session.helper());
        send.send(&state(&session)).await?;
        loop {
            tokio::select! {
                biased;
                _ = &mut replaced => return Ok(()),
                waited = timer.until(due) => {
                    waited?;
                    let now = Instant::now();
                    // Whoever was kept from working makes up for the slots that have passed.
                    while due <= now {
                        session.advance();
                        diary.note(&session);
                        due += slot;
                    }
                    way_back.iter_mut().for_each(|way| way.begin(session.helper().slot()));
                    metrics.tell(session.helper());
                    send.send(&state(&session)).await?;
                    if let Some(report) = diary.due(&session, now) {
                        // Whoever does not listen any more has ended the seed.
                        let _ = reports.send(report).await;
                    }
                }
                waited = done_timer.until(kept.next().unwrap_or(due)), if kept.next().is_some() => {
                    waited?;
                    while let Some(slot) = kept.done(Instant::now()) {
                        send.send(&LiveReply::Done { slot, payload: answer }).await?;
                    }
                }
                request = receive.receive() => {
                    let (slot, task) = match request? {
                        Some(LiveRequest::Offload { slot, task, .. }) => (slot, task),
                        Some(LiveRequest::Begin { .. }) => return Err(SessionFailure::BegunTwice),
                        Some(LiveRequest::Probe(hello)) => {
                            send.send(&probe(&mut way_back, hello)?).await?;
                            continue;
                        }
                        Some(LiveRequest::Counts(_)) => {
                            send.send(&counts(&way_back)?).await?;
                            continue;
                        }
                        None => return Ok(()),
                    };
                    let told = match session.offload(slot, &task)? {
                        Taken::Told(outcome) => Some(outcome),
                        Taken::Kept { nanoseconds } => {
                            let is_kept = kept.keep(slot, Instant::now(), nanoseconds);
                            (!is_kept).then_some(Outcome::Refused)
                        }
                    };
                    metrics.offloaded(session.helper(), told.is_none_or(is_taken));
                    if let Some(outcome) = told {
                        send.send(&LiveReply::Answer { slot, outcome }).await?;
                    }
                }
            }
        }
    }
    .await;
    // However it ended, the last slots have a regret too.
    if let Some(report) = diary.rest() {
        let _ = reports.send(report).await;
    }
    served
}

fn probe(way_back: &mut Option<WayBack>, hello: ProbeHello) -> Result<LiveReply, SessionFailure> {
    let way = way_back.as_mut().ok_or(SessionFailure::NoLink)?;
    Ok(LiveReply::Probe(way.probe(hello)))
}

fn counts(way_back: &Option<WayBack>) -> Result<LiveReply, SessionFailure> {
    let way = way_back.as_ref().ok_or(SessionFailure::NoLink)?;
    Ok(LiveReply::Counts(Box::new(way.counts())))
}

fn is_taken(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Answered(_))
}

fn state(session: &LiveSession) -> LiveReply {
    let helper = session.helper();
    LiveReply::State { slot: helper.slot(), state: helper.state().to_vec() }
}

/// The states that the orchestrator has not been told yet.
#[derive(Debug)]
struct Diary {
    policy: u32,
    first: u64,
    states: Vec<f64>,
    told: Instant,
}

impl Diary {
    fn new(policy: u32, session: &LiveSession, now: Instant) -> Diary {
        let helper = session.helper();
        Diary { policy, first: helper.slot(), states: helper.state().to_vec(), told: now }
    }

    fn note(&mut self, session: &LiveSession) {
        self.states.extend_from_slice(session.helper().state());
    }

    /// A report, if it is time for one.
    fn due(&mut self, session: &LiveSession, now: Instant) -> Option<StateReport> {
        if now.duration_since(self.told) < REPORT_EVERY && self.states.len() < MOST_VALUES {
            return None;
        }
        self.told = now;
        let (first, states) = (self.first, std::mem::take(&mut self.states));
        self.first = session.helper().slot() + 1;
        Some(StateReport { policy: self.policy, first, states })
    }

    /// What is not told yet, once nothing more comes.
    fn rest(self) -> Option<StateReport> {
        let Diary { policy, first, states, .. } = self;
        (!states.is_empty()).then_some(StateReport { policy, first, states })
    }
}

//! The fog in real time: helper nodes tell their states slot after slot, answers come when they
//! come, and a helper node that is lost is missed until it is back.
//!
//! The task node decides in the middle of the helper nodes' slots: their sessions begin at one
//! moment, and its own first slot half a slot later. No clock is shared; clocks of hosts that drift
//! apart by more than half a slot make states a slot old, which the metric of their age shows.

mod link;
mod recorder;
mod verify;
mod ways;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fogbit_scenario::deadline::Deadline;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::link::{LinkPath, LinkSpec};
use fogbit_scenario::{Bit, Contexts};
use fogbit_transport::probe::{BUDGET_NS, waves};
use fogbit_transport::timer::Timer;
use fogbit_transport::wire::{LinkEnd, LiveRequest, TrialId};
use fogbit_transport::{Member, Payload};
use prometheus::Histogram;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::link::{Event, Keeper, What};
pub(crate) use self::recorder::LiveRecorder;
pub(crate) use self::verify::Findings;
pub(crate) use self::ways::Ways;
use crate::connections::Connections;
use crate::metrics::{TrialMetrics, seconds};
use crate::trial::{Arrival, Fog, TrialError};

/// Helper nodes that have not opened their sessions by then are absent at first.
const OPENING: Duration = Duration::from_secs(5);
/// Over emulated links so many round trips more, half of them for its session and half for counts, besides
/// the time that probes take.
const OPENING_ROUND_TRIPS: u32 = 16;
/// At the end of a trial links may take so long to tell what they have come to, and so many round trips.
const ENDING: Duration = Duration::from_secs(2);
const ENDING_ROUND_TRIPS: u32 = 6;
/// Between the last session's opening and the first slot, so that all are told of it in time.
const LEAD: Duration = Duration::from_millis(5);
/// Events that may wait for the trial.
const WAITING_EVENTS: usize = 4096;

/// The slots in time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// When slot 1 begins at the helper nodes.
    first: Instant,
    /// The length of a slot.
    slot: Duration,
}

impl Schedule {
    /// One whose first slot begins at `first`.
    pub(crate) fn new(first: Instant, slot: Duration) -> Schedule {
        Schedule { first, slot }
    }

    /// When the first slot begins.
    pub(crate) fn first(&self) -> Instant {
        self.first
    }

    /// Whether what was due then is late at `now`: by more than a tenth of a slot.
    pub(crate) fn is_late(&self, due: Instant, now: Instant) -> bool {
        now.saturating_duration_since(due) > self.slot / 10
    }

    /// When slot `slot` begins at the helper nodes.
    pub(crate) fn begin(&self, slot: u64) -> Instant {
        let nanoseconds = self.slot.as_nanos().saturating_mul(u128::from(slot - 1));
        self.first + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// When the task node decides in slot `slot`.
    fn decide(&self, slot: u64) -> Instant {
        self.begin(slot) + self.slot / 2
    }

    /// The slot that `now` lies in; 1 before the first.
    fn current(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.first).as_nanos();
        let whole = passed / self.slot.as_nanos().max(1);
        u64::try_from(whole).unwrap_or(u64::MAX - 1) + 1
    }

    /// The first slot that begins after `now`.
    fn next(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.first).as_nanos();
        let whole = passed.div_ceil(self.slot.as_nanos().max(1));
        u64::try_from(whole).unwrap_or(u64::MAX - 1) + 1
    }
}

/// How many slots have begun, and how many of them late, since the orchestrator was told last.
#[derive(Debug, Default)]
pub(crate) struct Punctuality {
    begun: AtomicU32,
    late: AtomicU32,
}

impl Punctuality {
    /// One more has begun.
    pub(crate) fn note(&self, late: bool) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.late.fetch_add(u32::from(late), Ordering::Relaxed);
    }

    /// Slots begun and late since the last call.
    pub(crate) fn take(&self) -> (u32, u32) {
        (self.begun.swap(0, Ordering::Relaxed), self.late.swap(0, Ordering::Relaxed))
    }
}

/// What a trial in real time is given.
#[derive(Debug)]
pub(crate) struct LiveTrial {
    /// The trial.
    pub(crate) trial: TrialId,
    /// Name of each helper node, and where it is; the address changes when it comes back.
    pub(crate) helpers: Vec<(String, watch::Receiver<Option<SocketAddr>>)>,
    /// Number of a node's own features.
    pub(crate) width: usize,
    /// The length of a slot.
    pub(crate) slot: Duration,
    /// When an answer, or a node, is given up.
    pub(crate) timeout: Duration,
    /// The link to each helper node, where links are emulated.
    pub(crate) links: Vec<LinkEnd>,
    /// Those of this process.
    pub(crate) ways: Ways,
    /// Where it is told what was found of the links.
    pub(crate) findings: Arc<Findings>,
    /// What an answer has to keep to, if that makes the bit.
    pub(crate) deadline: Option<Deadline>,
}

/// The helper nodes of a run in real time.
#[derive(Debug)]
pub(crate) struct LiveFog {
    helpers: Vec<Helper>,
    schedule: Schedule,
    timeout: Duration,
    deadline: Option<Deadline>,
    timer: Timer,
    events: mpsc::Receiver<Event>,
    /// Tasks without an answer, in the order in which they were sent.
    sent: VecDeque<Sent>,
    arrivals: VecDeque<Arrival>,
    punctuality: Arc<Punctuality>,
    round_trip: Histogram,
    lateness: Histogram,
    state_age: Histogram,
    /// They keep the connections, for as long as the trial lasts.
    keepers: JoinSet<()>,
    /// Tells the keepers to end.
    over: watch::Sender<bool>,
    /// How long they may take for it.
    ending: Duration,
}

/// One helper node as the task node knows it.
#[derive(Debug)]
struct Helper {
    /// To its session, while that is open.
    send: Option<mpsc::Sender<LiveRequest>>,
    /// Its last state, and when that came.
    state: Option<(Vec<f64>, Instant)>,
    /// The link to it, if that is emulated.
    link: Option<LinkPath>,
}

impl Helper {
    /// How long what it tells in `slot` is on its way, as far as that is emulated.
    fn way_back(&self, slot: u64) -> Duration {
        let delay = self.link.as_ref().map_or(0, |link| link.at(slot).spec.down.delay_ns);
        Duration::from_nanos(delay)
    }
}

/// How long probes of all links take at most: as many as do not disturb each other at a time, on a host
/// that may be slow.
fn measuring(links: &[LinkEnd]) -> Duration {
    let first: Vec<LinkSpec> = links.iter().map(|link| link.path.first.spec).collect();
    let waves = waves(&first).len() as u64;
    Duration::from_nanos(2 * BUDGET_NS * waves)
}

#[derive(Debug)]
struct Sent {
    slot: u64,
    node: usize,
    at: Instant,
}

impl LiveFog {
    /// Opens a session on every helper node that is there, and begins.
    ///
    /// # Errors
    /// If the system gives no timer.
    pub(crate) async fn begin(
        member: Arc<Member>,
        connections: Connections,
        live: LiveTrial,
        metrics: &TrialMetrics,
        punctuality: Arc<Punctuality>,
    ) -> Result<LiveFog, TrialError> {
        let LiveTrial { trial, helpers, width, slot, timeout, links, ways, findings, deadline } =
            live;
        let measuring = measuring(&links);
        let mut links = links.into_iter();
        let over = watch::Sender::new(false);
        let mut ending = ENDING;
        let (tell, mut events) = mpsc::channel(WAITING_EVENTS);
        let (start, schedule) = watch::channel(None);
        let mut keepers = JoinSet::new();
        let mut expected = 0;
        let mut known = Vec::with_capacity(helpers.len());
        let mut opening = OPENING;
        for (node, (name, address)) in helpers.into_iter().enumerate() {
            expected += usize::from(address.borrow().is_some());
            let keeper = Keeper {
                member: Arc::clone(&member),
                connections: connections.clone(),
                trial,
                node,
                name,
                width,
                link: links.next(),
                ways: ways.clone(),
                findings: Arc::clone(&findings),
                is_timed: deadline.is_some(),
                address,
                schedule: schedule.clone(),
                over: over.subscribe(),
                tell: tell.clone(),
            };
            opening = opening.max(OPENING + keeper.round_trip() * OPENING_ROUND_TRIPS);
            ending = ending.max(ENDING + keeper.round_trip() * ENDING_ROUND_TRIPS);
            let link = keeper.link.as_ref().map(|link| link.path.clone());
            known.push(Helper { send: None, state: None, link });
            keepers.spawn(keeper.keep());
        }
        let opened = async {
            let mut tried = 0;
            while tried < expected {
                match events.recv().await {
                    Some(Event { what: What::Opened | What::Failed, .. }) => tried += 1,
                    Some(_) => {}
                    None => return,
                }
            }
        };
        // Whoever is late comes as soon as it can, like one that was lost.
        let _ = tokio::time::timeout(opening + measuring, opened).await;
        let schedule = Schedule { first: Instant::now() + LEAD, slot };
        let _ = start.send(Some(schedule));
        Ok(LiveFog {
            helpers: known,
            schedule,
            timeout,
            deadline,
            timer: Timer::new()?,
            events,
            sent: VecDeque::new(),
            arrivals: VecDeque::new(),
            punctuality,
            round_trip: metrics.round_trip(),
            lateness: metrics.lateness(),
            state_age: metrics.state_age(),
            keepers,
            over,
            ending,
        })
    }

    /// Has the links tell what they have come to, and ends all sessions.
    pub(crate) async fn end(mut self) {
        self.over.send_replace(true);
        let ended = async {
            loop {
                tokio::select! {
                    biased;
                    // Whoever has much to tell must not wait until nobody listens.
                    Some(_) = self.events.recv() => {}
                    ended = self.keepers.join_next() => if ended.is_none() { return },
                }
            }
        };
        let _ = tokio::time::timeout(self.ending, ended).await;
        self.keepers.shutdown().await;
    }

    /// Takes in what happens until `deadline`, and then everything that has happened already.
    async fn live_until(&mut self, deadline: Instant) -> Result<(), TrialError> {
        loop {
            tokio::select! {
                biased;
                waited = self.timer.until(deadline) => {
                    waited?;
                    break;
                }
                Some(event) = self.events.recv() => self.apply(event),
            }
        }
        // Whoever was kept from working has to let the links say what they have heard.
        tokio::task::yield_now().await;
        for _ in 0..WAITING_EVENTS {
            let Ok(event) = self.events.try_recv() else { break };
            self.apply(event);
        }
        self.give_up(Instant::now());
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        let Event { node, at, what } = event;
        let helper = &mut self.helpers[node];
        match what {
            What::Opened | What::Failed => {}
            What::Ready(send) => helper.send = Some(send),
            What::State(state) => helper.state = Some((state, at)),
            What::Lost => (helper.send, helper.state) = (None, None),
            What::Answer { slot, outcome } => {
                if self.answered(slot, node, at).is_some() {
                    self.arrivals.push_back(Arrival { slot, outcome });
                }
            }
            What::Done { slot } => {
                let Some(time) = self.answered(slot, node, at) else { return };
                let allowed = self.deadline.map_or(0, |deadline| deadline.deadline_ns);
                let in_time = time <= Duration::from_nanos(allowed);
                let bit = if in_time { Bit::Happy } else { Bit::Unhappy };
                self.arrivals.push_back(Arrival { slot, outcome: Outcome::Answered(bit) });
            }
        }
    }

    /// An answer to the task of `slot` has come; gives the time that it took, unless the task was
    /// given up before.
    fn answered(&mut self, slot: u64, node: usize, at: Instant) -> Option<Duration> {
        let index = self.sent.iter().position(|s| s.slot == slot && s.node == node)?;
        let sent = self.sent.remove(index)?;
        let time = at.saturating_duration_since(sent.at);
        self.round_trip.observe(seconds(time));
        Some(time)
    }

    /// Gives up what has waited too long.
    fn give_up(&mut self, now: Instant) {
        while let Some(sent) = self.sent.front()
            && now.saturating_duration_since(sent.at) >= self.timeout
        {
            let (slot, outcome) = (sent.slot, Outcome::TimedOut);
            self.arrivals.push_back(Arrival { slot, outcome });
            self.sent.pop_front();
        }
    }

    fn see(&self, now: Instant, contexts: &mut Contexts) {
        for (node, helper) in self.helpers.iter().enumerate() {
            let seen = helper.state.as_ref().filter(|(_, at)| {
                helper.send.is_some() && now.saturating_duration_since(*at) < self.timeout
            });
            contexts.set_present(node, seen.is_some());
            if let Some((state, _)) = seen {
                contexts.set_state(node, state);
            }
        }
    }
}

impl Fog for LiveFog {
    async fn observe(&mut self, slot: u64, contexts: &mut Contexts) -> Result<(), TrialError> {
        let due = self.schedule.decide(slot);
        self.live_until(due).await?;
        let now = Instant::now();
        let lateness = now.saturating_duration_since(due);
        self.lateness.observe(seconds(lateness));
        self.punctuality.note(lateness > self.schedule.slot / 10);
        self.see(now, contexts);
        Ok(())
    }

    async fn offload(
        &mut self,
        slot: u64,
        node: usize,
        task: &[f64],
    ) -> Result<Option<Outcome>, TrialError> {
        let helper = &self.helpers[node];
        let at = Instant::now();
        if let Some((_, seen)) = &helper.state {
            let age = at.saturating_duration_since(*seen) + helper.way_back(slot);
            self.state_age.observe(seconds(age));
        }
        if let Some(send) = &helper.send {
            let bytes = self
                .deadline
                .map_or(0, |deadline| deadline.task_bytes(task.first().copied().unwrap_or(0.0)));
            let (task, payload) = (task.to_vec(), Payload { bytes });
            // What cannot be sent will be given up in time; a session that is over is told of by its
            // keeper.
            let _ = send.try_send(LiveRequest::Offload { slot, task, payload });
        }
        self.sent.push_back(Sent { slot, node, at });
        Ok(None)
    }

    fn arrived(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    async fn next_arrival(&mut self) -> Result<Option<Arrival>, TrialError> {
        loop {
            if let Some(arrival) = self.arrivals.pop_front() {
                return Ok(Some(arrival));
            }
            let Some(first) = self.sent.front() else { return Ok(None) };
            let deadline = first.at + self.timeout;
            tokio::select! {
                biased;
                waited = self.timer.until(deadline) => {
                    waited?;
                    self.give_up(Instant::now());
                }
                Some(event) = self.events.recv() => self.apply(event),
            }
        }
    }
}

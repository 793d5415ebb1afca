//! Probing over sockets.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use fogbit_scenario::link::verdict::Measurement;
use fogbit_scenario::link::{LinkPath, LinkSpec};
use rand::TryRng;
use rand::rngs::SysRng;

use super::packet::{HEADER, Head, Kind, ProbeId, Report};
use super::plan::{BUDGET_NS, Plan};
use super::schedule::Schedule;
use super::session::{Answering, Asking, Lag};
use crate::emulation::{Links, RAW_OVERHEAD};
use crate::timer::Timer;

/// A sender that has much to send wakes at most this often.
const LEAST_SLEEP: Duration = Duration::from_millis(1);
/// How often a report is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How long copies and stragglers are waited for after the report, beyond the jitter of the link.
const STRAGGLERS: Duration = Duration::from_millis(5);

/// What carries probes.
pub trait Wire: Send + Sync {
    /// Sends a packet to `peer`; one that cannot be sent is lost.
    fn send(&self, peer: SocketAddr, packet: &[u8]);

    /// How many packets this host had received and dropped, of whomever; 0 where it does not say.
    fn host_drops(&self) -> u64;
}

impl Wire for Links {
    fn send(&self, peer: SocketAddr, packet: &[u8]) {
        // What is not sent is lost, and counted as such on the other side.
        let _ = self.send_raw(peer, packet);
    }

    fn host_drops(&self) -> u64 {
        self.kernel_drops().unwrap_or(0)
    }
}

/// A new random id.
///
/// # Errors
/// If the system has no randomness.
pub fn new_id() -> io::Result<ProbeId> {
    let mut id = [0; 16];
    SysRng.try_fill_bytes(&mut id).map_err(io::Error::other)?;
    Ok(id)
}

/// All probes of one socket, on either side of its links.
pub struct Prober {
    wire: Arc<dyn Wire>,
    open: Mutex<BTreeMap<ProbeId, Arc<End>>>,
    strangers: AtomicU64,
    me: Weak<Prober>,
}

/// One end of a link.
struct End {
    id: ProbeId,
    peer: SocketAddr,
    states: Vec<LinkSpec>,
    began: Instant,
    /// How many probes the task node has begun.
    probes: AtomicU32,
    side: Mutex<Side>,
}

enum Side {
    Idle,
    Asks { number: u32, asking: Asking },
    Answers { number: u32, answering: Answering },
}

/// A link that can be probed; until it is dropped.
pub struct Probed {
    prober: Arc<Prober>,
    end: Arc<End>,
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prober({} links, {} strangers)", lock(&self.open).len(), self.strangers())
    }
}

/// The id is a secret of both ends.
impl std::fmt::Debug for Probed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Probed({}, {} states)", self.end.peer, self.end.states.len())
    }
}

impl Drop for Probed {
    fn drop(&mut self) {
        lock(&self.prober.open).remove(&self.end.id);
    }
}

impl Prober {
    /// The probes of a socket with links: takes its raw packets from now on, as long as it lives.
    pub fn of_links(links: &Links) -> Arc<Prober> {
        let prober = Prober::new(Arc::new(links.clone()));
        let weak = Arc::downgrade(&prober);
        links.on_raw(Some(Arc::new(move |from, packet, at| {
            if let Some(prober) = weak.upgrade() {
                prober.received(from, packet, at);
            }
        })));
        prober
    }

    /// Probes over `wire`, whose packets are to be given to [`received`](Prober::received).
    pub fn new(wire: Arc<dyn Wire>) -> Arc<Prober> {
        Arc::new_cyclic(|me| Prober {
            wire,
            open: Mutex::default(),
            strangers: AtomicU64::new(0),
            me: me.clone(),
        })
    }

    /// Lets the link to `peer` be probed under `id`, on both ends; `path` is all that the link will be. The
    /// helper node answers by itself from now on. `None` if the id is in use: then it is not random.
    pub fn open(
        self: &Arc<Self>,
        id: ProbeId,
        peer: SocketAddr,
        path: &LinkPath,
    ) -> Option<Probed> {
        let states = path.states().map(|(_, state)| state.spec).collect();
        let side = Mutex::new(Side::Idle);
        let probes = AtomicU32::new(0);
        let peer = plain(peer);
        let end = Arc::new(End { id, peer, states, began: Instant::now(), probes, side });
        let mut open = lock(&self.open);
        if open.contains_key(&id) {
            return None;
        }
        open.insert(id, end.clone());
        Some(Probed { prober: self.clone(), end })
    }

    /// Packets that were dropped because they were no probe of a link that is open here.
    pub fn strangers(&self) -> u64 {
        self.strangers.load(Ordering::Relaxed)
    }

    /// A raw packet came from `from` at `at`. Must be called within a tokio runtime.
    pub fn received(&self, from: SocketAddr, packet: &[u8], at: Instant) {
        let known = Head::read(packet).and_then(|(head, body)| {
            let end = lock(&self.open).get(&head.id).cloned()?;
            (end.peer == plain(from)).then_some((head, body, end))
        });
        let Some((head, body, end)) = known else {
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let now_ns = end.nanoseconds(at);
        match head.kind {
            Kind::Back | Kind::Report => end.heard(&head, body, now_ns),
            Kind::Echo | Kind::Rate | Kind::Loss | Kind::Ask => {
                self.begin(&end, &head, at);
                self.answer(&end, &head, packet.len(), now_ns);
            }
        }
    }

    /// On the helper node: the first packet of a new probe begins it.
    fn begin(&self, end: &Arc<End>, head: &Head, at: Instant) {
        let Some(plan) = end.plan(head.state) else { return };
        let mut side = lock(&end.side);
        let is_new = match &*side {
            Side::Idle => true,
            Side::Answers { number, .. } => *number < head.number,
            Side::Asks { .. } => false,
        };
        if !is_new {
            return;
        }
        let answering = Answering::new(&plan, self.wire.host_drops());
        *side = Side::Answers { number: head.number, answering };
        // Its own trains begin when all that goes round has passed, even if the first of it was lost.
        let into = match (head.kind, plan.echo) {
            (Kind::Echo, Some(echo)) => u64::from(head.sequence).saturating_mul(echo.interval_ns),
            _ => plan.up.rate.or(plan.up.loss).map_or(0, |phase| phase.start_ns),
        };
        let began = at.checked_sub(Duration::from_nanos(into)).unwrap_or(at);
        if let Some(prober) = self.me.upgrade() {
            tokio::spawn(prober.send_down(end.clone(), *head, plan, began));
        }
    }

    async fn send_down(self: Arc<Self>, end: Arc<End>, head: Head, plan: Plan, began: Instant) {
        let number = head.number;
        let schedule = Schedule::new([plan.down.rate, plan.down.loss]);
        // Without a timer nothing is sent, and that is told.
        let lag = self
            .play(&end, head, schedule, began, |kind, _| {
                if let Side::Answers { number: current, answering } = &mut *lock(&end.side)
                    && *current == number
                    && kind == Kind::Loss
                {
                    answering.loss_sent += 1;
                }
            })
            .await
            .unwrap_or_default();
        if let Side::Answers { number: current, answering } = &mut *lock(&end.side)
            && *current == number
        {
            answering.lag = lag;
            answering.all_sent = true;
        }
    }

    /// On the helper node: what a packet of a probe calls for.
    fn answer(&self, end: &End, head: &Head, bytes: usize, now_ns: u64) {
        let reply = {
            let mut side = lock(&end.side);
            match &mut *side {
                Side::Answers { number, answering } if *number == head.number => match head.kind {
                    Kind::Echo => Some(Head { kind: Kind::Back, ..*head }.packet(bytes)),
                    Kind::Ask => {
                        let report = answering.report(self.wire.host_drops());
                        report.packet(Head { kind: Kind::Report, ..*head })
                    }
                    kind => {
                        answering.arrivals.arrived(kind, head.sequence, bytes, now_ns);
                        None
                    }
                },
                // The other direction of trains: what the helper node sends to the task node.
                Side::Asks { number, asking } if *number == head.number => {
                    asking.arrivals.arrived(head.kind, head.sequence, bytes, now_ns);
                    None
                }
                _ => None,
            }
        };
        if let Some(packet) = reply {
            self.wire.send(end.peer, &packet);
        }
    }

    /// Sends a schedule that began at `began`; `sending` is told each packet. Gives how late it woke.
    async fn play(
        &self,
        end: &End,
        head: Head,
        mut schedule: Schedule,
        began: Instant,
        mut sending: impl FnMut(Kind, u64),
    ) -> io::Result<Lag> {
        let mut timer = Timer::new()?;
        let mut lag = Lag::default();
        while let Some(due_ns) = schedule.due_ns() {
            let due = began + Duration::from_nanos(due_ns);
            let sleeps = due > Instant::now();
            timer.until(due).await?;
            let woke = Instant::now();
            if sleeps {
                lag.woke(woke.saturating_duration_since(due).as_nanos() as u64);
            }
            let now_ns = woke.saturating_duration_since(began).as_nanos() as u64;
            while let Some(next) = schedule.take(now_ns) {
                let head = Head { kind: next.kind, sequence: next.sequence, ..head };
                let packet = head.packet(next.bytes.saturating_sub(RAW_OVERHEAD));
                sending(next.kind, end.nanoseconds(Instant::now()));
                self.wire.send(end.peer, &packet);
            }
            if schedule.due_ns().is_some() {
                timer.until(woke + LEAST_SLEEP).await?;
            }
        }
        Ok(lag)
    }
}

impl End {
    fn plan(&self, state: u32) -> Option<Plan> {
        self.states.get(state as usize).map(Plan::of)
    }

    fn nanoseconds(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.began).as_nanos() as u64
    }

    /// On the task node: an answer.
    fn heard(&self, head: &Head, body: &[u8], now_ns: u64) {
        let mut side = lock(&self.side);
        let Side::Asks { number, asking } = &mut *side else { return };
        if *number != head.number {
            return;
        }
        match head.kind {
            Kind::Back => asking.back(head.sequence, now_ns),
            _ => {
                if let Some(report) = Report::read(body) {
                    asking.reported(report);
                }
            }
        }
    }

    /// What a probe of the task node has found so far.
    fn asking<T>(&self, with: impl FnOnce(&mut Asking) -> T) -> Option<T> {
        match &mut *lock(&self.side) {
            Side::Asks { asking, .. } => Some(with(asking)),
            Side::Idle | Side::Answers { .. } => None,
        }
    }
}

impl Probed {
    /// On the task node: probes the link, which is in its `state`-th state (from 0) now, on both ends. It takes
    /// at most two seconds, and ends early when all is told. One at a time; what was not measured is missing.
    ///
    /// # Errors
    /// If the process may not have another timer.
    pub async fn probe(&self, state: u32) -> io::Result<Measurement> {
        let (end, wire) = (&self.end, &self.prober.wire);
        let (Some(plan), Some(spec)) = (end.plan(state), end.states.get(state as usize)) else {
            return Ok(Measurement::default());
        };
        let number = end.probes.fetch_add(1, Ordering::Relaxed);
        let head = Head { id: end.id, number, state, kind: Kind::Ask, sequence: 0 };
        let began = Instant::now();
        let asking = Asking::new(&plan, wire.host_drops());
        *lock(&end.side) = Side::Asks { number, asking };
        let schedule = Schedule::new([plan.echo, plan.up.rate, plan.up.loss]);
        if schedule.due_ns().is_some() {
            let note = |kind, now_ns| {
                let _ = end.asking(|asking| asking.sending(kind, now_ns));
            };
            let lag = self.prober.play(end, head, schedule, began, note).await?;
            let _ = end.asking(|asking| asking.lag = lag);
            self.ask(head, spec, began + Duration::from_nanos(BUDGET_NS)).await?;
        }
        let measured = end.asking(|asking| asking.measurement(wire.host_drops()));
        *lock(&end.side) = Side::Idle;
        Ok(measured.unwrap_or_default())
    }

    /// Asks for the report until it is there, and waits for what it may have overtaken.
    async fn ask(&self, mut head: Head, spec: &LinkSpec, until: Instant) -> io::Result<()> {
        let end = &self.end;
        let width = |way: &fogbit_scenario::link::Direction| {
            let turns = way.jitter_reorders || way.reorder > 0.0;
            Duration::from_nanos(if turns { way.delay_ns + way.jitter_ns } else { 0 })
        };
        let mut timer = Timer::new()?;
        // A report must not overtake what it reports.
        timer.until(until.min(Instant::now() + width(&spec.up))).await?;
        while Instant::now() < until {
            self.prober.wire.send(end.peer, &head.packet(HEADER));
            head.sequence += 1;
            timer.until(until.min(Instant::now() + ASK_AGAIN)).await?;
            if end.asking(|asking| asking.is_done()).unwrap_or(true) {
                let stragglers = Instant::now() + STRAGGLERS + width(&spec.down);
                return timer.until(until.min(stragglers)).await;
            }
        }
        Ok(())
    }
}

/// An address of IPv4, however it is written.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What a thread that panicked left behind is counters: they can still be read.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

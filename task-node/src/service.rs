//! The task node as a process: plays the trials that the orchestrator orders.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use fogbit_policy::Policy;
use fogbit_scenario::contexts::ContextDigest;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::instance::asks_an_oracle;
use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_scenario::topology::{ExternalProgram, PolicySpec};
use fogbit_scenario::{Contexts, TaskSource};
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::probe::Prober;
use fogbit_transport::wire::{
    DIGEST_SLOTS, Pace, TaskNodeOrder, TrialAnswer, TrialOrder, TrialReport,
};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, Member, WireError};
use quinn::Connection;
use tokio::sync::{Mutex, mpsc, watch};

use crate::external::{ExternalFolder, ExternalPolicy, ExternalTrial, Waiting};
use crate::live::{Findings, LiveFog, LiveRecorder, LiveTrial, Punctuality, Ways};
use crate::lockstep::QuicFog;
use crate::metrics::{TaskNodeMetrics, TrialMetrics};
use crate::trial::{Decider, NoOracle, Oracle, Recorder, Step, Trial, TrialError};

/// Decisions are told at least this often, so that the orchestrator can show how it goes.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// Why a task node stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The orchestrator ended the run badly, or is gone.
    #[error("the orchestrator is gone: {0}")]
    Orchestrator(WireError),
}

/// Plays trials until the orchestrator says that the run is done, or `shutdown` completes. External
/// policies are run in the folder `external`, if there is one.
///
/// # Errors
/// If the orchestrator is lost.
pub async fn serve(
    member: Member,
    metrics: TaskNodeMetrics,
    external: ExternalFolder,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let ways = Ways::new(Prober::of_links(&member.links));
    let member = Arc::new(member);
    tokio::pin!(shutdown);
    let result = loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            stream = member.control.accept_bi() => match stream {
                Ok((send, receive)) => {
                    let (member, metrics) = (Arc::clone(&member), metrics.clone());
                    let member = (member, ways.clone());
                    tokio::spawn(play(member, metrics, external.clone(), send, receive));
                }
                Err(error) => match CloseCode::of(&error) {
                    Some(CloseCode::Done | CloseCode::Stopped | CloseCode::Failed) => break Ok(()),
                    _ => break Err(ServeError::Orchestrator(error.into())),
                }
            },
        }
    };
    member.leave(CloseCode::Stopped, "the task node ends").await;
    result
}

/// Receives one order, plays it and tells how it went.
async fn play(
    (member, ways): (Arc<Member>, Ways),
    metrics: TaskNodeMetrics,
    external: ExternalFolder,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
) {
    let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
    let order: TrialOrder = match receive.expect().await {
        Ok(TaskNodeOrder::OneBit(order)) => *order,
        Ok(TaskNodeOrder::Placement(order)) => {
            let send = FrameSender::new(send, CONTROL_LIMIT);
            return crate::ordered::play((member, ways.prober()), *order, send, receive).await;
        }
        Ok(TaskNodeOrder::Cascade(order)) => {
            let send = FrameSender::new(send, CONTROL_LIMIT);
            return crate::ordered::play((member, ways.prober()), *order, send, receive).await;
        }
        Ok(TaskNodeOrder::Pipeline(order)) => {
            let send = FrameSender::new(send, CONTROL_LIMIT);
            return crate::ordered::play((member, ways.prober()), *order, send, receive).await;
        }
        Err(error) => {
            tracing::warn!(%error, "an order that cannot be read");
            return;
        }
    };
    tracing::info!(trial = ?order.trial, policy = order.name, "trial begins");
    let send = Arc::new(Mutex::new(FrameSender::new(send, CONTROL_LIMIT)));
    let started = Instant::now();
    let player = Player { member, ways, metrics, external, order, send: Arc::clone(&send) };
    let report = match player.play(receive).await {
        Ok(()) => TrialReport::Done {
            nanoseconds: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        },
        Err(error) => {
            match &error {
                // An endless trial ends so, and any other that is not wanted any more.
                TrialError::Orchestrator(_) => tracing::info!(%error, "nobody wants this trial"),
                error => tracing::error!(%error, "trial failed"),
            }
            TrialReport::Failed { message: error.to_string(), of_policy: error.is_of_policy() }
        }
    };
    let send = &mut send.lock().await;
    if let Err(error) = send.send(&report).await {
        tracing::info!(%error, "the orchestrator does not hear how the trial ended");
    }
    send.finish();
    send.delivered().await;
}

/// One order, and what it is played with.
struct Player {
    member: Arc<Member>,
    ways: Ways,
    metrics: TaskNodeMetrics,
    external: ExternalFolder,
    order: TrialOrder,
    send: Arc<Mutex<FrameSender>>,
}

impl Player {
    async fn play(self, receive: FrameReceiver) -> Result<(), TrialError> {
        let spec: PolicySpec = serde_json::from_str(&self.order.policy)
            .map_err(|error| TrialError::Order(error.to_string()))?;
        let tasks = TaskSource::new(&self.order.tasks);
        let width = (self.order.features as usize)
            .checked_sub(tasks.width())
            .ok_or_else(|| TrialError::Order("more task features than features".into()))?;
        let metrics = self.metrics.trial(&self.order.name);
        match self.order.pace {
            Pace::Slot { lookahead, slots_per_second } => {
                let addresses = present(&self.order.helpers)?;
                let connections = self.connect(addresses).await?;
                let trial = self.order.trial;
                let slots = self.order.slots;
                let mut fog = QuicFog::open(connections, trial, width, lookahead, slots)
                    .await?
                    .timed(metrics.round_trip());
                if let Some(pace) = slots_per_second {
                    fog = fog.paced(pace)?;
                }
                let decider = self.decider(&spec, &metrics)?;
                self.lockstep(fog, tasks, decider, &spec, receive).await
            }
            Pace::Wall { slot_nanoseconds, timeout_nanoseconds } => {
                let decider = self.decider(&spec, &metrics)?.ok_or_else(|| unplayable(&spec))?;
                let (helpers, addresses) = self.watched();
                let (findings, found) = mpsc::unbounded_channel();
                let telling = tokio::spawn(tell_of_links(Arc::clone(&self.send), found));
                let live = LiveTrial {
                    trial: self.order.trial,
                    helpers,
                    width,
                    slot: Duration::from_nanos(slot_nanoseconds.max(1)),
                    timeout: Duration::from_nanos(timeout_nanoseconds),
                    links: self.order.links.clone(),
                    ways: self.ways.clone(),
                    findings: Arc::new(Findings::new(findings)),
                    deadline: self.order.deadline,
                };
                // It ends with the stream, or with the trial.
                let notices = tokio::spawn(hear_of_helpers(receive, addresses));
                let played = self.live(live, tasks, decider, &metrics).await;
                notices.abort();
                // Whoever finds something is gone now.
                let _ = telling.await;
                played
            }
        }
    }

    /// Who decides, unless it is a policy that asks an oracle.
    fn decider<T>(
        &self,
        spec: &PolicySpec,
        metrics: &TrialMetrics,
    ) -> Result<Option<Decider<T>>, TrialError> {
        let (nodes, features) = self.shape();
        if let PolicySpec::External(program) = spec {
            let external = metrics.timed_external(self.external(program)?);
            return Ok(Some(Decider::External(Box::new(external))));
        }
        let policy = fogbit_policy::build(spec, nodes, features, &self.order.policy_key);
        Ok(policy.map(|policy| Decider::Policy(metrics.timed(policy))))
    }

    fn external(&self, program: &ExternalProgram) -> Result<ExternalPolicy, TrialError> {
        let (nodes, features) = self.shape();
        let folder = self.external.allowed(&self.order.name)?;
        let trial = ExternalTrial {
            name: &self.order.name,
            folder,
            nodes,
            features,
            slots: self.order.slots,
            key: &self.order.policy_key,
        };
        Ok(ExternalPolicy::start(program, &trial, Waiting::Shared)?)
    }

    fn shape(&self) -> (usize, usize) {
        (self.order.helpers.len(), self.order.features as usize)
    }

    async fn lockstep(
        &self,
        mut fog: QuicFog,
        tasks: TaskSource,
        decider: Option<Decider<RemoteOracle>>,
        spec: &PolicySpec,
        receive: FrameReceiver,
    ) -> Result<(), TrialError> {
        let reports = Arc::new(Mutex::new(Reports {
            send: Arc::clone(&self.send),
            decisions: Vec::new(),
            told: Instant::now(),
        }));
        let mut decider = match decider {
            Some(decider) => decider,
            None if asks_an_oracle(spec) => {
                Decider::Oracle(RemoteOracle { reports: Arc::clone(&reports), receive })
            }
            None => return Err(unplayable(spec)),
        };
        let slots = self.order.slots;
        let digest = ContextDigest::new();
        let mut recorder = RemoteRecorder { reports: Arc::clone(&reports), slots, digest };
        // The orchestrator stops a trial by ending this process or its connection.
        let never = AtomicBool::new(false);
        let mut trial = self.trial(tasks);
        let played = trial.play(&mut fog, &mut decider, &mut recorder, &never).await;
        if played.as_ref().is_err_and(TrialError::is_of_policy) {
            // What it did until then counts.
            reports.lock().await.tell(None).await?;
        }
        played.map(|_| ())
    }

    fn trial(&self, tasks: TaskSource) -> Trial<'_> {
        let (rules, slots) = (&self.order.rules, self.order.slots);
        Trial { tasks, rules, shape: self.shape(), slots }
    }

    async fn live(
        &self,
        live: LiveTrial,
        tasks: TaskSource,
        mut decider: Decider<NoOracle>,
        metrics: &TrialMetrics,
    ) -> Result<(), TrialError> {
        let punctuality = Arc::new(Punctuality::default());
        let (nodes, features) = self.shape();
        let mut recorder =
            LiveRecorder::new(Arc::clone(&self.send), Arc::clone(&punctuality), (nodes, features));
        let connections = self.metrics.connections().clone();
        let mut fog =
            LiveFog::begin(Arc::clone(&self.member), connections, live, metrics, punctuality)
                .await?;
        let never = AtomicBool::new(false);
        let played = self.trial(tasks).play(&mut fog, &mut decider, &mut recorder, &never).await;
        if played.as_ref().is_err_and(|error| !error.is_of_policy()) {
            return played.map(|_| ());
        }
        recorder.tell().await?;
        fog.end().await;
        played.map(|_| ())
    }

    /// Connects to all helper nodes at once.
    async fn connect(
        &self,
        helpers: Vec<(String, SocketAddr)>,
    ) -> Result<Vec<(String, Connection)>, TrialError> {
        let mut dialling = Vec::new();
        for (name, address) in helpers {
            let (member, connections) =
                (Arc::clone(&self.member), self.metrics.connections().clone());
            dialling.push(tokio::spawn(async move {
                let connection = connections.get(&member, &name, address, false).await?;
                Ok::<_, TrialError>((name, connection))
            }));
        }
        let mut connected = Vec::new();
        for dialled in dialling {
            connected.push(dialled.await.map_err(|e| TrialError::Order(e.to_string()))??);
        }
        Ok(connected)
    }

    /// Where the helper nodes are, to be watched and to be changed.
    fn watched(&self) -> (Vec<WatchedHelper>, Vec<watch::Sender<Option<SocketAddr>>>) {
        self.order
            .helpers
            .iter()
            .map(|(name, address)| {
                let (sender, receiver) = watch::channel(*address);
                ((name.clone(), receiver), sender)
            })
            .unzip()
    }
}

/// A helper node's name, and where it is.
type WatchedHelper = (String, watch::Receiver<Option<SocketAddr>>);

fn present(
    helpers: &[(String, Option<SocketAddr>)],
) -> Result<Vec<(String, SocketAddr)>, TrialError> {
    let one = |(name, address): &(String, Option<SocketAddr>)| {
        let absent = || TrialError::Order(format!("the helper node {name} is not there"));
        Ok((name.clone(), address.ok_or_else(absent)?))
    };
    helpers.iter().map(one).collect()
}

fn unplayable(spec: &PolicySpec) -> TrialError {
    TrialError::Order(format!("the policy {} cannot be played here", spec.kind()))
}

/// In real time: hears of helper nodes that are there again.
async fn hear_of_helpers(
    mut receive: FrameReceiver,
    addresses: Vec<watch::Sender<Option<SocketAddr>>>,
) {
    while let Ok(Some(answer)) = receive.receive::<TrialAnswer>().await {
        if let TrialAnswer::Helper { node, address } = answer
            && let Some(watched) = addresses.get(node as usize)
        {
            // The same address may be that of a new process.
            watched.send_replace(Some(address));
        }
    }
    // Dropping the senders would end the keepers before the trial.
    std::future::pending().await
}

/// In real time: tells the orchestrator what is found of links.
async fn tell_of_links(
    send: Arc<Mutex<FrameSender>>,
    mut found: mpsc::UnboundedReceiver<(u32, LinkCheck)>,
) {
    while let Some((number, check)) = found.recv().await {
        let report = TrialReport::Link { number, check: Box::new(check) };
        if send.lock().await.send(&report).await.is_err() {
            return;
        }
    }
}

/// What the orchestrator is told, in bounded batches; whoever tells waits where it does not keep up.
#[derive(Debug)]
struct Reports {
    send: Arc<Mutex<FrameSender>>,
    decisions: Vec<(u32, Outcome)>,
    told: Instant,
}

impl Reports {
    /// Tells the decisions that are not told yet.
    async fn tell(&mut self, digest: Option<u64>) -> Result<(), TrialError> {
        self.told = Instant::now();
        let decisions = std::mem::take(&mut self.decisions);
        self.send(&TrialReport::Decisions { decisions, digest }).await
    }

    async fn send(&mut self, report: &TrialReport) -> Result<(), TrialError> {
        self.send.lock().await.send(report).await.map_err(TrialError::Orchestrator)
    }
}

/// Tells the orchestrator what happened.
#[derive(Debug)]
struct RemoteRecorder {
    reports: Arc<Mutex<Reports>>,
    slots: u64,
    digest: ContextDigest,
}

impl Recorder for RemoteRecorder {
    async fn record(
        &mut self,
        step: Step<'_>,
        _policy: Option<&dyn Policy>,
    ) -> Result<(), TrialError> {
        self.digest.add(step.contexts);
        let mut reports = self.reports.lock().await;
        reports.decisions.push((step.node as u32, step.outcome));
        let due = step.slot.is_multiple_of(DIGEST_SLOTS) || step.slot == self.slots;
        if !due && reports.told.elapsed() < REPORT_EVERY {
            return Ok(());
        }
        reports.tell(due.then(|| self.digest.value())).await
    }
}

/// The oracle in a process that does not know the truth: it asks the orchestrator.
#[derive(Debug)]
struct RemoteOracle {
    reports: Arc<Mutex<Reports>>,
    receive: FrameReceiver,
}

impl Oracle for RemoteOracle {
    async fn choose(&mut self, _slot: u64, _contexts: &Contexts) -> Result<usize, TrialError> {
        let mut reports = self.reports.lock().await;
        // The orchestrator makes the contexts of the slot itself, from what was decided before.
        if !reports.decisions.is_empty() {
            reports.tell(None).await?;
        }
        reports.send(&TrialReport::AskChoice).await?;
        match self.receive.expect().await.map_err(TrialError::Orchestrator)? {
            TrialAnswer::Choice { node } => Ok(node as usize),
            other @ TrialAnswer::Helper { .. } => {
                let reason = format!("unexpected {other:?}");
                Err(TrialError::Orchestrator(WireError::Malformed(reason)))
            }
        }
    }
}

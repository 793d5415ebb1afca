//! The task node as a process: plays the trials that the orchestrator orders.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fogbit_policy::Policy;
use fogbit_scenario::contexts::ContextDigest;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::instance::may_ask_for_the_truth;
use fogbit_scenario::topology::PolicySpec;
use fogbit_scenario::{Contexts, TaskSource};
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::wire::{DIGEST_SLOTS, TrialAnswer, TrialOrder, TrialReport};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, Member, WireError};
use quinn::Connection;
use tokio::sync::Mutex;

use crate::quic::QuicFog;
use crate::trial::{Decider, Recorder, Step, TrialError, Truth, run_trial};

/// Decisions are told at least this often, so that the orchestrator can show how it goes.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// Why a task node stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The orchestrator ended the run badly, or is gone.
    #[error("the orchestrator is gone: {0}")]
    Orchestrator(WireError),
}

/// Plays trials until the orchestrator says that the run is done, or `shutdown` completes.
///
/// # Errors
/// If the orchestrator is lost.
pub async fn serve(member: Member, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
    let member = Arc::new(member);
    let helpers = Arc::new(Mutex::new(HashMap::new()));
    tokio::pin!(shutdown);
    let result = loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            stream = member.control.accept_bi() => match stream {
                Ok((send, receive)) => {
                    let (member, helpers) = (Arc::clone(&member), Arc::clone(&helpers));
                    tokio::spawn(play(member, helpers, send, receive));
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

/// Connections to helper nodes, kept from trial to trial.
type Connections = Arc<Mutex<HashMap<String, Connection>>>;

/// Receives one order, plays it and tells how it went.
async fn play(
    member: Arc<Member>,
    helpers: Connections,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
) {
    let reports = Arc::new(Mutex::new(Reports {
        send: FrameSender::new(send, CONTROL_LIMIT),
        decisions: Vec::new(),
        told: Instant::now(),
    }));
    let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
    let order: TrialOrder = match receive.expect().await {
        Ok(order) => order,
        Err(error) => {
            tracing::warn!(%error, "an order that cannot be read");
            return;
        }
    };
    tracing::info!(trial = ?order.trial, slots = order.slots, "trial begins");
    let started = Instant::now();
    let played = play_order(&member, &helpers, &order, Arc::clone(&reports), receive).await;
    let report = match played {
        Ok(()) => TrialReport::Done {
            nanoseconds: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        },
        Err(error) => {
            tracing::error!(trial = ?order.trial, %error, "trial failed");
            TrialReport::Failed { message: error.to_string() }
        }
    };
    let send = &mut reports.lock().await.send;
    if let Err(error) = send.send(&report).await {
        tracing::warn!(%error, "the orchestrator does not hear how the trial ended");
    }
    send.finish();
    send.delivered().await;
}

async fn play_order(
    member: &Member,
    helpers: &Connections,
    order: &TrialOrder,
    reports: Arc<Mutex<Reports>>,
    receive: FrameReceiver,
) -> Result<(), TrialError> {
    let spec: PolicySpec = serde_json::from_str(&order.policy)
        .map_err(|error| TrialError::Order(error.to_string()))?;
    let (nodes, features) = (order.helpers.len(), order.features as usize);
    let mut decider = match fogbit_policy::build(&spec, nodes, features, &order.policy_key) {
        Some(policy) => Decider::Policy(policy),
        None if may_ask_for_the_truth(&spec) => {
            Decider::Optimal(RemoteTruth { reports: Arc::clone(&reports), receive })
        }
        None => return Err(TrialError::Order(format!("unknown policy {}", spec.kind()))),
    };
    let mut tasks = TaskSource::new(&order.tasks);
    let width = features
        .checked_sub(tasks.width())
        .ok_or_else(|| TrialError::Order("more task features than features".into()))?;
    let connections = connect(member, helpers, order).await?;
    let (trial, lookahead) = (order.trial, order.lookahead);
    let mut fog = QuicFog::open(connections, trial, width, lookahead, order.slots).await?;
    let mut recorder = RemoteRecorder { reports, slots: order.slots, digest: ContextDigest::new() };
    let mut contexts = Contexts::new(nodes, features);
    // The orchestrator stops a trial by ending this process or its connection.
    let never = AtomicBool::new(false);
    run_trial(
        &mut fog,
        &mut tasks,
        &mut decider,
        &mut recorder,
        &mut contexts,
        order.slots,
        &never,
    )
    .await?;
    debug_assert!(!never.load(Ordering::Relaxed));
    Ok(())
}

async fn connect(
    member: &Member,
    helpers: &Connections,
    order: &TrialOrder,
) -> Result<Vec<(String, Connection)>, TrialError> {
    let mut known = helpers.lock().await;
    let mut connections = Vec::with_capacity(order.helpers.len());
    for (name, address) in &order.helpers {
        let open = known
            .get(name)
            .filter(|c| c.close_reason().is_none() && c.remote_address() == *address);
        let connection = match open {
            Some(connection) => connection.clone(),
            None => {
                let connection = member.connect(name, *address).await?;
                known.insert(name.clone(), connection.clone());
                connection
            }
        };
        connections.push((name.clone(), connection));
    }
    Ok(connections)
}

/// What the orchestrator is told, in bounded batches; whoever tells waits where it does not keep up.
#[derive(Debug)]
struct Reports {
    send: FrameSender,
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
        self.send.send(report).await.map_err(TrialError::Orchestrator)
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

/// The door of `optimal` in a process that does not know the truth: it asks the orchestrator.
#[derive(Debug)]
struct RemoteTruth {
    reports: Arc<Mutex<Reports>>,
    receive: FrameReceiver,
}

impl Truth for RemoteTruth {
    async fn best_node(&mut self, _slot: u64, _contexts: &Contexts) -> Result<usize, TrialError> {
        let mut reports = self.reports.lock().await;
        // The orchestrator makes the contexts of the slot itself, from what was decided before.
        if !reports.decisions.is_empty() {
            reports.tell(None).await?;
        }
        reports.send(&TrialReport::AskBest).await?;
        let TrialAnswer::Best { node } =
            self.receive.expect().await.map_err(TrialError::Orchestrator)?;
        Ok(node as usize)
    }
}

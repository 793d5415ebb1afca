//! A trial as the orchestrator orders it, in all problems but `one-bit`: it is played, and told.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_transport::probe::Prober;
use fogbit_transport::report::{Batch, Report};
use fogbit_transport::timer::Timer;
use fogbit_transport::wire::{OrderHead, TrialId};
use fogbit_transport::{FrameReceiver, FrameSender, Member, WireError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::live::Punctuality;
use crate::pace::Pacer;
use crate::steer::{Place, Steer, nanoseconds};
use crate::trial::TrialError;

/// Steps are told at least this often, so that the orchestrator can show how it goes.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// And no more of them at once.
const MOST_STEPS: usize = 512;

/// The order of some problem: how its trial is played.
pub(crate) trait Ordered: Send + Sync {
    /// What follows the order on its stream.
    type Load: Send;
    /// What is told at once.
    type Batch: Batch<Step: Send> + Serialize + DeserializeOwned + Send + Sync;

    /// Who plays what.
    fn head(&self) -> &OrderHead;

    /// Receives what follows the order.
    fn load(
        &self,
        receive: &mut FrameReceiver,
    ) -> impl Future<Output = Result<Self::Load, WireError>> + Send;

    /// Plays the trial, and tells every step of it and what was found of links.
    fn play(
        &self,
        load: Self::Load,
        here: &Here<'_>,
        teller: &mut Teller<'_, Self::Batch>,
    ) -> impl Future<Output = Result<(), TrialError>> + Send;
}

/// The task node that plays.
pub(crate) struct Here<'m> {
    member: &'m Member,
    prober: &'m Arc<Prober>,
    trial: TrialId,
}

impl Here<'_> {
    /// The task node itself.
    pub(crate) fn member(&self) -> &Member {
        self.member
    }

    /// The trial that is played.
    pub(crate) fn trial(&self) -> TrialId {
        self.trial
    }

    /// Opens the session of the trial at a helper node.
    pub(crate) async fn open(&self, place: Place) -> Result<Steer, TrialError> {
        Steer::open(self.member, self.prober, self.trial, place).await
    }
}

/// Plays what is ordered and tells how it went.
pub(crate) async fn play<O: Ordered>(
    (member, prober): (Arc<Member>, Arc<Prober>),
    order: O,
    mut send: FrameSender,
    mut receive: FrameReceiver,
) {
    let OrderHead { trial, name, .. } = order.head();
    tracing::info!(?trial, policy = name, "trial begins");
    let started = Instant::now();
    let report: Report<O::Batch> =
        match until_ended(&member, &prober, &order, &mut send, &mut receive).await {
            Ok(()) => Report::Done { nanoseconds: nanoseconds(started) },
            Err(error) => {
                match &error {
                    TrialError::Orchestrator(_) => {
                        tracing::info!(%error, "nobody wants this trial")
                    }
                    error => tracing::error!(%error, "trial failed"),
                }
                Report::Failed { message: error.to_string() }
            }
        };
    if let Err(error) = send.send(&report).await {
        tracing::info!(%error, "the orchestrator does not hear how the trial ended");
    }
    send.finish();
    send.delivered().await;
}

async fn until_ended<O: Ordered>(
    member: &Member,
    prober: &Arc<Prober>,
    order: &O,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), TrialError> {
    let load = order.load(receive).await.map_err(TrialError::Orchestrator)?;
    let mut teller = Teller::new(send);
    if let Some(slots_per_second) = order.head().slots_per_second {
        teller.pacer = Some((Pacer::new(slots_per_second), Timer::new()?));
    }
    let here = Here { member, prober, trial: order.head().trial };
    tokio::select! {
        biased;
        played = order.play(load, &here, &mut teller) => played,
        // Nothing more is said on this stream: its end is the end of the trial.
        ended = receive.receive::<Report<O::Batch>>() => {
            Err(TrialError::Orchestrator(ended.err().unwrap_or(WireError::Ended)))
        }
    }
}

/// The policy of an order, which is JSON in the form of the topology file.
pub(crate) fn policy_of<S: DeserializeOwned>(head: &OrderHead) -> Result<S, TrialError> {
    serde_json::from_str(&head.policy)
        .map_err(|error| TrialError::Order(format!("a policy that cannot be read: {error}")))
}

/// Tells the orchestrator what happened, in batches.
pub(crate) struct Teller<'s, B: Batch> {
    send: &'s mut FrameSender,
    steps: Vec<B::Step>,
    punctuality: Arc<Punctuality>,
    told: Instant,
    /// Holds the trial back: how many steps there were, and when the next one may be told.
    pacer: Option<(Pacer, Timer)>,
    count: u64,
}

impl<'s, B: Batch<Step: Send> + Serialize + Sync> Teller<'s, B> {
    fn new(send: &'s mut FrameSender) -> Teller<'s, B> {
        let (steps, punctuality) = (Vec::new(), Arc::default());
        Teller { send, steps, punctuality, told: Instant::now(), pacer: None, count: 0 }
    }

    /// Where is noted what begins in real time.
    pub(crate) fn punctuality(&self) -> Arc<Punctuality> {
        Arc::clone(&self.punctuality)
    }

    /// Tells one more step, now or with others.
    pub(crate) async fn step(&mut self, step: B::Step) -> Result<(), TrialError> {
        self.count += 1;
        if let Some((pacer, _)) = &self.pacer {
            let due = pacer.due(self.count);
            if !self.steps.is_empty() && due > self.told + REPORT_EVERY {
                self.tell().await?;
            }
            if let Some((_, timer)) = &mut self.pacer {
                timer.until(due).await?;
            }
        }
        self.steps.push(step);
        if self.steps.len() >= MOST_STEPS || self.told.elapsed() >= REPORT_EVERY {
            self.tell().await?;
        }
        Ok(())
    }

    /// Tells what is not told yet.
    pub(crate) async fn tell(&mut self) -> Result<(), TrialError> {
        self.told = Instant::now();
        let batch = B::of(std::mem::take(&mut self.steps), self.punctuality.take());
        let Some(batch) = batch else { return Ok(()) };
        self.send.send(&Report::Steps(batch)).await.map_err(TrialError::Orchestrator)
    }

    /// Tells what was found of links.
    pub(crate) async fn links(&mut self, found: Vec<LinkCheck>) -> Result<(), TrialError> {
        for check in found {
            let report = Report::<B>::Link(Box::new(check));
            self.send.send(&report).await.map_err(TrialError::Orchestrator)?;
        }
        Ok(())
    }
}

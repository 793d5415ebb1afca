//! Backends `process` and `join`: the nodes are processes, and what is offloaded travels over QUIC.

use std::sync::Arc;
use std::time::Instant;

use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::report::{Batch, Report};
use fogbit_transport::wire::{OrderHead, TaskNodeOrder, TrialId};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, Role, WireError};
use tokio::sync::watch;

use super::backend::{AccountOf, ProblemBackend, RunContext, Trial};
use super::board::Published;
use super::booking::Booking;
use super::ledger::{LedgerError, ProblemLedger, Told};
use super::plan::ProblemPlan;
use super::trials::{Outcome, of_trial};
use crate::backend::process::{Crew, CrewPlayer, Early, Fleet, MemberHandle, Options};
use crate::links::{MeasuredLinks, TrialLinks};
use crate::plan::Status;
use crate::validity::Begun;

/// Plays all trials of the plan, and has `then` make something of the outcome while the nodes are
/// still there.
pub async fn run<P: ProblemBackend, T>(
    context: &RunContext<P>,
    options: Options,
    then: impl AsyncFnOnce(Outcome<P::Collector>) -> T,
) -> T
where
    AccountOf<P>: Send + 'static,
{
    let collector = context.problem.collector();
    let links = MeasuredLinks::default();
    let fleet = match Fleet::start(&crew(&context.problem), options).await {
        Ok(fleet) => fleet,
        Err(failure) => return then(Outcome { collector, failure: Some(failure), links }).await,
    };
    let mut run = Run { context, fleet, collector, links };
    let failure = match run.play().await {
        Ok(()) | Err(Early::Stopped) => None,
        Err(Early::Failed(failure)) => Some(failure),
    };
    let Run { fleet, collector, links, .. } = run;
    let code = fleet.code(failure.as_ref());
    let made = then(Outcome { collector, failure, links }).await;
    fleet.end(code).await;
    made
}

/// The nodes that the plan needs.
fn crew(problem: &impl ProblemBackend) -> Crew {
    let policies = problem.plan().policies().iter();
    let player = |name: &String| CrewPlayer { policy: name.clone(), external: None };
    Crew {
        run: problem.name(),
        helpers: problem.sites().split_off(1),
        players: policies.map(|policy| player(&policy.name)).collect(),
    }
}

struct Run<'c, P: ProblemBackend> {
    context: &'c RunContext<P>,
    fleet: Fleet,
    collector: P::Collector,
    links: MeasuredLinks,
}

/// A trial that is over.
struct Played<A> {
    trial: Trial<A>,
    links: TrialLinks,
    /// In real time: how many slots began, and how many late.
    begun: Begun,
}

impl<P: ProblemBackend> Run<'_, P>
where
    AccountOf<P>: Send + 'static,
{
    async fn play(&mut self) -> Result<(), Early> {
        let context = self.context;
        let board = &context.board;
        self.fleet.wait_for_nodes(|stage| board.set_stage(&stage)).await?;
        board.set_stage("");
        self.show_members();
        for (number, seed) in context.problem.plan().seeds().iter().enumerate() {
            self.play_seed(number as u64, *seed).await?;
        }
        Ok(())
    }

    /// Shows who is there.
    fn show_members(&self) {
        let Some(metrics) = self.context.board.metrics() else { return };
        for (name, place) in self.context.problem.sites()[1..].iter().zip(self.fleet.helpers()) {
            metrics.run.node_present(name, place.is_some());
        }
        let (helpers, task_nodes) = self.fleet.count();
        metrics.run.members(Role::Helper, helpers);
        metrics.run.members(Role::TaskNode, task_nodes);
    }

    /// Plays all policies under one seed.
    async fn play_seed(&mut self, number: u64, seed: u64) -> Result<(), Early> {
        let context = self.context;
        let problem = &context.problem;
        let instance = Arc::new(problem.instance(seed));
        let names = problem.plan().policies().iter().map(|policy| policy.name.as_str());
        let (members, players) = self.fleet.cast(names)?;
        let order = |node| problem.helper_order(number, node, &instance, &players);
        let told = self.fleet.tell_seed(number, order).await?;
        let at_once = if problem.is_wall() { 1 } else { players.len() };
        let trials = members.into_iter().enumerate().map(|(policy, member)| {
            let head = head(context, TrialId { seed_number: number, policy: policy as u32 });
            let order = problem.trial_order(head, &instance, &told.addresses);
            let (context, instance) = (context.clone(), Arc::clone(&instance));
            move |stopped| drive(context, (policy, seed), instance, member, order, stopped)
        });
        let failure_of = |played: &Played<AccountOf<P>>| {
            let is_failed = played.trial.status == Status::Failed;
            is_failed.then(|| of_trial(problem, &played.trial))
        };
        let (mut done, failure) = self.fleet.play(at_once, trials, failure_of).await;
        drop(told);
        done.sort_by_key(|played| played.trial.policy);
        for Played { trial, links, begun } in done {
            self.links.add(&problem.plan().policies()[trial.policy].name, trial.seed, links);
            problem.add(&mut self.collector, trial, begun);
        }
        self.fleet.ended(failure).await
    }
}

/// With what the order of a trial begins.
fn head<P: ProblemBackend>(context: &RunContext<P>, trial: TrialId) -> OrderHead {
    let problem = &context.problem;
    let policy = trial.policy as usize;
    let planned = &problem.plan().policies()[policy];
    OrderHead {
        trial,
        name: planned.name.clone(),
        policy: serde_json::to_string(&planned.spec).expect("a policy is plain data"),
        model: problem.model(policy).map(<[u8]>::to_vec),
        slots_per_second: context.pace.filter(|_| !problem.is_wall()),
    }
}

/// Why a trial failed.
#[derive(Debug, thiserror::Error)]
enum TrialFailure {
    #[error("task node: {0}")]
    Wire(#[from] WireError),
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    #[error("{0}")]
    TaskNode(String),
    #[error("the task node played {played} of {length} {counted}s")]
    Short { played: u64, length: u64, counted: &'static str },
}

/// Has `order` played by `member` and keeps its ledger. Ends early when `stopped` turns true; what
/// was told until then counts.
async fn drive<P: ProblemBackend>(
    context: RunContext<P>,
    (policy, seed): (usize, u64),
    instance: Arc<P::Instance>,
    member: MemberHandle,
    order: TaskNodeOrder,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<Played<AccountOf<P>>> {
    let ledger = context.ledger((policy, seed), (*instance).clone(), Told::ByTaskNode)?;
    let mut conversation = Conversation {
        context: &context,
        policy,
        booking: Booking::new(ledger),
        published: Published::nothing(seed),
        begun: Begun::default(),
        links: Vec::new(),
    };
    let started = Instant::now();
    let played = tokio::select! {
        biased;
        played = conversation.play(&member, order, &instance) => Some(played),
        _ = stopped.wait_for(|stop| *stop) => None,
    };
    let (status, failure) = match played {
        Some(Ok(())) => (Status::Complete, None),
        Some(Err(failure)) => (Status::Failed, Some(failure.to_string())),
        None => (Status::Partial, None),
    };
    let Conversation { booking, mut published, links, begun, .. } = conversation;
    let ledger = booking.end().await;
    // What was booked of a batch that was not heard to its end counts too.
    context.board.publish(policy, &ledger, &mut published);
    let account = ledger.close()?;
    let seconds = started.elapsed().as_secs_f64();
    let trial = Trial { policy, seed, status, account, seconds, failure };
    Ok(Played { trial, links, begun })
}

struct Conversation<'c, P: ProblemBackend> {
    context: &'c RunContext<P>,
    policy: usize,
    booking: Booking<P::Ledger>,
    published: Published,
    begun: Begun,
    links: Vec<LinkCheck>,
}

impl<P: ProblemBackend> Conversation<'_, P> {
    async fn play(
        &mut self,
        member: &MemberHandle,
        order: TaskNodeOrder,
        instance: &P::Instance,
    ) -> Result<(), TrialFailure> {
        let (send, receive) = member.connection.open_bi().await.map_err(WireError::from)?;
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
        send.send(&order).await?;
        self.context.problem.send_load(self.policy, instance, &mut send).await?;
        let heard = self.hear(&mut receive).await;
        match &heard {
            Ok(()) => send.finish(),
            Err(_) => {
                send.reset(CloseCode::Failed);
                receive.stop(CloseCode::Failed);
            }
        }
        heard
    }

    async fn hear(&mut self, receive: &mut FrameReceiver) -> Result<(), TrialFailure> {
        let length = self.context.problem.length();
        loop {
            match receive.expect::<Report<P::Batch>>().await? {
                Report::Steps(batch) => {
                    let (slots, late) = batch.begun();
                    self.booking.book(batch).await?;
                    let begun = Begun { slots: slots.into(), late: late.into() };
                    self.begun.add(begun);
                    if let Some(metrics) = self.context.board.metrics() {
                        metrics.run.begun(self.policy, begun);
                    }
                    let (board, published) = (&self.context.board, &mut self.published);
                    self.booking.with(|ledger| board.publish(self.policy, ledger, published));
                }
                Report::Link(check) => self.links.push(*check),
                Report::Done { .. } => {
                    let (played, counted) =
                        (self.booking.with(P::Ledger::booked), P::Ledger::COUNTED);
                    if played != length {
                        return Err(TrialFailure::Short { played, length, counted });
                    }
                    return Ok(());
                }
                Report::Failed { message } => return Err(TrialFailure::TaskNode(message)),
            }
        }
    }
}

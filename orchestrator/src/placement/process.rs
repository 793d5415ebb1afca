//! Backends `process` and `join`: the nodes are processes, and tasks travel over QUIC.
//!
//! In real time trials follow one another, since their outcome is a measured time; in virtual time
//! the policies of a seed play side by side.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_scenario::placement::PlacementInstance;
use fogbit_scenario::work::Execution;
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::placement::{ComputeOrder, LinkOrder, PlacementOrder, PlacementReport};
use fogbit_transport::wire::{HelperOrder, Player, TaskNodeOrder, TrialId};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, WireError};
use tokio::sync::watch;

use super::backend::{PlacementContext, PlacementOutcome};
use super::board::Told;
use super::collect::{PlacementCollector, PlacementTrial};
use super::ledger::{LedgerError, PlacementLedger};
use crate::backend::RunFailure;
use crate::backend::process::{Crew, CrewPlayer, Early, Fleet, MemberHandle, Options, failed};
use crate::links::{MeasuredLinks, TrialLinks};
use crate::plan::Status;

/// Plays all trials of the plan, and has `then` make something of the outcome while the nodes are
/// still there.
pub async fn run<T>(
    context: &PlacementContext,
    options: Options,
    then: impl AsyncFnOnce(PlacementOutcome) -> T,
) -> T {
    let collector = PlacementCollector::new(&context.plan);
    let links = MeasuredLinks::default();
    let fleet = match Fleet::start(&crew(context), options).await {
        Ok(fleet) => fleet,
        Err(failure) => {
            return then(PlacementOutcome { collector, failure: Some(failure), links }).await;
        }
    };
    let mut run = Run { context, fleet, collector, links };
    let failure = match run.play().await {
        Ok(()) | Err(Early::Stopped) => None,
        Err(Early::Failed(failure)) => Some(failure),
    };
    let Run { fleet, collector, links, .. } = run;
    let code = fleet.code(failure.as_ref());
    let made = then(PlacementOutcome { collector, failure, links }).await;
    fleet.end(code).await;
    made
}

/// The nodes that the plan needs.
fn crew(context: &PlacementContext) -> Crew {
    let scenario = &context.plan.scenario;
    let player = |policy: &super::plan::PlannedPolicy| CrewPlayer {
        policy: policy.name.clone(),
        external: None,
    };
    Crew {
        run: scenario.name(),
        helpers: scenario.helpers().iter().map(|helper| helper.name.clone()).collect(),
        players: context.plan.policies.iter().map(player).collect(),
    }
}

struct Run<'c> {
    context: &'c PlacementContext,
    fleet: Fleet,
    collector: PlacementCollector,
    links: MeasuredLinks,
}

/// A trial that is over.
struct Played {
    trial: PlacementTrial,
    links: TrialLinks,
}

impl Run<'_> {
    async fn play(&mut self) -> Result<(), Early> {
        let board = Arc::clone(&self.context.board);
        self.fleet.wait_for_nodes(|stage| board.set_stage(&stage)).await?;
        board.set_stage("");
        let plan = Arc::clone(&self.context.plan);
        for (number, seed) in plan.seeds.iter().enumerate() {
            self.play_seed(number as u64, plan.scenario.instance(*seed)).await?;
        }
        Ok(())
    }

    /// Plays all policies under one seed.
    async fn play_seed(&mut self, number: u64, instance: PlacementInstance) -> Result<(), Early> {
        let names = self.context.plan.policies.iter().map(|policy| policy.name.as_str());
        let (members, players) = self.fleet.cast(names)?;
        let order =
            |node| HelperOrder::Placement(Box::new(self.order(number, node, &instance, &players)));
        let seed = self.fleet.tell_seed(number, order).await?;
        let at_once = if self.context.plan.scenario.is_wall() { 1 } else { players.len() };
        let trials =
            self.trials(number, &instance, seed.addresses.clone()).into_iter().zip(members);
        let context = self.context;
        let trials = trials.map(|(order, member)| {
            let (context, instance) = (context.clone(), instance.clone());
            move |stopped| drive(context, member, order, instance, stopped)
        });
        let failed = |played: &Played| {
            let is_failed = played.trial.status == Status::Failed;
            is_failed.then(|| of_trial(context, &played.trial))
        };
        let (mut done, failure) = self.fleet.play(at_once, trials, failed).await;
        drop(seed);
        done.sort_by_key(|played| played.trial.policy);
        for Played { trial, links } in done {
            self.links.add(self.context.plan.name(trial.policy), trial.seed, links);
            self.collector.add(trial);
        }
        self.fleet.ended(failure).await
    }

    /// What the helper node `node` is told of a seed.
    fn order(
        &self,
        number: u64,
        node: usize,
        instance: &PlacementInstance,
        players: &[Player],
    ) -> ComputeOrder {
        let part = &instance.helpers[node];
        let real_time = self.context.plan.scenario.is_wall();
        // Loads differ from task to task: they are part of the cycles that a task comes with.
        let execution = if real_time { part.execution } else { Execution::Timed };
        let link = instance.links.get(node).filter(|_| real_time);
        ComputeOrder {
            number,
            players: players.to_vec(),
            computer: part.computer.compute(0.0, execution),
            link: link
                .map(|path| LinkOrder { path: path.clone(), key: instance.link_keys[node].down }),
        }
    }

    /// What each task node is told of its trial.
    fn trials(
        &self,
        number: u64,
        instance: &PlacementInstance,
        helpers: Vec<SocketAddr>,
    ) -> Vec<PlacementOrder> {
        let policies = self.context.plan.policies.iter().enumerate();
        policies
            .map(|(index, policy)| PlacementOrder {
                trial: TrialId { seed_number: number, policy: index as u32 },
                name: policy.name.clone(),
                policy: serde_json::to_string(&policy.spec).expect("a policy is plain data"),
                model: self.context.models.bytes(index).map(<[u8]>::to_vec),
                instance: instance.clone(),
                helpers: helpers.clone(),
            })
            .collect()
    }
}

fn of_trial(context: &PlacementContext, trial: &PlacementTrial) -> RunFailure {
    let (policy, why) = (context.plan.name(trial.policy), trial.failure.as_deref());
    failed(format!(
        "the trial of {policy} with seed {} failed: {}",
        trial.seed,
        why.unwrap_or_default()
    ))
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
    #[error("the task node played {played} of {slots} slots")]
    Short { played: u64, slots: u64 },
}

/// Has `order` played by `member` and keeps its ledger. Ends early when `stopped` turns true; what
/// was told until then counts.
async fn drive(
    context: PlacementContext,
    member: MemberHandle,
    order: PlacementOrder,
    instance: PlacementInstance,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<Played> {
    let (policy, seed) = (order.trial.policy as usize, instance.seed);
    let ledger = context.ledger(policy, instance)?;
    let mut conversation = Conversation {
        context: &context,
        policy,
        ledger,
        told: Told::default(),
        links: Vec::new(),
    };
    let started = Instant::now();
    let played = tokio::select! {
        biased;
        played = conversation.play(&member, order) => Some(played),
        _ = stopped.wait_for(|stop| *stop) => None,
    };
    let (status, failure) = match played {
        Some(Ok(())) => (Status::Complete, None),
        Some(Err(failure)) => (Status::Failed, Some(failure.to_string())),
        None => (Status::Partial, None),
    };
    let Conversation { ledger, links, .. } = conversation;
    let account = ledger.close()?;
    let seconds = started.elapsed().as_secs_f64();
    let trial = PlacementTrial { policy, seed, status, account, seconds, failure };
    Ok(Played { trial, links })
}

struct Conversation<'c> {
    context: &'c PlacementContext,
    policy: usize,
    ledger: PlacementLedger,
    told: Told,
    links: Vec<LinkCheck>,
}

impl Conversation<'_> {
    async fn play(
        &mut self,
        member: &MemberHandle,
        order: PlacementOrder,
    ) -> Result<(), TrialFailure> {
        let (send, receive) = member.connection.open_bi().await.map_err(WireError::from)?;
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
        send.send(&TaskNodeOrder::Placement(Box::new(order))).await?;
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
        let slots = self.context.plan.scenario.slots();
        loop {
            match receive.expect().await? {
                PlacementReport::Steps(steps) => {
                    for step in &steps {
                        self.ledger.record(step)?;
                    }
                    self.context.board.publish(self.policy, &self.ledger, &mut self.told);
                }
                PlacementReport::Link(check) => self.links.push(*check),
                PlacementReport::Done { .. } => {
                    let played = self.ledger.slots();
                    if played != slots {
                        return Err(TrialFailure::Short { played, slots });
                    }
                    return Ok(());
                }
                PlacementReport::Failed { message } => {
                    return Err(TrialFailure::TaskNode(message));
                }
            }
        }
    }
}

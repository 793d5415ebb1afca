//! Backends `process` and `join`: the nodes are processes, and images travel over QUIC.
//!
//! In real time trials follow one another, since their outcome is a measured time; in virtual time
//! the policies of a seed play side by side.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use fogbit_neural::PIXELS;
use fogbit_scenario::cascade::{CascadeInstance, EdgePart, ImageTable, Setting};
use fogbit_scenario::link::LinkPath;
use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_scenario::topology::CascadePolicySpec;
use fogbit_transport::cascade::{CascadeOrder, CascadeReport, EdgeOrder, send_load};
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::placement::LinkOrder;
use fogbit_transport::wire::{HelperOrder, Player, TaskNodeOrder, TrialId};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, WireError};
use tokio::sync::watch;

use super::backend::{CascadeContext, CascadeOutcome};
use super::board::Published;
use super::collect::{CascadeCollector, CascadeTrial};
use super::ledger::{CascadeLedger, LedgerError, Told};
use crate::backend::process::{Crew, CrewPlayer, Early, Fleet, MemberHandle, Options, failed};
use crate::harness::RunFailure;
use crate::links::{MeasuredLinks, TrialLinks};
use crate::plan::Status;
use crate::validity::Begun;

/// Plays all trials of the plan, and has `then` make something of the outcome while the nodes are
/// still there.
pub async fn run<T>(
    context: &CascadeContext,
    options: Options,
    then: impl AsyncFnOnce(CascadeOutcome) -> T,
) -> T {
    let collector = CascadeCollector::new(&context.plan);
    let links = MeasuredLinks::default();
    let fleet = match Fleet::start(&crew(context), options).await {
        Ok(fleet) => fleet,
        Err(failure) => {
            return then(CascadeOutcome { collector, failure: Some(failure), links }).await;
        }
    };
    let setting = Arc::new(context.plan.scenario.setting());
    let mut run = Run { context, setting, fleet, collector, links };
    let failure = match run.play().await {
        Ok(()) | Err(Early::Stopped) => None,
        Err(Early::Failed(failure)) => Some(failure),
    };
    let Run { fleet, collector, links, .. } = run;
    let code = fleet.code(failure.as_ref());
    let made = then(CascadeOutcome { collector, failure, links }).await;
    fleet.end(code).await;
    made
}

/// The nodes that the plan needs.
fn crew(context: &CascadeContext) -> Crew {
    let plan = &context.plan;
    let player = |policy: &super::plan::PlannedPolicy| CrewPlayer {
        policy: policy.name.clone(),
        external: None,
    };
    Crew {
        run: plan.scenario.name(),
        helpers: vec![plan.scenario.edge().name.clone()],
        players: plan.policies.iter().map(player).collect(),
    }
}

struct Run<'c> {
    context: &'c CascadeContext,
    /// What policies may know beforehand.
    setting: Arc<Setting>,
    fleet: Fleet,
    collector: CascadeCollector,
    links: MeasuredLinks,
}

/// A trial that is over.
struct Played {
    trial: CascadeTrial,
    links: TrialLinks,
    /// In real time: how many images came, and how many were late.
    begun: Begun,
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
    async fn play_seed(&mut self, number: u64, instance: CascadeInstance) -> Result<(), Early> {
        let context = self.context;
        let scenario = &context.plan.scenario;
        let names = context.plan.policies.iter().map(|policy| policy.name.as_str());
        let (members, players) = self.fleet.cast(names)?;
        let edge = instance.edge(scenario);
        let order =
            |_| HelperOrder::Cascade(Box::new(edge_order(context, number, &edge, &players)));
        let seed = self.fleet.tell_seed(number, order).await?;
        let at_once = if scenario.is_wall() { 1 } else { players.len() };
        let address = seed.addresses[0];
        let trials = members.into_iter().enumerate().map(|(policy, member)| {
            let order = trial_order(context, &self.setting, (number, policy), &instance, &edge);
            let order = CascadeOrder { helper: (edge.edge.name.clone(), address), ..order };
            let (context, instance) = (context.clone(), instance.clone());
            let training = self.setting.images.clone();
            move |stopped| drive(context, member, order, instance, training, stopped)
        });
        let of_trial = |played: &Played| {
            let is_failed = played.trial.status == Status::Failed;
            is_failed.then(|| of_trial(context, &played.trial))
        };
        let (mut done, failure) = self.fleet.play(at_once, trials, of_trial).await;
        drop(seed);
        done.sort_by_key(|played| played.trial.policy);
        for Played { trial, links, begun } in done {
            self.collector.begun.add(begun);
            self.links.add(context.plan.name(trial.policy), trial.seed, links);
            self.collector.add(&context.plan, trial);
        }
        self.fleet.ended(failure).await
    }
}

/// What the helper node is told of a seed.
fn edge_order(
    context: &CascadeContext,
    number: u64,
    edge: &EdgePart,
    players: &[Player],
) -> EdgeOrder {
    EdgeOrder {
        number,
        players: players.to_vec(),
        edge: edge.edge.clone(),
        link: link(context, edge).map(|path| LinkOrder { path, key: edge.keys.down }),
        strong: context.pictures.as_ref().map(|pictures| pictures.strong.clone()),
    }
}

/// What a task node is told of the trial of a policy, but for where the helper node is.
fn trial_order(
    context: &CascadeContext,
    setting: &Setting,
    (seed_number, policy): (u64, usize),
    instance: &CascadeInstance,
    edge: &EdgePart,
) -> CascadeOrder {
    let planned = &context.plan.policies[policy];
    let pictures = context.pictures.as_ref();
    CascadeOrder {
        trial: TrialId { seed_number, policy: policy as u32 },
        name: planned.name.clone(),
        policy: serde_json::to_string(&planned.spec).expect("a policy is plain data"),
        model: context.policies.model(policy).map(|model| model.bytes.to_vec()),
        images: instance.images,
        walk: instance.walk,
        training: setting.walk,
        arrivals: instance.arrivals,
        keys: instance.keys,
        bucket: instance.bucket,
        wall_ns: instance.wall_ns,
        helper: (String::new(), SocketAddr::from(([0, 0, 0, 0], 0))),
        link: link(context, edge).map(|path| LinkOrder { path, key: edge.keys.up }),
        image_bytes: pictures.map_or(edge.edge.image_bytes, |_| PIXELS as u64),
        weak: pictures.map(|pictures| pictures.weak.clone()),
    }
}

/// The link, where it is emulated: in real time.
fn link(context: &CascadeContext, edge: &EdgePart) -> Option<LinkPath> {
    edge.link.clone().filter(|_| context.plan.scenario.is_wall())
}

fn of_trial(context: &CascadeContext, trial: &CascadeTrial) -> RunFailure {
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
    #[error("the task node played {played} of {images} images")]
    Short { played: u64, images: u64 },
}

/// Has `order` played by `member` and keeps its ledger. Ends early when `stopped` turns true; what
/// was told until then counts.
async fn drive(
    context: CascadeContext,
    member: MemberHandle,
    order: CascadeOrder,
    instance: CascadeInstance,
    training: ImageTable,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<Played> {
    let (policy, seed) = (order.trial.policy as usize, instance.seed);
    let table = shown(&context, policy, &instance);
    let ledger = context.ledger(policy, instance, Told::ByTaskNode)?;
    let mut conversation = Conversation {
        context: &context,
        policy,
        ledger,
        published: Published::default(),
        begun: Begun::default(),
        links: Vec::new(),
    };
    let started = Instant::now();
    let played = tokio::select! {
        biased;
        played = conversation.play(&member, order, (&table, &training)) => Some(played),
        _ = stopped.wait_for(|stop| *stop) => None,
    };
    let (status, failure) = match played {
        Some(Ok(())) => (Status::Complete, None),
        Some(Err(failure)) => (Status::Failed, Some(failure.to_string())),
        None => (Status::Partial, None),
    };
    let Conversation { ledger, links, begun, .. } = conversation;
    let tally = ledger.close()?;
    let seconds = started.elapsed().as_secs_f64();
    let trial = CascadeTrial { policy, seed, status, tally, seconds, failure };
    Ok(Played { trial, links, begun })
}

/// The images as the task node of a policy may see them.
fn shown(context: &CascadeContext, policy: usize, instance: &CascadeInstance) -> ImageTable {
    let kind = context.plan.policies[policy].spec.kind();
    match CascadePolicySpec::TOLD_MORE.contains(&kind) {
        true => instance.table.clone(),
        false => instance.without_rewards().table,
    }
}

struct Conversation<'c> {
    context: &'c CascadeContext,
    policy: usize,
    ledger: CascadeLedger,
    published: Published,
    begun: Begun,
    links: Vec<LinkCheck>,
}

impl Conversation<'_> {
    async fn play(
        &mut self,
        member: &MemberHandle,
        order: CascadeOrder,
        (table, training): (&ImageTable, &ImageTable),
    ) -> Result<(), TrialFailure> {
        let (send, receive) = member.connection.open_bi().await.map_err(WireError::from)?;
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
        send.send(&TaskNodeOrder::Cascade(Box::new(order))).await?;
        let pictures: &[u8] = match &self.context.pictures {
            Some(pictures) => &pictures.by_rank,
            None => &[],
        };
        send_load(&mut send, table, training, pictures).await?;
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
        let images = self.context.plan.scenario.images();
        loop {
            match receive.expect().await? {
                CascadeReport::Steps { steps, begun, late } => {
                    for step in &steps {
                        self.ledger.record(step)?;
                    }
                    self.begun.add(Begun { slots: begun.into(), late: late.into() });
                    let board = &self.context.board;
                    board.publish(self.policy, self.ledger.tally(), &mut self.published);
                }
                CascadeReport::Link(check) => self.links.push(*check),
                CascadeReport::Done { .. } => {
                    let played = self.ledger.tally().images;
                    if played != images {
                        return Err(TrialFailure::Short { played, images });
                    }
                    return Ok(());
                }
                CascadeReport::Failed { message } => {
                    return Err(TrialFailure::TaskNode(message));
                }
            }
        }
    }
}

//! Backends `process` and `join`: one operating-system process a node, over QUIC. They differ only
//! in who starts the nodes.

mod children;
mod cores;
mod hub;
mod live;
mod seed;
mod targets;
mod trial;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fogbit_scenario::Instance;
use fogbit_scenario::topology::{Clock, TimeSpan};
use fogbit_transport::token::Tokens;
use fogbit_transport::wire::{Pace, Player, TrialId, TrialOrder};
use fogbit_transport::{CloseCode, Role};
use quinn::Endpoint;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::children::{Children, Ended, Start};
use self::cores::Cores;
use self::hub::{Hub, Lost, MemberHandle};
use self::seed::{NodeEvent, Seed, Untold};
pub use self::targets::Targets;
use super::{Context, Outcome, RunFailure};
use crate::exit::tell;
use crate::plan::{Collector, PlannedPolicy, Status};

/// Child processes must have joined within this time.
const JOIN_DEADLINE: Duration = Duration::from_secs(30);
/// A node whose connection is lost was probably a process that died: its end is waited for.
const DEATH_NOTICE: Duration = Duration::from_millis(500);

/// Who starts the nodes.
#[derive(Debug, Clone)]
pub enum Nodes {
    /// This process does.
    Children {
        /// Keep each process on one core.
        pin: bool,
    },
    /// Somebody else does.
    Others {
        /// How many task nodes to wait for.
        task_nodes: usize,
        /// What to tell the user while waiting.
        hint: String,
    },
}

/// What these backends need besides the context.
#[derive(Debug)]
pub struct Options {
    /// Where nodes join.
    pub endpoint: Endpoint,
    /// Authority and tokens.
    pub tokens: Tokens,
    /// Who starts the nodes.
    pub nodes: Nodes,
    /// Folder for the processes' logs.
    pub logs: PathBuf,
    /// Turns true when the run is to stop.
    pub stopped: watch::Receiver<bool>,
    /// Where the nodes' metrics are, for whoever asks.
    pub targets: Targets,
}

/// Plays all trials of the plan, and has `then` make something of the outcome while the nodes are
/// still there.
pub async fn run<T>(context: Context, options: Options, then: impl AsyncFnOnce(Outcome) -> T) -> T {
    let mut collector = Collector::new(&context.plan);
    let mut run = match Run::start(context, options).await {
        Ok(run) => run,
        Err(failure) => return then(Outcome { collector, failure: Some(failure) }).await,
    };
    let played = run.play(&mut collector).await;
    let failure = match played {
        Ok(()) => None,
        Err(Early::Stopped) => None,
        Err(Early::Failed(failure)) => Some(failure),
    };
    let code = match (&failure, *run.stopped.borrow()) {
        (Some(_), _) => CloseCode::Failed,
        (None, true) => CloseCode::Stopped,
        (None, false) => CloseCode::Done,
    };
    let made = then(Outcome { collector, failure }).await;
    run.hub.close(code, "the run is over");
    // The close must leave before the children are hurried.
    tokio::task::yield_now().await;
    run.children.end().await;
    run.accepting.abort();
    made
}

/// Why a run ends before its last trial.
enum Early {
    Stopped,
    Failed(RunFailure),
}

impl From<RunFailure> for Early {
    fn from(failure: RunFailure) -> Early {
        Early::Failed(failure)
    }
}

fn failed(message: impl Into<String>) -> RunFailure {
    RunFailure { message: message.into(), help: None }
}

struct Run {
    context: Context,
    hub: Arc<Hub>,
    children: Children,
    lost: mpsc::UnboundedReceiver<Lost>,
    stopped: watch::Receiver<bool>,
    accepting: tokio::task::JoinHandle<()>,
    nodes: Nodes,
}

impl Run {
    async fn start(context: Context, options: Options) -> Result<Run, RunFailure> {
        let Options { endpoint, tokens, nodes, logs, stopped, targets } = options;
        let metrics = targets.wanted();
        let plan = &context.plan;
        let helpers: Vec<String> = plan.scenario.helpers().iter().map(|h| h.name.clone()).collect();
        let mut address = endpoint.local_addr().map_err(|error| failed(error.to_string()))?;
        if address.ip().is_unspecified() {
            // Children are on this machine, whoever else may reach it.
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let token = |role| tokens.token(role).expect("nodes have tokens");
        let (helper_token, task_token) = (token(Role::Helper), token(Role::TaskNode));
        let (tell_lost, lost) = mpsc::unbounded_channel();
        let most_task_nodes = match &nodes {
            Nodes::Children { .. } => plan.policies.len(),
            Nodes::Others { .. } => 1024,
        };
        let run_name = plan.scenario.name();
        let hub =
            Hub::new(endpoint, tokens, &run_name, &helpers, most_task_nodes, tell_lost, targets)
                .map_err(|error| failed(error.to_string()))?;
        let accepting = tokio::spawn(Arc::clone(&hub).accept());
        let mut children = Children::new(&logs, metrics);
        if let Nodes::Children { pin } = nodes {
            let cores = if pin { Cores::of_this_process() } else { Cores::none() };
            let tasks = plan.policies.len();
            let started = plan
                .policies
                .iter()
                .enumerate()
                .map(|(index, policy)| {
                    let start = Start {
                        name: task_node_name(index),
                        role: Role::TaskNode,
                        core: cores.deal(index, tasks),
                        log: format!("task-node-{}.log", policy.name),
                    };
                    (start, &task_token)
                })
                .chain(helpers.iter().enumerate().map(|(index, name)| {
                    let start = Start {
                        name: name.clone(),
                        role: Role::Helper,
                        core: cores.deal(index, tasks),
                        log: format!("helper-{name}.log"),
                    };
                    (start, &helper_token)
                }));
            for (start, token) in started {
                let name = start.name.clone();
                children
                    .start(start, address, token)
                    .await
                    .map_err(|error| failed(format!("cannot start node {name}: {error}")))?;
            }
        }
        Ok(Run { context, hub, children, lost, stopped, accepting, nodes })
    }

    async fn play(&mut self, collector: &mut Collector) -> Result<(), Early> {
        self.wait_for_nodes().await?;
        // Who came and went before has been replaced; from here on everybody counts.
        while self.lost.try_recv().is_ok() {}
        self.show_members();
        let plan = Arc::clone(&self.context.plan);
        let seeds = plan.seeds.len();
        for (number, seed) in plan.seeds.iter().enumerate() {
            let stage =
                if seeds > 1 { format!("seed {} of {seeds}", number + 1) } else { String::new() };
            self.context.live.stage(stage);
            let instance = Arc::new(plan.scenario.instance(*seed));
            self.play_seed(number as u64, instance, collector).await?;
        }
        Ok(())
    }

    /// Waits until every node is there.
    async fn wait_for_nodes(&mut self) -> Result<(), Early> {
        let wanted_helpers = self.context.plan.scenario.nodes();
        let (wanted_tasks, deadline, hint) = match &self.nodes {
            Nodes::Children { .. } => {
                (self.context.plan.policies.len(), Some(JOIN_DEADLINE), String::new())
            }
            Nodes::Others { task_nodes, hint } => (*task_nodes, None, hint.clone()),
        };
        let deadline = deadline.map(|d| tokio::time::Instant::now() + d);
        loop {
            let (helpers, tasks) = self.hub.count();
            if helpers >= wanted_helpers && tasks >= wanted_tasks {
                return Ok(());
            }
            self.context.live.stage(format!(
                "waiting for nodes: {helpers} of {wanted_helpers} helper nodes, \
                 {tasks} of {wanted_tasks} task nodes{hint}"
            ));
            let late = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stop| *stop) => return Err(Early::Stopped),
                ended = self.children.ended() => return Err(death(&ended).into()),
                () = self.hub.changed() => {}
                () = late => {
                    let missing = self.hub.missing().join(", ");
                    return Err(failed(format!(
                        "not all nodes joined within {} s; missing helper nodes: {missing}",
                        JOIN_DEADLINE.as_secs()
                    )).into());
                }
            }
        }
    }

    /// Shows who is there.
    fn show_members(&self) {
        let live = &self.context.live;
        for (place, helper) in self.hub.helpers().iter().zip(self.context.plan.scenario.helpers()) {
            live.node_present(&helper.name, place.is_some());
        }
        let (helpers, task_nodes) = self.hub.count();
        live.members(Role::Helper, helpers);
        live.members(Role::TaskNode, task_nodes);
    }

    /// Plays all policies under one seed, side by side.
    async fn play_seed(
        &mut self,
        number: u64,
        instance: Arc<Instance>,
        collector: &mut Collector,
    ) -> Result<(), Early> {
        let helpers = self.hub.helpers();
        let real_time = self.real_time();
        if !real_time && helpers.iter().any(Option::is_none) {
            return Err(failed("a helper node is gone").into());
        }
        let players = self.players()?;
        let (mut seed, events) = self.seed(number, &instance, &players);
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stop| *stop) => return Err(Early::Stopped),
            ended = self.children.ended() => return Err(death(&ended).into()),
            told = seed.announce(&helpers) => match told {
                Err(Untold { name, error }) if !real_time => {
                    return Err(failed(format!("helper node {name}: {error}")).into());
                }
                // In real time it is missed like one that was lost.
                Ok(()) | Err(_) => {}
            }
        }
        let mut trials = self.start_trials(number, &instance, &helpers, players, events);
        let mut results = Vec::new();
        let mut failure = None;
        let mut dead_task_nodes = BTreeMap::new();
        let stop_trials = trials.stop.clone();
        let mut stopped = self.stopped.clone();
        while !trials.set.is_empty() {
            tokio::select! {
                biased;
                Some(joined) = trials.set.join_next() => match joined {
                    Ok(Ok(result)) => results.push(result),
                    Ok(Err(error)) => {
                        failure.get_or_insert_with(|| failed(format!("cannot write results: {error}")));
                        let _ = stop_trials.send(true);
                    }
                    Err(error) => {
                        failure.get_or_insert_with(|| failed(format!("a trial panicked: {error}")));
                        let _ = stop_trials.send(true);
                    }
                },
                ended = self.children.ended() => {
                    let death = death(&ended);
                    // What is known to be dead need not be waited for.
                    self.hub.disconnect(ended.role, &ended.name);
                    match ended.role {
                        Role::Helper if real_time => tell(format_args!("{}", death.message)),
                        Role::Helper => {
                            let _ = stop_trials.send(true);
                            failure.get_or_insert(death);
                        }
                        Role::TaskNode | Role::Orchestrator => {
                            // It fails its own trials; the others go on.
                            dead_task_nodes.insert(ended.name.clone(), death.message.clone());
                            failure.get_or_insert(death);
                        }
                    }
                }
                Some(lost) = self.lost.recv() => {
                    self.show_members();
                    if lost.peer.role == Role::Helper && real_time {
                        self.miss(&lost, &mut seed);
                    } else if lost.peer.role == Role::Helper && failure.is_none() {
                        failure = Some(self.explain(lost).await);
                        let _ = stop_trials.send(true);
                    }
                }
                () = self.hub.changed() => {
                    self.show_members();
                    if real_time {
                        seed.welcome(&self.hub.helpers());
                    }
                }
                _ = stopped.wait_for(|stop| *stop), if !*stop_trials.borrow() => {
                    let _ = stop_trials.send(true);
                }
            }
        }
        drop(seed);
        // Trials end in any order; their results count in the order of the plan.
        results.sort_by_key(|result| result.policy);
        for mut result in results {
            if let Some(death) = dead_task_nodes.get(&task_node_name(result.policy)) {
                result.failure = result.failure.map(|_| death.clone());
            }
            // Whoever was interrupted as well did not fail.
            let interrupted = *self.stopped.borrow();
            if let (Some(failure), Status::Partial, false) = (&failure, result.status, interrupted)
            {
                result.status = Status::Failed;
                result.failure = Some(failure.message.clone());
            }
            if result.status == Status::Failed && failure.is_none() {
                let policy = self.context.plan.policies[result.policy].name.clone();
                let why = result.failure.clone().unwrap_or_default();
                failure = Some(self.explain_trial(&policy, &why).await);
            }
            collector.add(result);
        }
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        if *self.stopped.borrow() { Err(Early::Stopped) } else { Ok(()) }
    }

    fn real_time(&self) -> bool {
        self.context.plan.scenario.wall_clock().is_some()
    }

    /// In real time a helper node that is lost is missed, and the run goes on.
    fn miss(&self, lost: &Lost, seed: &mut Seed) {
        let helpers = self.context.plan.scenario.helpers();
        let Some(node) = helpers.iter().position(|h| h.name == lost.peer.name) else { return };
        tracing::warn!(name = lost.peer.name, error = lost.error, "a helper node is lost");
        self.context.live.node_lost(&lost.peer.name);
        seed.lose(node, lost.connection);
    }

    /// The seed `number`, and for each policy what its trial hears in real time.
    fn seed(
        &self,
        number: u64,
        instance: &Arc<Instance>,
        players: &[MemberHandle],
    ) -> (Seed, Vec<mpsc::UnboundedReceiver<NodeEvent>>) {
        let plan = &self.context.plan;
        let player = |(policy, member): (&PlannedPolicy, &MemberHandle)| Player {
            policy: policy.name.clone(),
            task_node: member.name.clone(),
        };
        let players = plan.policies.iter().zip(players).map(player).collect();
        let (senders, receivers) = plan.policies.iter().map(|_| mpsc::unbounded_channel()).unzip();
        let slot = plan.scenario.wall_clock().map(|clock| nanoseconds(clock.slot));
        (Seed::new(number, Arc::clone(instance), players, slot, senders), receivers)
    }

    fn pace(&self) -> Pace {
        match self.context.plan.scenario.clock() {
            Clock::Slot(clock) => {
                Pace::Slot { lookahead: clock.lookahead, slots_per_second: self.context.pace }
            }
            Clock::Wall(clock) => Pace::Wall {
                slot_nanoseconds: nanoseconds(clock.slot),
                timeout_nanoseconds: nanoseconds(clock.timeout()),
            },
        }
    }

    fn start_trials(
        &self,
        number: u64,
        instance: &Arc<Instance>,
        helpers: &[Option<MemberHandle>],
        players: Vec<MemberHandle>,
        events: Vec<mpsc::UnboundedReceiver<NodeEvent>>,
    ) -> Trials {
        let plan = &self.context.plan;
        let names = instance.helpers.iter().map(|helper| helper.name.clone());
        let listening = helpers.iter().map(|helper| helper.as_ref().and_then(|h| h.listens));
        let addresses: Vec<(String, Option<SocketAddr>)> = names.zip(listening).collect();
        let present: Arc<[bool]> = helpers.iter().map(Option::is_some).collect();
        let stop = watch::Sender::new(false);
        let mut set = JoinSet::new();
        let real_time = self.real_time();
        let all = plan.policies.iter().zip(players).zip(events).enumerate();
        for (index, ((policy, member), events)) in all {
            let order = TrialOrder {
                trial: TrialId { seed_number: number, policy: index as u32 },
                name: policy.name.clone(),
                policy: serde_json::to_string(&policy.spec).expect("a policy is plain data"),
                policy_key: plan.policy_key(index, instance.seed),
                helpers: addresses.clone(),
                features: instance.features as u32,
                tasks: instance.tasks.clone(),
                slots: plan.scenario.last_slot(),
                pace: self.pace(),
            };
            let (context, instance) = (self.context.clone(), Arc::clone(instance));
            let (stopped, present) = (stop.subscribe(), Arc::clone(&present));
            set.spawn(async move {
                if real_time {
                    live::drive(&context, &member, order, &instance, &present, events, stopped)
                        .await
                } else {
                    trial::drive(&context, &member, order, &instance, stopped).await
                }
            });
        }
        Trials { set, stop }
    }

    /// The task node that plays each policy.
    fn players(&self) -> Result<Vec<MemberHandle>, RunFailure> {
        let task_nodes = self.hub.task_nodes();
        let player = |index: usize| {
            let own = task_node_name(index);
            let member = match &self.nodes {
                Nodes::Children { .. } => task_nodes.iter().find(|m| m.name == own),
                Nodes::Others { .. } => task_nodes.get(index % task_nodes.len().max(1)),
            };
            member.cloned().ok_or_else(|| failed(format!("task node {own} is gone")))
        };
        (0..self.context.plan.policies.len()).map(player).collect()
    }

    /// What became of a helper node whose connection is lost.
    async fn explain(&mut self, lost: Lost) -> RunFailure {
        let own_death = async {
            loop {
                let ended = self.children.ended().await;
                if ended.name == lost.peer.name {
                    return ended;
                }
            }
        };
        match tokio::time::timeout(DEATH_NOTICE, own_death).await {
            Ok(ended) => death(&ended),
            Err(_) => failed(format!("helper node {} is gone: {}", lost.peer.name, lost.error)),
        }
    }

    /// Why a trial failed, if a process died of the same cause.
    async fn explain_trial(&mut self, policy: &str, why: &str) -> RunFailure {
        match tokio::time::timeout(DEATH_NOTICE, self.children.ended()).await {
            Ok(ended) => death(&ended),
            Err(_) => failed(format!("the trial of {policy} failed: {why}")),
        }
    }
}

/// The trials of one seed.
struct Trials {
    set: JoinSet<std::io::Result<crate::plan::TrialResult>>,
    stop: watch::Sender<bool>,
}

fn task_node_name(index: usize) -> String {
    format!("task-{index}")
}

fn nanoseconds(span: TimeSpan) -> u64 {
    u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX)
}

fn what(role: Role) -> &'static str {
    match role {
        Role::Helper => "helper node",
        Role::TaskNode => "task node",
        Role::Orchestrator => "orchestrator",
    }
}

fn death(ended: &Ended) -> RunFailure {
    let last = match ended.last_lines.is_empty() {
        true => "its log is empty".to_owned(),
        false => format!("the last lines of its log:\n  {}", ended.last_lines.join("\n  ")),
    };
    RunFailure {
        message: format!("{} {} died: {}", what(ended.role), ended.name, ended.status),
        help: Some(last),
    }
}

//! Backends `process` and `join`: one operating-system process a node, over QUIC. They differ only
//! in who starts the nodes.

mod children;
mod hub;
mod trial;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fogbit_scenario::Instance;
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::token::Tokens;
use fogbit_transport::wire::{SeedOrder, SeedReady, TrialId, TrialOrder};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, Role, WireError};
use quinn::Endpoint;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::children::{Children, Ended, Start};
use self::hub::{Hub, Lost, MemberHandle};
use super::{Context, Outcome, RunFailure};
use crate::plan::{Collector, Status};

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
}

/// Plays all trials of the plan.
pub async fn run(context: Context, options: Options) -> Outcome {
    let mut collector = Collector::new(&context.plan);
    let mut run = match Run::start(context, options).await {
        Ok(run) => run,
        Err(failure) => return Outcome { collector, failure: Some(failure) },
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
    run.hub.close(code, "the run is over");
    // The close must leave before the children are hurried.
    tokio::task::yield_now().await;
    run.children.end().await;
    run.accepting.abort();
    Outcome { collector, failure }
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
        let Options { endpoint, tokens, nodes, logs, stopped } = options;
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
        let hub = Hub::new(endpoint, tokens, &run_name, &helpers, most_task_nodes, tell_lost)
            .map_err(|error| failed(error.to_string()))?;
        let accepting = tokio::spawn(Arc::clone(&hub).accept());
        let mut children = Children::new(&logs);
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
        let plan = Arc::clone(&self.context.plan);
        let seeds = plan.seeds.len();
        for (number, seed) in plan.seeds.iter().enumerate() {
            let stage =
                if seeds > 1 { format!("seed {} of {seeds}", number + 1) } else { String::new() };
            self.context.progress.stage(stage);
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
            self.context.progress.stage(format!(
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

    /// Plays all policies under one seed, side by side.
    async fn play_seed(
        &mut self,
        number: u64,
        instance: Arc<Instance>,
        collector: &mut Collector,
    ) -> Result<(), Early> {
        let helpers = self.hub.helpers().ok_or_else(|| failed("a helper node is gone"))?;
        let players = self.players()?;
        let orders = announce_seed(&helpers, number, &instance, &players);
        let streams = tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stop| *stop) => return Err(Early::Stopped),
            ended = self.children.ended() => return Err(death(&ended).into()),
            streams = orders => streams?,
        };
        let mut trials = self.start_trials(number, &instance, &helpers, players);
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
                    if ended.role == Role::Helper {
                        let _ = stop_trials.send(true);
                    } else {
                        // It fails its own trials; the others go on.
                        dead_task_nodes.insert(ended.name.clone(), death.message.clone());
                        self.hub.disconnect_task_node(&ended.name);
                    }
                    failure.get_or_insert(death);
                }
                Some(lost) = self.lost.recv() => {
                    if lost.peer.role == Role::Helper && failure.is_none() {
                        failure = Some(self.explain(lost).await);
                        let _ = stop_trials.send(true);
                    }
                }
                _ = stopped.wait_for(|stop| *stop), if !*stop_trials.borrow() => {
                    let _ = stop_trials.send(true);
                }
            }
        }
        drop(streams);
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

    fn start_trials(
        &self,
        number: u64,
        instance: &Arc<Instance>,
        helpers: &[MemberHandle],
        players: Vec<MemberHandle>,
    ) -> Trials {
        let plan = &self.context.plan;
        let addresses: Vec<(String, SocketAddr)> = helpers
            .iter()
            .map(|h| (h.name.clone(), h.listens.expect("a helper node is let in if it listens")))
            .collect();
        let stop = watch::Sender::new(false);
        let mut set = JoinSet::new();
        for (index, (policy, member)) in plan.policies.iter().zip(players).enumerate() {
            let order = TrialOrder {
                trial: TrialId { seed_number: number, policy: index as u32 },
                policy: serde_json::to_string(&policy.spec).expect("a policy is plain data"),
                policy_key: plan.policy_key(index, instance.seed),
                helpers: addresses.clone(),
                features: instance.features as u32,
                tasks: instance.tasks.clone(),
                slots: plan.scenario.slots(),
                lookahead: plan.scenario.lookahead(),
            };
            let (context, instance) = (self.context.clone(), Arc::clone(instance));
            let stopped = stop.subscribe();
            set.spawn(
                async move { trial::drive(&context, &member, order, &instance, stopped).await },
            );
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

/// Tells every helper node what it is under a seed; the seed lasts as long as the streams.
async fn announce_seed(
    helpers: &[MemberHandle],
    number: u64,
    instance: &Instance,
    players: &[MemberHandle],
) -> Result<Vec<(FrameSender, FrameReceiver)>, RunFailure> {
    let players: Vec<String> = players.iter().map(|player| player.name.clone()).collect();
    let gone = |name: &str, error: WireError| failed(format!("helper node {name}: {error}"));
    let mut streams = Vec::with_capacity(helpers.len());
    for (helper, spec) in helpers.iter().zip(&instance.helpers) {
        let opened = helper.connection.open_bi().await;
        let (send, receive) = opened.map_err(|error| gone(&helper.name, error.into()))?;
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let order = SeedOrder { number, spec: spec.clone(), players: players.clone() };
        send.send(&order).await.map_err(|error| gone(&helper.name, error))?;
        streams.push((send, FrameReceiver::new(receive, CONTROL_LIMIT)));
    }
    for (helper, (_, receive)) in helpers.iter().zip(&mut streams) {
        let ready: SeedReady = receive.expect().await.map_err(|error| gone(&helper.name, error))?;
        if ready.number != number {
            return Err(failed(format!("helper node {} speaks of another seed", helper.name)));
        }
    }
    Ok(streams)
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

/// The cores that processes are dealt to.
struct Cores(Vec<usize>);

impl Cores {
    /// Those this process may use, beginning at another one for each run.
    fn of_this_process() -> Cores {
        let Ok(set) = rustix::thread::sched_getaffinity(None) else { return Cores::none() };
        let mut cores: Vec<usize> = (0..1024).filter(|core| set.is_set(*core)).collect();
        if !cores.is_empty() {
            let first = std::process::id() as usize % cores.len();
            cores.rotate_left(first);
        }
        Cores(cores)
    }

    fn none() -> Cores {
        Cores(Vec::new())
    }

    /// The core of process `index` where `sessions` task nodes run side by side. A lone session is
    /// fastest with the task node and its helper nodes on one core: waking a halted core costs more
    /// than what runs on it. Several are dealt alternately.
    fn deal(&self, index: usize, sessions: usize) -> Option<usize> {
        match (self.0.len(), sessions) {
            (0, _) => None,
            (_, 1) => Some(self.0[0]),
            (cores, _) => Some(self.0[index % cores]),
        }
    }
}

//! Backends `process` and `join`: one operating-system process a node, over QUIC. They differ only
//! in who starts the nodes.

mod children;
mod cores;
mod hub;
mod live;
mod play;
mod seed;
mod targets;
mod trial;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fogbit_scenario::topology::PolicySpec;
use fogbit_transport::token::Tokens;
use fogbit_transport::{CloseCode, Role};
use quinn::Endpoint;
use tokio::sync::{mpsc, watch};

use self::children::{Children, Ended, Start};
use self::cores::Cores;
use self::hub::{Hub, Lost};
pub use self::targets::Targets;
use super::{Context, Outcome, RunFailure, failed_policies};
use crate::plan::{Collector, Plan, PlannedPolicy};

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
        Ok(()) | Err(Early::Stopped) => failed_policies(&collector, &run.context.plan),
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
                        external: external_folder(plan, policy),
                    };
                    (start, &task_token)
                })
                .chain(helpers.iter().enumerate().map(|(index, name)| {
                    let start = Start {
                        name: name.clone(),
                        role: Role::Helper,
                        core: cores.deal(index, tasks),
                        log: format!("helper-{name}.log"),
                        external: None,
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
            self.context.board.stage(stage);
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
            self.context.board.stage(format!(
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
        let board = &self.context.board;
        for (place, helper) in self.hub.helpers().iter().zip(self.context.plan.scenario.helpers()) {
            board.node_present(&helper.name, place.is_some());
        }
        let (helpers, task_nodes) = self.hub.count();
        board.members(Role::Helper, helpers);
        board.members(Role::TaskNode, task_nodes);
    }
}

/// Where the task node of a policy may run programs: only where the policy is one.
fn external_folder(plan: &Plan, policy: &PlannedPolicy) -> Option<PathBuf> {
    let external = matches!(policy.spec, PolicySpec::External(_));
    // Joined with `.` an empty path is one as well.
    external.then(|| plan.scenario.folder().join("."))
}

fn task_node_name(index: usize) -> String {
    format!("task-{index}")
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

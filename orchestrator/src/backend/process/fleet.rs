//! The nodes of a run over processes, whatever they play: they are started or waited for, looked
//! after, and ended.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fogbit_transport::{CloseCode, Role};
use tokio::sync::{mpsc, watch};

use super::children::{Children, Ended, Start};
use super::cores::Cores;
use super::hub::{Hub, Lost, MemberHandle};
use super::{Nodes, Options};
use crate::backend::RunFailure;

/// Child processes must have joined within this time.
const JOIN_DEADLINE: Duration = Duration::from_secs(30);
/// A node whose connection is lost was probably a process that died: its end is waited for.
const DEATH_NOTICE: Duration = Duration::from_millis(500);

/// Which nodes a run needs.
#[derive(Debug, Clone)]
pub(crate) struct Crew {
    /// Name of the run.
    pub(crate) run: String,
    /// Names of the helper nodes, in the order of their numbers.
    pub(crate) helpers: Vec<String>,
    /// What each task node is for.
    pub(crate) players: Vec<CrewPlayer>,
}

/// A task node that is needed.
#[derive(Debug, Clone)]
pub(crate) struct CrewPlayer {
    /// The policy that it plays.
    pub(crate) policy: String,
    /// Where it may run external policies.
    pub(crate) external: Option<PathBuf>,
}

/// Why a run ends before its last trial.
pub(crate) enum Early {
    /// The user has stopped it.
    Stopped,
    /// It failed.
    Failed(RunFailure),
}

impl From<RunFailure> for Early {
    fn from(failure: RunFailure) -> Early {
        Early::Failed(failure)
    }
}

/// The nodes of a run.
pub(crate) struct Fleet {
    pub(super) hub: Arc<Hub>,
    pub(super) children: Children,
    pub(super) lost: mpsc::UnboundedReceiver<Lost>,
    pub(super) stopped: watch::Receiver<bool>,
    accepting: tokio::task::JoinHandle<()>,
    pub(super) nodes: Nodes,
    /// How many task nodes are needed where this process starts them.
    players: usize,
    /// How many helper nodes there are.
    helpers: usize,
}

impl Fleet {
    /// Lets nodes in, and starts them where that is ours to do.
    ///
    /// # Errors
    /// If the socket, the authority or a process fails.
    pub(crate) async fn start(crew: &Crew, options: Options) -> Result<Fleet, RunFailure> {
        let Options { endpoint, tokens, nodes, logs, stopped, targets } = options;
        let metrics = targets.wanted();
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
            Nodes::Children { .. } => crew.players.len(),
            Nodes::Others { .. } => 1024,
        };
        let (run, helpers) = (&crew.run, &crew.helpers);
        let hub = Hub::new(endpoint, tokens, run, helpers, most_task_nodes, tell_lost, targets)
            .map_err(|error| failed(error.to_string()))?;
        let accepting = tokio::spawn(Arc::clone(&hub).accept());
        let mut children = Children::new(&logs, metrics);
        if let Nodes::Children { pin } = nodes {
            let cores = if pin { Cores::of_this_process() } else { Cores::none() };
            for (start, role) in starts(crew, &cores) {
                let name = start.name.clone();
                let token = if role == Role::Helper { &helper_token } else { &task_token };
                children
                    .start(start, address, token)
                    .await
                    .map_err(|error| failed(format!("cannot start node {name}: {error}")))?;
            }
        }
        let (players, helpers) = (crew.players.len(), helpers.len());
        Ok(Fleet { hub, children, lost, stopped, accepting, nodes, players, helpers })
    }

    /// Waits until every node is there; `stage` is told how far that is.
    pub(crate) async fn wait_for_nodes(&mut self, stage: impl Fn(String)) -> Result<(), Early> {
        let (wanted_tasks, deadline, hint) = match &self.nodes {
            Nodes::Children { .. } => (self.players, Some(JOIN_DEADLINE), String::new()),
            Nodes::Others { task_nodes, hint } => (*task_nodes, None, hint.clone()),
        };
        let deadline = deadline.map(|d| tokio::time::Instant::now() + d);
        loop {
            let (helpers, tasks) = self.hub.count();
            if helpers >= self.helpers && tasks >= wanted_tasks {
                break;
            }
            stage(format!(
                "waiting for nodes: {helpers} of {} helper nodes, \
                 {tasks} of {wanted_tasks} task nodes{hint}",
                self.helpers
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
        // Who came and went before has been replaced; from here on everybody counts.
        while self.lost.try_recv().is_ok() {}
        Ok(())
    }

    /// Each helper node that is there, in the order of their numbers.
    pub(crate) fn helpers(&self) -> Vec<Option<MemberHandle>> {
        self.hub.helpers()
    }

    /// How many helper nodes and task nodes are there.
    pub(crate) fn count(&self) -> (usize, usize) {
        self.hub.count()
    }

    /// Turns true when the run is to stop.
    pub(crate) fn stopped(&self) -> watch::Receiver<bool> {
        self.stopped.clone()
    }

    /// Waits until some node is gone without which the run cannot go on, and says why.
    pub(crate) async fn gone(&mut self) -> RunFailure {
        tokio::select! {
            biased;
            ended = self.children.ended() => death(&ended),
            Some(lost) = self.lost.recv() => self.explain(lost).await,
        }
    }

    /// The cause of `failure`: the death of a process, if one has died of the same cause.
    pub(crate) async fn blame(&mut self, failure: RunFailure) -> RunFailure {
        match tokio::time::timeout(DEATH_NOTICE, self.children.ended()).await {
            Ok(ended) => death(&ended),
            Err(_) => failure,
        }
    }

    /// The task node that plays each policy.
    pub(crate) fn players(&self) -> Result<Vec<MemberHandle>, RunFailure> {
        let task_nodes = self.hub.task_nodes();
        let player = |index: usize| {
            let own = task_node_name(index);
            let member = match &self.nodes {
                Nodes::Children { .. } => task_nodes.iter().find(|m| m.name == own),
                Nodes::Others { .. } => task_nodes.get(index % task_nodes.len().max(1)),
            };
            member.cloned().ok_or_else(|| failed(format!("task node {own} is gone")))
        };
        (0..self.players).map(player).collect()
    }

    /// What became of a helper node whose connection is lost.
    pub(super) async fn explain(&mut self, lost: Lost) -> RunFailure {
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
    pub(super) async fn explain_trial(&mut self, policy: &str, why: &str) -> RunFailure {
        match tokio::time::timeout(DEATH_NOTICE, self.children.ended()).await {
            Ok(ended) => death(&ended),
            Err(_) => failed(format!("the trial of {policy} failed: {why}")),
        }
    }

    /// How the nodes are to be told that it is over.
    pub(crate) fn code(&self, failure: Option<&RunFailure>) -> CloseCode {
        match (failure, *self.stopped.borrow()) {
            (Some(_), _) => CloseCode::Failed,
            (None, true) => CloseCode::Stopped,
            (None, false) => CloseCode::Done,
        }
    }

    /// Ends all memberships, and the processes that this one started.
    pub(crate) async fn end(self, code: CloseCode) {
        self.hub.close(code, "the run is over");
        // The close must leave before the children are hurried.
        tokio::task::yield_now().await;
        self.children.end().await;
        self.accepting.abort();
    }
}

/// The processes to start: a task node for each policy, then the helper nodes.
fn starts(crew: &Crew, cores: &Cores) -> Vec<(Start, Role)> {
    let tasks = crew.players.len();
    let players = crew.players.iter().enumerate().map(|(index, player)| Start {
        name: task_node_name(index),
        role: Role::TaskNode,
        core: cores.deal(index, tasks),
        log: format!("task-node-{}.log", player.policy),
        external: player.external.clone(),
    });
    let helpers = crew.helpers.iter().enumerate().map(|(index, name)| Start {
        name: name.clone(),
        role: Role::Helper,
        core: cores.deal(index, tasks),
        log: format!("helper-{name}.log"),
        external: None,
    });
    players.chain(helpers).map(|start| (start.clone(), start.role)).collect()
}

pub(super) fn failed(message: impl Into<String>) -> RunFailure {
    RunFailure { message: message.into(), help: None }
}

pub(super) fn task_node_name(index: usize) -> String {
    format!("task-{index}")
}

pub(super) fn what(role: Role) -> &'static str {
    match role {
        Role::Helper => "helper node",
        Role::TaskNode => "task node",
        Role::Orchestrator => "orchestrator",
    }
}

pub(super) fn death(ended: &Ended) -> RunFailure {
    let last = match ended.last_lines.is_empty() {
        true => "its log is empty".to_owned(),
        false => format!("the last lines of its log:\n  {}", ended.last_lines.join("\n  ")),
    };
    RunFailure {
        message: format!("{} {} died: {}", what(ended.role), ended.name, ended.status),
        help: Some(last),
    }
}

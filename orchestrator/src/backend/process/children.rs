//! Nodes as child processes: started with a token on a pipe, ended by closing it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use fogbit_transport::{Role, Token};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

/// A child that was told to end has this long before it is killed.
const GRACE: Duration = Duration::from_millis(700);
/// How many lines of a log are shown when its process dies.
const LAST_LINES: usize = 8;

/// A process to start.
#[derive(Debug, Clone)]
pub(super) struct Start {
    /// Its name in the run.
    pub(super) name: String,
    /// Its role.
    pub(super) role: Role,
    /// The core it is to stay on.
    pub(super) core: Option<usize>,
    /// Name of its log file.
    pub(super) log: String,
    /// Where a task node may run external policies.
    pub(super) external: Option<PathBuf>,
}

/// A process that ended by itself.
#[derive(Debug)]
pub(super) struct Ended {
    /// Which.
    pub(super) name: String,
    /// Its role.
    pub(super) role: Role,
    /// How.
    pub(super) status: String,
    /// Its last words.
    pub(super) last_lines: Vec<String>,
}

/// All child processes of a run.
#[derive(Debug)]
pub(super) struct Children {
    logs: PathBuf,
    /// Whether they serve metrics, at free ports.
    metrics: bool,
    /// End of file on its pipe tells a child to end.
    pipes: Vec<ChildStdin>,
    waiting: JoinSet<(Start, io::Result<ExitStatus>)>,
    kill: tokio::sync::watch::Sender<bool>,
}

impl Children {
    /// None yet; their logs go to the folder `logs`, and with `metrics` each serves its own.
    pub(super) fn new(logs: &Path, metrics: bool) -> Children {
        Children {
            logs: logs.to_owned(),
            metrics,
            pipes: Vec::new(),
            waiting: JoinSet::new(),
            kill: tokio::sync::watch::Sender::new(false),
        }
    }

    /// Starts a node that joins the orchestrator at `join`.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub(super) async fn start(
        &mut self,
        start: Start,
        join: SocketAddr,
        token: &Token,
    ) -> io::Result<()> {
        let log = File::create(self.logs.join(&start.log))?;
        let mut command = Command::new(std::env::current_exe()?);
        let subcommand = match start.role {
            Role::TaskNode => "task-node",
            Role::Helper | Role::Orchestrator => "node",
        };
        // What the environment says is for the orchestrator; its children are told what they need.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FOGBIT_") {
                command.env_remove(name);
            }
        }
        let external = start
            .external
            .as_ref()
            .map(|folder| [OsStr::new("--external-policies"), folder.as_ref()]);
        command
            .arg(subcommand)
            .args(["--join", &join.to_string(), "--token-file", "-", "--name", &start.name])
            // The orchestrator is there: whatever goes wrong is to be told at once.
            .args(["--wait", "0s"])
            .args(self.metrics.then_some(["--metrics", "127.0.0.1:0"]).into_iter().flatten())
            .args(start.core.iter().flat_map(|core| ["--core".to_owned(), core.to_string()]))
            .args(external.into_iter().flatten())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C on the terminal is for the orchestrator, which ends its children in order.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut pipe = child.stdin.take().ok_or_else(|| io::Error::other("no pipe"))?;
        // A child that dies at once closes its pipe; its end is told where it is waited for.
        let _ = pipe.write_all(format!("{}\n", token.to_text()).as_bytes()).await;
        self.pipes.push(pipe);
        let killed = self.kill.subscribe();
        self.waiting.spawn(async move {
            let status = wait_or_kill(child, killed).await;
            (start, status)
        });
        Ok(())
    }

    /// Waits until some child has ended; for ever if there is none.
    pub(super) async fn ended(&mut self) -> Ended {
        match self.waiting.join_next().await {
            Some(Ok((start, status))) => self.describe(start, status),
            Some(Err(error)) => Ended {
                name: "a child".into(),
                role: Role::Helper,
                status: error.to_string(),
                last_lines: vec![],
            },
            None => std::future::pending().await,
        }
    }

    fn describe(&self, start: Start, status: io::Result<ExitStatus>) -> Ended {
        let status = match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let text = std::fs::read(self.logs.join(&start.log)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        Ended {
            name: start.name,
            role: start.role,
            status,
            last_lines: last.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    /// Ends all children: closes their pipes, waits a little, kills what is left.
    pub(super) async fn end(mut self) {
        self.pipes.clear();
        let all = async { while self.waiting.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            let _ = self.kill.send(true);
            while self.waiting.join_next().await.is_some() {}
        }
    }
}

async fn wait_or_kill(
    mut child: Child,
    mut killed: tokio::sync::watch::Receiver<bool>,
) -> io::Result<ExitStatus> {
    tokio::select! {
        biased;
        status = child.wait() => return status,
        _ = killed.wait_for(|kill| *kill) => {}
    }
    child.start_kill()?;
    child.wait().await
}

//! `node`, `task-node` and `token create`: the processes of a run, and what lets them in.

use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use fogbit_node::HelperMetrics;
use fogbit_task_node::{ExternalFolder, TaskNodeMetrics};
use fogbit_transport::token::{Tokens, token_file};
use fogbit_transport::{Member, MemberOptions, Role, Token};
use prometheus::Registry;
use tokio::sync::{oneshot, watch};

use super::joining::{Joining, TokenSource, Wait, parse_token};
use super::print;
use crate::exit::{Exit, Failure, tell};
use crate::exporter::{Exporter, process_registry};

/// Between two memberships, so that a run that ends at once is not joined without a break.
const REJOIN_PAUSE: Duration = Duration::from_millis(200);

/// Serve as a helper node of a run
///
/// The node proves the secret of its token, gets a certificate for its role and serves until the
/// run is over. `fogbit run` starts its own nodes; by hand they are needed for
/// `fogbit run --backend join`. Orchestrator, token and nodes can come in any order: a node waits.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit node --join 192.0.2.10:7700 --token-file helper.token\n  \
    fogbit node --join 192.0.2.10:7700 --token-file helper.token --rejoin")]
pub(crate) struct HelperArgs {
    #[command(flatten)]
    node: NodeArgs,

    /// Address that task nodes are told, where it is not the one this node listens on; the IP
    /// address 0.0.0.0 stands for the one that the orchestrator sees
    #[arg(long, value_name = "IP:PORT", env = "FOGBIT_ADVERTISE", value_parser = with_port)]
    advertise: Option<SocketAddr>,
}

/// Serve as a task node of a run
///
/// The node proves the secret of its token, gets a certificate for its role and serves until the
/// run is over. `fogbit run` starts its own nodes; by hand they are needed for
/// `fogbit run --backend join`. Orchestrator, token and nodes can come in any order: a node waits.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit task-node --join 192.0.2.10:7700 --token-file task-node.token\n  \
    fogbit task-node --join 192.0.2.10:7700 --token-file task-node.token --rejoin")]
pub(crate) struct TaskNodeArgs {
    #[command(flatten)]
    node: NodeArgs,

    /// Run external policies, in this folder. The orchestrator names the commands: whoever gives
    /// this lets it run any program as this user
    #[arg(long, value_name = "DIR", env = "FOGBIT_EXTERNAL_POLICIES")]
    external_policies: Option<PathBuf>,
}

// What both have; no doc comment, which would become the description of the commands.
#[derive(Debug, Args)]
struct NodeArgs {
    /// Address of the orchestrator
    #[arg(long, value_name = "HOST:PORT", env = "FOGBIT_JOIN", value_parser = host_and_port)]
    join: String,

    /// File with the join token of this role; `-` reads it from standard input, whose end then ends
    /// the node
    #[arg(long, value_name = "FILE", env = "FOGBIT_TOKEN_FILE")]
    token_file: PathBuf,

    /// Name to ask for; by default the orchestrator finds one
    #[arg(long, env = "FOGBIT_NAME")]
    name: Option<String>,

    /// Address to listen on; by default any free port of the interface that reaches the
    /// orchestrator
    #[arg(long, value_name = "IP:PORT", env = "FOGBIT_LISTEN")]
    listen: Option<SocketAddr>,

    /// How long to wait for a token file, an orchestrator or a free place: a time such as 30s, or
    /// forever [default: 30s; with --rejoin forever]
    #[arg(long, value_name = "TIME", env = "FOGBIT_WAIT")]
    wait: Option<Wait>,

    /// Join again when the run is over or the orchestrator is lost
    #[arg(long, env = "FOGBIT_REJOIN", value_parser = FalseyValueParser::new())]
    rejoin: bool,

    /// Serve metrics for Prometheus at this address (/metrics, /healthz)
    #[arg(long, value_name = "IP:PORT", env = "FOGBIT_METRICS")]
    metrics: Option<SocketAddr>,

    /// Stay on this processor core
    #[arg(long, value_name = "CORE", env = "FOGBIT_CORE")]
    core: Option<usize>,
}

/// What could be the address of an orchestrator: one that is none is not worth waiting for.
fn host_and_port(text: &str) -> Result<String, String> {
    match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(1..=u16::MAX))) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err("a host and a port, such as 192.0.2.10:7700".into()),
    }
}

/// An address with a port that somebody can connect to.
fn with_port(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        Ok(_) => Err("port 0 is no port to connect to".into()),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn node(args: HelperArgs) -> Result<Exit, Failure> {
    serve(args.node, Role::Helper, args.advertise, ExternalFolder::default())
}

pub(crate) fn task_node(args: TaskNodeArgs) -> Result<Exit, Failure> {
    if let Some(folder) = args.external_policies.as_ref().filter(|folder| !folder.is_dir()) {
        let message = format!("--external-policies {}: there is no such folder", folder.display());
        return Err(Failure::usage(message));
    }
    serve(args.node, Role::TaskNode, None, ExternalFolder(args.external_policies))
}

fn serve(
    args: NodeArgs,
    role: Role,
    advertise: Option<SocketAddr>,
    external: ExternalFolder,
) -> Result<Exit, Failure> {
    // Before it is pinned to a core: its thread is to have the others as well.
    let exporter = args.metrics.map(|address| Exporter::start(address, role.label()));
    let exporter = exporter.transpose().map_err(Failure::usage)?;
    if let Some(core) = args.core {
        pin_to(core);
    }
    let metrics = exporter.as_ref().map(Exporter::address);
    let (source, ended) = token_source(&args.token_file)?;
    let wait = args.wait.unwrap_or(if args.rejoin { Wait::Forever } else { Wait::DEFAULT });
    let joining = Joining::new(source, wait, |token| MemberOptions {
        name: args.name.clone(),
        listen: args.listen,
        advertise,
        metrics,
        ..MemberOptions::new(&args.join, token, role)
    });
    let runtime = super::stopping::runtime()?;
    let result = runtime.block_on(async {
        let stop = Stop::when(ended);
        serve_runs(joining, role, args.rejoin, stop, exporter.as_ref(), &external).await
    });
    // A name that is being looked up would be waited for otherwise.
    runtime.shutdown_background();
    result
}

/// Joins a run and serves it; with `rejoin` one after another.
async fn serve_runs(
    mut joining: Joining<impl Fn(Token) -> MemberOptions>,
    role: Role,
    rejoin: bool,
    stop: Stop,
    exporter: Option<&Exporter>,
    external: &ExternalFolder,
) -> Result<Exit, Failure> {
    loop {
        let member = tokio::select! {
            biased;
            () = stop.asked() => return Ok(Exit::Interrupted),
            joined = joining.join() => joined?,
        };
        let served = serve_member(member, role, stop.asked(), exporter, external).await;
        if !rejoin || stop.is_asked() {
            return served.map(|()| Exit::Well).map_err(|e| Failure::new(Exit::Failed, e));
        }
        match served {
            Ok(()) => tell(format_args!("the run is over, this node joins the next one")),
            Err(error) => tell(format_args!("{error}; this node joins again")),
        }
        tokio::select! {
            biased;
            () = stop.asked() => return Ok(Exit::Interrupted),
            () = tokio::time::sleep(REJOIN_PAUSE) => {}
        }
    }
}

/// Serves until the run is over or `stop` completes.
async fn serve_member(
    member: Member,
    role: Role,
    stop: impl Future<Output = ()>,
    exporter: Option<&Exporter>,
    external: &ExternalFolder,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    // A task node's metrics have a label `node` of their own: the helper node's at the other end.
    let labels = match role {
        Role::Helper => HashMap::from([("node".to_owned(), member.name.clone())]),
        Role::TaskNode | Role::Orchestrator => HashMap::new(),
    };
    // Without anybody to ask, what looks at the process itself would only take room.
    let registry = match exporter {
        Some(_) => process_registry(role.label(), labels),
        None => Registry::new(),
    };
    let show = || {
        if let Some(exporter) = exporter {
            exporter.handle().set_registry(registry.clone());
        }
    };
    match role {
        Role::TaskNode => {
            let metrics = TaskNodeMetrics::new(&registry).map_err(|error| text(&error))?;
            show();
            let served = fogbit_task_node::serve(member, metrics, external.clone(), stop).await;
            served.map_err(|error| text(&error))
        }
        Role::Helper | Role::Orchestrator => {
            let metrics = HelperMetrics::new(&registry).map_err(|error| text(&error))?;
            show();
            fogbit_node::serve(member, metrics, stop).await.map_err(|error| text(&error))
        }
    }
}

/// Whether this process was asked to end.
struct Stop(watch::Receiver<bool>);

impl Stop {
    /// It is asked by the end of the pipe that brought the token, and by a signal.
    fn when(ended: Option<oneshot::Receiver<()>>) -> Stop {
        let (tell, asked) = watch::channel(false);
        let signal = super::stopping::signal();
        tokio::spawn(async move {
            let ended = async {
                match ended {
                    // The sender is dropped without a word if the thread dies: an end as well.
                    Some(ended) => drop(ended.await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = ended => {}
                () = signal => {}
            }
            let _ = tell.send(true);
        });
        Stop(asked)
    }

    /// Completes when it is asked.
    fn asked(&self) -> impl Future<Output = ()> + use<> {
        let mut asked = self.0.clone();
        async move {
            // It fails where nobody is left who could ask, which is an end as well.
            let _ = asked.wait_for(|asked| *asked).await;
        }
    }

    fn is_asked(&self) -> bool {
        *self.0.borrow()
    }
}

/// Where the token comes from. Standard input is read here; it also gives a receiver that completes
/// at its end.
fn token_source(path: &Path) -> Result<(TokenSource, Option<oneshot::Receiver<()>>), Failure> {
    if path != Path::new("-") {
        return Ok((TokenSource::File(path.to_owned()), None));
    }
    let mut line = String::new();
    // A token is far shorter; whatever else comes is not kept.
    std::io::stdin()
        .lock()
        .take(4096)
        .read_line(&mut line)
        .map_err(|error| Failure::usage(format!("cannot read standard input: {error}")))?;
    let token = parse_token(path, &line)?;
    let (tell, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = tell.send(());
        // Whatever the node is busy with, it does not outlive the orchestrator.
        std::thread::sleep(Duration::from_millis(500));
        std::process::exit(Exit::Interrupted as i32);
    });
    Ok((TokenSource::Given(token), Some(ended)))
}

fn pin_to(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    if core < rustix::thread::CpuSet::MAX_CPU {
        set.set(core);
        if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
            tracing::warn!(core, %error, "cannot stay on one core");
        }
    } else {
        tracing::warn!(core, "there is no such core");
    }
}

/// Make the authority and the join tokens of runs with --backend join
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Write a new authority and a token for each role into a folder
    ///
    /// The orchestrator reads the folder with `--tokens DIR`; a helper node needs only
    /// helper.token, a task node only task-node.token, and nobody but the orchestrator the folder
    /// authority. Files that exist are not overwritten.
    #[command(after_help = "Example:\n  fogbit token create --out tokens\n  \
        fogbit run topologies/small.toml --backend join --listen 0.0.0.0:7700 --tokens tokens")]
    Create {
        /// The folder
        #[arg(long, value_name = "DIR", env = "FOGBIT_TOKEN_OUT")]
        out: PathBuf,
    },
}

pub(crate) fn token(command: TokenCommand) -> Result<Exit, Failure> {
    let TokenCommand::Create { out } = command;
    Tokens::generate().and_then(|tokens| tokens.save(&out)).map_err(Failure::usage)?;
    print(&format!(
        "wrote {0}/authority for the orchestrator alone, {0}/{1} and {0}/{2} for nodes\n",
        out.display(),
        token_file(Role::Helper),
        token_file(Role::TaskNode)
    ))?;
    Ok(Exit::Well)
}

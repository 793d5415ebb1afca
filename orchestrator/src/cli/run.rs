//! `run`: plays a topology.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use fogbit_scenario::Scenario;
use fogbit_transport::endpoint;
use fogbit_transport::token::Tokens;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::topology::TopologyArgs;
use super::{print, table};
use crate::backend::process::{Nodes, Options};
use crate::backend::{Context, Outcome, process, sim};
use crate::exit::{Exit, Failure, tell};
use crate::expect::Judgement;
use crate::plan::{Plan, Status};
use crate::progress::{Display, Progress};
use crate::report;
use crate::results::summary::Summary;
use crate::results::{Manifest, ResultsDir, ResultsError, RunStatus, file_time, write_curves};

/// Play a topology and show what each policy loses against the best choice
///
/// Every policy is played with every seed. The results go to a new directory, whose report.html
/// shows the curves; a table goes to standard output, progress to standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit run topologies/paper.toml\n  \
    fogbit run topologies/paper.toml --backend sim --seeds 50\n  \
    fogbit run topologies/fifo.toml --policy toof --policy round-robin --set nodes.count=20\n  \
    fogbit run topologies/small.toml --format json | jq .policies[0].regret_linear")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    topology: TopologyArgs,

    /// How nodes exist
    #[arg(long, value_enum, default_value_t = BackendKind::Process, env = "FOGBIT_BACKEND")]
    backend: BackendKind,

    /// Results directory; it must not exist [default: results/NAME-TIME]
    #[arg(long, value_name = "DIR", env = "FOGBIT_OUT")]
    out: Option<PathBuf>,

    /// What goes to standard output: a table, or what summary.json holds
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,

    /// Do not keep the decision of every slot (decisions/*.csv)
    #[arg(long, env = "FOGBIT_NO_DECISIONS", value_parser = FalseyValueParser::new())]
    no_decisions: bool,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,

    /// Let the operating system move the processes between cores (backend process)
    #[arg(long, env = "FOGBIT_NO_PIN", value_parser = FalseyValueParser::new())]
    no_pin: bool,

    /// Address on which nodes join [default: 127.0.0.1 and a free port]
    #[arg(long, value_name = "IP:PORT", env = "FOGBIT_LISTEN")]
    listen: Option<SocketAddr>,

    /// Folder with authority and tokens from `fogbit token create` (backend join) [default: made
    /// at the start, in the results directory, and deleted at the end]
    #[arg(long, value_name = "DIR", env = "FOGBIT_TOKENS")]
    tokens: Option<PathBuf>,

    /// How many task nodes to wait for (backend join); they share the policies
    #[arg(long, value_name = "N", default_value_t = 1, env = "FOGBIT_TASK_NODES")]
    task_nodes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BackendKind {
    /// One operating-system process a node, over QUIC on this machine
    Process,
    /// Virtual time in this process, over all cores
    Sim,
    /// Nodes that somebody else starts with `fogbit node` and `fogbit task-node`
    Join,
}

impl BackendKind {
    fn name(self) -> &'static str {
        match self {
            BackendKind::Process => "process",
            BackendKind::Sim => "sim",
            BackendKind::Join => "join",
        }
    }
}

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

pub(crate) fn run(args: RunArgs) -> Result<Exit, Failure> {
    let scenario = args.topology.load()?;
    let runtime = runtime()?;
    // Everything that can be wrong with the arguments is found before anything is written.
    let network = Network::prepare(&args, &runtime)?;
    let plan = Arc::new(Plan::new(scenario));
    let dir = results_dir(&args, &plan.scenario)?;
    let mut manifest = Manifest::begin(args.backend.name(), &plan.seeds);
    describe(&dir, &plan.scenario, &manifest).map_err(unwritten)?;

    let started = Instant::now();
    let progress = Arc::new(Progress::new(&plan));
    let context = Context {
        plan: Arc::clone(&plan),
        decisions: (!args.no_decisions).then(|| dir.clone()),
        progress: Arc::clone(&progress),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let display = Display::start(progress, args.quiet);
    let outcome = runtime.block_on(play(&args, context.clone(), network, &dir));
    drop(display);
    let outcome = outcome?;

    let mut outcome = outcome;
    outcome.collector.add_unplayed(&plan);
    let stopped = context.stop.load(Ordering::Relaxed);
    let status = run_status(&plan, &outcome, stopped);
    let reason = outcome.failure.as_ref().map(|failure| failure.message.clone());
    manifest.end(status, reason);
    let seconds = started.elapsed().as_secs_f64();
    let summary = Summary::new(&plan, &outcome.collector, args.backend.name(), status, seconds);
    if let Err(failure) = finish(&dir, &plan, &outcome, &summary, &manifest) {
        // It must not look as if the run were still going on; a full disk may have room for this.
        manifest.end(RunStatus::Failed, Some("the results could not be written".into()));
        let _ = dir.write("manifest.json", &manifest.to_json());
        return Err(failure);
    }
    match args.format {
        Format::Json => print(&summary.to_json())?,
        Format::Table => print(&table::render(&summary, dir.path()))?,
    }
    exit(&dir, outcome, &summary, stopped)
}

/// A runtime on this thread alone: one process, one core.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("cannot start: {error}")))
}

/// Completes when the user or the system asks this process to end.
pub(crate) fn signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut signals: Vec<_> =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
            .into_iter()
            .filter_map(|kind| signal(kind).ok())
            .collect();
    std::future::poll_fn(move |context| {
        if signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
}

/// The socket and the tokens of a run over processes.
struct Network {
    endpoint: quinn::Endpoint,
    tokens: Tokens,
}

impl Network {
    /// `None` for the backend that needs none.
    fn prepare(args: &RunArgs, runtime: &Runtime) -> Result<Option<Network>, Failure> {
        if args.backend == BackendKind::Sim {
            return Ok(None);
        }
        let _guard = runtime.enter();
        let address = args.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
        let endpoint = endpoint::bind(address).map_err(|error| {
            Failure::usage(format!("cannot listen on {address}: {error}"))
                .help("choose another address with --listen; port 0 takes a free one")
        })?;
        let tokens = match &args.tokens {
            Some(dir) => Tokens::load(dir).map_err(|error| {
                Failure::usage(format!("cannot read the tokens: {error}"))
                    .help(format!("`fogbit token create --out {}` makes them", dir.display()))
            })?,
            None => Tokens::generate().map_err(|error| Failure::new(Exit::Internal, error))?,
        };
        Ok(Some(Network { endpoint, tokens }))
    }
}

fn results_dir(args: &RunArgs, scenario: &Scenario) -> Result<ResultsDir, Failure> {
    let made = match &args.out {
        Some(path) => ResultsDir::create(path),
        None => ResultsDir::create_unique(Path::new("results"), &scenario.name(), &file_time()),
    };
    made.map_err(|error| {
        let failure = Failure::usage(&error);
        match error {
            ResultsError::Exists(_) => {
                failure.help("results are never overwritten: choose another --out")
            }
            ResultsError::Write { .. } => failure,
        }
    })
}

/// Writes what explains the results, before there are any.
fn describe(
    dir: &ResultsDir,
    scenario: &Scenario,
    manifest: &Manifest,
) -> Result<(), ResultsError> {
    dir.write("manifest.json", &manifest.to_json())?;
    dir.write("topology.toml", scenario.resolved_toml().as_bytes())?;
    if let Some(trace) = scenario.trace_file() {
        let path = dir.path().join(trace.file_name().unwrap_or_default());
        std::fs::copy(&trace, &path).map_err(|error| ResultsError::Write { path, error })?;
    }
    Ok(())
}

fn unwritten(error: ResultsError) -> Failure {
    Failure::new(Exit::Failed, error)
        .help("what was written before lies there still; manifest.json says how far it got")
}

/// Plays the plan on the backend; a signal stops it.
async fn play(
    args: &RunArgs,
    context: Context,
    network: Option<Network>,
    dir: &ResultsDir,
) -> Result<Outcome, Failure> {
    let stop = Arc::clone(&context.stop);
    let (tell, stopped) = watch::channel(false);
    let played = async {
        let Some(Network { endpoint, tokens }) = network else {
            let joined = tokio::task::spawn_blocking(move || sim::run(&context)).await;
            return joined.map_err(|error| Failure::new(Exit::Internal, error));
        };
        let (nodes, made) = match args.backend {
            BackendKind::Join => {
                let (folder, made) = token_folder(args, &tokens, dir)?;
                let address = endpoint.local_addr().map_err(|e| Failure::new(Exit::Internal, e))?;
                let hint = format!(" (joining on {address}, tokens in {})", folder.display());
                (Nodes::Others { task_nodes: args.task_nodes.max(1), hint }, made)
            }
            BackendKind::Process | BackendKind::Sim => {
                (Nodes::Children { pin: !args.no_pin }, None)
            }
        };
        let options = Options { endpoint, tokens, nodes, logs: dir.logs(), stopped };
        let outcome = process::run(context, options).await;
        if let Some(folder) = made {
            let _ = std::fs::remove_dir_all(folder);
        }
        Ok(outcome)
    };
    let mut played = std::pin::pin!(played);
    tokio::select! {
        biased;
        played = &mut played => return played,
        () = signal() => {}
    }
    stop.store(true, Ordering::Relaxed);
    let _ = tell.send(true);
    tokio::select! {
        biased;
        played = &mut played => played,
        // Whoever asks twice does not want to wait.
        () = signal() => std::process::exit(Exit::Interrupted as i32),
    }
}

/// The folder of the tokens, and the same again if it was made for this run alone.
fn token_folder(
    args: &RunArgs,
    tokens: &Tokens,
    dir: &ResultsDir,
) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    if let Some(folder) = &args.tokens {
        return Ok((folder.clone(), None));
    }
    let folder = dir.path().join("tokens");
    tokens.save(&folder).map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok((folder.clone(), Some(folder)))
}

fn run_status(plan: &Plan, outcome: &Outcome, stopped: bool) -> RunStatus {
    let rows = &outcome.collector.rows;
    let complete = rows.iter().filter(|row| row.status == Status::Complete).count();
    if outcome.failure.is_some() || rows.iter().any(|row| row.status == Status::Failed) {
        RunStatus::Failed
    } else if stopped || complete < plan.policies.len() * plan.seeds.len() {
        RunStatus::Partial
    } else {
        RunStatus::Complete
    }
}

/// Writes the results; the manifest last, because it says that the others are there.
fn finish(
    dir: &ResultsDir,
    plan: &Plan,
    outcome: &Outcome,
    summary: &Summary,
    manifest: &Manifest,
) -> Result<(), Failure> {
    write_curves(dir, plan, &outcome.collector).map_err(unwritten)?;
    dir.write("summary.json", summary.to_json().as_bytes()).map_err(unwritten)?;
    let html = report::render_with(dir.path(), manifest.clone())
        .map_err(|error| Failure::new(Exit::Internal, error))?;
    dir.write("report.html", html.as_bytes()).map_err(unwritten)?;
    dir.write("manifest.json", &manifest.to_json()).map_err(unwritten)
}

fn exit(
    dir: &ResultsDir,
    outcome: Outcome,
    summary: &Summary,
    stopped: bool,
) -> Result<Exit, Failure> {
    if let Some(failure) = outcome.failure {
        let shown = Failure::new(Exit::Failed, failure.message);
        return Err(match failure.help {
            Some(help) => shown.help(format!("{help}\nlogs: {}", dir.logs().display())),
            None => shown.help(format!("logs: {}", dir.logs().display())),
        });
    }
    if stopped {
        tell(format_args!("interrupted: the results in {} are partial", dir.path().display()));
        return Ok(Exit::Interrupted);
    }
    let failed = summary.expectations.iter().any(|v| v.judgement == Judgement::Failed);
    Ok(if failed { Exit::Difference } else { Exit::Well })
}

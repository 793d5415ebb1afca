//! `run`: plays a topology.

mod placement;

use std::collections::HashMap;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use fogbit_scenario::Scenario;
use fogbit_scenario::topology::{KeptFile, PolicySpec, Problem};
use fogbit_task_node::find_program;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::log::{self, LogKind};
use super::network::Network;
use super::topology::TopologyArgs;
use super::{print, table};
use crate::backend::process::Targets;
use crate::backend::{Context, Outcome, process, sim};
use crate::board::Board;
use crate::exit::{Exit, Failure, tell};
use crate::expect::Judgement;
use crate::exporter::{Exporter, process_registry};
use crate::links::MeasuredLinks;
use crate::plan::{Collector, Plan, Status};
use crate::progress::Display;
use crate::report;
use crate::results::summary::{RealTime, Summary};
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
    fogbit run topologies/small.toml --format json | jq .policies[0].regret_linear\n  \
    fogbit run topologies/live.toml --metrics 127.0.0.1:9464")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(super) topology: TopologyArgs,

    /// How nodes exist
    #[arg(long, value_enum, default_value_t = BackendKind::Process, env = "FOGBIT_BACKEND")]
    pub(super) backend: BackendKind,

    /// Results directory; it must not exist [default: results/NAME-TIME]
    #[arg(long, value_name = "DIR", env = "FOGBIT_OUT")]
    out: Option<PathBuf>,

    /// What goes to standard output: a table, or what summary.json holds
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,

    /// Policy that the others are compared with [default: toof, or else the first]
    #[arg(long, value_name = "NAME", env = "FOGBIT_VERSUS")]
    versus: Option<String>,

    /// Do not keep the decision of every slot (decisions/*.csv)
    #[arg(long, env = "FOGBIT_NO_DECISIONS", value_parser = FalseyValueParser::new())]
    no_decisions: bool,

    /// Log more for other programs (docs/logs.md); not in real time
    #[arg(long, value_enum, value_name = "WHAT", env = "FOGBIT_LOG", value_delimiter = ',')]
    log: Vec<LogKind>,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,

    /// Let the operating system move the processes between cores (backend process)
    #[arg(long, env = "FOGBIT_NO_PIN", value_parser = FalseyValueParser::new())]
    pub(super) no_pin: bool,

    /// Address on which nodes join [default: 127.0.0.1 and a free port]
    #[arg(long, value_name = "IP:PORT", env = "FOGBIT_LISTEN")]
    pub(super) listen: Option<SocketAddr>,

    /// Folder with authority and tokens from `fogbit token create`, or with its four files side by
    /// side (backend join) [default: made at the start, the tokens in the results directory, and
    /// deleted at the end]
    #[arg(long, value_name = "DIR", env = "FOGBIT_TOKENS")]
    pub(super) tokens: Option<PathBuf>,

    /// Folder in which nodes find their tokens, helper/token and task-node/token, as long as the
    /// run goes on (backend join)
    #[arg(long, value_name = "DIR", env = "FOGBIT_PUBLISH_TOKENS")]
    pub(super) publish_tokens: Option<PathBuf>,

    /// How many task nodes to wait for (backend join); they share the policies
    #[arg(long, value_name = "N", default_value_t = 1, env = "FOGBIT_TASK_NODES")]
    pub(super) task_nodes: usize,

    /// Play at most this many slots a second in each trial, to watch a run in the slot clock
    #[arg(long, value_name = "SLOTS_PER_SECOND", env = "FOGBIT_PACE", value_parser = pace)]
    pace: Option<f64>,

    /// Serve metrics for Prometheus at this address (/metrics, /healthz, /targets); nodes that this
    /// command starts serve theirs at free ports, which /targets lists
    #[arg(long, value_name = "IP:PORT", env = "FOGBIT_METRICS")]
    metrics: Option<SocketAddr>,

    /// Stay after the run and go on serving the final metrics, until a signal comes
    #[arg(long, env = "FOGBIT_LINGER", value_parser = FalseyValueParser::new())]
    linger: bool,
}

/// A number of slots a second.
fn pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(pace) if (1e-3..=1e9).contains(&pace) => Ok(pace),
        _ => Err("a number of slots a second, from 0.001 to 1000000000".into()),
    }
}

/// Fails if the program of an external policy is not there.
pub(super) fn look_for_programs(scenario: &Scenario) -> Result<(), Failure> {
    for (policy, spec) in scenario.policies() {
        let PolicySpec::External(program) = spec else { continue };
        let name = &program.command[0];
        if find_program(name, &scenario.folder()).is_none() {
            let message = format!("external policy {policy}: there is no program `{name}`");
            return Err(Failure::usage(message)
                .help("a program on the search path, or a path relative to the topology file"));
        }
    }
    Ok(())
}

impl RunArgs {
    /// The plan, with the policy that the user wants the others compared with.
    fn plan(&self, scenario: Scenario) -> Result<Plan, Failure> {
        let mut plan = Plan::new(scenario);
        if let Some(name) = &self.versus {
            let names: Vec<&str> = plan.policies.iter().map(|p| p.name.as_str()).collect();
            plan.versus = names.iter().position(|known| known == name).ok_or_else(|| {
                Failure::usage(format!("--versus {name}: no policy of this run is called so"))
                    .help(format!("policies here: {}", names.join(", ")))
            })?;
        }
        Ok(plan)
    }

    /// Says what has no effect with the clock of this topology.
    fn look_at_clock(&self, scenario: &Scenario) {
        let Some(clock) = scenario.wall_clock() else { return };
        if self.backend == BackendKind::Sim {
            tell(format_args!(
                "note: in `sim` time is virtual: slots of {} take no time and are never late",
                clock.slot
            ));
        } else if self.pace.is_some() {
            let slot = clock.slot;
            tell(format_args!("note: --pace is for the slot clock; here a slot takes {slot}"));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BackendKind {
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
    let file = args.topology.file()?;
    if file.problem()? == Problem::Placement {
        return placement::run(&args, &file);
    }
    let scenario = args.topology.scenario(&file)?;
    args.look_at_clock(&scenario);
    // Joined task nodes have programs of their own.
    if args.backend != BackendKind::Join {
        look_for_programs(&scenario)?;
    }
    let real_time = scenario.wall_clock().is_some() && args.backend != BackendKind::Sim;
    log::check(&args.log, &scenario, real_time)?;
    let runtime = runtime()?;
    // Everything that can be wrong with the arguments is found before anything is written.
    let exporter = args.metrics.map(|address| Exporter::start(address, "orchestrator"));
    let exporter = exporter.transpose().map_err(Failure::usage)?;
    let network = Network::prepare(&args, &runtime)?;
    let plan = Arc::new(args.plan(scenario)?);
    let registry = process_registry("orchestrator", HashMap::new());
    let board = Board::new(&plan, args.backend.name(), &registry);
    let board = Arc::new(board.map_err(|error| Failure::new(Exit::Internal, error))?);
    let targets = Targets::new(exporter.is_some());
    if let Some(exporter) = &exporter {
        exporter.handle().set_registry(registry);
        let (targets, own) = (targets.clone(), exporter.address());
        exporter.handle().set_targets(Arc::new(move || targets.all(own)));
    }
    let dir = results_dir(&args, &plan.scenario.name())?;
    let manifest = Manifest::begin(args.backend.name(), &plan.seeds);
    describe(&dir, &plan.scenario, &manifest).map_err(unwritten)?;
    log::make_folders(&args.log, dir.path())?;

    let context = Context {
        plan,
        // Where there is no end, they would fill the disk.
        decisions: (!args.no_decisions && board.planned().is_some()).then(|| dir.clone()),
        contexts: args.log.contains(&LogKind::Decisions).then(|| dir.clone()),
        board: Arc::clone(&board),
        pace: args.pace,
        stop: Arc::new(AtomicBool::new(false)),
    };
    let ending = Ending {
        display: Display::start(board, args.quiet),
        started: Instant::now(),
        context: context.clone(),
        dir,
        manifest,
        backend: args.backend,
        format: args.format,
        linger: args.linger,
        metrics: exporter.as_ref().map(Exporter::address),
    };
    let played = runtime.block_on(play(&args, context, network, targets, ending));
    // Trials in virtual time may still be under way; nobody wants them any more.
    runtime.shutdown_background();
    played
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

fn results_dir(args: &RunArgs, name: &str) -> Result<ResultsDir, Failure> {
    let made = match &args.out {
        Some(path) => ResultsDir::create(path),
        None => ResultsDir::create_unique(Path::new("results"), name, &file_time()),
    };
    made.map_err(|error| {
        let failure = Failure::usage(&error);
        match error {
            ResultsError::Exists(_) => {
                failure.help("results are never overwritten: choose another --out")
            }
            ResultsError::Write { error, .. } if error.kind() == ErrorKind::PermissionDenied => {
                failure.help(
                    "the folder has to belong to the user that this process runs as; in Docker \
                     Compose that is FOGBIT_USER (docs/deploy.md)",
                )
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
    for KeptFile { from, to } in scenario.policy_files() {
        let path = dir.path().join(to);
        let folder = path.parent().unwrap_or(dir.path());
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::copy(&from, &path))
            .map_err(|error| ResultsError::Write { path, error })?;
    }
    Ok(())
}

fn unwritten(error: ResultsError) -> Failure {
    Failure::new(Exit::Failed, error)
        .help("what was written before lies there still; manifest.json says how far it got")
}

/// Plays the plan on the backend; a signal stops it, and a second one ends the process.
async fn play(
    args: &RunArgs,
    context: Context,
    network: Option<Network>,
    targets: Targets,
    ending: Ending,
) -> Result<Exit, Failure> {
    let stop = Arc::clone(&context.stop);
    let (tell, stopped) = watch::channel(false);
    let played = async {
        let told = stopped.clone();
        if args.log.contains(&LogKind::Full)
            && let Some(failure) = log::write_full(&context, ending.dir.path()).await
        {
            let collector = Collector::new(&context.plan);
            let links = MeasuredLinks::default();
            return ending.end(Outcome { collector, failure: Some(failure), links }, told).await;
        }
        let Some(network) = network else {
            let joined = tokio::task::spawn_blocking(move || sim::run(&context)).await;
            let outcome = joined.map_err(|error| Failure::new(Exit::Internal, error))?;
            return ending.end(outcome, told).await;
        };
        let (options, _made) = network.options(args, ending.dir.path(), targets, stopped)?;
        process::run(context, options, async |outcome| ending.end(outcome, told).await).await
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
        // Whoever asks twice does not want to wait; what must not be left is removed all the same.
        () = signal() => Ok(Exit::Interrupted),
    }
}

/// What is made of the outcome.
struct Ending {
    display: Display,
    started: Instant,
    context: Context,
    dir: ResultsDir,
    manifest: Manifest,
    backend: BackendKind,
    format: Format,
    linger: bool,
    /// Where metrics are served.
    metrics: Option<SocketAddr>,
}

impl Ending {
    /// Writes and shows the results; with `--linger` it stays until `stopped` turns true.
    async fn end(
        mut self,
        mut outcome: Outcome,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<Exit, Failure> {
        drop(self.display);
        let plan = &self.context.plan;
        outcome.collector.add_unplayed(plan);
        let stop = self.context.stop.load(Ordering::Relaxed);
        let status = run_status(plan, &outcome);
        // An endless run has no other end.
        let interrupted = stop && status == RunStatus::Partial;
        let reason = outcome.failure.as_ref().map(|failure| failure.message.clone());
        let real_time = plan.scenario.wall_clock().is_some() && self.backend != BackendKind::Sim;
        let summary = Summary::new(
            plan,
            &outcome.collector,
            self.backend.name(),
            status,
            self.started.elapsed().as_secs_f64(),
            real_time.then(|| RealTime {
                begun: self.context.board.counted(),
                losses: self.context.board.losses(),
                links: outcome.links.summary(),
            }),
        );
        self.manifest.end(status, reason, summary.run.valid);
        if let Err(failure) = finish(&self.dir, plan, &outcome, &summary, &self.manifest) {
            // It must not look as if the run were still going on; a full disk may have room for this.
            let reason = "the results could not be written".to_owned();
            self.manifest.end(RunStatus::Failed, Some(reason), summary.run.valid);
            self.dir.overwrite("manifest.json", &self.manifest.to_json());
            return Err(failure);
        }
        match self.format {
            Format::Json => print(&summary.to_json())?,
            Format::Table => print(&table::render(&summary, self.dir.path()))?,
        }
        if self.linger && outcome.failure.is_none() && !stop {
            let metrics =
                self.metrics.map_or(String::new(), |a| format!(", metrics at http://{a}"));
            tell(format_args!("the run is over; lingering until it is stopped{metrics}"));
            let _ = stopped.wait_for(|stop| *stop).await;
        }
        exit(&self.dir, outcome, &summary, interrupted)
    }
}

fn run_status(plan: &Plan, outcome: &Outcome) -> RunStatus {
    let rows = &outcome.collector.rows;
    let complete = rows.iter().filter(|row| row.status == Status::Complete).count();
    if outcome.failure.is_some() || rows.iter().any(|row| row.status == Status::Failed) {
        RunStatus::Failed
    } else if complete < plan.policies.len() * plan.seeds.len() {
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
    outcome.links.write(dir).map_err(unwritten)?;
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
    interrupted: bool,
) -> Result<Exit, Failure> {
    if let Some(failure) = outcome.failure {
        let shown = Failure::new(Exit::Failed, failure.message);
        return Err(match failure.help {
            Some(help) => shown.help(format!("{help}\nlogs: {}", dir.logs().display())),
            None => shown.help(format!("logs: {}", dir.logs().display())),
        });
    }
    if interrupted {
        tell(format_args!("interrupted: the results in {} are partial", dir.path().display()));
        return Ok(Exit::Interrupted);
    }
    if !summary.run.valid {
        return Ok(Exit::Invalid);
    }
    let failed = summary.expectations.iter().any(|v| v.judgement == Judgement::Failed);
    Ok(if failed { Exit::Difference } else { Exit::Well })
}

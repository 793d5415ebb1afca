//! `bench`: suites that put the parts of a fog under stress.

mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueEnum};
use fogbit_scenario::TopologyFile;
use fogbit_scenario::link::profiles;
use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::Problem;
use fogbit_scenario::work::Execution;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::print;
use super::results::{results_dir, unwritten};
use super::run::Format;
use super::stopping::{runtime, until_asked_twice};
use super::topology::assignments;
use super::train::until_stopped;
use crate::bench::board::BenchBoard;
use crate::bench::design::{Design, Experiment, Size, Suite};
use crate::bench::grid::Player;
use crate::bench::play::{Played, Stage, play};
use crate::bench::summary::{BenchFacts, BenchSummary};
use crate::bench::{files, report};
use crate::exit::{Exit, Failure, tell};
use crate::placement::models::Models;
use crate::placement::plan::PlacementPlan;
use crate::placement::summary::mean_task;
use crate::progress::Display;
use crate::results::{Manifest, ResultsDir, ResultsError, RunStatus};

/// Put a fog under stress and measure what it does
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    Network(NetworkArgs),
}

/// Profiles, loads, payloads, round-trip times, losses and rates of the link to an edge node
///
/// Takes the task node, the first helper node and the work of a topology of the problem `placement`
/// and runs tasks on both over many links. Shows where offloading breaks even (measured, beside the
/// formula), what loss does, and which rate sustains which payloads.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit bench network topologies/stress.toml --quick\n  \
    fogbit bench network topologies/stress.toml --profiles 5g,lte,congested,3g\n  \
    fogbit bench network topologies/stress.toml --backend sim --format json | jq .break_even\n\n\
    Exit codes: 0 well; 1 a verified link was wrong; 2 wrong usage; 3 the host was too slow; 4 a \
    node failed; 130 interrupted.")]
pub(crate) struct NetworkArgs {
    /// The topology file (TOML), for example topologies/stress.toml
    file: PathBuf,

    /// Override a key of the topology file, e.g. --set task.output_kb=5
    #[arg(long, value_name = "KEY=VALUE", env = "FOGBIT_SET")]
    set: Vec<String>,

    /// The seed of all experiments
    #[arg(long, value_name = "S", default_value_t = 1, env = "FOGBIT_SEED")]
    seed: u64,

    /// A suite of under a minute instead of some minutes
    #[arg(long, env = "FOGBIT_QUICK", value_parser = FalseyValueParser::new())]
    quick: bool,

    /// How nodes exist
    #[arg(long, value_enum, default_value_t = Backend::Process, env = "FOGBIT_BACKEND")]
    backend: Backend,

    /// Profiles of links, by name [default: ten, seven with --quick]
    #[arg(long, value_name = "NAMES", env = "FOGBIT_PROFILES", value_delimiter = ',')]
    profiles: Vec<String>,

    /// Experiments side by side over processes [default: four times the processors, at most 8; 1 where
    /// work is really computed]
    #[arg(long, value_name = "N", env = "FOGBIT_JOBS", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,

    /// Results directory; it must not exist [default: results/NAME-TIME]
    #[arg(long, value_name = "DIR", env = "FOGBIT_OUT")]
    out: Option<PathBuf>,

    /// What goes to standard output: a table, or what summary.json holds
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// One operating-system process a node, over QUIC on this machine
    Process,
    /// Virtual time in this process
    Sim,
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Backend::Process => "process",
            Backend::Sim => "sim",
        }
    }
}

/// Runs a suite.
pub(crate) fn bench(command: BenchCommand) -> Result<Exit, Failure> {
    match command {
        BenchCommand::Network(args) => network(&args),
    }
}

fn network(args: &NetworkArgs) -> Result<Exit, Failure> {
    let file = scenario(args)?;
    let size = size(args)?;
    let profiles = size.profiles.clone();
    let design = Design::new(&file, args.seed, size);
    let suite = design.suite()?;
    let plan = PlacementPlan::new(file);
    let models = until_stopped(|stop| Models::prepare(&plan, args.quiet, stop))??;
    let runtime = runtime()?;
    let dir = results_dir(args.out.as_deref(), &format!("bench-{}", plan.scenario.name()))?;
    let manifest = Manifest::begin(args.backend.name(), &[args.seed]);
    dir.write("manifest.json", &manifest.to_json()).map_err(unwritten)?;
    dir.write("topology.toml", plan.scenario.resolved_toml().as_bytes()).map_err(unwritten)?;
    models.keep(&dir).map_err(unwritten)?;
    announce(args, &suite, &plan);
    let bench = facts(args, &plan.scenario, &suite, profiles);
    let ending = Ending { args, dir, manifest, plan, models, bench, started: Instant::now() };
    let played = LocalSet::new().block_on(&runtime, ending.play(&suite));
    runtime.shutdown_background();
    let (played, interrupted) = played?;
    match played {
        Some(played) => ending.end(&suite, &played, interrupted),
        // Whoever asks twice does not want to wait.
        None => Ok(Exit::Interrupted),
    }
}

fn scenario(args: &NetworkArgs) -> Result<PlacementScenario, Failure> {
    let mut file = TopologyFile::read(&args.file)?;
    for assignment in assignments(&args.set) {
        file.set(assignment)?;
    }
    if file.problem()? != Problem::Placement {
        let message = format!("{} is no topology of the problem `placement`", args.file.display());
        return Err(Failure::usage(message)
            .help("a file with problem = \"placement\", for example topologies/stress.toml"));
    }
    Ok(PlacementScenario::from_file(&file)?)
}

fn size(args: &NetworkArgs) -> Result<Size, Failure> {
    let mut size = if args.quick { Size::quick() } else { Size::full() };
    if !args.profiles.is_empty() {
        let known: Vec<&str> = profiles().map(|(name, _)| name).collect();
        for name in &args.profiles {
            if !known.contains(&name.as_str()) {
                let message = format!("--profiles: no link profile is called `{name}`");
                return Err(
                    Failure::usage(message).help(format!("one or more of {}", known.join(",")))
                );
            }
        }
        size.profiles.clear();
        for name in &args.profiles {
            if !size.profiles.contains(name) {
                size.profiles.push(name.clone());
            }
        }
    }
    Ok(match args.backend {
        Backend::Process => size,
        Backend::Sim => size.in_virtual_time(),
    })
}

/// How many experiments go side by side: timed work and links that are waited for cost little.
fn at_once(args: &NetworkArgs, plan: &PlacementPlan) -> usize {
    let real = plan.scenario.topology().task.execution == Execution::Real;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let default = if real { 1 } else { (4 * processors).min(8) };
    args.jobs.map_or(default, usize::from)
}

/// Says what is going to happen and how long it takes.
fn announce(args: &NetworkArgs, suite: &Suite, plan: &PlacementPlan) {
    if args.quiet {
        return;
    }
    let tasks: u64 = suite.experiments.iter().map(|e| e.scenario.slots()).sum();
    let count = suite.experiments.len();
    if args.backend == Backend::Sim {
        tell(format_args!("{count} experiments with {tasks} tasks, in virtual time"));
        return;
    }
    let at_once = at_once(args, plan);
    let mut ends = vec![0.0f64; at_once];
    let mut lengths: Vec<f64> = suite.experiments.iter().map(|e| e.expected_s).collect();
    lengths.sort_by(|a, b| b.total_cmp(a));
    for length in lengths {
        ends.sort_by(f64::total_cmp);
        ends[0] += length;
    }
    let seconds = ends.into_iter().fold(0.0, f64::max);
    let time = match seconds {
        s if s < 100.0 => format!("{s:.0} seconds"),
        s => format!("{:.0} minutes", (s / 60.0).ceil()),
    };
    tell(format_args!("{count} experiments with {tasks} tasks, {at_once} at once: about {time}"));
}

fn facts(
    args: &NetworkArgs,
    scenario: &PlacementScenario,
    suite: &Suite,
    profiles: Vec<String>,
) -> BenchFacts {
    let task = mean_task(scenario);
    BenchFacts {
        suite: "network".into(),
        topology: scenario.name(),
        about: scenario.topology().about.clone(),
        backend: args.backend.name().into(),
        quick: args.quick,
        seed: args.seed,
        nodes: [scenario.task_node().name.clone(), scenario.helpers()[0].name.clone()],
        profiles,
        cycles: task.cycles,
        output_bytes: task.output_bytes,
        experiments: suite.experiments.len() as u64,
        complete: 0,
        status: RunStatus::Running,
        valid: true,
        links_wrong: false,
        seconds: 0.0,
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// A suite that goes on, and what is made of it.
struct Ending<'a> {
    args: &'a NetworkArgs,
    dir: ResultsDir,
    manifest: Manifest,
    plan: PlacementPlan,
    models: Models,
    bench: BenchFacts,
    started: Instant,
}

type AllPlayed = Vec<Option<Played>>;

impl Ending<'_> {
    /// Plays the suite; a signal stops it, and a second one ends it with no outcome.
    async fn play(&self, suite: &Suite) -> Result<(Option<AllPlayed>, bool), Failure> {
        let experiments = &suite.experiments;
        let tasks = experiments.iter().map(|e| e.scenario.slots()).sum();
        let board = Arc::new(BenchBoard::new(experiments.len(), tasks));
        let display = Display::start(Arc::clone(&board), self.args.quiet);
        let (tell_stop, stopped) = watch::channel(false);
        let stage = Stage {
            dir: self.dir.clone(),
            processes: self.args.backend == Backend::Process,
            at_once: at_once(self.args, &self.plan),
            board,
            stop: Arc::new(AtomicBool::new(false)),
            stopped,
        };
        let stop = || {
            stage.stop.store(true, Ordering::Relaxed);
            let _ = tell_stop.send(true);
        };
        let played = until_asked_twice(play(experiments, &stage), stop).await.transpose()?;
        drop(display);
        Ok((played, stage.is_stopped()))
    }

    /// The policies of the file that can decide by themselves, with two sites.
    fn players(&self, experiment: &Experiment) -> Vec<Player> {
        let instance = experiment.scenario.instance(self.args.seed);
        let player = |index: usize| {
            let policy = self.models.policy(&self.plan, index, &instance)?;
            Some((self.plan.name(index).to_owned(), policy))
        };
        (0..self.plan.policies.len()).filter_map(player).collect()
    }

    /// Writes and shows what was found.
    fn end(
        mut self,
        suite: &Suite,
        played: &[Option<Played>],
        interrupted: bool,
    ) -> Result<Exit, Failure> {
        let failure = played.iter().flatten().find_map(|played| played.failure.clone());
        let all = played.iter().all(|played| {
            played.as_ref().is_some_and(|played| played.status == RunStatus::Complete)
        });
        let status = match (&failure, all) {
            (Some(_), _) => RunStatus::Failed,
            (None, true) => RunStatus::Complete,
            (None, false) => RunStatus::Partial,
        };
        let seconds = self.started.elapsed().as_secs_f64();
        let bench = BenchFacts { status, seconds, ..self.bench.clone() };
        let summary =
            BenchSummary::new(bench, suite, played, |experiment| self.players(experiment));
        self.manifest.end(status, failure.clone(), summary.bench.valid);
        if let Err(error) = self.write(&summary) {
            let reason = "the results could not be written".to_owned();
            self.manifest.end(RunStatus::Failed, Some(reason), summary.bench.valid);
            self.dir.overwrite("manifest.json", &self.manifest.to_json());
            return Err(unwritten(error));
        }
        match self.args.format {
            Format::Json => print(&summary.to_json())?,
            Format::Table => print(&table::render(&summary, self.dir.path()))?,
        }
        if let Some(message) = failure {
            return Err(Failure::new(Exit::Failed, message));
        }
        if interrupted && status == RunStatus::Partial {
            let dir = self.dir.path().display();
            tell(format_args!("interrupted: the results in {dir} are partial"));
            return Ok(Exit::Interrupted);
        }
        Ok(match (summary.bench.valid, summary.bench.links_wrong) {
            (false, _) => Exit::Invalid,
            (true, true) => Exit::Difference,
            (true, false) => Exit::Well,
        })
    }

    /// Writes the results; the manifest last, because it says that the others are there.
    fn write(&self, summary: &BenchSummary) -> Result<(), ResultsError> {
        files::write(&self.dir, summary)?;
        self.dir.write("summary.json", summary.to_json().as_bytes())?;
        let html = report::render(summary, &self.manifest);
        self.dir.write("report.html", html.as_bytes())?;
        self.dir.write("manifest.json", &self.manifest.to_json())
    }
}

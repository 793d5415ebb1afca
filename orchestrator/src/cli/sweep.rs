//! `sweep`: plays a topology at many points of its parameters.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clap::Args;
use clap::builder::FalseyValueParser;
use fogbit_scenario::TopologyFile;
use fogbit_scenario::topology::Metric;

use super::run::{Format, runtime, signal};
use super::topology::{Selection, assignments};
use super::{print, sweep_table};
use crate::exit::{Exit, Failure, tell};
use crate::report;
use crate::results::{Manifest, ResultsError, RunStatus, file_time};
use crate::sweep::design::Design;
use crate::sweep::dir::{self, DirError, SweepDir, SweepManifest};
use crate::sweep::plan::{LAYOUT, Played, Shard, SweepPlan, Unit};
use crate::sweep::play::{Job, PlayError};
use crate::sweep::progress::Display;
use crate::sweep::resolve::{ResolvedPoint, resolve};
use crate::sweep::results::{FinishError, finish};
use crate::sweep::summary::SweepSummary;
use crate::sweep::unit::{self, UnitError};

/// Play a topology at many points of its parameters, over all cores
///
/// Every --set with several values is an axis, and every combination of the axes is a point; or
/// points are listed by --point and --points. Every policy is played at every point with every
/// seed, in virtual time (the backend `sim`; `fogbit run` plays one point over processes). All
/// points are checked before anything is played. What is done survives an interruption: --resume
/// goes on. A sweep can be played in shards, on several hosts, and merged: see `fogbit merge`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit sweep topologies/paper.toml --set policies.toof.gamma.c=0.01,0.03,0.1 --set nodes.count=3,10,30 --seeds 100\n  \
    fogbit sweep topologies/paper.toml --point \"nodes.count=3;slots=500\" --point \"nodes.count=30\"\n  \
    fogbit sweep topologies/paper.toml --points points.csv --out results/points\n  \
    fogbit sweep --resume results/points\n  \
    fogbit sweep topologies/paper.toml --set nodes.count=3,10,30 --shard 1/2 --out part1")]
pub(crate) struct SweepArgs {
    /// The topology file (TOML); with --resume it may be left out
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,

    /// Vary a key of the topology file: --set KEY=V1,V2,... is an axis, --set KEY=VALUE overrides
    ///
    /// KEY is dotted; entries of a list go by number (node.0.name). Values part at commas outside of
    /// brackets, braces and quotes; each is read as TOML, and what is no TOML value is taken as a
    /// string. Can be given several times; several in one argument are separated by semicolons.
    #[arg(long, value_name = "KEY=V1,V2,...", env = "FOGBIT_SET")]
    set: Vec<String>,

    /// One point, instead of axes; can be given several times
    #[arg(long, value_name = "KEY=V;KEY=V", env = "FOGBIT_POINT")]
    point: Vec<String>,

    /// Points from a CSV file, instead of axes: a header of keys, one row a point; an empty cell
    /// sets nothing
    #[arg(long, value_name = "FILE", env = "FOGBIT_POINTS")]
    points: Option<PathBuf>,

    #[command(flatten)]
    selection: Selection,

    /// Compare the others with this policy [default: toof, or else the first]
    #[arg(long, value_name = "NAME", env = "FOGBIT_VERSUS")]
    versus: Option<String>,

    /// Rank points and policies by average_regret, regret_linear, regret_happiness or reward
    /// [default: average_regret]
    #[arg(long, value_name = "METRIC", env = "FOGBIT_RANK_BY", value_parser = metric)]
    rank_by: Option<Metric>,

    /// Play only every N-th unit of work, from the I-th on; `fogbit merge` puts the shards together
    #[arg(long, value_name = "I/N", env = "FOGBIT_SHARD")]
    shard: Option<Shard>,

    /// Go on in the directory of a sweep that was stopped; other arguments may be left out or must
    /// say the same
    #[arg(long, value_name = "DIR", env = "FOGBIT_RESUME", conflicts_with = "out")]
    resume: Option<PathBuf>,

    /// Results directory; it must not exist [default: results/NAME-sweep-TIME]
    #[arg(long, value_name = "DIR", env = "FOGBIT_OUT")]
    out: Option<PathBuf>,

    /// Trials that go on side by side [default: one for each processor]
    #[arg(long, value_name = "N", env = "FOGBIT_JOBS", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,

    /// What goes to standard output: a table, or what summary.json holds
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,

    /// Show no progress
    #[arg(long, short, env = "FOGBIT_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
}

fn metric(text: &str) -> Result<Metric, String> {
    [Metric::AverageRegret, Metric::RegretLinear, Metric::RegretHappiness, Metric::Reward]
        .into_iter()
        .find(|metric| metric.name() == text)
        .ok_or_else(|| "average_regret, regret_linear, regret_happiness or reward".into())
}

pub(crate) fn sweep(args: SweepArgs) -> Result<Exit, Failure> {
    let begun = match &args.resume {
        Some(path) => resume(&args, path)?,
        None => begin(&args)?,
    };
    let jobs = args
        .jobs
        .map_or_else(|| std::thread::available_parallelism().map_or(1, Into::into), usize::from);
    begun.play(jobs, args.format, args.quiet)
}

impl SweepArgs {
    /// The points that the arguments mean, all of them checked.
    fn resolve(&self, file: &Path) -> Result<(SweepPlan, Vec<ResolvedPoint>), Failure> {
        let base = TopologyFile::read(file)?;
        let sets: Vec<&str> = assignments(&self.set).collect();
        let design = if self.point.is_empty() && self.points.is_none() {
            Design::grid(&sets)?
        } else {
            let points: Vec<Vec<&str>> = self
                .point
                .iter()
                .map(|point| assignments(std::slice::from_ref(point)).collect())
                .collect();
            Design::listed(&sets, &points, self.points.as_deref())?
        };
        if let Some((flag, key)) =
            design.keys.iter().find_map(|key| Some((self.selection.flag_for(key)?, key)))
        {
            return Err(Failure::usage(format!("{flag} would override `{key}`, which is varied"))
                .help(format!("leave {flag} out, or do not vary `{key}`")));
        }
        let points = resolve(&base, &design, |file| self.selection.load(file))?;
        let first = &points[0];
        if let Some(other) = points.iter().find(|point| point.seeds != first.seeds) {
            return Err(Failure::usage(format!(
                "points {} and {} have different seeds",
                first.plan.point, other.plan.point
            ))
            .help("every point is played with the same seeds: --seeds N or `seeds` in the file"));
        }
        let name = file.file_stem().map_or("sweep".into(), |stem| stem.to_string_lossy());
        let plans: Vec<_> = points.iter().map(|point| point.plan.clone()).collect();
        let played = Played {
            layout: LAYOUT,
            fogbit: env!("CARGO_PKG_VERSION").into(),
            topology: name.into_owned(),
            about: first.about.clone(),
            keys: design.keys,
            seeds_in_unit: Played::seeds_in_unit(&plans, first.seeds.len()),
            seeds: first.seeds.clone(),
            points: plans,
        };
        let digest = played.digest();
        let versus = default_versus(&played);
        let mut plan = SweepPlan { played, digest, versus, rank_by: Metric::AverageRegret };
        self.choose_shown(&mut plan)?;
        Ok((plan, points))
    }

    /// What the user wants to see of the sweep; it decides no result.
    fn choose_shown(&self, plan: &mut SweepPlan) -> Result<(), Failure> {
        if let Some(metric) = self.rank_by {
            plan.rank_by = metric;
        }
        let Some(name) = &self.versus else { return Ok(()) };
        if let Some(point) = plan.played.points.iter().find(|p| p.policy(name).is_none()) {
            let known: Vec<&str> = point.policies.iter().map(|p| p.name.as_str()).collect();
            let message =
                format!("--versus {name}: no policy of point {} is called so", point.point);
            return Err(
                Failure::usage(message).help(format!("policies there: {}", known.join(", ")))
            );
        }
        plan.versus = Some(name.clone());
        Ok(())
    }

    /// Whether something says what is to be played.
    fn says_what(&self) -> bool {
        !self.set.is_empty()
            || !self.point.is_empty()
            || self.points.is_some()
            || !self.selection.is_empty()
    }
}

/// The policy called `toof`, or else the first, if every point has it.
fn default_versus(played: &Played) -> Option<String> {
    let first = played.points.first()?.policies.first()?.name.as_str();
    ["toof", first]
        .into_iter()
        .find(|name| played.points.iter().all(|point| point.policy(name).is_some()))
        .map(ToOwned::to_owned)
}

/// A sweep, or a shard of one, that is ready to be played.
struct Begun {
    plan: SweepPlan,
    topologies: Vec<String>,
    dir: SweepDir,
    shard: Shard,
    /// What is still to be played.
    units: Vec<Unit>,
    manifest: SweepManifest,
}

fn part(shard: Shard) -> String {
    if shard == Shard::WHOLE { "sweep".into() } else { format!("shard {shard}") }
}

fn begin(args: &SweepArgs) -> Result<Begun, Failure> {
    let file = args.file.as_deref().expect("clap asks for it");
    let (plan, points) = args.resolve(file)?;
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let dir = match &args.out {
        Some(path) => SweepDir::create(path),
        None => {
            let name = match shard {
                Shard::WHOLE => format!("{}-sweep", plan.played.topology),
                Shard { number, of } => {
                    format!("{}-sweep-shard-{number}-of-{of}", plan.played.topology)
                }
            };
            SweepDir::create_unique(Path::new("results"), &name, &file_time())
        }
    };
    let dir = dir.map_err(unopened)?;
    new_manifest(dir, plan, points, shard, 0)
}

/// Writes what explains the sweep into a directory in which nothing was played.
fn new_manifest(
    dir: SweepDir,
    plan: SweepPlan,
    points: Vec<ResolvedPoint>,
    shard: Shard,
    resumed: u64,
) -> Result<Begun, Failure> {
    let run = Manifest::begin("sim", &plan.played.seeds);
    let manifest = SweepManifest { run, part: part(shard), resumed };
    dir.write("manifest.json", &manifest.to_json()).map_err(unwritten)?;
    dir.describe(&plan, &points).map_err(unopened)?;
    let topologies = points.into_iter().map(|point| point.toml).collect();
    let units = units_of(&plan, shard);
    Ok(Begun { plan, topologies, dir, shard, units, manifest })
}

fn units_of(plan: &SweepPlan, shard: Shard) -> Vec<Unit> {
    let units = plan.played.units().into_iter().enumerate();
    units.filter(|(index, _)| shard.plays(*index)).map(|(_, unit)| unit).collect()
}

fn resume(args: &SweepArgs, path: &Path) -> Result<Begun, Failure> {
    if args.file.is_none() && args.says_what() {
        return Err(Failure::usage("what is to be played is said, but for no topology file")
            .help("with --resume give either all arguments of the sweep, or none"));
    }
    let asked = args.file.as_deref().map(|file| args.resolve(file)).transpose()?;
    let (dir, known) = SweepDir::open(path).map_err(unopened)?;
    let earlier = dir::read_manifest(path);
    let resumed = earlier.as_ref().map_or(0, |manifest| manifest.resumed + 1);
    let shard = shard_to_resume(args.shard, earlier.as_ref().map(|m| m.part.as_str()), path)?;
    let mut plan = match (known, asked) {
        (Some(known), Some((asked, _))) => {
            let here = path.display().to_string();
            if let Some(difference) = known.played.difference(&asked.played, &here, "this command")
            {
                let message = format!("{here} is the directory of another sweep: {difference}");
                return Err(Failure::usage(message).help(format!(
                    "`fogbit sweep --resume {here}` goes on with the sweep that is there; another \
                     one needs a directory of its own"
                )));
            }
            known
        }
        (Some(known), None) => known,
        (None, Some((plan, points))) => return new_manifest(dir, plan, points, shard, resumed),
        (None, None) => {
            let message =
                format!("{} was stopped before anything was written down", path.display());
            return Err(Failure::usage(message)
                .help("give the topology file and the other arguments of the sweep again"));
        }
    };
    args.choose_shown(&mut plan)?;
    let topologies = dir::read_topologies(path, &plan).map_err(unopened)?;
    let run = Manifest::begin("sim", &plan.played.seeds);
    let started = earlier.map(|manifest| manifest.run.started);
    let run = Manifest { started: started.unwrap_or_else(|| run.started.clone()), ..run };
    let manifest = SweepManifest { run, part: part(shard), resumed };
    dir.folders().map_err(unopened)?;
    dir.write("manifest.json", &manifest.to_json()).map_err(unwritten)?;
    dir.write_plan(&plan).map_err(unopened)?;
    let units = missing(path, &plan, units_of(&plan, shard))?;
    Ok(Begun { plan, topologies, dir, shard, units, manifest })
}

/// Which part a directory holds, if what was asked for agrees.
fn shard_to_resume(
    asked: Option<Shard>,
    part: Option<&str>,
    path: &Path,
) -> Result<Shard, Failure> {
    let recorded = match part.map(|part| (part, part.strip_prefix("shard "))) {
        Some((_, Some(shard))) => shard.parse().ok(),
        Some((_, None)) => Some(Shard::WHOLE),
        None => None,
    };
    match (asked, recorded) {
        (Some(asked), Some(recorded)) if asked != recorded => {
            let here = self::part(recorded);
            let message = format!("{} holds the {here}, not shard {asked}", path.display());
            Err(Failure::usage(message).help("leave --shard out, or give another directory"))
        }
        (asked, recorded) => Ok(asked.or(recorded).unwrap_or(Shard::WHOLE)),
    }
}

/// Those of `units` that are not there, are damaged, or have trials that failed.
fn missing(path: &Path, plan: &SweepPlan, units: Vec<Unit>) -> Result<Vec<Unit>, Failure> {
    let mut left = Vec::new();
    for unit in units {
        match unit::read(path, &plan.played, &plan.digest, unit) {
            Ok((results, _)) if !results.failed() => continue,
            Ok(_) | Err(UnitError::Missing(_)) => {}
            Err(error @ UnitError::Content { .. }) => {
                tell(format_args!("note: {error}: it is played anew"));
            }
            Err(error @ UnitError::Read { .. }) => return Err(Failure::new(Exit::Failed, error)),
        }
        left.push(unit);
    }
    Ok(left)
}

pub(super) fn unopened(error: DirError) -> Failure {
    match &error {
        DirError::Results(ResultsError::Exists(path)) => {
            let help = format!(
                "results are never overwritten: choose another --out, or go on with --resume {}",
                path.display()
            );
            Failure::usage(error).help(help)
        }
        DirError::Results(ResultsError::Write { .. }) => Failure::new(Exit::Failed, error),
        DirError::Busy(_) => {
            Failure::usage(error).help("wait until it has ended, or choose another directory")
        }
        DirError::Missing(_) | DirError::NoSweep(_) => {
            Failure::usage(error).help("give the directory that `fogbit sweep` made")
        }
        DirError::Content { .. } => Failure::usage(error)
            .help("the files of a sweep are not to be changed; begin anew in another directory"),
    }
}

fn unwritten(error: ResultsError) -> Failure {
    Failure::new(Exit::Failed, error)
}

impl Begun {
    /// Plays what is left, and writes and shows the results; a signal stops it, and a second one
    /// ends the process.
    fn play(mut self, jobs: usize, format: Format, quiet: bool) -> Result<Exit, Failure> {
        let runtime = runtime()?;
        let (stop, done) = (AtomicBool::new(false), Arc::new(AtomicU64::new(0)));
        let asked = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (ended, end) = tokio::sync::oneshot::channel();
            let work = scope.spawn(|| {
                let result = self.work(jobs, format, quiet, &stop, &asked, &done);
                let _ = ended.send(());
                result
            });
            runtime.block_on(async {
                let mut end = std::pin::pin!(end);
                tokio::select! {
                    biased;
                    _ = &mut end => return,
                    () = signal() => {}
                }
                asked.store(true, Ordering::Relaxed);
                stop.store(true, Ordering::Relaxed);
                tokio::select! {
                    biased;
                    _ = &mut end => {}
                    // Whoever asks twice does not want to wait; what is written is whole.
                    () = signal() => std::process::exit(Exit::Interrupted as i32),
                }
            });
            work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// `asked` tells a stop that the user wants from one because of an error.
    fn work(
        &mut self,
        jobs: usize,
        format: Format,
        quiet: bool,
        stop: &AtomicBool,
        asked: &AtomicBool,
        done: &Arc<AtomicU64>,
    ) -> Result<Exit, Failure> {
        let job = Job {
            plan: &self.plan,
            topologies: &self.topologies,
            dir: &self.dir,
            units: &self.units,
            jobs,
            done,
            stop,
        };
        let display = Display::start(self.describe(), Arc::clone(done), job.cost(), quiet);
        let result = job.play();
        drop(display);
        let path = self.dir.path().display().to_string();
        let failed_units = match result {
            Ok(failed_units) => failed_units,
            Err(error) => {
                self.dir.end(&mut self.manifest, RunStatus::Failed, Some(error.to_string()));
                return Err(not_played(error, &path));
            }
        };
        if asked.load(Ordering::Relaxed) {
            self.dir.end(&mut self.manifest, RunStatus::Partial, Some("interrupted".into()));
            tell(format_args!("interrupted: `fogbit sweep --resume {path}` goes on"));
            return Ok(Exit::Interrupted);
        }
        if self.shard == Shard::WHOLE {
            return finish_and_show(&self.dir, &self.plan, &mut self.manifest, jobs, format);
        }
        let status = if failed_units > 0 { RunStatus::Failed } else { RunStatus::Complete };
        self.dir.end(&mut self.manifest, status, None);
        tell(format_args!(
            "shard {} is complete: {path}; `fogbit merge --out DIR {path} ...` puts all of them \
             together",
            self.shard
        ));
        Ok(if failed_units > 0 { Exit::Failed } else { Exit::Well })
    }

    /// What is played, in a line.
    fn describe(&self) -> String {
        let played = &self.plan.played;
        let trials: usize = self
            .units
            .iter()
            .map(|u| played.points[u.point].policies.len() * played.seeds_of(*u).len())
            .sum();
        let all = played.trials();
        let of = if trials == all { String::new() } else { format!(" of {all}") };
        let (points, seeds) = (played.points.len(), played.seeds.len());
        format!("{points} points, {seeds} seeds, {trials}{of} trials")
    }
}

fn not_played(error: PlayError, path: &str) -> Failure {
    match error {
        PlayError::Topology(faults) => Failure::from(faults),
        PlayError::Write(_) | PlayError::Trial(_) => Failure::new(Exit::Failed, error)
            .help(format!("what was played is kept; `fogbit sweep --resume {path}` goes on")),
    }
}

/// Writes and shows what a sweep whose units are all there comes to.
pub(super) fn finish_and_show(
    dir: &SweepDir,
    plan: &SweepPlan,
    manifest: &mut SweepManifest,
    jobs: usize,
    format: Format,
) -> Result<Exit, Failure> {
    let summary = match write_results(dir, plan, jobs) {
        Ok(summary) => summary,
        Err(failure) => {
            let reason = "the results could not be written".to_owned();
            dir.end(manifest, RunStatus::Failed, Some(reason));
            return Err(failure);
        }
    };
    let failed = summary.sweep.failed > 0;
    let status = if failed { RunStatus::Failed } else { RunStatus::Complete };
    dir.end(manifest, status, failed.then(|| "some trials failed".into()));
    match format {
        Format::Json => print(&summary.to_json())?,
        Format::Table => print(&sweep_table::render(&summary, dir.path()))?,
    }
    if failed { Err(failures(&summary)) } else { Ok(Exit::Well) }
}

fn write_results(dir: &SweepDir, plan: &SweepPlan, jobs: usize) -> Result<SweepSummary, Failure> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let threads = threads.map_err(|error| Failure::new(Exit::Internal, error))?;
    let path = dir.path().display();
    let again = format!("what was played is kept; `fogbit sweep --resume {path}` goes on");
    let summary = threads.install(|| finish(dir.path(), plan)).map_err(|error| match error {
        FinishError::Unit(_) | FinishError::Write(_) => {
            Failure::new(Exit::Failed, error).help(again.as_str())
        }
    })?;
    let html =
        report::sweep::render(dir.path()).map_err(|error| Failure::new(Exit::Internal, error))?;
    dir.write("report.html", html.as_bytes())
        .map_err(|error| unwritten(error).help(again.as_str()))?;
    Ok(summary)
}

/// Says that trials failed, and why the first of them did.
fn failures(summary: &SweepSummary) -> Failure {
    let all = summary.points.iter().flat_map(|point| {
        point.policies.iter().flat_map(move |policy| {
            policy.failures.iter().map(move |failure| (&point.point, &policy.name, failure))
        })
    });
    let first = all.map(|(point, policy, failure)| {
        format!("{policy} at point {point} with seed {}: {}", failure.seed, failure.reason)
    });
    let first = first.take(1).collect::<String>();
    Failure::new(
        Exit::Failed,
        format!(
            "{} of {} trials failed; the first: {first}",
            summary.sweep.failed, summary.sweep.trials
        ),
    )
    .help("they are left out of all figures; --resume plays their units anew")
}

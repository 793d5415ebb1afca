//! `sweep`: plays a topology at many points of its parameters.

mod begin;
mod play;
mod table;

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;
use fogbit_scenario::TopologyFile;

pub(super) use begin::unopened;
pub(super) use play::finish_and_show;

use super::run::Format;
use super::topology::{Selection, assignments};
use crate::cli::stopping::heed_full_files;
use crate::exit::{Exit, Failure, tell};
use crate::sweep::design::Design;
use crate::sweep::dir::MODELS;
use crate::sweep::plan::{LAYOUT, Played, Shard, SweepPlan};
use crate::sweep::problem;
use crate::sweep::resolve::{Base, ResolvedPoint, resolve};

/// Play a topology at many points of its parameters, over all cores
///
/// Every --set with several values is an axis, and every combination of the axes is a point; or
/// points are listed by --point and --points. Without either the points are those of [sweep] in the
/// topology file. Every policy is played at every point with every
/// seed, in virtual time (the backend `sim`; `fogbit run` plays one point over processes). All
/// points are checked before anything is played. What is done survives an interruption: --resume
/// goes on. A sweep can be played in shards, on several hosts, and merged: see `fogbit merge`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit sweep topologies/paper.toml --set policies.toof.gamma.c=0.01,0.03,0.1 --set nodes.count=3,10,30 --seeds 100\n  \
    fogbit sweep topologies/paper.toml --point \"nodes.count=3;slots=500\" --point \"nodes.count=30\"\n  \
    fogbit sweep topologies/paper.toml --points points.csv --out results/points\n  \
    fogbit sweep topologies/cascade-fig6.toml\n  \
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

    /// Compare the others with this policy [default: toof, of `placement` the first of kind
    /// always-offload, of `cascade` the first of kind threshold, or else the first]
    #[arg(long, value_name = "NAME", env = "FOGBIT_VERSUS")]
    versus: Option<String>,

    /// Rank points and policies by average_regret, regret_linear, regret_happiness or reward; of
    /// `placement` by mean_regret_ms, mean_latency_ms, accuracy or accuracy_outside_band; of `cascade`
    /// by average_loss, offloaded_share or wasted_share [default: the first]
    #[arg(long, value_name = "METRIC", env = "FOGBIT_RANK_BY")]
    rank_by: Option<String>,

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

pub(crate) fn sweep(args: SweepArgs) -> Result<Exit, Failure> {
    heed_full_files()?;
    let begun = match &args.resume {
        Some(path) => begin::resume(&args, path)?,
        None => begin::begin(&args)?,
    };
    if args.resume.is_none() && !args.quiet && begun.plan.played.points.len() == 1 {
        tell(format_args!("no axis: one point; name one with --set KEY=A,B, or in [sweep]"));
    }
    let played = &begun.plan.played;
    let all = played.trainings();
    let left = all.iter().filter(|file| !begun.dir.path().join(file).is_file()).count();
    if left > 0 && !args.quiet {
        tell(format_args!(
            "note: {left} of {} networks are to be trained, each before its first trial; they are \
             kept in {}",
            all.len(),
            begun.dir.path().join(MODELS).display()
        ));
    }
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
            let design = Design::grid(&sets)?;
            match base.sweep()? {
                Some(grids) if design.keys.is_empty() => Design::of_grids(&grids, design.plain)?,
                _ => design,
            }
        } else {
            let points: Vec<Vec<&str>> = self
                .point
                .iter()
                .map(|point| assignments(std::slice::from_ref(point)).collect())
                .collect();
            Design::listed(&sets, &points, self.points.as_deref())?
        };
        let assigned = design.plain.iter().filter_map(|plain| plain.split_once('='));
        if assigned
            .map(|(key, _)| key.trim())
            .chain(design.keys.iter().map(String::as_str))
            .any(|key| key == "sweep" || key.starts_with("sweep."))
        {
            return Err(Failure::usage("--set cannot change the points of [sweep]")
                .help("name other points with --set KEY=V1,V2, --point or --points"));
        }
        if let Some((flag, key)) =
            design.keys.iter().find_map(|key| Some((self.selection.flag_for(key)?, key)))
        {
            return Err(Failure::usage(format!("{flag} would override `{key}`, which is varied"))
                .help(format!("leave {flag} out, or do not vary `{key}`")));
        }
        let said = problem::of(base.problem()?);
        let wanted = self.selection.policies();
        let points = resolve(Base { file: &base, wanted }, said, &design, |file| {
            self.selection.apply(file)
        })?;
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
            problem: said.problem(),
            topology: name.into_owned(),
            about: first.about.clone(),
            keys: design.keys,
            seeds_in_unit: Played::seeds_in_unit(&plans, first.seeds.len()),
            seeds: first.seeds.clone(),
            points: plans,
        };
        let digest = played.digest();
        let versus = default_versus(&played);
        let mut plan = SweepPlan { played, digest, versus, rank_by: said.default_metric() };
        self.choose_shown(&mut plan)?;
        Ok((plan, points))
    }

    /// What the user wants to see of the sweep; it decides no result.
    fn choose_shown(&self, plan: &mut SweepPlan) -> Result<(), Failure> {
        if let Some(name) = &self.rank_by {
            let metrics = plan.played.said().metrics();
            let known = || metrics.iter().map(|metric| metric.name).collect::<Vec<_>>().join(", ");
            plan.rank_by = *metrics.iter().find(|metric| metric.name == name).ok_or_else(|| {
                Failure::usage(format!("--rank-by {name}: there is no such metric here"))
                    .help(format!("metrics of this problem: {}", known()))
            })?;
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

/// The policy that the problem prefers, or else the first, if every point has it.
fn default_versus(played: &Played) -> Option<String> {
    let policies = &played.points.first()?.policies;
    let names = [played.said().preferred(policies), policies.first()];
    names
        .into_iter()
        .flatten()
        .map(|policy| policy.name.as_str())
        .find(|name| played.points.iter().all(|point| point.policy(name).is_some()))
        .map(ToOwned::to_owned)
}

//! From arguments, or from a directory, to a sweep that is ready to be played.

use std::path::Path;

use super::SweepArgs;
use crate::exit::{Exit, Failure, tell};
use crate::results::{Manifest, ResultsError, file_time};
use crate::sweep::dir::{self, DirError, SweepDir, SweepManifest};
use crate::sweep::plan::{Shard, SweepPlan, Unit};
use crate::sweep::resolve::ResolvedPoint;
use crate::sweep::unit::{self, UnitError};

/// A sweep, or a shard of one, that is ready to be played.
pub(super) struct Begun {
    pub(super) plan: SweepPlan,
    pub(super) topologies: Vec<String>,
    pub(super) dir: SweepDir,
    pub(super) shard: Shard,
    /// What is still to be played.
    pub(super) units: Vec<Unit>,
    pub(super) manifest: SweepManifest,
}

fn part(shard: Shard) -> String {
    if shard == Shard::WHOLE { "sweep".into() } else { format!("shard {shard}") }
}

/// Checks everything and makes a new directory.
pub(super) fn begin(args: &SweepArgs) -> Result<Begun, Failure> {
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

/// Opens the directory at `path` to play what is missing there.
pub(super) fn resume(args: &SweepArgs, path: &Path) -> Result<Begun, Failure> {
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
    dir.folders(&plan).map_err(unopened)?;
    dir.tidy();
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

/// The error of a directory as the user sees it.
pub(in crate::cli) fn unopened(error: DirError) -> Failure {
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

pub(super) fn unwritten(error: ResultsError) -> Failure {
    Failure::new(Exit::Failed, error)
}

//! From a design to checked points: every point is validated before anything is played.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fogbit_scenario::TopologyFile;
use indexmap::IndexMap;
use rayon::prelude::*;

use super::design::{Design, Setting};
use super::plan::{PointPlan, sha256};
use super::problem::{CheckedPoint, SweepProblem};
use crate::exit::{Exit, Failure, Shown};

/// Errors shown at most; the others are counted.
const MOST_SHOWN: usize = 8;

/// A checked point with its files.
#[derive(Debug, Clone)]
pub struct ResolvedPoint {
    /// What it plays.
    pub plan: PointPlan,
    /// Its topology with every default and override written out.
    pub toml: String,
    /// Files that the topology names, each with its name beside the resolved topology.
    pub files: Vec<(PathBuf, String)>,
    /// Its seeds.
    pub seeds: Vec<u64>,
    /// What the topology shows.
    pub about: Option<String>,
}

/// What is played of every point of a topology file.
#[derive(Debug, Clone, Copy)]
pub struct Base<'b> {
    /// The topology file.
    pub file: &'b TopologyFile,
    /// Its policies that are wanted; all where none is named.
    pub wanted: &'b [String],
}

/// Checks every point of `design` over the topology of `base`; `narrow` overrides seeds and nodes
/// of a point.
///
/// # Errors
/// Everything that is wrong, each mistake once, with the first point that makes it.
pub fn resolve(
    base: Base<'_>,
    said: &dyn SweepProblem,
    design: &Design,
    narrow: impl Fn(&mut TopologyFile) -> Result<(), Failure> + Sync,
) -> Result<Vec<ResolvedPoint>, Failure> {
    let mut points = Vec::with_capacity(design.points.len());
    let mut wrong: Vec<(String, Shown, usize)> = Vec::new();
    let mut exit = Exit::Usage;
    let digits = design.points.len().to_string().len().max(3);
    let name = |index: usize| format!("p{:0digits$}", index + 1);
    let one = |(index, settings): (usize, &Vec<Setting>)| {
        let mut file = overridden(base.file, design, settings)?;
        narrow(&mut file)?;
        resolved(&name(index), settings, said.check(&file, base.wanted)?)
    };
    // In their order, whoever checks them: a trace is read for each.
    let checked: Vec<Result<ResolvedPoint, Failure>> =
        design.points.par_iter().enumerate().map(one).collect();
    for (index, checked) in checked.into_iter().enumerate() {
        match checked {
            Ok(point) => points.push(point),
            Err(failure) => {
                exit = failure.exit;
                let who = described(&name(index), &design.points[index]);
                for shown in failure.reports {
                    match wrong.iter_mut().find(|(_, known, _)| known.says_the_same(&shown)) {
                        Some((_, _, more)) => *more += 1,
                        None => wrong.push((who.clone(), shown, 0)),
                    }
                }
            }
        }
    }
    if wrong.is_empty() {
        no_two_files_of_one_name(&points)?;
        return Ok(points);
    }
    let count = wrong.len();
    let mut reports: Vec<Shown> = wrong
        .into_iter()
        .take(MOST_SHOWN)
        .map(|(who, shown, more)| match more {
            0 => shown.about(&who),
            1 => shown.about(&format!("{who} and one more point")),
            more => shown.about(&format!("{who} and {more} more points")),
        })
        .collect();
    if count > MOST_SHOWN {
        let message = format!("{} more mistakes of this kind", count - MOST_SHOWN);
        reports.extend(Failure::new(exit, message).reports);
    }
    Err(Failure { exit, reports })
}

/// All points keep their files in one folder, where a name can stand for one content alone.
fn no_two_files_of_one_name(points: &[ResolvedPoint]) -> Result<(), Failure> {
    let mut kept: IndexMap<&str, (&str, &str)> = IndexMap::new();
    let topologies: BTreeSet<String> =
        points.iter().map(|point| format!("{}.toml", point.plan.point)).collect();
    for point in points {
        let here = point.plan.point.as_str();
        for (name, digest) in point.plan.files.iter().filter(|(name, _)| *name != "topology") {
            let another = |message: String| {
                Failure::usage(message)
                    .help("the files of all points are kept in one folder: give it another name")
            };
            if topologies.contains(name) {
                let message =
                    format!("{here} needs a file `{name}`, but that is a point's topology");
                return Err(another(message));
            }
            let (before, content) = *kept.entry(name).or_insert((here, digest));
            if content != digest {
                let message = format!("{before} and {here} need different files `{name}`");
                return Err(another(message));
            }
        }
    }
    Ok(())
}

fn described(name: &str, settings: &[Setting]) -> String {
    let parts: Vec<String> = settings.iter().map(Setting::assignment).collect();
    match parts.is_empty() {
        true => format!("point {name}"),
        false => format!("point {name} ({})", parts.join(", ")),
    }
}

/// The topology file with what all points set, and with what this one sets.
fn overridden(
    base: &TopologyFile,
    design: &Design,
    settings: &[Setting],
) -> Result<TopologyFile, Failure> {
    let mut file = base.clone();
    for plain in &design.plain {
        file.set(plain)?;
    }
    for setting in settings {
        match &setting.written {
            Some(value) => file.set_from_axis(&setting.key, value),
            None => file.set_named(setting.name.clone(), &setting.assignment())?,
        }
    }
    Ok(file)
}

fn resolved(
    name: &str,
    settings: &[Setting],
    checked: CheckedPoint,
) -> Result<ResolvedPoint, Failure> {
    let CheckedPoint { slots, nodes, slot_cost, own_path, policies, .. } = checked;
    let CheckedPoint { toml, mut files, seeds, about, .. } = checked;
    files.sort();
    files.dedup();
    let mut digests = IndexMap::from([("topology".to_owned(), sha256(toml.as_bytes()))]);
    for (path, name) in &files {
        digests.insert(name.clone(), sha256(&read(path)?));
    }
    let plan = PointPlan {
        point: name.to_owned(),
        settings: settings.iter().map(|s| (s.key.clone(), s.value.clone())).collect(),
        slots,
        nodes,
        slot_cost,
        own_path,
        policies,
        files: digests,
    };
    Ok(ResolvedPoint { plan, toml, files, seeds, about })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

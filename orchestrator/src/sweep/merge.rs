//! Shards of a sweep, put together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::dir::{self, DirError, SweepDir};
use super::models::digest_of;
use super::plan::{Shard, SweepPlan, Unit};
use super::unit::{self, UnitError};

/// Units named in one error at most.
const MOST_NAMED: usize = 5;

/// Why shards cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A directory cannot be read or written.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// A unit is damaged.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// A directory belongs to another sweep.
    #[error("{dir} is of another sweep than {first}: {difference}")]
    OtherSweep {
        /// The first directory.
        first: PathBuf,
        /// The one that does not fit.
        dir: PathBuf,
        /// What differs.
        difference: String,
    },
    /// Two directories hold different results of the same unit.
    #[error("{unit} differs between {first} and {dir}")]
    Contradiction {
        /// The unit.
        unit: String,
        /// A directory.
        first: PathBuf,
        /// Another one.
        dir: PathBuf,
    },
    /// Units are missing.
    #[error("{missing} of {all} units are missing: {which}")]
    Incomplete {
        /// How many.
        missing: usize,
        /// How many there should be.
        all: usize,
        /// Which shards or units.
        which: String,
    },
}

/// Shards that belong together and are complete.
#[derive(Debug)]
pub struct Shards {
    /// The sweep.
    pub plan: SweepPlan,
    /// The directories.
    dirs: Vec<PathBuf>,
    /// Which directory holds which unit.
    units: Vec<(Unit, usize)>,
}

impl Shards {
    /// Looks whether the shards in `dirs`, at least one, belong together and are complete.
    ///
    /// # Errors
    /// What is missing or does not fit.
    pub fn gather(dirs: &[PathBuf]) -> Result<Shards, MergeError> {
        let first = &dirs[0];
        let plan = dir::read_plan(first)?;
        for dir in &dirs[1..] {
            let other = dir::read_plan(dir)?;
            let (a, b) = (first.display().to_string(), dir.display().to_string());
            if let Some(difference) = plan.played.difference(&other.played, &a, &b) {
                let (first, dir) = (first.clone(), dir.clone());
                return Err(MergeError::OtherSweep { first, dir, difference });
            }
        }
        let mut units = Vec::new();
        let mut missing = Vec::new();
        for (index, unit) in plan.played.units().into_iter().enumerate() {
            match find(&plan, dirs, unit)? {
                Some(holder) => units.push((unit, holder)),
                None => missing.push((index, unit)),
            }
        }
        if !missing.is_empty() {
            return Err(MergeError::Incomplete {
                missing: missing.len(),
                all: missing.len() + units.len(),
                which: whose(&plan, dirs, &missing),
            });
        }
        Ok(Shards { plan, dirs: dirs.to_vec(), units })
    }

    /// Writes topologies, plan and units to `out`, as the sweep in one go would have.
    ///
    /// # Errors
    /// If something cannot be read any more, or not be written.
    pub fn write(&self, out: &SweepDir) -> Result<(), MergeError> {
        out.folders(&self.plan)?;
        dir::read_topologies(&self.dirs[0], &self.plan)?;
        let names: BTreeSet<String> = self
            .plan
            .played
            .points
            .iter()
            .flat_map(|point| {
                point.files.keys().map(|name| match name.as_str() {
                    "topology" => format!("{}.toml", point.point),
                    other => other.to_owned(),
                })
            })
            .collect();
        for name in &names {
            out.copy_beside(&self.dirs[0].join("topologies").join(name), name)?;
        }
        for file in self.plan.played.trainings() {
            self.merge_model(&file, out)?;
            self.merge_model(&digest_of(&file), out)?;
        }
        for (unit, holder) in &self.units {
            let (_, bytes) =
                unit::read(&self.dirs[*holder], &self.plan.played, &self.plan.digest, *unit)?;
            out.write_unit(&self.plan, *unit, &bytes).map_err(DirError::from)?;
        }
        Ok(out.write_plan(&self.plan)?)
    }
}

impl Shards {
    /// Copies a model that shards have trained; all that have it must have the same.
    fn merge_model(&self, file: &str, out: &SweepDir) -> Result<(), MergeError> {
        let mut found: Option<(&PathBuf, Vec<u8>)> = None;
        for dir in &self.dirs {
            let Ok(bytes) = std::fs::read(dir.join(file)) else { continue };
            match &found {
                Some((first, known)) if *known != bytes => {
                    let (first, dir) = ((*first).clone(), dir.clone());
                    return Err(MergeError::Contradiction { unit: file.to_owned(), first, dir });
                }
                Some(_) => {}
                None => found = Some((dir, bytes)),
            }
        }
        // Units tell what it decided: one that is lost is missed by nobody.
        let Some((_, bytes)) = found else { return Ok(()) };
        Ok(out.write(file, &bytes).map_err(DirError::from)?)
    }
}

/// Which of `dirs` holds a unit; all that do must agree.
fn find(plan: &SweepPlan, dirs: &[PathBuf], unit: Unit) -> Result<Option<usize>, MergeError> {
    let mut found: Option<(usize, Vec<u8>)> = None;
    for (index, dir) in dirs.iter().enumerate() {
        match (unit::read(dir, &plan.played, &plan.digest, unit), &found) {
            (Ok((_, bytes)), None) => found = Some((index, bytes)),
            (Ok((_, bytes)), Some((first, known))) if bytes != *known => {
                return Err(MergeError::Contradiction {
                    unit: plan.played.unit_file(unit),
                    first: dirs[*first].clone(),
                    dir: dir.clone(),
                });
            }
            (Ok(_), Some(_)) | (Err(UnitError::Missing(_)), _) => {}
            (Err(error), _) => return Err(error.into()),
        }
    }
    Ok(found.map(|(index, _)| index))
}

/// The shard that a directory says it is.
fn shard_of(dir: &Path) -> Option<Shard> {
    dir::read_manifest(dir)?.part.strip_prefix("shard ")?.parse().ok()
}

/// Whose the missing units are: shards that were not given, shards that are not at their end.
fn whose(plan: &SweepPlan, dirs: &[PathBuf], missing: &[(usize, Unit)]) -> String {
    let shards: Vec<(Shard, &PathBuf)> =
        dirs.iter().filter_map(|dir| Some((shard_of(dir)?, dir))).collect();
    let Some(of) = shards.first().map(|(shard, _)| shard.of) else {
        return named(plan, missing);
    };
    let mut parts = Vec::new();
    for number in 1..=of {
        let shard = Shard { number, of };
        let count = missing.iter().filter(|(index, _)| shard.plays(*index)).count();
        let holder = shards.iter().find(|(given, _)| *given == shard);
        match (count, holder) {
            (0, _) => {}
            (_, None) => parts.push(format!("shard {shard} was not given")),
            (_, Some((_, dir))) => {
                let units: Vec<_> =
                    missing.iter().filter(|(i, _)| shard.plays(*i)).copied().collect();
                let units = named(plan, &units);
                parts.push(format!("shard {shard} in {} is not complete ({units})", dir.display()));
            }
        }
    }
    parts.join("; ")
}

fn named(plan: &SweepPlan, units: &[(usize, Unit)]) -> String {
    let names = units.iter().take(MOST_NAMED).map(|(_, unit)| plan.played.unit_file(*unit));
    let mut text = names.collect::<Vec<_>>().join(", ");
    if units.len() > MOST_NAMED {
        text.push_str(&format!(" and {} more", units.len() - MOST_NAMED));
    }
    text
}

//! A unit's file: what all policies of one point came to under some consecutive seeds.
//!
//! Two lines of JSON: a head that says which unit of which sweep it is and what the SHA-256 of the
//! second line is, and the content. A file that is cut off or changed is found out when it is read.

use std::path::Path;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::plan::{Played, PointPlan, Unit, sha256};
use super::problem::{SweepProblem, TrialOutcome};
use crate::plan::Status;
use crate::stats::Running;

/// First line of a unit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Version of the layout.
    fogbit_unit: u32,
    /// Digest of the sweep.
    sweep: String,
    /// Its own name.
    unit: String,
    /// SHA-256 of the second line, without its end.
    sha256: String,
}

/// The content of a unit file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitResults {
    /// Each policy of the point, in its order.
    pub policies: Vec<PolicyUnit>,
}

/// One policy under the seeds of a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyUnit {
    /// Its trials, in the order of the seeds.
    pub trials: Vec<TrialRecord>,
    /// By the name of each column, its value in each of the trials; none where there is no such
    /// thing.
    pub values: IndexMap<String, Vec<Option<f64>>>,
    /// By the name of each curve, its values at each of the point's curve slots, over complete
    /// trials.
    pub curves: IndexMap<String, Vec<Running>>,
}

/// One trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// The seed.
    pub seed: u64,
    /// Why it failed; what there is up to there is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Slots played.
    pub slots: u64,
}

/// Why a unit file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// There is none.
    #[error("the unit {0} is missing")]
    Missing(String),
    /// It cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is damaged, or belongs elsewhere.
    #[error("{path} {reason}")]
    Content {
        /// Which.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl UnitResults {
    /// Of the trials of a unit at `point`: policy after policy, each in the order of the seeds.
    /// Nothing where a trial was stopped: such a unit is played anew.
    pub fn of(
        said: &dyn SweepProblem,
        point: &PointPlan,
        trials: Vec<(u64, TrialOutcome)>,
        seeds: usize,
    ) -> Option<UnitResults> {
        let slots = if said.curves().is_empty() { 0 } else { point.curve_slots().len() };
        let mut policies = Vec::with_capacity(point.policies.len());
        let mut trials = trials.into_iter();
        for _ in &point.policies {
            let mut unit = PolicyUnit::new(said, slots, seeds);
            for (seed, trial) in trials.by_ref().take(seeds) {
                if trial.status == Status::Partial {
                    return None;
                }
                unit.add(seed, trial);
            }
            policies.push(unit);
        }
        Some(UnitResults { policies })
    }

    /// As the bytes of its file.
    pub fn to_bytes(&self, sweep: &str, name: &str) -> Vec<u8> {
        let content = serde_json::to_string(self).expect("a unit is plain data");
        let head = Head {
            fogbit_unit: super::plan::LAYOUT,
            sweep: sweep.to_owned(),
            unit: name.to_owned(),
            sha256: sha256(content.as_bytes()),
        };
        let head = serde_json::to_string(&head).expect("a head is plain data");
        format!("{head}\n{content}\n").into_bytes()
    }

    /// Whether some trial failed.
    pub fn failed(&self) -> bool {
        self.policies.iter().flat_map(|p| &p.trials).any(|trial| trial.failure.is_some())
    }
}

impl PolicyUnit {
    fn new(said: &dyn SweepProblem, slots: usize, seeds: usize) -> PolicyUnit {
        let column = |name: &str| (name.to_owned(), Vec::with_capacity(seeds));
        let curve = |name: &str| (name.to_owned(), vec![Running::default(); slots]);
        PolicyUnit {
            trials: Vec::with_capacity(seeds),
            values: said.columns().iter().map(|own| column(own.name)).collect(),
            curves: said.curves().iter().map(|own| curve(own.name)).collect(),
        }
    }

    fn add(&mut self, seed: u64, trial: TrialOutcome) {
        if trial.status == Status::Complete {
            for (curve, own) in self.curves.values_mut().zip(&trial.curves) {
                for (all, value) in curve.iter_mut().zip(own) {
                    all.add(*value);
                }
            }
        }
        for (column, value) in self.values.values_mut().zip(trial.values) {
            column.push(value);
        }
        let failed = trial.status == Status::Failed;
        let failure = failed.then(|| trial.failure.unwrap_or_else(|| "it failed".into()));
        self.trials.push(TrialRecord { seed, failure, slots: trial.slots });
    }

    /// Whether it holds the trials of `seeds`, and of each the columns of the problem.
    fn fits(&self, said: &dyn SweepProblem, seeds: &[u64]) -> bool {
        let columns = said.columns().iter().map(|column| column.name);
        self.trials.iter().map(|trial| trial.seed).eq(seeds.iter().copied())
            && self.values.keys().map(String::as_str).eq(columns)
            && self.values.values().all(|column| column.len() == seeds.len())
            && self.curves.keys().map(String::as_str).eq(said.curves().iter().map(|own| own.name))
    }
}

/// Reads a unit's file in the directory `dir` of the sweep with this digest; the bytes too, so that
/// they can be written elsewhere as they are.
///
/// # Errors
/// If it is missing, damaged, or of another sweep.
pub fn read(
    dir: &Path,
    played: &Played,
    digest: &str,
    unit: Unit,
) -> Result<(UnitResults, Vec<u8>), UnitError> {
    let name = played.unit_file(unit);
    let path = dir.join(&name);
    let shown = path.display().to_string();
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => UnitError::Missing(name.clone()),
        _ => UnitError::Read { path: shown.clone(), error },
    })?;
    match parse(&bytes, played, digest, unit, &name) {
        Ok(results) => Ok((results, bytes)),
        Err(reason) => Err(UnitError::Content { path: shown, reason }),
    }
}

fn parse(
    bytes: &[u8],
    played: &Played,
    digest: &str,
    unit: Unit,
    name: &str,
) -> Result<UnitResults, String> {
    let damaged = || "is damaged or cut off".to_owned();
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let (head, content) = text.split_once('\n').ok_or_else(damaged)?;
    let head: Head = serde_json::from_str(head).map_err(|_| damaged())?;
    let content = content.strip_suffix('\n').ok_or_else(damaged)?;
    if head.fogbit_unit != super::plan::LAYOUT {
        return Err(format!("has layout {}, not {}", head.fogbit_unit, super::plan::LAYOUT));
    }
    if sha256(content.as_bytes()) != head.sha256 {
        return Err(damaged());
    }
    if head.sweep != digest || head.unit != name {
        return Err("belongs to another sweep".into());
    }
    let results: UnitResults = serde_json::from_str(content).map_err(|_| damaged())?;
    let seeds = played.seeds_of(unit);
    let fits = results.policies.len() == played.points[unit.point].policies.len()
        && results.policies.iter().all(|policy| policy.fits(played.said(), seeds));
    if fits { Ok(results) } else { Err("does not hold the trials of its unit".into()) }
}

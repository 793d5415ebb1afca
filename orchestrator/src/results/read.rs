//! Reading a results directory.

use std::path::{Path, PathBuf};

use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::topology::Problem;
use fogbit_scenario::{Faults, TopologyFile};
use serde::Deserialize;

use super::manifest::Manifest;
use super::summary::Summary;
use super::{EXPERIMENTS, curve_file, decision_file};
use crate::plan::Curve;

/// Why a results directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {reason}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

pub(crate) fn text(path: &Path) -> Result<String, ReadError> {
    std::fs::read_to_string(path).map_err(|error| ReadError::File { path: path.into(), error })
}

pub(crate) fn content(path: &Path, reason: impl std::fmt::Display) -> ReadError {
    ReadError::Content { path: path.into(), reason: reason.to_string() }
}

pub(crate) fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, ReadError> {
    serde_json::from_str(&text(path)?).map_err(|error| content(path, error))
}

/// What problem the results in `dir` are about. A directory without a topology is one of `one-bit`,
/// whose reader says what is missing.
///
/// # Errors
/// If there is no such directory or it holds no results, if it is that of a suite, which holds runs
/// and is none, or if its topology is damaged.
pub fn problem(dir: &Path) -> Result<Problem, ReadError> {
    if !dir.is_dir() {
        return Err(content(dir, "there is no such directory"));
    }
    if dir.join(EXPERIMENTS).is_dir() {
        let reason = "a suite of `fogbit bench`, not a run: each folder in its experiments/ is a run, \
                      and its own figures are in bench.csv and summary.json";
        return Err(content(dir, reason));
    }
    let path = dir.join("topology.toml");
    if !path.exists() {
        if !dir.join("summary.json").exists() {
            return Err(content(
                dir,
                "it is not a results directory: neither topology.toml nor summary.json is there",
            ));
        }
        return Ok(told_problem(dir).unwrap_or_default());
    }
    let file = TopologyFile::read(&path).map_err(|faults| content(&path, words(&faults)))?;
    file.problem().map_err(|faults| content(&path, words(&faults)))
}

/// The problem that the summary itself names, where it does.
fn told_problem(dir: &Path) -> Option<Problem> {
    let summary: serde_json::Value = json(&dir.join("summary.json")).ok()?;
    let name = summary["run"]["problem"].as_str()?;
    Problem::ALL.into_iter().find(|problem| problem.name() == name)
}

/// What is wrong with a topology, in a line.
fn words(faults: &Faults) -> String {
    let told: Vec<&str> = faults.0.iter().map(|fault| fault.message.as_str()).collect();
    told.join("; ")
}

/// Reads `manifest.json`.
///
/// # Errors
/// If it is missing or something else.
pub fn manifest(dir: &Path) -> Result<Manifest, ReadError> {
    json(&dir.join("manifest.json"))
}

/// Reads `summary.json`.
///
/// # Errors
/// If it is missing or something else.
pub fn summary(dir: &Path) -> Result<Summary, ReadError> {
    if dir.join("sweep.json").exists() {
        let reason = "a sweep, not a run: `fogbit run` plays one of its topologies/pNNN.toml";
        return Err(content(dir, reason));
    }
    json(&dir.join("summary.json"))
}

/// One row of a curve file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CurvePoint {
    /// Name of the policy.
    pub policy: String,
    /// The first slot, where a point is over several.
    #[serde(default)]
    pub from: Option<u64>,
    /// The slot, or the last of several.
    pub slot: u64,
    /// Mean over seeds.
    pub mean: f64,
    /// Standard deviation over seeds; none with one.
    pub sd: Option<f64>,
    /// Number of seeds.
    pub n: u64,
}

/// Reads the file of a curve.
///
/// # Errors
/// If it is missing or something else.
pub fn curve(dir: &Path, curve: Curve) -> Result<Vec<CurvePoint>, ReadError> {
    curve_points(&dir.join(curve_file(curve)))
}

/// Reads a file of curve points.
pub(crate) fn curve_points(path: &Path) -> Result<Vec<CurvePoint>, ReadError> {
    let text = text(path)?;
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    csv.deserialize().collect::<Result<_, _>>().map_err(|error| content(path, error))
}

/// One row of a decision file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The slot.
    pub slot: u64,
    /// The chosen node.
    pub node: usize,
    /// What became of the task.
    pub outcome: Outcome,
    /// x*.w* - x.w.
    pub regret_linear: f64,
    /// P* - P.
    pub regret_happiness: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionRow {
    slot: u64,
    node: usize,
    /// Nothing where no answer came.
    bit: Option<i64>,
    regret_linear: f64,
    regret_happiness: f64,
}

/// Reads the decision file of a trial row by row.
///
/// # Errors
/// If it is missing; rows are errors where they are something else.
pub fn decisions(
    dir: &Path,
    policy: &str,
    seed: u64,
) -> Result<impl Iterator<Item = Result<Decision, ReadError>> + use<>, ReadError> {
    let path = dir.join("decisions").join(decision_file(policy, seed));
    let csv = csv::Reader::from_path(&path).map_err(|error| content(&path, error))?;
    Ok(csv.into_deserialize().map(move |row: Result<DecisionRow, _>| {
        let row = row.map_err(|error| content(&path, error))?;
        let outcome = Outcome::from_column(row.bit)
            .ok_or_else(|| content(&path, format!("slot {}: bit {:?}", row.slot, row.bit)))?;
        Ok(Decision {
            slot: row.slot,
            node: row.node,
            outcome,
            regret_linear: row.regret_linear,
            regret_happiness: row.regret_happiness,
        })
    }))
}

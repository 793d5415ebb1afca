//! Reading a results directory of the problem `pipeline`.

use std::path::{Path, PathBuf};

use fogbit_scenario::pipeline::ApplicationFate;
use serde::Deserialize;

use super::files::{APPLICATIONS_FILE, DISTRIBUTIONS_FILE, FirstApplications};
use super::record::{COLUMNS, fate_of, placement_of};
use super::summary::PipelineSummary;
use crate::results::decision_file;
use crate::results::read::{ReadError, content, json, text};

/// Reads `summary.json`.
///
/// # Errors
/// If it is missing or something else.
pub fn summary(dir: &Path) -> Result<PipelineSummary, ReadError> {
    json(&dir.join("summary.json"))
}

/// Reads `applications.json`.
///
/// # Errors
/// If it is missing or something else.
pub fn first_applications(dir: &Path) -> Result<FirstApplications, ReadError> {
    json(&dir.join(APPLICATIONS_FILE))
}

/// A row of `distributions.csv`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct QuantileRow {
    /// Name of the policy.
    pub policy: String,
    /// `delay_ms` or `ratio`.
    pub kind: String,
    /// Which quantile, from 0 to 1.
    pub quantile: f64,
    /// Its value.
    pub value: f64,
}

/// Reads `distributions.csv`.
///
/// # Errors
/// If it is missing or something else.
pub fn distributions(dir: &Path) -> Result<Vec<QuantileRow>, ReadError> {
    rows(&dir.join(DISTRIBUTIONS_FILE))
}

fn rows<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, ReadError> {
    let text = text(path)?;
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    csv.deserialize().collect::<Result<_, _>>().map_err(|error| content(path, error))
}

/// One row of a decision file.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Number of the application.
    pub application: u64,
    /// The site of each of its sub-tasks.
    pub placement: Vec<u8>,
    /// Where they had best been.
    pub label: Vec<u8>,
    /// The modelled delay.
    pub delay_ns: u64,
    /// The least one.
    pub optimum_ns: u64,
    /// Sub-tasks that are placed as in the label.
    pub as_label: u64,
    /// What became of it.
    pub fate: ApplicationFate,
    /// The measured delay; none where nobody measured.
    pub measured_ns: Option<u64>,
    /// By how much its sub-tasks took longer than they were to; none where nobody measured.
    pub held_up_ns: Option<u64>,
    /// The row as it stands in the file.
    pub line: String,
}

/// Reads the decision file of a trial over so many sites row by row.
///
/// # Errors
/// If it is missing or has other columns; rows are errors where they are something else.
pub fn decisions(
    dir: &Path,
    policy: &str,
    seed: u64,
    sites: usize,
) -> Result<impl Iterator<Item = Result<Decision, ReadError>> + use<>, ReadError> {
    let path = dir.join("decisions").join(decision_file(policy, seed));
    let mut csv = csv::ReaderBuilder::new()
        .flexible(false)
        .from_path(&path)
        .map_err(|error| content(&path, error))?;
    let head = csv.headers().map_err(|error| content(&path, error))?;
    if head != &csv::StringRecord::from(COLUMNS.to_vec()) {
        return Err(content(&path, "the columns are not those of a decision file"));
    }
    Ok(csv.into_records().map(move |row| {
        let row = row.map_err(|error| content(&path, error))?;
        decision(&row, sites).map_err(|why| bad_row(&path, &row, &why))
    }))
}

fn bad_row(path: &Path, row: &csv::StringRecord, why: &str) -> ReadError {
    let line = row.position().map_or(0, csv::Position::line);
    let path: PathBuf = path.to_owned();
    ReadError::Content { path, reason: format!("line {line}: {why}") }
}

fn decision(row: &csv::StringRecord, sites: usize) -> Result<Decision, String> {
    let mut fields = COLUMNS.iter().copied().zip(row);
    let mut next = || fields.next().ok_or_else(|| "it ends early".to_owned());
    let odd = |(name, text): (&str, &str)| format!("{name} {text:?}");
    let placement = |field: (&str, &str)| placement_of(field.1, sites).ok_or_else(|| odd(field));
    Ok(Decision {
        application: number(next()?)?,
        placement: placement(next()?)?,
        label: placement(next()?)?,
        delay_ns: number(next()?)?,
        optimum_ns: number(next()?)?,
        as_label: number(next()?)?,
        fate: {
            let field = next()?;
            fate_of(field.1).ok_or_else(|| odd(field))?
        },
        measured_ns: optional(next()?)?,
        held_up_ns: optional(next()?)?,
        line: row.iter().collect::<Vec<_>>().join(","),
    })
}

fn optional(field: (&str, &str)) -> Result<Option<u64>, String> {
    if field.1.is_empty() { Ok(None) } else { number(field).map(Some) }
}

fn number<T: std::str::FromStr>((name, text): (&str, &str)) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} {text:?}"))
}

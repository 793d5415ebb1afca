//! Reading a results directory of the problem `placement`.

use std::path::{Path, PathBuf};

use super::files::Curve;
use super::record::{COLUMNS, SITE_COLUMNS};
use super::summary::PlacementSummary;
use crate::results::decision_file;
use crate::results::read::{CurvePoint, ReadError, content, curve_points, json};

/// Reads `summary.json`.
///
/// # Errors
/// If it is missing or something else.
pub fn summary(dir: &Path) -> Result<PlacementSummary, ReadError> {
    json(&dir.join("summary.json"))
}

/// Reads the file of a curve, whose points are over windows of slots.
///
/// # Errors
/// If it is missing or something else.
pub fn curve(dir: &Path, curve: Curve) -> Result<Vec<CurvePoint>, ReadError> {
    curve_points(&dir.join(curve.file()))
}

/// What a decision file says became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldFate {
    /// Its output came back.
    Done,
    /// There was no answer in time.
    TimedOut,
    /// It was refused.
    Refused,
}

/// One row of a decision file.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The slot.
    pub slot: u64,
    /// The chosen site: 0 is the task node.
    pub site: usize,
    /// What became of the task.
    pub fate: ToldFate,
    /// How long it took, in milliseconds.
    pub latency_ms: f64,
    /// The best site.
    pub best: usize,
    /// Expected latency of the choice minus the least.
    pub regret_ms: f64,
    /// Its cycles.
    pub cycles: u64,
    /// Bytes of its input.
    pub input_bytes: u64,
    /// Bytes of its output.
    pub output_bytes: u64,
    /// What is said of each site.
    pub sites: Vec<SiteRow>,
    /// The row as it stands in the file.
    pub line: String,
}

/// What a row of a decision file says of one site.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SiteRow {
    /// Expected latency by the model.
    pub expected_ms: f64,
    /// What the policy predicted.
    pub predicted_ms: Option<f64>,
    /// The round-trip time that the task node saw.
    pub rtt_ms: f64,
    /// Latency of the same task here, where it was tried here too and came back.
    pub shadow_ms: Option<f64>,
}

/// Reads the decision file of a trial row by row; `sites` are the names of all sites.
///
/// # Errors
/// If it is missing or has other columns; rows are errors where they are something else.
pub fn decisions(
    dir: &Path,
    policy: &str,
    seed: u64,
    sites: &[&str],
) -> Result<impl Iterator<Item = Result<Decision, ReadError>> + use<>, ReadError> {
    let path = dir.join("decisions").join(decision_file(policy, seed));
    let mut csv = csv::ReaderBuilder::new()
        .flexible(false)
        .from_path(&path)
        .map_err(|error| content(&path, error))?;
    let head = csv.headers().map_err(|error| content(&path, error))?;
    let head: String = head.iter().collect::<Vec<_>>().join(",") + "\n";
    if head != super::record::header(sites) {
        return Err(content(&path, "the columns are not those of this topology"));
    }
    let count = sites.len();
    Ok(csv.into_records().map(move |row| {
        let row = row.map_err(|error| content(&path, error))?;
        decision(&row, count).map_err(|why| bad_row(&path, &row, &why))
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
    let slot = number(next()?)?;
    let site = site_number(next()?, sites)?;
    let fate = match next()?.1 {
        "done" => ToldFate::Done,
        "timed-out" => ToldFate::TimedOut,
        told if told.starts_with("refused-") => ToldFate::Refused,
        told => return Err(format!("fate {told}")),
    };
    let latency_ms = number(next()?)?;
    let (_queued, _executed): (f64, f64) = (number(next()?)?, number(next()?)?);
    Ok(Decision {
        slot,
        site,
        fate,
        latency_ms,
        best: site_number(next()?, sites)?,
        regret_ms: number(next()?)?,
        cycles: number(next()?)?,
        input_bytes: number(next()?)?,
        output_bytes: number(next()?)?,
        sites: (0..sites).map(|index| site_row(row, index)).collect::<Result<_, _>>()?,
        line: row.iter().collect::<Vec<_>>().join(","),
    })
}

fn site_row(row: &csv::StringRecord, index: usize) -> Result<SiteRow, String> {
    let first = COLUMNS.len() + index * SITE_COLUMNS.len();
    let field = |column: usize| {
        row.get(first + column)
            .map(|text| (SITE_COLUMNS[column], text))
            .ok_or_else(|| "it ends early".to_owned())
    };
    let optional = |(name, text): (&'static str, &str)| match text {
        "" => Ok(None),
        // A shadow that was lost.
        text if text.starts_with("refused-") || text == "timed-out" => Ok(None),
        text => number((name, text)).map(Some),
    };
    Ok(SiteRow {
        expected_ms: number(field(0)?)?,
        predicted_ms: optional(field(1)?)?,
        rtt_ms: number(field(3)?)?,
        shadow_ms: optional(field(4)?)?,
    })
}

fn number<T: std::str::FromStr>((name, text): (&str, &str)) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} {text:?}"))
}

fn site_number(field: (&str, &str), sites: usize) -> Result<usize, String> {
    let site = number(field)?;
    if site < sites { Ok(site) } else { Err(format!("{} {site} of {sites} sites", field.0)) }
}

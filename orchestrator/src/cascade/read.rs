//! Reading a results directory of the problem `cascade`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files::LEVELS_FILE;
use super::record::COLUMNS;
use super::summary::CascadeSummary;
use crate::results::decision_file;
use crate::results::read::{ReadError, content, json, text};

/// Reads `summary.json`.
///
/// # Errors
/// If it is missing or something else.
pub fn summary(dir: &Path) -> Result<CascadeSummary, ReadError> {
    json(&dir.join("summary.json"))
}

/// How often a policy saw a level of the bucket.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LevelRow {
    /// Name of the policy.
    pub policy: String,
    /// The level in tokens.
    pub tokens: f64,
    /// Images at it.
    pub images: u64,
}

/// Reads `levels.csv`.
///
/// # Errors
/// If it is missing or something else.
pub fn levels(dir: &Path) -> Result<Vec<LevelRow>, ReadError> {
    let path = dir.join(LEVELS_FILE);
    let text = text(&path)?;
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    csv.deserialize().collect::<Result<_, _>>().map_err(|error| content(&path, error))
}

/// What a decision file says became of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldFate {
    /// It was not sent.
    Kept,
    /// The strong classifier answered.
    Answered,
    /// There was no answer in time.
    TimedOut,
    /// It was refused.
    Refused,
}

/// One row of a decision file.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Number of the image.
    pub image: u64,
    /// The slot.
    pub slot: u64,
    /// Which image of the trace.
    pub id: u32,
    /// The offloading metric.
    pub metric: f32,
    /// Slots since the image before.
    pub gap: u32,
    /// Tokens in the bucket.
    pub tokens: f64,
    /// Tokens that came since the image before and found it full.
    pub wasted: f64,
    /// Whether the policy wanted to send it.
    pub wanted: bool,
    /// What became of it.
    pub fate: ToldFate,
    /// What it cost.
    pub loss: f64,
    /// The hidden place of the stream.
    pub place: u32,
    /// The hidden state of the arrivals.
    pub state: u8,
    /// How long the stages took: weak, decision, transmission, queued, strong; none where nobody
    /// measured.
    pub stages_ms: Option<[f64; 5]>,
    /// The row as it stands in the file.
    pub line: String,
}

impl Decision {
    /// Whether it was sent.
    pub fn offloaded(&self) -> bool {
        self.fate != ToldFate::Kept
    }
}

/// Reads the decision file of a trial row by row.
///
/// # Errors
/// If it is missing or has other columns; rows are errors where they are something else.
pub fn decisions(
    dir: &Path,
    policy: &str,
    seed: u64,
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
        decision(&row).map_err(|why| bad_row(&path, &row, &why))
    }))
}

fn bad_row(path: &Path, row: &csv::StringRecord, why: &str) -> ReadError {
    let line = row.position().map_or(0, csv::Position::line);
    let path: PathBuf = path.to_owned();
    ReadError::Content { path, reason: format!("line {line}: {why}") }
}

fn decision(row: &csv::StringRecord) -> Result<Decision, String> {
    let mut fields = COLUMNS.iter().copied().zip(row);
    let mut next = || fields.next().ok_or_else(|| "it ends early".to_owned());
    Ok(Decision {
        image: number(next()?)?,
        slot: number(next()?)?,
        id: number(next()?)?,
        metric: number(next()?)?,
        gap: number(next()?)?,
        tokens: number(next()?)?,
        wasted: number(next()?)?,
        wanted: match next()?.1 {
            "0" => false,
            "1" => true,
            told => return Err(format!("wanted {told:?}")),
        },
        fate: match next()?.1 {
            "kept" => ToldFate::Kept,
            "answered" => ToldFate::Answered,
            "timed-out" => ToldFate::TimedOut,
            told if told.starts_with("refused-") => ToldFate::Refused,
            told => return Err(format!("fate {told:?}")),
        },
        loss: number(next()?)?,
        place: number(next()?)?,
        state: number(next()?)?,
        stages_ms: stages(&mut next)?,
        line: row.iter().collect::<Vec<_>>().join(","),
    })
}

fn stages<'r>(
    next: &mut impl FnMut() -> Result<(&'static str, &'r str), String>,
) -> Result<Option<[f64; 5]>, String> {
    let mut told = [0.0; 5];
    let mut empty = 0;
    for ms in &mut told {
        match next()? {
            (_, "") => empty += 1,
            field => *ms = number(field)?,
        }
    }
    match empty {
        0 => Ok(Some(told)),
        5 => Ok(None),
        _ => Err("some stages have a time, and others none".into()),
    }
}

fn number<T: std::str::FromStr>((name, text): (&str, &str)) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} {text:?}"))
}

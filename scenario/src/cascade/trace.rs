//! Traces of classifiers: what each of them says of each image. `docs/cascade.md` describes the file.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use super::columns::{COLUMNS, Columns};
use super::metric::{EntropySample, MetricCurve};
use crate::fault::Fault;
use crate::trace::line::{Line, bad_line, unreadable};
use crate::trace::open;

/// One line of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceRow {
    /// Which image it is; without the column `id` its place in the file, from 0.
    pub id: u32,
    /// Whether it is one to learn from; without the column `split` it is for both.
    pub train: bool,
    /// Whether it is one of the trials.
    pub test: bool,
    /// Entropy of the weak classifier's calibrated output in nats, if the file has it.
    pub entropy: Option<f64>,
    /// Loss of the weak classifier, if the file has it.
    pub weak_loss: Option<f64>,
    /// Loss of the weak minus loss of the strong classifier.
    pub reward: f64,
    /// The offloading metric: that of the file, or else fitted to the entropies of the images to learn
    /// from ([`MetricCurve`]).
    pub metric: f64,
}

/// Reads a trace: CSV, or CSV.gz.
///
/// # Errors
/// The first thing that is wrong. It has a place unless it is about the file as a whole.
pub fn read_trace(path: &Path) -> Result<Vec<TraceRow>, Fault> {
    let name = path.display().to_string();
    let (mut reader, plain) = open(path)?;
    if !plain.ends_with(".csv") {
        return Err(Fault::new(format!("the trace {name} has an unknown format"))
            .help("name it .csv or .csv.gz"));
    }
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| cut_off(&name, &error))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let message = format!("the trace {name} is compressed, which its name does not say");
        return Err(Fault::new(message).help("name it .csv.gz"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let number = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let message = "what stands here is not UTF-8".to_owned();
        bad_line(&name, number, "", 0..0, message).help("save the file as UTF-8")
    })?;
    rows(text.strip_prefix('\u{feff}').unwrap_or(&text), &name)
}

/// A fault of a file whose bytes cannot be had.
fn cut_off(name: &str, error: &std::io::Error) -> Fault {
    let fault = Fault::new(format!("cannot read the trace {name}: {error}"));
    if name.to_lowercase().ends_with(".gz") {
        fault
            .help("a name that ends with .gz says that it is compressed by gzip; it may be cut off")
    } else {
        fault
    }
}

/// Numbers of lines, asked for from the first to the last. (Those of the reader leave blank lines out.)
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    number: usize,
}

impl Lines<'_> {
    /// The number of the first line from byte `from` on that is not blank.
    fn number(&mut self, from: usize) -> usize {
        let is_blank = |byte: &u8| *byte == b'\n' || *byte == b'\r';
        let blank = self.text[from..].iter().take_while(|byte| is_blank(byte)).count();
        let passed = &self.text[self.at..from + blank];
        self.number += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = from + blank;
        self.number
    }
}

fn rows(text: &str, name: &str) -> Result<Vec<TraceRow>, Fault> {
    let mut csv =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, number: 1 };
    let bad = |error: csv::Error| unreadable(name, &error);
    let header = csv.headers().map_err(bad)?.clone();
    if header.iter().all(str::is_empty) {
        return Err(Fault::new(format!("the trace {name} is empty")).help(COLUMNS));
    }
    let columns = Columns::of(Line { name, number: lines.number(0), record: header })?;
    let mut rows: Vec<TraceRow> = Vec::new();
    let mut seen = BTreeMap::new();
    for record in csv.records() {
        let record = record.map_err(bad)?;
        let number = lines.number(record.position().map_or(0, |p| p.byte() as usize));
        let line = Line { name, number, record };
        let row = columns.row(&line, rows.len())?;
        if let Some(before) = seen.insert(row.id, number) {
            let message = format!("the image {} is already in line {before}", row.id);
            // Without the column numbers cannot meet.
            let fault = line.bad_value(columns.id().unwrap_or_default(), message);
            return Err(fault.help("each image once, with a number of its own"));
        }
        rows.push(row);
    }
    columns.both_parts(&rows)?;
    if columns.metric().is_none() {
        fill(&mut rows);
    }
    columns.differing(&rows)?;
    Ok(rows)
}

/// Fits metrics to the entropies of the images to learn from.
fn fill(rows: &mut [TraceRow]) {
    let entropy = |row: &TraceRow| row.entropy.expect("without metrics there are entropies");
    let train = rows.iter().filter(|row| row.train);
    let samples: Vec<EntropySample> =
        train.map(|row| EntropySample { entropy: entropy(row), reward: row.reward }).collect();
    let curve = MetricCurve::fit(&samples);
    for row in rows {
        row.metric = curve.at(entropy(row));
    }
}

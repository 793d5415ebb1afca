//! Traces of classifiers: `docs/cascade.md` describes the file.

use std::io::{BufReader, Read};
use std::path::Path;

use crate::fault::Fault;

/// One line of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceRow {
    /// Which image it is.
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
    /// The offloading metric, if the file has it.
    pub metric: Option<f64>,
}

/// Reads a trace.
///
/// # Errors
/// The first thing that is wrong, with the line.
pub fn read_trace(path: &Path) -> Result<Vec<TraceRow>, Fault> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        Fault::new(format!("cannot read the trace {name}: {error}"))
            .help("the path of a trace is relative to its topology file")
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let reader: Box<dyn Read> = if name.to_lowercase().ends_with(".gz") {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut reader = csv::Reader::from_reader(BufReader::new(reader));
    let head = reader.headers().map_err(|e| Fault::new(format!("{name}: {e}")))?.clone();
    let column = |wanted: &str| head.iter().position(|column| column == wanted);
    let columns = ["id", "entropy", "weak_loss", "strong_loss", "reward", "metric"].map(column);
    let split = column("split");
    let mut rows = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| Fault::new(format!("{name}: {error}")))?;
        let value = |column: Option<usize>| -> Result<Option<f64>, Fault> {
            let Some(column) = column else { return Ok(None) };
            let text = record[column].trim();
            let bad = || Fault::new(format!("line {} of {name}: `{text}`", index + 2));
            text.parse::<f64>().ok().filter(|v| v.is_finite()).map(Some).ok_or_else(bad)
        };
        let [id, entropy, weak_loss, strong_loss, reward, metric] = [
            value(columns[0])?,
            value(columns[1])?,
            value(columns[2])?,
            value(columns[3])?,
            value(columns[4])?,
            value(columns[5])?,
        ];
        let gained = weak_loss.zip(strong_loss).map(|(weak, strong)| weak - strong);
        let Some(reward) = reward.or(gained) else {
            return Err(Fault::new(format!("{name} has neither losses nor rewards")));
        };
        let part = split.map(|split| record[split].trim().to_owned());
        rows.push(TraceRow {
            id: id.map_or(index as u32, |id| id as u32),
            train: part.as_deref() != Some("test"),
            test: part.as_deref() != Some("train"),
            entropy,
            weak_loss,
            reward,
            metric,
        });
    }
    Ok(rows)
}

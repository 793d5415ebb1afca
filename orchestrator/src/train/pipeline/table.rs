//! The table of a label sweep as a file (CSV).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::results::read::{ReadError, content, text};

/// The models of a sweep: who teaches, who learns from labels alone, who learns from both.
pub const MODELS: [&str; 3] = ["teacher", "alone", "distilled"];

/// A row of a label sweep: a network that learnt from so many labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelRow {
    /// So many labels.
    pub labels: u64,
    /// Seed of labels and training.
    pub seed: u64,
    /// One of [`MODELS`].
    pub model: String,
    /// Sum of delays over the sum of the least ones, on applications that no network saw.
    pub delay_ratio: f64,
    /// Share of their sub-tasks that are placed as in the label.
    pub label_accuracy: f64,
    /// Share of the applications that are placed exactly as in the label.
    pub exact_match: f64,
}

const HEAD: &str = "labels,seed,model,delay_ratio,label_accuracy,exact_match\n";

/// The text of a file with these rows.
pub fn to_csv(rows: &[LabelRow]) -> String {
    let mut text = String::from(HEAD);
    for own in rows {
        let LabelRow { labels, seed, model, delay_ratio, label_accuracy, exact_match } = own;
        let _ =
            writeln!(text, "{labels},{seed},{model},{delay_ratio},{label_accuracy},{exact_match}");
    }
    text
}

/// The rows of the file at `path`.
///
/// # Errors
/// If it cannot be read or holds something else: other columns, a last line without an end, no row, one
/// twice, or figures that cannot be.
pub fn read_rows(path: &Path) -> Result<Vec<LabelRow>, ReadError> {
    let text = text(path)?;
    if !text.ends_with('\n') {
        return Err(content(path, "its last line was cut off"));
    }
    let rows = rows(path, &text)?;
    if rows.is_empty() { Err(content(path, "it has no rows")) } else { Ok(rows) }
}

/// The rows of the file at `path` to go on from; none where there is no such file. A last line that was
/// cut off is none.
///
/// # Errors
/// If it cannot be read, or what is whole of it is something else.
pub fn rows_so_far(path: &Path) -> Result<Vec<LabelRow>, ReadError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = text(path)?;
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    match whole {
        "" if HEAD.starts_with(&text) => Ok(Vec::new()),
        "" => Err(content(path, "it is no label sweep")),
        whole => rows(path, whole),
    }
}

fn rows(path: &Path, text: &str) -> Result<Vec<LabelRow>, ReadError> {
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let rows: Result<Vec<LabelRow>, _> = csv.deserialize().collect();
    let rows = rows.map_err(|error| content(path, format!("it is no label sweep: {error}")))?;
    let mut seen = BTreeSet::new();
    for row in &rows {
        let LabelRow { labels, seed, model, .. } = row;
        let odd =
            |what| content(path, format!("{model} with {labels} labels and seed {seed}{what}"));
        if !MODELS.contains(&model.as_str()) {
            return Err(odd(format!(": the model is none of {}", MODELS.join(", "))));
        }
        if !can_be(row) {
            return Err(odd(": figures that cannot be".into()));
        }
        if !seen.insert((labels, seed, model)) {
            return Err(odd(" is there twice".into()));
        }
    }
    Ok(rows)
}

/// No placement is better than the best one, but for what sums of floating-point numbers lose.
fn can_be(row: &LabelRow) -> bool {
    let is_share = |share: f64| (0.0..=1.0).contains(&share);
    let is_ratio = row.delay_ratio.is_finite() && row.delay_ratio > 1.0 - 1e-9;
    row.labels > 0 && is_ratio && is_share(row.label_accuracy) && is_share(row.exact_match)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_made_again_and_what_cannot_be_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let so_far = |text: &str| {
            std::fs::write(&path, text).unwrap();
            rows_so_far(&path).map(|rows| rows.len()).map_err(|error| error.to_string())
        };
        let rows = format!("{HEAD}500,1,teacher,1.25,0.75,0.5\n500,1,alone,1.5,0.5,0.25\n");
        assert_eq!(so_far(&rows), Ok(2));
        assert_eq!(read_rows(&path).unwrap()[1].delay_ratio, 1.5);
        assert_eq!(to_csv(&read_rows(&path).unwrap()), rows);
        // Cut inside a number, inside the head, and before it.
        assert_eq!(so_far(&rows[..rows.len() - 3]), Ok(1));
        assert!(read_rows(&path).unwrap_err().to_string().contains("cut off"));
        assert_eq!(so_far(&rows[..20]), Ok(0));
        assert_eq!(so_far(""), Ok(0));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(rows_so_far(&path).unwrap(), Vec::new());
        for (odd, why) in [
            ("something else", "no label sweep"),
            ("a,b\n1,2\n", "no label sweep"),
            (&rows.replace("alone", "nobody"), "none of teacher, alone, distilled"),
            (&rows.replace("alone", "teacher"), "is there twice"),
            (&rows.replace("0.25", "1.25"), "figures that cannot be"),
            (&rows.replace("1.5", "0.5"), "figures that cannot be"),
            (&rows.replace("1.5", "NaN"), "figures that cannot be"),
        ] {
            let told = so_far(odd).unwrap_err();
            assert!(told.contains(why), "{odd}: {told}");
        }
        std::fs::write(&path, HEAD).unwrap();
        assert!(read_rows(&path).unwrap_err().to_string().contains("no rows"));
    }
}

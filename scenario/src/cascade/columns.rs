//! The columns of a trace of classifiers, and what may stand in them.

use super::trace::TraceRow;
use crate::fault::Fault;
use crate::trace::line::Line;

/// What `split` says.
const PARTS: [&str; 2] = ["train", "test"];
/// Losses, rewards, metrics and entropies beyond this are mistakes.
const LARGEST: f64 = 1000.0;
/// How far a reward may lie from the losses, if both are given: they may have been rounded.
const ROUNDING: f64 = 1e-3;
/// Likeness of names from which on one is taken for the other with a slip.
const ALIKE: f64 = 0.85;
/// All columns that mean something.
const KNOWN: [&str; 7] = ["id", "split", "entropy", "weak_loss", "strong_loss", "reward", "metric"];

impl TraceRow {
    /// Whether it belongs to this part.
    fn is_of(&self, part: &str) -> bool {
        if part == "train" { self.train } else { self.test }
    }
}

/// What a trace needs, in words.
pub(super) const COLUMNS: &str = "columns: metric or entropy; weak_loss and strong_loss, or reward; and, if \
                       you like, id and split (train or test)";

/// Which column is what.
pub(super) struct Columns<'n> {
    header: Line<'n>,
    /// Those of [`KNOWN`], in its order.
    known: [Option<usize>; 7],
}

impl<'n> Columns<'n> {
    /// Those of a file with this first line.
    pub(super) fn of(header: Line<'n>) -> Result<Columns<'n>, Fault> {
        let position = |wanted: &str| header.record.iter().position(|column| column == wanted);
        let known = KNOWN.map(position);
        for (name, first) in KNOWN.iter().zip(known) {
            let mut from_the_last = (0..header.record.len()).rev();
            let second = from_the_last.find(|column| &header.record[*column] == *name);
            if let Some(second) = second.filter(|_| second != first) {
                let message = format!("two columns are called `{name}`");
                return Err(header.bad_value(second, message).help("one of them"));
            }
        }
        let columns = Columns { header, known };
        if columns.metric().is_none() && columns.entropy().is_none() {
            return Err(columns.lacks("neither a column `metric` nor `entropy`", &KNOWN[2..]));
        }
        let [_, _, _, weak, strong, reward, _] = known;
        if reward.is_none() && weak.and(strong).is_none() {
            return Err(columns.lacks(
                "no column `reward`, and not both `weak_loss` and `strong_loss`",
                &KNOWN[3..],
            ));
        }
        Ok(columns)
    }

    /// A fault of the header, which may only spell one of `wanted` in another way.
    fn lacks(&self, message: &str, wanted: &[&'static str]) -> Fault {
        let missing = |name: &&&str| !self.header.record.iter().any(|column| column == **name);
        let wanted: Vec<&str> = wanted.iter().filter(missing).copied().collect();
        let unknown =
            self.header.record.iter().enumerate().filter(|(_, column)| !KNOWN.contains(column));
        for (index, column) in unknown {
            let likeness = |name: &&&str| strsim::jaro_winkler(&column.to_lowercase(), name);
            let nearest = wanted.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            if let Some(name) = nearest.filter(|name| likeness(name) > ALIKE) {
                let meant = format!("did you mean `{name}`?");
                return self.header.bad_value(index, message.to_owned()).help(meant);
            }
        }
        self.header.bad_all(message.to_owned()).help(COLUMNS)
    }

    /// Where the number of the image stands.
    pub(super) fn id(&self) -> Option<usize> {
        self.known[0]
    }

    fn split(&self) -> Option<usize> {
        self.known[1]
    }

    fn entropy(&self) -> Option<usize> {
        self.known[2]
    }

    /// Where the metric stands.
    pub(super) fn metric(&self) -> Option<usize> {
        self.known[6]
    }

    /// The row of `line`, before which there are `before`. Its metric is 0 if the file has none.
    pub(super) fn row(&self, line: &Line<'_>, before: usize) -> Result<TraceRow, Fault> {
        let header = &self.header.record;
        if line.record.len() != header.len() {
            let (got, columns) = (line.record.len(), header.len());
            return Err(line.bad_all(format!("{got} values for {columns} columns")).help(
                "as many values as the first line has names, with a point in decimal numbers",
            ));
        }
        let [_, _, entropy, weak, strong, reward, metric] = self.known;
        let part = self.part(line)?;
        let (entropy, metric) =
            (self.value(line, entropy, 0.0)?, self.value(line, metric, -LARGEST)?);
        let (weak_loss, strong_loss) =
            (self.value(line, weak, 0.0)?, self.value(line, strong, 0.0)?);
        let told = self.value(line, reward, -LARGEST)?;
        let gained = weak_loss.zip(strong_loss).map(|(weak, strong)| weak - strong);
        if let (Some(told), Some(gained), Some(column)) = (told, gained, reward)
            && (told - gained).abs() > ROUNDING
        {
            let message = format!("reward = {told}, but weak_loss - strong_loss = {gained:.4}");
            return Err(line
                .bad_value(column, message)
                .help("what sending the image gains, or no column `reward`"));
        }
        let reward = told.or(gained).expect("the header was looked at");
        Ok(TraceRow {
            id: self.number(line, before)?,
            train: part != Some("test"),
            test: part != Some("train"),
            entropy,
            weak_loss: weak_loss.or(strong_loss.map(|strong| strong + reward)),
            reward,
            metric: metric.unwrap_or_default(),
        })
    }

    /// The value in `column`, if there is such a column.
    fn value(
        &self,
        line: &Line<'_>,
        column: Option<usize>,
        low: f64,
    ) -> Result<Option<f64>, Fault> {
        let Some(column) = column else { return Ok(None) };
        let value = line.number(&self.header.record, column)?;
        if (low..=LARGEST).contains(&value) {
            return Ok(Some(value));
        }
        let message = format!("{} = {value} is out of range", &self.header.record[column]);
        Err(line.bad_value(column, message).help(format!("from {low} to {LARGEST}")))
    }

    /// The number of the image; its place in the file if there is no column for it.
    fn number(&self, line: &Line<'_>, before: usize) -> Result<u32, Fault> {
        let Some(column) = self.id() else { return Ok(before as u32) };
        u32::try_from(line.integer(&self.header.record, column)?).map_err(|_| {
            let message = format!("id = {} is out of range", &line.record[column]);
            line.bad_value(column, message).help(format!("from 0 to {}", u32::MAX))
        })
    }

    /// The part that the image belongs to; none if it belongs to both.
    fn part<'l>(&self, line: &'l Line<'_>) -> Result<Option<&'l str>, Fault> {
        let Some(column) = self.split() else { return Ok(None) };
        let part = &line.record[column];
        if PARTS.contains(&part) {
            return Ok(Some(part));
        }
        let message = format!("split = `{part}` is neither train nor test");
        Err(line
            .bad_value(column, message)
            .help("train: an image to learn from; test: one of the trials"))
    }

    /// Whether there are images of both parts.
    pub(super) fn both_parts(&self, rows: &[TraceRow]) -> Result<(), Fault> {
        if rows.is_empty() {
            let name = self.header.name;
            return Err(Fault::new(format!("the trace {name} has no images")));
        }
        let Some(column) = self.split() else { return Ok(()) };
        for part in PARTS {
            if !rows.iter().any(|row| row.is_of(part)) {
                let message = format!("no image has split = `{part}`");
                return Err(self.header.bad_value(column, message).help(
                    "images to learn from and images of the trials, or no column `split`: all \
                     images are then both",
                ));
            }
        }
        Ok(())
    }

    /// Whether metrics differ, in the precision in which they are kept.
    pub(super) fn differing(&self, rows: &[TraceRow]) -> Result<(), Fault> {
        for part in PARTS {
            let mut metrics =
                rows.iter().filter(|row| row.is_of(part)).map(|row| row.metric as f32);
            let first = metrics.next();
            if metrics.any(|metric| Some(metric) != first) {
                continue;
            }
            let of = self.split().map_or(String::new(), |_| format!(" of split {part}"));
            let first = first.unwrap_or_default();
            let (column, how) = match (self.metric(), self.entropy()) {
                (Some(metric), _) => (metric, ""),
                (None, entropy) => (entropy.unwrap_or_default(), ", fitted to entropy"),
            };
            let message = format!("all images{of} have the metric {first}{how}");
            return Err(self
                .header
                .bad_value(column, message)
                .help("at least two that differ: else there is nothing to decide"));
        }
        Ok(())
    }
}

//! One line of a trace, and the places in it that something is wrong with.

use std::ops::Range;

use csv::StringRecord;

use crate::fault::{Fault, Source};

/// One line: its number, and its text as far as it is needed to show a place in it.
pub(crate) struct Line<'n> {
    /// Name of the trace.
    pub(crate) name: &'n str,
    /// Number of the line, from 1.
    pub(crate) number: usize,
    /// Its values.
    pub(crate) record: StringRecord,
}

impl Line<'_> {
    /// A fault with the place that `span` finds in the text of the line.
    fn bad(&self, span: impl Fn(&str) -> Range<usize>, message: String) -> Fault {
        let text = self.record.iter().collect::<Vec<_>>().join(",");
        bad_line(self.name, self.number, &text, span(&text), message)
    }

    /// A fault with the line as a whole.
    pub(crate) fn bad_all(&self, message: String) -> Fault {
        self.bad(|text| 0..text.len(), message)
    }

    /// A fault with the value in `column`.
    pub(crate) fn bad_value(&self, column: usize, message: String) -> Fault {
        let start: usize = self.record.iter().take(column).map(|value| value.len() + 1).sum();
        self.bad(|_| start..start + self.record[column].len(), message)
    }

    /// The whole number in `column`.
    pub(crate) fn integer(&self, header: &StringRecord, column: usize) -> Result<u64, Fault> {
        let value = &self.record[column];
        value.parse().map_err(|_| {
            self.bad_value(column, format!("{} = `{value}` is no whole number", &header[column]))
        })
    }

    /// The finite number in `column`.
    pub(crate) fn number(&self, header: &StringRecord, column: usize) -> Result<f64, Fault> {
        let value = &self.record[column];
        value.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| {
            self.bad_value(column, format!("{} = `{value}` is no number", &header[column]))
        })
    }
}

/// The most of a line that a fault shows; lines of a large trace can be very long.
const SHOWN: usize = 160;

/// A fault with `span` of line `number` of a trace.
pub(crate) fn bad_line(
    name: &str,
    number: usize,
    line: &str,
    span: Range<usize>,
    message: String,
) -> Fault {
    let first = if span.end <= SHOWN { 0 } else { span.start.saturating_sub(SHOWN / 4) };
    let first = line.floor_char_boundary(first);
    let end = line.floor_char_boundary(first + SHOWN);
    let source = Source { name: name.into(), text: line[first..end].into(), first_line: number };
    let span = span.start - first..span.end.min(end) - first;
    Fault::new(format!("line {number} of the trace {name}: {message}")).at(&source, span)
}

/// A fault of a file that cannot be read as comma-separated values at all.
pub(crate) fn unreadable(name: &str, error: &csv::Error) -> Fault {
    let number = error.position().map_or(1, |position| position.line() as usize);
    bad_line(name, number, "", 0..0, format!("cannot be read: {error}"))
}

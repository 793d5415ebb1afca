//! What is wrong with a topology file or a trace: what, where, and what would be right.

use std::ops::Range;
use std::sync::Arc;

/// A text that a fault points into: the topology file, a `--set` argument or a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What the user calls it: a path, or the argument itself.
    pub name: String,
    /// The text, or the part of it that is needed to show the place.
    pub text: Arc<str>,
    /// Number of the first line of `text` within the whole, from 1.
    pub first_line: usize,
}

/// A place within a [`Source`], as a range of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The text that is meant.
    pub source: Source,
    /// Range of bytes of `source.text`.
    pub span: Range<usize>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// A few words to stand beside the underlined place.
    pub label: String,
    /// What would be right, where that can be said.
    pub help: Option<String>,
    /// Where, unless the fault has no place (a missing file).
    pub place: Option<Box<Place>>,
}

impl Fault {
    /// A fault without a place.
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), label: "here".into(), help: None, place: None }
    }

    /// Says what would be right.
    pub fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }

    /// Points at `span` of `source`.
    pub fn at(mut self, source: &Source, span: Range<usize>) -> Fault {
        self.place = Some(Box::new(Place { source: source.clone(), span }));
        self
    }
}

/// Everything that is wrong with one topology; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; "))]
pub struct Faults(pub Vec<Fault>);

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Faults {
        Faults(vec![fault])
    }
}

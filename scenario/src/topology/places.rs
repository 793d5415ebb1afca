//! Where in the topology file a key stands.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::TopologyFile;
use crate::fault::{Faults, Place};

/// A part of the way to a key: `node[2].weights` is `node`, `2`, `weights`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// Makes a way through the document: `way!["node", 2, "weights"]`.
macro_rules! way {
    ($($step:expr),* $(,)?) => { Vec::from([$($crate::topology::places::Step::from($step)),*]) };
}
pub(crate) use way;

impl From<&str> for Step {
    fn from(key: &str) -> Step {
        Step::Key(key.to_owned())
    }
}

impl From<&String> for Step {
    fn from(key: &String) -> Step {
        Step::Key(key.clone())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Step {
        Step::Index(index)
    }
}

/// The parsed document, kept to find the place of a key.
#[derive(Debug)]
pub(crate) struct Places<'f> {
    pub(super) file: &'f TopologyFile,
    pub(super) root: Spanned<DeTable<'f>>,
}

impl Places<'_> {
    /// The place of the value at the end of `way`, or of the nearest thing around it that exists.
    pub(crate) fn of(&self, way: &[Step]) -> Place {
        let spans = self.spans(way);
        // Where nothing exists, the beginning of the file: a key can always be added there.
        self.file.place(spans.last().cloned().unwrap_or(0..0))
    }

    /// What is wrong with the sweep of the document, if it has one.
    pub(crate) fn sweep(&self) -> Result<(), Faults> {
        self.file.sweep().map(drop)
    }

    /// Whether there is something at the end of `way`.
    pub(crate) fn has(&self, way: &[Step]) -> bool {
        self.spans(way).len() == way.len()
    }

    /// What to underline for each step of `way`, as far as there is something.
    fn spans(&self, way: &[Step]) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut table = Some(self.root.get_ref());
        let mut items = None;
        for step in way {
            let found = match (step, table, items) {
                (Step::Key(name), Some(table), _) => table
                    .iter()
                    .find(|(key, _)| key.get_ref() == name)
                    .map(|(key, value)| (self.underlined(key, value), value)),
                (Step::Index(index), _, Some(items)) => {
                    let items: &toml::de::DeArray<'_> = items;
                    items.get(*index).map(|item| (item.span(), item))
                }
                _ => None,
            };
            let Some((span, value)) = found else { break };
            spans.push(span);
            (table, items) = (value.get_ref().as_table(), value.get_ref().as_array());
        }
        spans
    }

    /// What stands for an entry: its value, but the key of a table, which can be a page long.
    fn underlined(
        &self,
        key: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Range<usize> {
        // A table that an override put there keeps the key of the file.
        let overridden = value.span().start > self.file.source().text.len();
        match value.get_ref() {
            DeValue::Table(_) if !overridden => key.span(),
            _ => value.span(),
        }
    }
}

/// Takes the key or value at `span` out of a table; `false` if there is none.
pub(super) fn remove_at(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let before = table.len();
    let kept = std::mem::take(table).into_iter();
    *table = kept.filter(|(key, value)| key.span() != *span && value.span() != *span).collect();
    table.len() < before || table.iter_mut().any(|(_, value)| remove_below(value.get_mut(), span))
}

fn remove_below(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => remove_at(table, span),
        DeValue::Array(items) => items.iter_mut().any(|item| remove_below(item.get_mut(), span)),
        _ => false,
    }
}

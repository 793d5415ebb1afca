//! The topology file as text: overrides, and everything that its types refuse.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::overrides::Override;
use super::places::{Places, remove_at, way};
use super::{Problem, Topology, message};
use crate::fault::{Fault, Faults, Place, Source};

/// A topology file in memory, with the overrides of the command line.
#[derive(Debug, Clone)]
pub struct TopologyFile {
    path: PathBuf,
    source: Source,
    overrides: Vec<Override>,
}

impl TopologyFile {
    /// Reads a topology file.
    ///
    /// # Errors
    /// If the file cannot be read or is not UTF-8.
    pub fn read(path: &Path) -> Result<TopologyFile, Faults> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(TopologyFile::from_text(path, text)),
            Err(error) => Err(Fault::new(format!(
                "cannot read the topology file {}: {error}",
                path.display()
            ))
            .help("give the path of a topology file, for example topologies/paper.toml")
            .into()),
        }
    }

    /// A topology file whose text is at hand; `path` names it and is what relative paths within it
    /// start from.
    pub fn from_text(path: &Path, text: String) -> TopologyFile {
        let source =
            Source { name: path.display().to_string(), text: Arc::from(text), first_line: 1 };
        TopologyFile { path: path.to_owned(), source, overrides: Vec::new() }
    }

    /// The path it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text as a place for faults.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// How many helper nodes the file lists one by one, with the overrides so far; 0 where it lists
    /// none or cannot be read.
    pub fn listed_nodes(&self) -> usize {
        #[derive(Deserialize)]
        struct Listed {
            #[serde(default)]
            node: Vec<serde::de::IgnoredAny>,
        }
        let root = self.root().ok();
        let listed = root.and_then(|root| Listed::deserialize(Deserializer::from(root)).ok());
        listed.map_or(0, |listed| listed.node.len())
    }

    /// Overrides one key. `assignment` is `KEY=VALUE`; KEY is dotted, with numbers for places in a
    /// list (`node.0.name`) and quotes around a part that has dots itself; VALUE is read as TOML,
    /// and what is no TOML value is a string. Overrides apply in order, before anything is
    /// validated.
    ///
    /// # Errors
    /// If `assignment` has no `=` or an empty key.
    pub fn set(&mut self, assignment: &str) -> Result<(), Faults> {
        self.set_below(&[], assignment)
    }

    /// As [`set`](Self::set), for an assignment that the user knows as `name` rather than as an
    /// argument of `--set`: a line of a file, for example.
    ///
    /// # Errors
    /// If `assignment` has no `=` or an empty key.
    pub fn set_named(&mut self, name: String, assignment: &str) -> Result<(), Faults> {
        self.override_with(&[], name, assignment)
    }

    /// As [`set`](Self::set), for a KEY that is relative to the table `table`.
    ///
    /// # Errors
    /// If `assignment` has no `=` or an empty key.
    pub(crate) fn set_below(&mut self, table: &[&str], assignment: &str) -> Result<(), Faults> {
        self.override_with(table, format!("--set {assignment}"), assignment)
    }

    /// Overrides `key` with the value at `value` of this file's text; `whole` is the place of the
    /// key there.
    pub(super) fn override_within(&mut self, key: &str, whole: Range<usize>, value: Range<usize>) {
        let (source, base) = (self.source.clone(), self.next_base());
        self.overrides.push(Override::within(key, source, whole, value, base));
    }

    /// Where the spans of the next override start.
    fn next_base(&self) -> usize {
        self.overrides.last().map_or(self.source.text.len(), |o| o.span().end) + 1
    }

    fn override_with(
        &mut self,
        table: &[&str],
        name: String,
        assignment: &str,
    ) -> Result<(), Faults> {
        let base = self.next_base();
        self.overrides.push(Override::parse(table, name, assignment, base)?);
        Ok(())
    }

    /// What kind of decision the topology is about.
    ///
    /// # Errors
    /// If the text is no TOML, or the problem is none that there is.
    pub fn problem(&self) -> Result<Problem, Faults> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            problem: Problem,
        }
        let root = self.root()?;
        match Head::deserialize(Deserializer::from(root)) {
            Ok(head) => Ok(head.problem),
            Err(error) => {
                let (message, help) = message::rewritten(error.message());
                let place = error.span().map(|span| Box::new(self.place(span)));
                Err(Fault { help, place, ..Fault::new(message) }.into())
            }
        }
    }

    /// Parses the document, applies the overrides and reads the topology of the problem `one-bit`
    /// out of it. Nothing is validated beyond types and known keys.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub(crate) fn parse(&self) -> Result<(Topology, Places<'_>), Faults> {
        self.parse_as(Problem::OneBit)
    }

    /// As [`parse`](Self::parse), for the topology type `T` of `problem`.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub(crate) fn parse_as<T: DeserializeOwned>(
        &self,
        problem: Problem,
    ) -> Result<(T, Places<'_>), Faults> {
        let found = self.problem()?;
        let root = self.root()?;
        if found != problem {
            let places = Places { file: self, root };
            let mut fault = Fault::new(format!("the problem here is `{}`", found.name()))
                .help(format!("what was asked for is done for `{}` only", problem.name()));
            fault.place = Some(Box::new(places.of(&way!["problem"])));
            return Err(fault.into());
        }
        match T::deserialize(Deserializer::from(root.clone())) {
            Ok(topology) => Ok((topology, Places { file: self, root })),
            Err(error) => Err(Faults(self.type_faults::<T>(error, root))),
        }
    }

    /// The document with the overrides applied.
    pub(super) fn root(&self) -> Result<Spanned<DeTable<'_>>, Faults> {
        let (root, errors) = DeTable::parse_recoverable(&self.source.text);
        if !errors.is_empty() {
            return Err(Faults(self.syntax_faults(&errors)));
        }
        let (span, mut table) = (root.span(), root.into_inner());
        for one in &self.overrides {
            table = one.apply(table)?;
        }
        Ok(Spanned::new(span, kind_first(table, 0)))
    }

    /// The mistakes against the grammar, without those that only follow from another.
    fn syntax_faults(&self, errors: &[toml::de::Error]) -> Vec<Fault> {
        let text = &self.source.text;
        let mut faults = Vec::new();
        let mut skipped_to = 0;
        for error in errors {
            let span = error.span().unwrap_or_default();
            if error.message() != "duplicate key" {
                let fault = Fault::new(format!("not valid TOML: {}", error.message()));
                faults.push(fault.at(&self.source, span));
            } else if span.start >= skipped_to {
                let line = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
                if text[line..].starts_with('[') {
                    // The table is there twice, and so is each of its keys.
                    skipped_to = text[line..].find("\n[").map_or(text.len(), |end| line + end);
                }
                faults.push(
                    Fault::new(format!("the key `{}` is given twice", &text[span.clone()]))
                        .help("each key once; policies, for example, need names of their own")
                        .at(&self.source, span),
                );
            }
        }
        faults
    }

    /// All mistakes against the types. Reading stops at the first; to find the others, what is
    /// wrong is taken out and the rest read again.
    fn type_faults<T: DeserializeOwned>(
        &self,
        mut error: toml::de::Error,
        mut root: Spanned<DeTable<'_>>,
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        loop {
            let missing = error.message().starts_with("missing");
            // A key that is missing now may be one that was taken out.
            if !missing || faults.is_empty() {
                let (message, help) = message::rewritten(error.message());
                let place = error.span().map(|span| Box::new(self.place(span)));
                faults.push(Fault { help, place, ..Fault::new(message) });
            }
            let removed = error.span().is_some_and(|span| remove_at(root.get_mut(), &span));
            if missing || !removed {
                return faults;
            }
            match T::deserialize(Deserializer::from(root.clone())) {
                Ok(_) => return faults,
                Err(next) => error = next,
            }
        }
    }

    /// Turns a span of the document with its overrides into a place.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        for one in &self.overrides {
            let all = one.span();
            if (all.start..=all.end).contains(&span.start) {
                let end = span.end.clamp(span.start, all.end);
                let span = span.start - one.base..end - one.base;
                return Place { source: one.source.clone(), span };
            }
        }
        Place { source: self.source.clone(), span }
    }
}

/// What `kind` is where the table `key` at that depth of the document leaves it out, so that
/// `--set clock.lookahead=1` needs no more than that.
fn default_kind(depth: usize, key: &str) -> Option<&'static str> {
    match (depth, key) {
        (0, "clock") => Some("slot"),
        (0, "features") => Some("model"),
        (0, "feedback") => Some("logit"),
        (0, "arrivals") => Some("constant"),
        // Within a table of `policies`.
        (2, "gamma") => Some("tuned"),
        _ => None,
    }
}

/// Moves `kind` to the front of every table, where [`crate::tagged`] looks for it.
fn kind_first(table: DeTable<'_>, depth: usize) -> DeTable<'_> {
    let (kinds, others): (Vec<_>, Vec<_>) =
        table.into_iter().partition(|(key, _)| key.get_ref() == "kind");
    let entries = kinds.into_iter().chain(others);
    entries
        .map(|(key, value)| {
            let span = value.span();
            let mut value = value.into_inner();
            if let DeValue::Table(table) = &mut value
                && let Some(kind) = default_kind(depth, key.get_ref())
            {
                let kind = Spanned::new(span.clone(), DeValue::String(kind.into()));
                table.entry(Spanned::new(span.clone(), "kind".into())).or_insert(kind);
            }
            (key, Spanned::new(span, kind_first_value(value, depth + 1)))
        })
        .collect()
}

fn kind_first_value(value: DeValue<'_>, depth: usize) -> DeValue<'_> {
    match value {
        DeValue::Table(table) => DeValue::Table(kind_first(table, depth)),
        DeValue::Array(items) => {
            let mut out = DeArray::new();
            for item in items {
                let span = item.span();
                out.push(Spanned::new(span, kind_first_value(item.into_inner(), depth)));
            }
            DeValue::Array(out)
        }
        other => other,
    }
}

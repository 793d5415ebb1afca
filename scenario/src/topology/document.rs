//! The topology file as text: overrides, and the place of every key.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::Topology;
use crate::problem::{Place, Problem, Problems, Source};

/// A topology file in memory, with the overrides of the command line.
#[derive(Debug, Clone)]
pub struct TopologyFile {
    path: PathBuf,
    source: Source,
    overrides: Vec<Override>,
}

/// One `--set KEY=VALUE`.
#[derive(Debug, Clone)]
struct Override {
    key: Vec<String>,
    source: Source,
    /// Where VALUE starts within the source's text.
    value_at: usize,
    /// Where this override's spans start in the spans of the whole document.
    base: usize,
}

/// A part of the way to a key: `node[2].weights` is `node`, `2`, `weights`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// Makes a way through the document: `way!["node", 2, "weights"]`.
macro_rules! way {
    ($($step:expr),* $(,)?) => { vec![$($crate::topology::document::Step::from($step)),*] };
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
    file: &'f TopologyFile,
    root: Spanned<DeTable<'f>>,
}

impl TopologyFile {
    /// Reads a topology file.
    ///
    /// # Errors
    /// If the file cannot be read or is not UTF-8.
    pub fn read(path: &Path) -> Result<TopologyFile, Problems> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(TopologyFile::from_text(path, text)),
            Err(error) => Err(Problem::new(format!(
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

    /// The text as a place for problems.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Overrides one key. `assignment` is `KEY=VALUE`; KEY is dotted, with numbers for places in a
    /// list (`node.0.name`); VALUE is read as TOML, and what is no TOML value is a string.
    /// Overrides apply in order, before anything is validated.
    ///
    /// # Errors
    /// If `assignment` has no `=` or an empty key.
    pub fn set(&mut self, assignment: &str) -> Result<(), Problems> {
        let source = Source {
            name: format!("--set {assignment}"),
            text: Arc::from(assignment),
            first_line: 1,
        };
        let broken = |what: &str| {
            Problem::new(format!("{what} in --set {assignment}"))
                .help("write KEY=VALUE, for example --set policies.toof.gamma.c=0.1")
                .at(&source, 0..assignment.len())
        };
        let (key, value) = assignment.split_once('=').ok_or_else(|| broken("no `=`"))?;
        let steps: Vec<String> = key.trim().split('.').map(|s| s.trim().to_owned()).collect();
        if steps.iter().any(String::is_empty) {
            return Err(broken("an empty key").into());
        }
        let value_at = key.len() + 1 + (value.len() - value.trim_start().len());
        let base = self
            .overrides
            .last()
            .map_or(self.source.text.len() + 1, |o| o.base + o.source.text.len() + 1);
        self.overrides.push(Override { key: steps, source, value_at, base });
        Ok(())
    }

    /// Parses the document, applies the overrides and reads the topology out of it. Nothing is
    /// validated beyond types and known keys.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub(crate) fn parse(&self) -> Result<(Topology, Places<'_>), Problems> {
        let (root, errors) = DeTable::parse_recoverable(&self.source.text);
        if !errors.is_empty() {
            let problems = errors.iter().map(|error| self.syntax_problem(error)).collect();
            return Err(Problems(problems));
        }
        let (span, mut table) = (root.span(), root.into_inner());
        for one in &self.overrides {
            self.apply(&mut table, one)?;
        }
        let table = kind_first(table);
        let root = Spanned::new(span, table);
        let topology = Topology::deserialize(Deserializer::from(root.clone()))
            .map_err(|error| self.type_problem(&error))?;
        Ok((topology, Places { file: self, root }))
    }

    fn syntax_problem(&self, error: &toml::de::Error) -> Problem {
        let problem = Problem::new(format!("not valid TOML: {}", error.message()));
        match error.span() {
            Some(span) => problem.at(&self.source, span),
            None => problem,
        }
    }

    fn type_problem(&self, error: &toml::de::Error) -> Problem {
        let mut problem = Problem::new(friendly(error.message()));
        problem.help = suggestion(error.message());
        problem.place = error.span().map(|span| self.place(span));
        problem
    }

    fn apply<'f>(&'f self, root: &mut DeTable<'f>, one: &'f Override) -> Result<(), Problems> {
        let value = one.value();
        let whole = one.base..one.base + one.source.text.len();
        let (last, way) = one.key.split_last().expect("an override has a key");
        let mut table = root;
        for (depth, step) in way.iter().enumerate() {
            let key = Spanned::new(whole.clone(), Cow::Owned(step.clone()));
            let entry = table
                .entry(key)
                .or_insert_with(|| Spanned::new(whole.clone(), DeValue::Table(DeTable::new())));
            let mut next = entry.get_mut();
            if let DeValue::Array(items) = next {
                let index = one.key.get(depth + 1).and_then(|s| s.parse::<usize>().ok());
                let entries = items.len();
                // The table within the list is what the following key belongs to.
                next = match index.and_then(|i| items.get_mut(i)) {
                    Some(item) => item.get_mut(),
                    None => {
                        let message = format!("`{step}` is a list of {entries}: give a number");
                        return Err(one.problem(message).into());
                    }
                };
                return set_below(next, &one.key[depth + 2..], value, &whole)
                    .map_err(|message| one.problem(message).into());
            }
            table = match next {
                DeValue::Table(inner) => inner,
                _ => return Err(one.problem(format!("`{step}` is not a table")).into()),
            };
        }
        insert(table, last, value, &whole);
        Ok(())
    }

    /// Turns a span of the document with its overrides into a place.
    fn place(&self, span: std::ops::Range<usize>) -> Place {
        for one in &self.overrides {
            if span.start >= one.base && span.start <= one.base + one.source.text.len() {
                let end = span.end.min(one.base + one.source.text.len());
                let span = span.start - one.base..end.max(span.start) - one.base;
                return Place { source: one.source.clone(), span };
            }
        }
        Place { source: self.source.clone(), span }
    }
}

impl Override {
    /// VALUE as a TOML value, or as a string where it is none.
    fn value(&self) -> Spanned<DeValue<'_>> {
        let text = &self.source.text[self.value_at..];
        let offset = self.base + self.value_at;
        match DeValue::parse(text) {
            Ok(value) => shifted(value, offset),
            Err(_) => Spanned::new(
                offset..offset + text.len(),
                DeValue::String(Cow::Owned(text.trim_end().to_owned())),
            ),
        }
    }

    fn problem(&self, message: String) -> Problem {
        Problem::new(message).at(&self.source, 0..self.source.text.len())
    }
}

impl Places<'_> {
    /// The place of the value at the end of `way`, or of the nearest thing around it that exists.
    pub(crate) fn of(&self, way: &[Step]) -> Place {
        let mut span = self.root.span();
        let Some((first, rest)) = way.split_first() else { return self.file.place(0..0) };
        let Step::Key(first) = first else { return self.file.place(span) };
        let Some((key, value)) = find(self.root.get_ref(), first) else {
            return self.file.place(0..self.file.source.text.lines().next().map_or(0, str::len));
        };
        span = if is_header_table(value) { key.span() } else { value.span() };
        let mut value = value;
        for step in rest {
            let next = match (step, value.get_ref()) {
                (Step::Key(name), DeValue::Table(table)) => find(table, name).map(|(key, v)| {
                    (if is_header_table(v) { key.span() } else { v.span() }, v)
                }),
                (Step::Index(index), DeValue::Array(items)) => {
                    items.get(*index).map(|item| (item.span(), item))
                }
                _ => None,
            };
            let Some((next_span, next_value)) = next else { break };
            span = next_span;
            value = next_value;
        }
        self.file.place(span)
    }
}

/// Whether a value is a `[table]` with a header of its own, whose span would underline a page.
fn is_header_table(value: &Spanned<DeValue<'_>>) -> bool {
    matches!(value.get_ref(), DeValue::Table(_))
}

fn find<'t, 'i>(
    table: &'t DeTable<'i>,
    name: &str,
) -> Option<(&'t Spanned<Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    table.iter().find(|(key, _)| key.get_ref() == name)
}

fn insert<'f>(
    table: &mut DeTable<'f>,
    key: &str,
    value: Spanned<DeValue<'f>>,
    whole: &std::ops::Range<usize>,
) {
    // The map finds a key by its text alone and would keep the old key's place.
    let owned = Spanned::new(whole.clone(), Cow::Owned(key.to_owned()));
    match table.iter_mut().find(|(known, _)| known.get_ref() == key) {
        Some((_, old)) => *old = value,
        None => {
            table.insert(owned, value);
        }
    }
}

/// Sets `way` below a value that lies in a list.
fn set_below<'f>(
    start: &mut DeValue<'f>,
    way: &[String],
    value: Spanned<DeValue<'f>>,
    whole: &std::ops::Range<usize>,
) -> Result<(), String> {
    let Some((last, way)) = way.split_last() else {
        *start = value.into_inner();
        return Ok(());
    };
    let mut here = start;
    for step in way {
        let DeValue::Table(table) = here else { return Err(format!("`{step}` is not in a table")) };
        let key = Spanned::new(whole.clone(), Cow::Owned(step.clone()));
        here = table
            .entry(key)
            .or_insert_with(|| Spanned::new(whole.clone(), DeValue::Table(DeTable::new())))
            .get_mut();
    }
    let DeValue::Table(table) = here else { return Err(format!("`{last}` is not in a table")) };
    insert(table, last, value, whole);
    Ok(())
}

/// Moves `kind` to the front of every table: see [`crate::tagged`].
fn kind_first(table: DeTable<'_>) -> DeTable<'_> {
    let (kinds, others): (Vec<_>, Vec<_>) =
        table.into_iter().partition(|(key, _)| key.get_ref() == "kind");
    kinds
        .into_iter()
        .chain(others)
        .map(|(key, value)| {
            let span = value.span();
            (key, Spanned::new(span, kind_first_value(value.into_inner())))
        })
        .collect()
}

fn kind_first_value(value: DeValue<'_>) -> DeValue<'_> {
    match value {
        DeValue::Table(table) => DeValue::Table(kind_first(table)),
        DeValue::Array(items) => {
            let mut out = DeArray::new();
            for item in items {
                let span = item.span();
                out.push(Spanned::new(span, kind_first_value(item.into_inner())));
            }
            DeValue::Array(out)
        }
        other => other,
    }
}

/// Moves every span of a value by `offset` bytes.
fn shifted(value: Spanned<DeValue<'_>>, offset: usize) -> Spanned<DeValue<'_>> {
    let span = value.span().start + offset..value.span().end + offset;
    let inner = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    let span = key.span().start + offset..key.span().end + offset;
                    (Spanned::new(span, key.into_inner()), shifted(value, offset))
                })
                .collect(),
        ),
        DeValue::Array(items) => {
            let mut out = DeArray::new();
            for item in items {
                out.push(shifted(item, offset));
            }
            DeValue::Array(out)
        }
        other => other,
    };
    Spanned::new(span, inner)
}

/// Serde's words, made ours.
fn friendly(message: &str) -> String {
    message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("unknown variant", "unknown kind")
        .replace("invalid type: ", "wrong type: ")
}

/// The known name nearest to the one that serde did not know.
fn suggestion(message: &str) -> Option<String> {
    if !message.starts_with("unknown") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    let nearest = known.iter().max_by(|a, b| {
        strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b))
    })?;
    if strsim::jaro_winkler(unknown, nearest) > 0.8 {
        return Some(format!("did you mean `{nearest}`?"));
    }
    Some(format!("known here: {}", known.join(", ")))
}

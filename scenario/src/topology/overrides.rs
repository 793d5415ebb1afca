//! `--set KEY=VALUE`: overrides of single keys, each with a place of its own.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::fault::{Fault, Source};

/// One `--set KEY=VALUE`.
#[derive(Debug, Clone)]
pub(super) struct Override {
    key: Vec<String>,
    pub(super) source: Source,
    /// Where VALUE stands within the source's text.
    value: Range<usize>,
    /// What is underlined there where the whole assignment is meant.
    whole: Range<usize>,
    /// Where this override's spans start in the spans of the whole document.
    pub(super) base: usize,
}

impl Override {
    /// Reads `assignment`, which the user knows as `name`, for the table `table`; `base` is where
    /// its spans shall start.
    pub(super) fn parse(
        table: &[&str],
        name: String,
        assignment: &str,
        base: usize,
    ) -> Result<Override, Fault> {
        let source = Source { name, text: Arc::from(assignment), first_line: 1 };
        let broken = |what: &str| {
            Fault::new(format!("{what} in {}", source.name))
                .help("write KEY=VALUE, for example --set policies.toof.gamma.c=0.1")
                .at(&source, 0..assignment.len())
        };
        let (key, value) = assignment.split_once('=').ok_or_else(|| broken("no `=`"))?;
        let value_at = key.len() + 1 + (value.len() - value.trim_start().len());
        let key = split_key(key);
        if key.iter().any(String::is_empty) {
            return Err(broken("an empty key"));
        }
        let key = table.iter().map(|step| (*step).to_owned()).chain(key).collect();
        let (value, whole) = (value_at..assignment.len(), 0..assignment.len());
        Ok(Override { key, source, value, whole, base })
    }

    /// KEY as the text at `whole` of a file says it, with the value at `value` of the same file.
    pub(super) fn within(
        key: &str,
        source: Source,
        whole: Range<usize>,
        value: Range<usize>,
        base: usize,
    ) -> Override {
        Override { key: split_key(key), source, value, whole, base }
    }

    /// Puts VALUE where KEY says.
    pub(super) fn apply<'f>(&'f self, root: DeTable<'f>) -> Result<DeTable<'f>, Fault> {
        let mut root = DeValue::Table(root);
        let whole = self.base + self.whole.start..self.base + self.whole.end;
        put(&mut root, "", &self.key, self.value(), &whole)
            .map_err(|message| Fault::new(message).at(&self.source, self.whole.clone()))?;
        let DeValue::Table(root) = root else { unreachable!("the root stays a table") };
        Ok(root)
    }

    /// The place of all of it within the document's spans.
    pub(super) fn span(&self) -> Range<usize> {
        self.base..self.base + self.source.text.len()
    }

    /// VALUE as a TOML value, or as a string where it is none.
    fn value(&self) -> Spanned<DeValue<'_>> {
        let text = self.source.text[self.value.clone()].trim_end();
        let offset = self.base + self.value.start;
        match DeValue::parse(text) {
            Ok(value) => shifted(value, offset),
            Err(_) => {
                Spanned::new(offset..offset + text.len(), DeValue::String(Cow::Borrowed(text)))
            }
        }
    }
}

/// Whether two dotted keys of a topology file are the same, however they are written.
pub fn same_key(a: &str, b: &str) -> bool {
    split_key(a) == split_key(b)
}

/// Whether two dotted keys of a topology file are the same, or one lies within the other: whoever sets
/// both sets one thing twice.
pub fn keys_overlap(a: &str, b: &str) -> bool {
    split_key(a).iter().zip(&split_key(b)).all(|(a, b)| a == b)
}

/// Whether two values, as they are written, say the same: `0.1` and `0.10` do, and `1` and `1.0`.
pub fn same_value(a: &str, b: &str) -> bool {
    match (DeValue::parse(a.trim()), DeValue::parse(b.trim())) {
        (Ok(a), Ok(b)) => alike(a.get_ref(), b.get_ref()),
        _ => a.trim() == b.trim(),
    }
}

fn alike(a: &DeValue<'_>, b: &DeValue<'_>) -> bool {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a == b;
    }
    match (a, b) {
        (DeValue::Array(a), DeValue::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a.get_ref(), b.get_ref()))
        }
        (DeValue::Table(a), DeValue::Table(b)) => {
            let of = |key: &str| b.iter().find(|(other, _)| other.get_ref() == key);
            let same = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                of(key.get_ref()).is_some_and(|(_, own)| alike(value.get_ref(), own.get_ref()))
            };
            a.len() == b.len() && a.iter().all(same)
        }
        (DeValue::String(a), DeValue::String(b)) => a == b,
        (DeValue::Boolean(a), DeValue::Boolean(b)) => a == b,
        (DeValue::Datetime(a), DeValue::Datetime(b)) => a == b,
        _ => false,
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(whole) => {
            i64::from_str_radix(whole.as_str(), whole.radix()).ok().map(|whole| whole as f64)
        }
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
}

/// The parts of a dotted key; quotes keep the dots between them.
fn split_key(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for letter in key.chars() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '.') => parts.push(String::new()),
            _ => parts.last_mut().expect("there is a part").push(letter),
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// Puts `value` at the end of `way` below `here`, which is called `name`; tables on the way that do
/// not exist are made and get the place `whole`.
fn put<'f>(
    here: &mut DeValue<'f>,
    name: &str,
    way: &[String],
    value: Spanned<DeValue<'f>>,
    whole: &Range<usize>,
) -> Result<(), String> {
    let (step, rest) = way.split_first().expect("a key has at least one part");
    let next = match here {
        DeValue::Table(table) => {
            let key = Spanned::new(whole.clone(), Cow::Owned(step.clone()));
            table
                .entry(key)
                .or_insert_with(|| Spanned::new(whole.clone(), DeValue::Table(DeTable::new())))
        }
        DeValue::Array(items) => {
            let count = items.len();
            let item = step.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            item.ok_or_else(|| {
                format!("`{name}` is a list of {count}: give a number below {count}")
            })?
        }
        _ => return Err(format!("`{name}` is not a table")),
    };
    if rest.is_empty() {
        *next = value;
        return Ok(());
    }
    put(next.get_mut(), step, rest, value, whole)
}

/// Moves every span of a value by `offset` bytes.
fn shifted(value: Spanned<DeValue<'_>>, offset: usize) -> Spanned<DeValue<'_>> {
    let moved = |span: Range<usize>| span.start + offset..span.end + offset;
    let span = moved(value.span());
    let inner = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    (Spanned::new(moved(key.span()), key.into_inner()), shifted(value, offset))
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

//! `[sweep]`: the points at which `fogbit sweep` plays a topology.

use std::ops::Range;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::TopologyFile;
use super::overrides::{keys_overlap, same_value};
use crate::fault::{Fault, Faults};

const FORM: &str = "for example \"bucket.depth\" = [1, 2, 4]";

/// The points at which `fogbit sweep` plays the topology; `fogbit run` plays the file's own values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Grids, whose points are played one grid after the other, each point once.
    #[serde(rename = "grid")]
    pub grids: Vec<SweepGrid>,
}

/// All combinations of the values of its axes: dotted keys of the topology file, each with a list of
/// values. The last axis varies fastest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SweepGrid(pub IndexMap<String, serde_json::Value>);

/// An axis of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The dotted key of the topology file.
    pub key: String,
    /// Its values, at least one, in the order of the file.
    pub values: Vec<AxisValue>,
}

/// A value of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisValue {
    /// As it was written.
    pub text: String,
    /// Where the axis's key stands.
    pub(super) key_span: Range<usize>,
    /// Where it stands itself.
    pub(super) span: Range<usize>,
}

impl TopologyFile {
    /// The grids of the file's `[sweep]`; none where it has none.
    ///
    /// # Errors
    /// What is wrong with them, with places.
    pub fn sweep(&self) -> Result<Option<Vec<Vec<Axis>>>, Faults> {
        let root = self.root()?;
        let Some((key, sweep)) = root.get_ref().iter().find(|(key, _)| key.get_ref() == "sweep")
        else {
            return Ok(None);
        };
        let mut reader = Reader { file: self, faults: Vec::new() };
        let grids = reader.grids(key.span(), sweep);
        if reader.faults.is_empty() { Ok(Some(grids)) } else { Err(Faults(reader.faults)) }
    }

    /// Sets what a value of an axis says. What is wrong with it has its place in the file.
    pub fn set_from_axis(&mut self, key: &str, value: &AxisValue) {
        self.override_within(key, value.key_span.clone(), value.span.clone());
    }
}

/// Reads grids, and gathers what is wrong with them.
struct Reader<'f> {
    file: &'f TopologyFile,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn fail(&mut self, span: Range<usize>, message: impl Into<String>, help: &str) {
        let place = Some(Box::new(self.file.place(span)));
        self.faults.push(Fault { place, ..Fault::new(message).help(help) });
    }

    fn grids(&mut self, key: Range<usize>, sweep: &Spanned<DeValue<'_>>) -> Vec<Vec<Axis>> {
        let listed = sweep.get_ref().as_table().and_then(|table| table.get("grid"));
        let Some(listed) = listed.and_then(|listed| listed.get_ref().as_array()) else {
            self.fail(key, "a sweep without a grid", "[[sweep.grid]] with lists of values by key");
            return Vec::new();
        };
        let mut grids = Vec::new();
        for grid in listed {
            let mut axes = Vec::new();
            match grid.get_ref().as_table() {
                Some(table) if !table.is_empty() => self.axes(table, "", &mut axes),
                _ => self.fail(grid.span(), "a grid without an axis", FORM),
            }
            let mut pairs = axes
                .iter()
                .enumerate()
                .flat_map(|(place, axis)| axes[..place].iter().map(move |earlier| (earlier, axis)));
            if let Some((earlier, axis)) = pairs.find(|(a, b)| keys_overlap(&a.key, &b.key)) {
                let message = match earlier.key == axis.key {
                    true => format!("`{}` is varied twice in this grid", axis.key),
                    false => format!("`{}` and `{}` set the same", earlier.key, axis.key),
                };
                self.fail(axis.values[0].key_span.clone(), message, "each key once in a grid");
            }
            grids.push(axes);
        }
        if grids.is_empty() {
            self.fail(key, "a sweep without a grid", "[[sweep.grid]] with lists of values by key");
        }
        grids
    }

    /// The axes below a table; a table within it is a part of their keys.
    fn axes(&mut self, table: &DeTable<'_>, prefix: &str, axes: &mut Vec<Axis>) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            match value.get_ref() {
                _ if key.is_empty() || ["sweep", "problem"].contains(&first_part(&key)) => {
                    let message = format!("`{key}` cannot be varied");
                    self.fail(name.span(), message, "any other key of the topology file");
                }
                DeValue::Table(inner) if !inner.is_empty() => {
                    self.axes(inner, &format!("{key}."), axes);
                }
                DeValue::Array(values) => {
                    let values: Vec<_> = values.iter().map(Spanned::span).collect();
                    axes.extend(self.axis(key, name.span(), value.span(), values));
                }
                _ => self.fail(value.span(), "an axis is a list of values", FORM),
            }
        }
    }

    fn axis(
        &mut self,
        key: String,
        key_span: Range<usize>,
        list: Range<usize>,
        spans: Vec<Range<usize>>,
    ) -> Option<Axis> {
        if spans.is_empty() {
            self.fail(list, format!("`{key}` has no values"), FORM);
            return None;
        }
        let mut values: Vec<AxisValue> = Vec::new();
        for span in spans {
            let place = self.file.place(span.clone());
            let text = place.source.text[place.span].to_owned();
            if values.iter().any(|earlier| same_value(&earlier.text, &text)) {
                self.fail(span, "this value is given twice", "each value once");
                return None;
            }
            values.push(AxisValue { text, key_span: key_span.clone(), span });
        }
        Some(Axis { key, values })
    }
}

fn first_part(key: &str) -> &str {
    key.split('.').next().unwrap_or_default().trim_matches(['"', '\'', ' '])
}

//! What is checked alike in several problems.

use std::path::Path;
use std::time::Duration;

use super::{Check, LONGEST_SPAN, MOST_SLOTS, below};
use crate::scenario::trace_path;
use crate::topology::places::{Step, way};
use crate::topology::{Naming, Range, TimeSpan};

/// An answer cannot be given up sooner.
pub(super) const SHORTEST_TIMEOUT: TimeSpan = TimeSpan(Duration::from_millis(10));

impl Check<'_, '_> {
    /// The length of each trial, which the key `what` says in what it counts.
    pub(super) fn length(&mut self, what: &str, length: u64, example: u64) {
        if !(1..=MOST_SLOTS).contains(&length) {
            self.fail(
                way![what],
                format!("a trial cannot have {length} {what}"),
                format!("from 1 to {MOST_SLOTS} {what}, for example {what} = {example}"),
            );
        }
    }

    /// The time `key` of the clock.
    pub(super) fn span(&mut self, key: &str, span: TimeSpan, least: TimeSpan, example: &str) {
        if !(least..=LONGEST_SPAN).contains(&span) {
            self.fail(
                way!["clock", key],
                format!("{key} = \"{span}\" is out of range"),
                format!("from {least} to {LONGEST_SPAN}, for example \"{example}\""),
            );
        }
    }

    /// Fails unless the model that the policy at `place` names is there; `command` writes such models.
    pub(super) fn model_is_there(
        &mut self,
        place: &[Step],
        model: Option<&String>,
        path: &Path,
        command: &str,
    ) {
        let Some(file) = model.map(|model| trace_path(path, model)) else { return };
        if !file.is_file() {
            self.fail(
                below(place, "model"),
                format!("there is no model {}", file.display()),
                format!(
                    "what `{command}` wrote, relative to this file; or leave it out: the model is \
                     then trained at the start of the run"
                ),
            );
        }
    }

    /// The sizes of a network's hidden layers; `usual` says how many there mostly are.
    pub(super) fn hidden_layers(&mut self, place: &[Step], sizes: &[u32], usual: &str) {
        if sizes.len() > 16 {
            let message = format!("{} hidden layers", sizes.len());
            self.fail(place.to_vec(), message, format!("16 at most; {usual}"));
        }
        for (index, size) in sizes.iter().enumerate() {
            let place = place.iter().cloned().chain([index.into()]).collect();
            self.whole(place, "the size of a hidden layer", *size, 1, 4096);
        }
    }

    /// Expectations of whole trials; `policies` are the names of all policies.
    pub(super) fn plain_expectations<'n>(
        &mut self,
        expectations: &[impl Naming],
        policies: impl Iterator<Item = &'n String>,
    ) {
        let known: Vec<&str> = policies.map(String::as_str).collect();
        for (index, expect) in expectations.iter().enumerate() {
            self.bounds(index, expect, &known);
            if expect.seeds() == 0 {
                let place = way!["expect", index, "seeds"];
                self.fail(place, "no seed shows nothing", "20 or more: seeds differ");
            }
        }
    }

    /// Fails unless `low <= min <= max <= high`, all of them finite.
    pub(super) fn range_within(
        &mut self,
        place: &[Step],
        what: &str,
        range: Range,
        low: f64,
        high: f64,
    ) {
        let mut fine = true;
        for (key, value) in [("min", range.min), ("max", range.max)] {
            fine &= self.within(below(place, key), &format!("{what}.{key}"), value, low, high);
        }
        if fine && range.min > range.max {
            self.fail(
                below(place, "min"),
                format!("{what}: min = {} is above max = {}", range.min, range.max),
                "min <= max",
            );
        }
    }

    /// Fails unless the whole number `value` is between `low` and `high`.
    pub(super) fn whole(&mut self, place: Vec<Step>, what: &str, value: u32, low: u32, high: u32) {
        if !(low..=high).contains(&value) {
            let message = format!("{what} = {value} is out of range");
            self.fail(place, message, format!("from {low} to {high}"));
        }
    }
}

//! Curves and `segments.csv`, against the rows of decision files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::close;
use super::figures::{Fact, figures, mean, spread};
use crate::placement::files::{Curve, SEGMENTS_FILE};
use crate::placement::plan::Segment;
use crate::placement::read;
use crate::results::read::{CurvePoint, ReadError, content};
use crate::verify::pairs::deviation;
use crate::verify::{Compared, is_quantile};

/// The curves of a run, and what its trials come to at their points.
pub(super) struct Curves {
    told: Vec<(Curve, Vec<CurvePoint>)>,
    /// First and last slot of each point of any curve.
    windows: BTreeSet<(u64, u64)>,
    /// Each trial's value by curve, policy and window.
    values: BTreeMap<(usize, String, (u64, u64)), Vec<f64>>,
    longest: u64,
}

fn window(point: &CurvePoint) -> (u64, u64) {
    (point.from.unwrap_or(0), point.slot)
}

impl Curves {
    /// Reads all of them.
    pub(super) fn read(dir: &Path) -> Result<Curves, ReadError> {
        let told: Vec<(Curve, Vec<CurvePoint>)> = Curve::ALL
            .into_iter()
            .map(|curve| Ok((curve, read::curve(dir, curve)?)))
            .collect::<Result<_, ReadError>>()?;
        let windows = told.iter().flat_map(|(_, points)| points).map(window).collect();
        Ok(Curves { told, windows, values: BTreeMap::new(), longest: 0 })
    }

    /// Adds a trial, as far as it got.
    pub(super) fn add(&mut self, policy: &str, facts: &[Fact]) {
        self.longest = self.longest.max(facts.len() as u64);
        for (from, to) in &self.windows {
            let end = facts.len().min(*to as usize);
            let Some(own) = facts.get((*from as usize).saturating_sub(1)..end) else { continue };
            let share = |wanted: fn(&Fact) -> bool| {
                let part = own.iter().filter(|fact| wanted(fact)).count();
                (!own.is_empty()).then(|| part as f64 / own.len() as f64)
            };
            let back = own.iter().filter(|fact| fact.came_back());
            let latencies: Vec<f64> = back.map(|fact| fact.latency_ms).collect();
            let regrets: Vec<f64> = own.iter().map(|fact| fact.regret_ms).collect();
            for (index, (curve, _)) in self.told.iter().enumerate() {
                let value = match curve {
                    Curve::Latency => mean(&latencies),
                    Curve::Regret => mean(&regrets),
                    Curve::Offloaded => share(|fact| fact.offloaded),
                    Curve::Accuracy => share(|fact| fact.right),
                };
                if let Some(value) = value {
                    let key = (index, policy.to_owned(), (*from, *to));
                    self.values.entry(key).or_default().push(value);
                }
            }
        }
    }

    /// Compares every point, and whether there is one for every slot that was played.
    pub(super) fn check(&self, segments: &[Segment], compared: &mut Compared) {
        let mut next = 1;
        for (from, to) in &self.windows {
            let within = segments.iter().any(|s| s.from <= *from && *to <= s.to);
            if *from != next || to < from || !within {
                let has = |points: &[CurvePoint]| points.iter().any(|p| window(p) == (*from, *to));
                let file = self.told.iter().find(|(_, points)| has(points));
                let file = file.map_or("curves", |(curve, _)| curve.file());
                let place = format!("{file}: slots {from} to {to}");
                return compared.find(place, "no window of this run");
            }
            next = to + 1;
        }
        if next <= self.longest {
            let last = format!("ends before slot {next} of {}", self.longest);
            return compared.find(Curve::Latency.file(), last);
        }
        for (index, (curve, points)) in self.told.iter().enumerate() {
            for point in points {
                let key = (index, point.policy.clone(), window(point));
                let values = self.values.get(&key).map_or(&[][..], Vec::as_slice);
                if !is_of(point, values) {
                    let CurvePoint { policy, slot, .. } = point;
                    let right = mean(values).unwrap_or(f64::NAN);
                    let difference = format!(
                        "{} over {} seeds where {right} over {} is right",
                        point.mean,
                        point.n,
                        values.len()
                    );
                    compared.find(format!("{}: {policy} at slot {slot}", curve.file()), difference);
                }
            }
            let due = self.values.keys().filter(|(own, ..)| *own == index).count();
            if due != points.len() {
                compared.find(curve.file(), format!("{} points, not {due}", points.len()));
            }
        }
    }
}

/// Whether a point says what the values of its trials come to.
fn is_of(point: &CurvePoint, values: &[f64]) -> bool {
    let sd = match (point.sd, deviation(values)) {
        (Some(told), Some(right)) => close(told, right, point.mean.abs()),
        (told, right) => told == right,
    };
    let scale = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let right = mean(values).is_some_and(|mean| close(point.mean, mean, scale));
    point.n == values.len() as u64 && right && sd
}

/// The rows of `segments.csv`.
pub(super) struct SegmentRows {
    /// The figures by name, by policy, seed and first slot.
    rows: BTreeMap<(String, String, String), BTreeMap<String, String>>,
}

impl SegmentRows {
    /// Reads them.
    pub(super) fn read(dir: &Path) -> Result<SegmentRows, ReadError> {
        let path = dir.join(SEGMENTS_FILE);
        let mut csv = csv::Reader::from_path(&path).map_err(|error| content(&path, error))?;
        let mut rows = BTreeMap::new();
        for row in csv.deserialize() {
            let mut row: BTreeMap<String, String> = row.map_err(|error| content(&path, error))?;
            let mut key = |name: &str| {
                row.remove(name).ok_or_else(|| content(&path, format!("there is no `{name}`")))
            };
            rows.insert((key("policy")?, key("seed")?, key("from")?), row);
        }
        Ok(SegmentRows { rows })
    }

    /// Compares those of a trial, as far as it got.
    pub(super) fn check(
        &mut self,
        (policy, seed): (&str, u64),
        segments: &[Segment],
        facts: &[Fact],
        compared: &mut Compared,
    ) {
        for (index, segment) in segments.iter().enumerate() {
            let own: Vec<&Fact> = facts.iter().filter(|fact| fact.segment == index).collect();
            let key = (policy.to_owned(), seed.to_string(), segment.from.to_string());
            let place = format!("{SEGMENTS_FILE}: {policy}-{seed} from slot {}", segment.from);
            match self.rows.remove(&key) {
                None if own.is_empty() => {}
                None => compared.find(place, "there is no such row"),
                Some(row) => check_row(&place, &row, segment, &own, compared),
            }
        }
    }

    /// Looks for rows of no trial.
    pub(super) fn end(&self, compared: &mut Compared) {
        for (policy, seed, from) in self.rows.keys() {
            let place = format!("{SEGMENTS_FILE}: {policy}-{seed} from slot {from}");
            compared.find(place, "no trial has such a segment");
        }
    }
}

fn check_row(
    place: &str,
    row: &BTreeMap<String, String>,
    segment: &Segment,
    facts: &[&Fact],
    compared: &mut Compared,
) {
    let told = |name: &str| row.get(name).map_or("", String::as_str);
    if told("profile") != segment.profile || told("to") != segment.to.to_string() {
        compared.find(place, "not a segment of this run");
    }
    for (name, right) in figures(facts) {
        let column = match name {
            "confusion/local_local" => "best_local_chosen_local",
            "confusion/local_offloaded" => "best_local_chosen_offload",
            "confusion/offloaded_local" => "best_offload_chosen_local",
            "confusion/offloaded_offloaded" => "best_offload_chosen_offload",
            name => name,
        };
        let scale = if name.contains("regret") { 1.0 } else { 0.0 };
        let same = match (told(column).parse::<f64>(), right) {
            (Ok(found), Some(right)) => close(found, right, scale),
            (found, right) => found.is_err() && told(column).is_empty() && right.is_none(),
        };
        if !same {
            compared.find(place, format!("{column} {:?}, {right:?} is right", told(column)));
        }
    }
    for (name, values) in spread(facts) {
        let of = name.trim_end_matches("_ms");
        let column = |part: &str| told(&format!("{of}_{part}_ms")).parse::<f64>().ok();
        let average = match (column("mean"), mean(&values)) {
            (Some(told), Some(right)) => close(told, right, 0.0),
            (told, right) => told == right,
        };
        let quantile = |(part, p): (&str, f64)| match column(part) {
            Some(found) => is_quantile(&values, p, found),
            None => values.is_empty(),
        };
        if !average || ![("p50", 0.5), ("p95", 0.95), ("p99", 0.99)].into_iter().all(quantile) {
            compared.find(place, format!("{of} is not that of its {} values", values.len()));
        }
    }
}

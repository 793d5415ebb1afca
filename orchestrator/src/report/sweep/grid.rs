//! Which keys vary, over which values, and where points lie on them.

use crate::sweep::summary::{PointSummary, SweepSummary};

/// A key that has more than one value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Varying {
    /// The dotted key.
    pub(super) key: String,
    /// Its values: ascending where they are numbers, else in the order in which they come first.
    pub(super) values: Vec<String>,
    /// The values as numbers, where all are.
    pub(super) numbers: Option<Vec<f64>>,
}

impl Varying {
    /// The place of a point's value.
    pub(super) fn place(&self, point: &PointSummary) -> Option<usize> {
        let value = point.settings.get(&self.key)?;
        self.values.iter().position(|known| known == value)
    }
}

/// The keys that have more than one value, in the order in which they were given.
pub(super) fn varying(summary: &SweepSummary) -> Vec<Varying> {
    summary.sweep.keys.iter().filter_map(|key| one(summary, key)).collect()
}

fn one(summary: &SweepSummary, key: &str) -> Option<Varying> {
    let mut values: Vec<String> = Vec::new();
    let mut left_out = false;
    for point in &summary.points {
        match point.settings.get(key) {
            Some(value) if !values.contains(value) => values.push(value.clone()),
            Some(_) => {}
            None => left_out = true,
        }
    }
    if values.len() + usize::from(left_out) < 2 {
        return None;
    }
    let number =
        |value: &String| value.replace('_', "").parse::<f64>().ok().filter(|n| n.is_finite());
    let numbers: Option<Vec<f64>> = values.iter().map(number).collect();
    let numbers = numbers.map(|numbers| {
        let mut pairs: Vec<(f64, String)> = numbers.into_iter().zip(values.clone()).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (numbers, sorted): (Vec<f64>, Vec<String>) = pairs.into_iter().unzip();
        values = sorted;
        numbers
    });
    Some(Varying { key: key.to_owned(), values, numbers })
}

/// Points that agree in all of `keys`, group by group, in the order in which they come first.
pub(super) fn groups<'p>(
    points: &'p [PointSummary],
    keys: &[&Varying],
) -> Vec<Vec<&'p PointSummary>> {
    let mut groups: Vec<(Vec<Option<&String>>, Vec<&PointSummary>)> = Vec::new();
    for point in points {
        let own: Vec<Option<&String>> = keys.iter().map(|k| point.settings.get(&k.key)).collect();
        match groups.iter_mut().find(|(known, _)| *known == own) {
            Some((_, members)) => members.push(point),
            None => groups.push((own, vec![point])),
        }
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

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
    let numbers = sorted_numbers(&mut values);
    Some(Varying { key: key.to_owned(), values, numbers })
}

/// Sorts values that are numbers, at least one, and gives these. Lists of numbers count by their first number if,
/// from one to the next, no number of them falls: the others go with it then.
fn sorted_numbers(values: &mut Vec<String>) -> Option<Vec<f64>> {
    let lists: Option<Vec<Vec<f64>>> = values.iter().map(|value| numbers_of(value)).collect();
    let mut pairs: Vec<(Vec<f64>, String)> = lists?.into_iter().zip(values.clone()).collect();
    pairs.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
    let grow = |two: &[(Vec<f64>, String)]| {
        two[0].0.len() == two[1].0.len() && two[0].0.iter().zip(&two[1].0).all(|(a, b)| a <= b)
    };
    if !pairs.windows(2).all(grow) {
        return None;
    }
    let (lists, sorted): (Vec<Vec<f64>>, Vec<String>) = pairs.into_iter().unzip();
    let numbers: Vec<f64> = lists.iter().filter_map(|list| list.first().copied()).collect();
    *values = sorted;
    // Where all begin alike there is nothing to draw over.
    (numbers.first() != numbers.last()).then_some(numbers)
}

/// The numbers of a list, or the number alone.
fn numbers_of(value: &str) -> Option<Vec<f64>> {
    let list = match value.trim().strip_prefix('[') {
        Some(list) => list.strip_suffix(']')?,
        None => value,
    };
    let number = |text: &str| text.trim().replace('_', "").parse::<f64>().ok();
    list.split(',').map(|text| number(text).filter(|number| number.is_finite())).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[&str]) -> (Option<Vec<f64>>, Vec<String>) {
        let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        (sorted_numbers(&mut values), values)
    }

    #[test]
    fn numbers_are_sorted_and_lists_that_grow_count_by_their_first() {
        let (found, values) = numbers(&["10", "3", "1_000"]);
        assert_eq!(found, Some(vec![3.0, 10.0, 1000.0]));
        assert_eq!(values, ["3", "10", "1_000"]);
        let (found, values) = numbers(&["[0.01, 0.005]", "[0.001, 0.0005]", "[0.001, 0.00025]"]);
        assert_eq!(found, Some(vec![0.001, 0.001, 0.01]));
        assert_eq!(values[0], "[0.001, 0.00025]");
    }

    #[test]
    fn what_does_not_grow_together_is_no_number() {
        for values in [
            &["[1, -1]", "[-1, 1]"][..],
            &["[1, 3]", "[1, 6]"],
            &["[1]", "[1, 2]"],
            &["a", "1"],
            &["[]", "[1]"],
            &["inf", "1"],
        ] {
            assert_eq!(numbers(values).0, None, "{values:?}");
        }
    }
}

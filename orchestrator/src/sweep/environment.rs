//! Environments of a sweep: points that differ in the settings of policies alone.
//!
//! Axes below `policies` are settings of policies; every other axis makes another environment.
//! What is lost in one environment says nothing about a policy in another one, so policies and
//! their settings are ranked, and their differences taken, within each environment only.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::summary::short_key;

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name: `e1`, `e2`, ...
    pub environment: String,
    /// What its points set of the keys that are not settings of policies; keys that they leave
    /// alone are missing.
    pub settings: IndexMap<String, String>,
    /// Names of its points, in their order.
    pub points: Vec<String>,
}

/// Whether a key is a setting of policies, and not of their environment.
pub fn is_of_policies(key: &str) -> bool {
    let first = key.split('.').next().unwrap_or_default();
    first.trim().trim_matches(['"', '\'']) == "policies"
}

/// Whether a key may be a setting of the policy called `policy`. Of keys with quotes or spaces in
/// them it is taken to be.
pub fn touches(key: &str, policy: &str) -> bool {
    if !is_of_policies(key) {
        return false;
    }
    let Some((_, rest)) = key.split_once('.') else { return true };
    key.contains(['"', '\'', ' '])
        || rest.strip_prefix(policy).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The settings of some point that `wanted` picks by their keys.
pub(super) fn picked(
    settings: &IndexMap<String, String>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<(&str, &str)> {
    let mut picked: Vec<(&str, &str)> = settings
        .iter()
        .filter(|(key, _)| wanted(key))
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    picked.sort_unstable();
    picked
}

/// The environments of points with these names and settings, in the order in which they come
/// first, each with the places of its points.
pub fn environments<'p>(
    points: impl Iterator<Item = (&'p str, &'p IndexMap<String, String>)>,
) -> Vec<(Environment, Vec<usize>)> {
    let mut known: BTreeMap<Vec<(&str, &str)>, usize> = BTreeMap::new();
    let mut found: Vec<(Environment, Vec<usize>)> = Vec::new();
    for (place, (name, settings)) in points.enumerate() {
        let own = picked(settings, |key| !is_of_policies(key));
        let index = *known.entry(own).or_insert_with(|| {
            let environment = format!("e{}", found.len() + 1);
            let mut settings = settings.clone();
            settings.retain(|key, _| !is_of_policies(key));
            found.push((Environment { environment, settings, points: Vec::new() }, Vec::new()));
            found.len() - 1
        });
        found[index].0.points.push(name.to_owned());
        found[index].1.push(place);
    }
    found
}

impl Environment {
    /// What it sets, in a line; empty where it sets nothing.
    pub fn label(&self) -> String {
        label(self.settings.iter())
    }
}

/// Settings in a line, with short keys.
pub(super) fn label<'s>(settings: impl Iterator<Item = (&'s String, &'s String)>) -> String {
    let parts: Vec<String> =
        settings.map(|(key, value)| format!("{} = {value}", short_key(key))).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_policies_make_no_environment() {
        for key in
            ["policies.toof.lambda", "policies", "\"policies\".toof", "policies.a.prior.mean"]
        {
            assert!(is_of_policies(key), "{key}");
        }
        for key in ["nodes.count", "policy", "slots", "nodes.policies", "policies_of"] {
            assert!(!is_of_policies(key), "{key}");
        }
    }

    #[test]
    fn policies_are_touched_by_their_own_keys() {
        assert!(touches("policies.toof.lambda", "toof") && touches("policies.toof", "toof"));
        assert!(touches("policies", "toof") && touches("policies.\"a.b\".c", "a.b"));
        assert!(!touches("policies.toof-2.lambda", "toof") && !touches("nodes.count", "nodes"));
        assert!(!touches("policies.toof.lambda", "greedy"));
    }

    #[test]
    fn points_with_the_same_environment_stand_together() {
        let point = |parts: &[(&str, &str)]| -> IndexMap<String, String> {
            parts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let points = [
            point(&[("policies.a.x", "1"), ("nodes.count", "3")]),
            point(&[("policies.a.x", "1"), ("nodes.count", "9")]),
            point(&[("policies.a.x", "2"), ("nodes.count", "3")]),
            point(&[("policies.a.x", "2")]),
        ];
        let found = environments(["p1", "p2", "p3", "p4"].into_iter().zip(&points));
        let places: Vec<_> = found.iter().map(|(_, places)| places.clone()).collect();
        assert_eq!(places, [vec![0, 2], vec![1], vec![3]]);
        assert_eq!(found[0].0.settings, point(&[("nodes.count", "3")]));
        assert_eq!((found[1].0.environment.as_str(), &found[0].0.points[1][..]), ("e2", "p3"));
    }
}

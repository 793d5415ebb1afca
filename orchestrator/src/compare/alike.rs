//! Whether runs played the same scenario, so that a seed means the same in all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::load::Run;
use crate::report::markup::shortened;

/// What may differ: who plays, how often, what is said of it, and how far helper nodes look ahead,
/// which changes no decision.
const MAY_DIFFER: [&str; 5] = ["policies", "seeds", "about", "expect", "clock.lookahead"];
/// No more keys than this are told.
const MOST_KEYS: usize = 6;
/// No more than this is told of a value.
const MOST_CHARACTERS: usize = 40;

/// What differs between the first run and the others, in words; nothing if trials can be paired.
pub(super) fn differences(runs: &[Run]) -> Vec<String> {
    let (first, others) = runs.split_first().expect("there is a run");
    let mut told = Vec::new();
    if runs.iter().any(|run| run.summary.run.slots.is_none()) {
        told.push("trials are endless, and end where they were stopped".to_owned());
    }
    for other in others {
        let keys = different_keys(&setting(first), &setting(other));
        for (key, a, b) in keys.iter().take(MOST_KEYS) {
            told.push(format!("{key} ({a} in {}, {b} in {})", first.label, other.label));
        }
        if keys.len() > MOST_KEYS {
            told.push(format!("{} more keys in {}", keys.len() - MOST_KEYS, other.label));
        }
        if first.trace != other.trace {
            told.push(format!("the content of the trace in {}", other.label));
        }
        let real_time = |run: &Run| match run.summary.run.clock == "wall" {
            true if run.summary.run.backend != "sim" => "real time",
            _ => "virtual time",
        };
        if real_time(first) != real_time(other) {
            told.push(format!("{} was played in {}", other.label, real_time(other)));
        }
    }
    told
}

/// Every value of the resolved topology by its dotted key, but for what may differ.
fn setting(run: &Run) -> BTreeMap<String, String> {
    let topology = serde_json::to_value(run.scenario.topology());
    let mut values = BTreeMap::new();
    flatten(String::new(), &topology.expect("a topology is plain data"), &mut values);
    values
}

fn flatten(key: String, value: &Value, into: &mut BTreeMap<String, String>) {
    if MAY_DIFFER.contains(&key.as_str()) {
        return;
    }
    let below = |part: &str| if key.is_empty() { part.into() } else { format!("{key}.{part}") };
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                flatten(below(name), value, into);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (index, value) in list.iter().enumerate() {
                flatten(below(&index.to_string()), value, into);
            }
        }
        Value::Null => {}
        plain => {
            into.insert(key, plain.to_string());
        }
    }
}

/// The keys whose values differ, with both values as far as there is room.
fn different_keys(
    a: &BTreeMap<String, String>,
    b: &BTreeMap<String, String>,
) -> Vec<(String, String, String)> {
    let word = |value: Option<&String>| {
        value.map_or("nothing".into(), |value| shortened(value, MOST_CHARACTERS))
    };
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    keys.into_iter()
        .filter(|key| a.get(*key) != b.get(*key))
        .map(|key| (key.clone(), word(a.get(key)), word(b.get(key))))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flat(value: &Value) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        flatten(String::new(), value, &mut values);
        values
    }

    #[test]
    fn what_may_differ_is_passed_over() {
        let a = json!({"about": "x", "seeds": 3, "slots": 5, "expect": [{"slot": 1}],
                       "policies": {"a": {"kind": "toof"}},
                       "clock": {"kind": "slot", "lookahead": 1}});
        let b = json!({"seeds": [1, 2], "slots": 5, "policies": {},
                       "clock": {"kind": "slot", "lookahead": 64}});
        assert!(different_keys(&flat(&a), &flat(&b)).is_empty());
    }

    #[test]
    fn what_differs_is_named() {
        let a = json!({"slots": 5, "nodes": {"count": 3, "weights": [1.0, 2.0]},
                       "node": [{"name": "x"}]});
        let b = json!({"slots": 6, "nodes": {"count": 3, "weights": [1.0, 2.5]},
                       "node": [{"name": "x"}, {"name": "y"}]});
        let found = different_keys(&flat(&a), &flat(&b));
        let keys: Vec<&str> = found.iter().map(|(key, ..)| key.as_str()).collect();
        assert_eq!(keys, ["node.1.name", "nodes.weights", "slots"]);
        assert_eq!((found[0].1.as_str(), found[0].2.as_str()), ("nothing", "\"y\""));
        assert_eq!((found[2].1.as_str(), found[2].2.as_str()), ("5", "6"));
    }
}

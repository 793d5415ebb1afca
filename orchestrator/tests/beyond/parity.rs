//! `sim` and `process` write the same files, however far helper nodes look ahead.

use std::path::Path;

use serde_json::Value;

use crate::common::{assert_same_decisions, files, run, topology};
use crate::{SHORT, everything, set};

/// Takes out what may differ: times, and where it was played.
fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            for key in ["seconds", "slots_per_second", "backend"] {
                object.remove(key);
            }
            object.values_mut().for_each(|value| *value = without_times(value.take()));
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| *value = without_times(value.take()));
        }
        _ => {}
    }
    value
}

fn check(file: &Path, arguments: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let sim = dir.path().join("sim");
    let play = |more: &[&str], out: &Path| {
        let arguments = [arguments, &["--set", "expect=[]"], more].concat();
        without_times(run(file, &arguments, out))
    };
    let expected = play(&["--backend", "sim"], &sim);
    for lookahead in ["1", "64"] {
        let what = format!("{}, lookahead {lookahead}", file.display());
        let out = dir.path().join(lookahead);
        let clock = format!("clock={{kind=\"slot\",lookahead={lookahead}}}");
        let summary = play(&["--set", &clock], &out);
        assert_same_decisions(&sim, &out, &what);
        assert_eq!(summary, expected, "{what}");
        assert!(files(&sim.join("curves")) == files(&out.join("curves")), "{what}: curves");
        let curves = |dir: &Path| std::fs::read(dir.join("curves.csv")).unwrap();
        assert!(curves(&sim) == curves(&out), "{what}: curves.csv");
    }
}

#[test]
fn what_ships() {
    for (file, short) in SHORT {
        check(&topology(file), &set(short));
    }
}

#[test]
fn everything_at_once() {
    check(&everything(), &[]);
}

/// Nothing is learnt before the trial is over.
#[test]
fn a_delay_longer_than_the_trial() {
    check(&everything(), &set(&["feedback.delay_slots=1000", "seeds=1"]));
}

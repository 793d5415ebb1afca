//! Helpers shared by the tests of this crate.

#![allow(dead_code, reason = "each test file uses some of them")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use fogbit_scenario::topology::Problem;
use fogbit_scenario::{Fault, Faults, Scenario, TopologyFile};
use serde_json::Value;

/// What the files of `topologies/` are called that are about `problem`.
pub(crate) fn shipped_of(problem: Problem) -> Vec<PathBuf> {
    let is_of = |path: &PathBuf| {
        let file = TopologyFile::read(path).unwrap_or_else(|e| panic!("{e}"));
        file.problem().unwrap_or_else(|e| panic!("{}: {e}", path.display())) == problem
    };
    let files: Vec<PathBuf> = all_shipped().into_iter().filter(is_of).collect();
    assert!(!files.is_empty(), "no topology of {}", problem.name());
    files
}

/// What the files of `topologies/` are called that are about one bit.
pub(crate) fn shipped() -> Vec<PathBuf> {
    shipped_of(Problem::OneBit)
}

fn all_shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of topologies")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 4, "only {files:?}");
    files
}

/// Takes the marks `«` and `»` out of a text and gives the range of bytes between them.
pub(crate) fn unmark(text: &str) -> (String, Option<Range<usize>>) {
    let Some((before, rest)) = text.split_once('«') else { return (text.to_owned(), None) };
    let (inside, after) = rest.split_once('»').expect("a mark that is opened is closed");
    let span = before.len()..before.len() + inside.len();
    (format!("{before}{inside}{after}"), Some(span))
}

/// A topology without fault, for tests to spoil: each pair of `edits` is a text that occurs exactly
/// once, and what stands there instead.
pub(crate) fn edited(good: &str, edits: &[(&str, &str)]) -> String {
    let mut text = good.to_owned();
    for (old, new) in edits {
        assert_eq!(text.matches(old).count(), 1, "`{old}` must occur exactly once");
        text = text.replacen(old, new, 1);
    }
    text
}

/// Reads and validates a topology given as text.
pub(crate) fn read(path: &Path, text: &str, overrides: &[&str]) -> Result<Scenario, Faults> {
    let mut file = TopologyFile::from_text(path, text.to_owned());
    for assignment in overrides {
        file.set(assignment)?;
    }
    Scenario::from_file(&file)
}

/// The only fault of a topology that must have exactly one: whatever follows from a mistake
/// without being one would only hide it.
pub(crate) fn only_fault<T>(case: &str, result: Result<T, Faults>) -> Fault {
    let Err(Faults(mut faults)) = result else { panic!("{case}: no fault was found") };
    let messages: Vec<&str> = faults.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(faults.len(), 1, "{case}: {messages:#?}");
    faults.remove(0)
}

/// Checks the words of a fault, and that `span` of the text called `source` is underlined.
pub(crate) fn check(
    case: &str,
    fault: &Fault,
    message: &str,
    help: &str,
    place: Option<(&str, Range<usize>)>,
) {
    assert!(fault.message.contains(message), "{case}: message `{}`", fault.message);
    let given = fault.help.as_deref().unwrap_or("");
    assert!(given.contains(help), "{case}: help `{given}`");
    match (&fault.place, place) {
        (None, None) => {}
        (Some(got), Some((source, span))) => {
            let underlined = &got.source.text[got.span.clone()];
            assert_eq!(got.source.name, source, "{case}: the source; underlined `{underlined}`");
            assert_eq!(got.span, span, "{case}: underlined `{underlined}`");
        }
        (got, _) => panic!("{case}: place {got:?}"),
    }
}

/// Spoils the topology `good` in all the ways of `cases`, one a line: what it is ¦ what to replace →
/// by what & ... ¦ message ¦ help. `⏎` is the end of a line, the marks enclose what must be
/// underlined, and of message and help a part will do.
pub(crate) fn check_all(good: &str, cases: &str) {
    check_all_with(good, cases, |path, text| read(path, text, &[]));
}

/// As [`check_all`], for what `read` reads.
pub(crate) fn check_all_with<T: std::fmt::Debug>(
    good: &str,
    cases: &str,
    read: impl Fn(&Path, &str) -> Result<T, Faults>,
) {
    let path = Path::new("folder/test.toml");
    read(path, good).expect("a topology without fault");
    for line in cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let unbroken = line.replace('⏎', "\n");
        let [case, edits, message, help] = unbroken.split(" ¦").collect::<Vec<_>>()[..] else {
            panic!("four parts: {line}")
        };
        let edits: Vec<_> =
            edits[1..].split(" & ").map(|edit| edit.split_once(" → ").expect("an arrow")).collect();
        let (text, span) = unmark(&edited(good, &edits));
        let fault = only_fault(case, read(path, &text));
        let place = Some(("folder/test.toml", span.expect("marks")));
        check(case, &fault, message.trim(), help.trim(), place);
    }
}

/// The names of all properties, and all constants, of a JSON schema.
pub(crate) fn names_of(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                names.extend(properties.keys().cloned());
            }
            for key in ["const", "enum"] {
                match object.get(key) {
                    Some(Value::String(text)) => drop(names.insert(text.clone())),
                    Some(Value::Array(texts)) => {
                        names.extend(texts.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    _ => {}
                }
            }
            object.values().for_each(|value| names_of(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| names_of(item, names)),
        _ => {}
    }
}

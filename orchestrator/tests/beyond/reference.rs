//! Against `reference.py`, which is written from the documents alone.

use std::collections::BTreeMap;
use std::process::Command;

use crate::common::{run, skip};
use crate::everything;

const TABLE: &str = include_str!("reference.csv");

#[test]
fn the_table_is_what_the_independent_implementation_prints() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/beyond/reference.py");
    let test = "the reference of what lies beyond the model";
    // `tomllib` came with Python 3.11.
    let can = Command::new("python3").args(["-c", "import tomllib"]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        return skip(test, "there is no python3 with tomllib");
    }
    let output = Command::new("python3").arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), TABLE);
}

#[test]
fn decisions_and_losses_are_those_of_the_independent_implementation() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    run(&everything(), &["--backend", "sim"], &out);
    let mut right: BTreeMap<String, Vec<Vec<&str>>> = BTreeMap::new();
    for line in TABLE.lines() {
        let columns: Vec<&str> = line.split(',').collect();
        let file = format!("{}-{}.csv", columns[0], columns[1]);
        right.entry(file).or_default().push(columns[2..].to_vec());
    }
    assert_eq!(right.len(), 4);
    let number = |text: &str| text.parse::<f64>().unwrap();
    for (file, rows) in right {
        let text = std::fs::read_to_string(out.join("decisions").join(&file)).unwrap();
        let found: Vec<Vec<&str>> =
            text.lines().skip(1).map(|line| line.split(',').collect()).collect();
        assert_eq!(found.len(), rows.len(), "{file}");
        for (found, right) in found.iter().zip(rows) {
            assert_eq!(found[..3], right[..3], "{file}: slot, node and bit");
            for (found, right) in found[3..].iter().zip(&right[3..]) {
                let difference = (number(found) - number(right)).abs();
                assert!(difference < 2e-12, "{file}: {found} where {right} is right");
            }
        }
    }
}

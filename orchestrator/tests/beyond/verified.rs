//! `fogbit verify` computes all of it anew, and finds what was tampered with.

use std::path::Path;

use crate::common::{fogbit, run, stdout, topology};
use crate::{SHORT, everything, set};

/// What `verify` says of a results directory, and its exit code.
fn verify(dir: &Path) -> (Option<i32>, String) {
    let output = fogbit().arg("verify").arg(dir).output().unwrap();
    (output.status.code(), stdout(&output))
}

#[test]
fn what_ships_is_verified() {
    let dir = tempfile::tempdir().unwrap();
    for (file, short) in SHORT {
        let out = dir.path().join(file);
        let arguments = ["--backend", "sim", "--seeds", "2", "--set", "expect=[]"];
        run(&topology(file), &[arguments.as_slice(), &set(short)].concat(), &out);
        let (code, said) = verify(&out);
        assert_eq!(code, Some(0), "{file}: {said}");
        let trials = std::fs::read_dir(out.join("decisions")).unwrap().count();
        assert!(trials >= 8, "{file}: {trials} trials");
        let all = format!("{trials} trials, {} slots, no difference", 300 * trials);
        assert!(said.contains(&all), "{file}: {said}");
    }
}

/// The resolved topology says what was played: whoever changes one number of it, or a row of the
/// decisions, is found out.
#[test]
fn everything_is_verified_and_nothing_can_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    run(&everything(), &["--backend", "sim", "--seed", "1"], &out);
    let (code, said) = verify(&out);
    assert_eq!(code, Some(0), "{said}");

    let path = out.join("topology.toml");
    let resolved = std::fs::read_to_string(&path).unwrap();
    for (old, new) in [
        ("kind = \"probit\"", "kind = \"logit\""),
        ("flip = 0.1", "flip = 0.11"),
        ("delay_slots = 7", "delay_slots = 8"),
        ("noise = 2", "noise = 1"),
        ("period_slots = 150.0", "period_slots = 150.001"),
        ("at = 50", "at = 51"),
        ("at = 100", "at = 101"),
        ("at = 150", "at = 149"),
        ("at = 200", "at = 199"),
        ("at = 260", "at = 264"),
        ("at = 300", "at = 299"),
        ("norm = 0.9", "norm = 0.91"),
    ] {
        assert_eq!(resolved.matches(old).count(), 1, "`{old}` in\n{resolved}");
        std::fs::write(&path, resolved.replace(old, new)).unwrap();
        let (code, said) = verify(&out);
        assert_eq!(code, Some(1), "{old} -> {new}: {said}");
    }
    std::fs::write(&path, &resolved).unwrap();

    let path = out.join("decisions/toof-1.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    // A slot in which `anna`, node 0, is away.
    let columns: Vec<&str> = rows[180].split(',').collect();
    assert_eq!(columns[0], "180");
    for (column, value, finding) in
        [(1, "0", "node 0 is away"), (2, "7", ""), (3, "0.5", "regret_linear")]
    {
        let mut columns = columns.clone();
        columns[column] = value;
        let mut rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        rows[180] = columns.join(",");
        std::fs::write(&path, rows.join("\n") + "\n").unwrap();
        let (code, said) = verify(&out);
        assert_ne!(code, Some(0), "{finding}: {said}");
        assert!(said.contains(finding), "{finding}: {said}");
    }
}

//! The label sweep.

use std::path::Path;
use std::process::Output;

use fogbit::train::pipeline::{MODELS, read_rows};

use crate::common::fogbit;
use crate::{learners, topology};

fn sweep(file: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = fogbit();
    command.args(["train", "pipeline"]).arg(file).arg("--label-sweep").arg("--out").arg(out);
    if !more.contains(&"--labels") {
        command.args(["--labels", "150,100"]);
    }
    command.args(["--epochs", "2", "--quiet"]).args(more).output().unwrap()
}

#[test]
fn it_is_made_gone_on_with_and_not_mixed() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), &learners());
    let out = dir.path().join("sweep.csv");
    let first = sweep(&file, &out, &["--seeds", "2"]);
    let told = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(first.status.success(), "{told}");
    let table = String::from_utf8_lossy(&first.stdout).into_owned();
    assert!(table.contains("distilled - alone") && table.contains("a teacher "), "{table}");
    let rows = read_rows(&out).unwrap();
    let of = |row: &fogbit::train::pipeline::LabelRow| (row.labels, row.seed, row.model.clone());
    let mut want = Vec::new();
    for labels in [100, 150] {
        for seed in [1, 2] {
            want.extend(MODELS.map(|model| (labels, seed, model.to_owned())));
        }
    }
    assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), want);
    assert!(rows.iter().all(|row| row.delay_ratio >= 1.0 && row.label_accuracy > 0.0));
    assert!(rows.windows(2).any(|two| two[0].delay_ratio != two[1].delay_ratio));
    let whole = std::fs::read_to_string(&out).unwrap();
    assert!(whole.starts_with("labels,seed,model,delay_ratio,label_accuracy,exact_match\n"));

    // Interrupted: the rows of a point that is not whole are made anew, and come out the same.
    let lines: Vec<&str> = whole.lines().take(6).collect();
    // The last of them is cut inside a number.
    std::fs::write(&out, &lines.join("\n")[..lines.join("\n").len() - 2]).unwrap();
    assert!(sweep(&file, &out, &["--seeds", "2"]).status.success());
    assert_eq!(std::fs::read_to_string(&out).unwrap(), whole);

    // Fewer seeds and labels: there is nothing to do, and nothing is lost.
    let fewer = sweep(&file, &out, &["--seeds", "1", "--labels", "100", "--format", "json"]);
    assert!(fewer.status.success());
    let shown: Vec<fogbit::train::pipeline::LabelRow> =
        serde_json::from_slice(&fewer.stdout).unwrap();
    assert_eq!(shown, read_rows(&out).unwrap()[..3]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), whole);

    // Another setting is another sweep.
    let other = sweep(&file, &out, &["--seeds", "2", "--batch", "8"]);
    assert_eq!(other.status.code(), Some(2));
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(told.contains("another label sweep"), "{told}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), whole);
    assert!(sweep(&file, &out, &["--seeds", "1", "--batch", "8", "--force"]).status.success());
    assert_eq!(read_rows(&out).unwrap().len(), 6);
}

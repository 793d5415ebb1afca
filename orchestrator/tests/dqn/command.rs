//! `fogbit train dqn`.

use std::path::Path;
use std::process::{Command, Stdio};

use fogbit_policy::cascade::DqnModel;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{files_and_folders, fogbit, send, spawn, stderr, wait_for, wait_for_end};
use crate::{CORRELATED, MARKOV, topology};

/// Small enough to train in an instant.
const QUICK: [&str; 12] = [
    "--iterations",
    "6",
    "--updates",
    "4",
    "--batch",
    "16",
    "--hidden",
    "8,8",
    "--images",
    "2000",
    "--history",
    "9",
];
/// Long enough to be interrupted, a second or so.
const LONGER: [&str; 14] = [
    "--iterations",
    "400",
    "--updates",
    "64",
    "--batch",
    "32",
    "--hidden",
    "16",
    "--images",
    "20000",
    "--history",
    "17",
    "--checkpoint-every",
    "5",
];
const POLICIES: &str = "[policies.threshold]\nkind = \"threshold\"";

fn train(file: &Path, arguments: &[&str]) -> Command {
    let mut command = fogbit();
    command.args(["train", "dqn"]).arg(file).args(arguments);
    command
}

/// Trains; it must end well. Gives what it tells as JSON, and on standard error.
fn trained(file: &Path, arguments: &[&str]) -> (Value, String) {
    let output = train(file, arguments).args(["--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (serde_json::from_slice(&output.stdout).unwrap(), stderr(&output))
}

/// What is refused: exit code 2, and what standard error says, in one line.
fn refused(file: &Path, arguments: &[&str]) -> String {
    let output = train(file, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    assert!(output.stdout.is_empty());
    let told = stderr(&output);
    told.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn a_model_says_what_it_was_trained_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), &format!("{CORRELATED}\n{MARKOV}"), POLICIES);
    let out = dir.path().join("m.safetensors");
    let (told, progress) =
        trained(&file, &[&QUICK[..], &["--out", out.to_str().unwrap()]].concat());
    assert!(progress.contains("training dqn: 6 iterations"), "{progress}");
    assert_eq!(told["network"], serde_json::json!([15, 8, 8, 31]));
    assert_eq!(told["weights"], 15 * 8 + 8 + 8 * 8 + 8 + 8 * 31 + 31);
    for number in ["average_loss", "training_seconds", "decision_seconds"] {
        assert!(told[number].as_f64().unwrap() > 0.0, "{number}: {told}");
    }
    assert!(told["rivals"]["threshold"].as_f64().unwrap() > 0.0, "{told}");
    let model = DqnModel::from_bytes(&std::fs::read(&out).unwrap()).unwrap();
    let origin = model.origin();
    assert_eq!((origin.bucket.refill, origin.bucket.price, origin.bucket.depth), (1, 10, 20));
    assert_eq!((origin.walk.width, origin.walk.reset, origin.history), (30, 0.1, 9));
    assert_eq!((origin.arrivals.gaps, origin.arrivals.leave), ([1, 3], [0.01, 0.005]));
    assert!(model.metadata()["training"].contains("\"iterations\":6"));
    // No checkpoint is left beside it.
    assert_eq!(files_and_folders(dir.path()).len(), 3, "{:?}", files_and_folders(dir.path()));
    // A second training does not replace it, nor what the topology says.
    let told = refused(&file, &[&QUICK[..], &["--out", out.to_str().unwrap()]].concat());
    assert!(told.contains("--force"), "{told}");
    trained(&file, &[&QUICK[..], &["--out", out.to_str().unwrap(), "--force", "--quiet"]].concat());
}

#[test]
fn after_ctrl_c_it_goes_on_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), CORRELATED, POLICIES);
    let [whole, out] = ["whole", "m"].map(|name| dir.path().join(name));
    let to = |out: &Path| {
        let mut command = train(&file, &LONGER);
        command.arg("--out").arg(out);
        command
    };
    assert!(to(&whole).output().unwrap().status.success());

    let mut child = spawn(to(&out).stdout(Stdio::null()).stderr(Stdio::null()));
    let checkpoint = dir.path().join("m.checkpoint");
    wait_for("a checkpoint", || checkpoint.exists().then_some(()));
    send(Signal::INT, child.id() as i32);
    assert_eq!(wait_for_end(&mut child), Some(130));
    assert!(checkpoint.exists() && !out.exists());
    // It is whole, and there is nothing half-written beside it.
    fogbit_neural::Checkpoint::load(&checkpoint).unwrap();
    assert_eq!(files_and_folders(dir.path()).len(), 4, "{:?}", files_and_folders(dir.path()));

    // Whoever begins anew is asked first, and another training cannot go on from it.
    let begin = to(&out).output().unwrap();
    assert_eq!(begin.status.code(), Some(2));
    assert!(stderr(&begin).contains("--resume"), "{}", stderr(&begin));
    let other = to(&out).args(["--resume", "--seed", "2"]).output().unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("another training"), "{}", stderr(&other));

    let output = to(&out).args(["--resume", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["resumed"], true);
    assert!(std::fs::read(&out).unwrap() == std::fs::read(&whole).unwrap(), "other bytes");
    assert!(!checkpoint.exists());
}

#[test]
fn a_training_that_leads_nowhere_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), CORRELATED, POLICIES);
    let rate = ["--learning-rate", "10", "--last-learning-rate", "10"];
    let told = refused(&file, &[&LONGER[..], &rate, &["--out", "/dev/null/m"]].concat());
    assert!(told.contains("--out"), "{told}");
    let out = dir.path().join("m");
    let told = refused(&file, &[&LONGER[..], &rate, &["--out", out.to_str().unwrap()]].concat());
    assert!(told.contains("degenerate") || told.contains("not finite"), "{told}");
    // Neither a model nor a checkpoint of it is left.
    assert_eq!(files_and_folders(dir.path()).len(), 2, "{:?}", files_and_folders(dir.path()));
}

#[test]
fn arguments_that_are_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), CORRELATED, POLICIES);
    assert!(refused(&file, &["--iterations", "0"]).contains("--iterations 0"));
    assert!(refused(&file, &["--history", "1"]).contains("--history 1"));
    assert!(refused(&file, &["--hidden", "64,0"]).contains("hidden layer"));
    assert!(refused(&file, &["--images", "10"]).contains("--images 10"));
    assert!(refused(&file, &["--learning-rate", "nan"]).contains("learning_rate"));
    assert!(refused(&file, &["--policy", "threshold"]).contains("no policy of kind `dqn`"));
    assert!(refused(&file, &["--resume"]).contains("--out"));
    assert!(refused(&file, &["--checkpoint", "c"]).contains("--out"));
    let out = dir.path().join("m");
    let told = refused(&file, &["--resume", "--out", out.to_str().unwrap()]);
    assert!(told.contains("there is no such file"), "{told}");
    std::fs::write(dir.path().join("m.checkpoint"), "no checkpoint").unwrap();
    let told = refused(&file, &["--resume", "--out", out.to_str().unwrap()]);
    assert!(told.contains("safetensors"), "{told}");
    let two = "[policies.a]\nkind = \"dqn\"\n[policies.b]\nkind = \"dqn\"";
    let file = topology(dir.path(), CORRELATED, two);
    assert!(refused(&file, &[]).contains("one of a, b"));
    let elsewhere = crate::common::topology("learned.toml");
    assert!(refused(&elsewhere, &[]).contains("placement"));
}

/// A checkpoint that another training keeps, and one of which a bit is another.
#[test]
fn checkpoints_are_of_one_training_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), CORRELATED, POLICIES);
    let out = dir.path().join("m");
    let to = |arguments: &[&str]| {
        let mut command = train(&file, &LONGER);
        command.arg("--out").arg(&out).args(arguments);
        command
    };
    let mut child = spawn(to(&[]).stdout(Stdio::null()).stderr(Stdio::null()));
    let checkpoint = dir.path().join("m.checkpoint");
    wait_for("a checkpoint", || checkpoint.exists().then_some(()));
    let second = to(&["--force"]).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains("another training"), "{}", stderr(&second));
    send(Signal::INT, child.id() as i32);
    assert_eq!(wait_for_end(&mut child), Some(130));

    let mut bytes = std::fs::read(&checkpoint).unwrap();
    let end = bytes.len();
    bytes[end - 2] ^= 1;
    std::fs::write(&checkpoint, &bytes).unwrap();
    for arguments in [&["--resume"][..], &[]] {
        let told = to(arguments).output().unwrap();
        assert_eq!(told.status.code(), Some(2), "{}", stderr(&told));
        for part in ["m.checkpoint", "damaged", "delete it", "--force"] {
            assert!(stderr(&told).contains(part), "no `{part}` in {}", stderr(&told));
        }
    }
    let anew = to(&["--force"]).output().unwrap();
    assert_eq!(anew.status.code(), Some(0), "{}", stderr(&anew));
    assert!(!checkpoint.exists());
    // Topology, trace and model; no lock.
    assert_eq!(files_and_folders(dir.path()).len(), 3, "{:?}", files_and_folders(dir.path()));
}

/// Where a file may not grow the training ends with an error that names it, and nothing is left.
#[test]
fn a_file_that_may_not_grow_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), CORRELATED, POLICIES);
    let out = dir.path().join("m");
    let mut shell = Command::new("sh");
    // In blocks of 512 bytes.
    shell.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_fogbit")]);
    shell.args(["train", "dqn"]).arg(&file).args(QUICK).arg("--out").arg(&out);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{:?}: {}", output.status, stderr(&output));
    assert!(stderr(&output).contains("m.checkpoint"), "{}", stderr(&output));
    assert_eq!(files_and_folders(dir.path()).len(), 2, "{:?}", files_and_folders(dir.path()));
}

#[test]
fn it_says_that_nobody_plays_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let file = topology(dir.path(), CORRELATED, POLICIES);
    let out = dir.path().join("m.safetensors");
    let (_, told) = trained(&file, &[&QUICK[..], &["--out", out.to_str().unwrap()]].concat());
    for part in ["note: no policy of", "[policies.dqn]", "model = \"m.safetensors\""] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    let with = topology(dir.path(), CORRELATED, "[policies.net]\nkind = \"dqn\"");
    let (_, told) = trained(&with, &QUICK);
    assert!(!told.contains("note:"), "{told}");
}

//! Training: what comes out, that it comes out again, and what is refused.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use fogbit::train::classifiers::{
    ClassifierTraining, FILES, TRACE_FILE, TrainError, Trained, WEAK_FILE, Which, check_room, keep,
    train,
};
use fogbit_neural::{Classifier, answer};
use fogbit_scenario::cascade::read_trace;

use crate::common::{files_and_folders, fogbit, stderr};
use crate::{fashion_mnist, flat, small};

pub(crate) const QUICK: ClassifierTraining =
    ClassifierTraining { seed: 3, epochs: 2, weak_epochs: 15, images: 400 };

pub(crate) fn quick(setting: &ClassifierTraining) -> Trained {
    train(&small(), setting, |_, _| ControlFlow::Continue(())).unwrap()
}

/// The bytes of the three files.
fn kept(trained: &Trained) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    keep(trained, folder.path()).unwrap();
    assert_eq!(files_and_folders(folder.path()).len(), FILES.len(), "nothing but the files");
    FILES.map(|name| fs::read(folder.path().join(name)).unwrap()).into()
}

#[test]
fn the_same_seed_gives_the_same_files() {
    let first = kept(&quick(&QUICK));
    assert_eq!(first, kept(&quick(&QUICK)));
    let other = kept(&quick(&ClassifierTraining { seed: 4, ..QUICK }));
    for ((first, other), name) in first.iter().zip(&other).zip(FILES) {
        assert_ne!(first, other, "{name} depends on the seed");
    }
}

/// 85 % of the pictures have the label of their mark, which both classifiers can find.
#[test]
fn both_classifiers_learn() {
    let trained = quick(&ClassifierTraining { epochs: 8, weak_epochs: 200, images: 600, ..QUICK });
    let evaluation = &trained.evaluation;
    for figures in [evaluation.weak, evaluation.strong] {
        assert!(figures.accuracy > 0.6, "{evaluation:?}");
        assert!(figures.cross_entropy <= figures.cross_entropy_before * 1.05, "{evaluation:?}");
    }
    assert_eq!(evaluation.images, 200);
}

#[test]
fn files_that_are_read_again_say_the_same() {
    let trained = quick(&QUICK);
    let folder = tempfile::tempdir().unwrap();
    keep(&trained, folder.path()).unwrap();
    let data = small();
    let weak = Classifier::load(&folder.path().join(WEAK_FILE)).unwrap();
    assert_eq!(weak, trained.weak);
    let rows = read_trace(&folder.path().join(TRACE_FILE)).unwrap();
    // A third of the training part, and the test.
    assert_eq!(rows.len(), 300 + 200);
    assert_eq!((rows[0].id, rows[0].train, rows[0].test), (600, true, false));
    assert_eq!((rows[300].id, rows[300].train, rows[300].test), (900, false, true));
    let mut scratch = weak.scratch();
    for row in &rows {
        let picture = data.picture(row.id).unwrap();
        let probabilities = weak.classify(picture.pixels, &mut scratch);
        // Bit by bit: a camera holds its metrics against those of the trace.
        let metric = weak.metric(&probabilities).unwrap();
        assert_eq!(row.metric as f32, metric, "image {}", row.id);
        let loss = f64::from(u8::from(answer(&probabilities) != picture.label));
        assert_eq!(row.weak_loss, Some(loss), "image {}", row.id);
    }
}

#[test]
fn whoever_watches_ends_it() {
    let mut seen = vec![];
    let stopped = train(&small(), &QUICK, |which, epoch| {
        seen.push((which, epoch.number));
        match which {
            Which::Weak => ControlFlow::Continue(()),
            Which::Strong => ControlFlow::Break(()),
        }
    });
    assert!(matches!(stopped, Err(TrainError::Stopped)));
    let weak = (1..=15).map(|number| (Which::Weak, number));
    assert_eq!(seen, weak.chain([(Which::Strong, 1)]).collect::<Vec<_>>());
}

#[test]
fn files_are_not_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("classifiers");
    check_room(&inside, false).unwrap();
    keep(&quick(&QUICK), &inside).unwrap();
    let told = check_room(&inside, false).unwrap_err().to_string();
    assert!(told.ends_with("weak.safetensors is there already"), "{told}");
    check_room(&inside, true).unwrap();
    let told = check_room(&inside.join(WEAK_FILE), true).unwrap_err().to_string();
    assert!(told.ends_with("weak.safetensors is no folder"), "{told}");
    let told = check_room(&folder.path().join("a/b"), true).unwrap_err().to_string();
    assert!(told.contains("there is no folder"), "{told}");
}

/// The command, refused before any image is read.
#[test]
fn wrong_usage_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str]| {
        let output = fogbit().args(["train", "classifiers"]).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        flat(&output)
    };
    let path = folder.path().to_str().unwrap();
    assert!(told(&["--from", path]).contains("has neither train-images-idx3-ubyte nor"));
    assert!(told(&["--images", "0"]).contains("--images"));
    assert!(told(&["--epochs", "0"]).contains("--epochs"));
    fs::write(folder.path().join(WEAK_FILE), "mine").unwrap();
    assert!(told(&["--from", path, "--out", path]).contains("weak.safetensors is there already"));
    assert_eq!(fs::read(folder.path().join(WEAK_FILE)).unwrap(), b"mine");
}

/// Real images, a few of them, through the command.
#[test]
fn the_command_trains_with_real_images() {
    if fashion_mnist("the_command_trains_with_real_images").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("classifiers");
    let mut command = fogbit();
    command.args(["train", "classifiers", "--images", "2000", "--epochs", "1"]);
    command.args(["--weak-epochs", "50", "--format", "json", "--out"]).arg(&out);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // By chance it would be a tenth.
    for which in ["weak", "strong"] {
        assert!(told["evaluation"][which]["accuracy"].as_f64().unwrap() > 0.5, "{told}");
    }
    assert_eq!(told["files"].as_array().unwrap().len(), 3);
    let rows = read_trace(Path::new(told["files"][2].as_str().unwrap())).unwrap();
    assert_eq!(rows.iter().filter(|row| row.test).count(), 10_000);
    assert_eq!(rows.iter().filter(|row| row.train).count(), 20_000);
    assert!(stderr(&output).contains("training strong"), "{}", stderr(&output));
}

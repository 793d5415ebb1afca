//! The trace and its figures against a second computation in Python, from logits and labels.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use fogbit::dataset::Pictures;
use fogbit::train::classifiers::{ClassifierTraining, Outcome, Trained};
use fogbit_neural::Classifier;
use serde_json::{Value, json};

use crate::common::skip;
use crate::small;
use crate::training::{QUICK, quick};

/// What `reference.py` makes of the logits; none if it cannot run here.
fn computed(trained: &Trained) -> Option<Value> {
    let data = small();
    let part = |classifier: &Classifier, pictures: &Pictures, first: usize| {
        let outcome = Outcome::of(classifier, pictures, first, pictures.len());
        json!({ "logits": outcome.rows(), "labels": outcome.labels })
    };
    let both = |own: &Classifier| {
        json!({
            "held_out": part(own, &data.training, 600), "test": part(own, &data.test, 0),
        })
    };
    let asked = json!({ "weak": both(&trained.weak), "strong": both(&trained.strong) });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/classifiers/reference.py");
    let mut command = Command::new("python3");
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let why = match command.spawn() {
        Ok(mut child) => {
            child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            if output.status.code() != Some(3) {
                assert!(output.status.success());
                return Some(serde_json::from_slice(&output.stdout).unwrap());
            }
            "Python has no numpy".to_owned()
        }
        Err(error) => format!("python3: {error}"),
    };
    skip("the_trace_follows_from_logits_and_labels", &why);
    None
}

fn close(what: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= tolerance, "{what}: {ours} here, {theirs} there");
}

#[test]
fn the_trace_follows_from_logits_and_labels() {
    let trained = quick(&ClassifierTraining { epochs: 3, ..QUICK });
    let Some(told) = computed(&trained) else { return };
    let evaluation = &trained.evaluation;
    let temperatures = [trained.weak.temperature(), trained.strong.temperature()];
    let figures = [("weak", evaluation.weak), ("strong", evaluation.strong)];
    for ((which, own), temperature) in figures.into_iter().zip(temperatures) {
        let theirs = &told[which];
        // Golden section sees the square root of what rounding leaves.
        close("temperature", temperature, &theirs["temperature"], 1e-6 * temperature);
        close("accuracy", own.accuracy, &theirs["accuracy"], 1e-12);
        close("cross-entropy", own.cross_entropy, &theirs["cross_entropy"], 1e-9);
        close("before", own.cross_entropy_before, &theirs["cross_entropy_before"], 1e-9);
        close("calibration", own.calibration_error, &theirs["calibration_error"], 1e-6);
        let before = own.calibration_error_before;
        close("before", before, &theirs["calibration_error_before"], 1e-9);
    }
    let rows = told["rows"].as_array().unwrap();
    assert_eq!(rows.len(), trained.rows.len());
    for (ours, theirs) in trained.rows.iter().zip(rows) {
        let image = format!("image {}", ours.id);
        close(&image, f64::from(ours.entropy), &theirs[0], 1e-6);
        close(&image, f64::from(ours.weak_loss), &theirs[1], 0.0);
        close(&image, f64::from(ours.strong_loss), &theirs[2], 0.0);
        close(&image, f64::from(ours.metric), &theirs[3], 1e-5);
    }
    let categories = evaluation.categories;
    close("both right", categories.both_right, &told["both_right"], 1e-12);
    close("both wrong", categories.both_wrong, &told["both_wrong"], 1e-12);
    close("only strong", categories.only_strong, &told["only_strong"], 1e-12);
    close("only weak", categories.only_weak, &told["only_weak"], 1e-12);
    close("reward", evaluation.mean_reward, &told["mean_reward"], 1e-12);
    close("metric", evaluation.mean_metric, &told["mean_metric"], 1e-5);
    close("correlation", evaluation.correlation.unwrap(), &told["correlation"], 1e-4);
}

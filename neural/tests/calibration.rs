//! Temperatures and entropies against SciPy (`reference/calibration.py`).

mod common;

use common::{floats, singles, wholes};
use fogbit_neural::calibration::{CalibrationError, entropy, fit_temperature, mean_cross_entropy};
use serde_json::Value;

fn near(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!(
        (got - want).abs() <= tolerance * want.abs().max(1e-3),
        "{what} {got}, expected {want}"
    );
}

#[test]
fn temperatures_and_entropies_are_those_of_scipy() {
    let reference: Value =
        serde_json::from_str(include_str!("reference/calibration.json")).expect("JSON");
    for case in reference["cases"].as_array().expect("cases") {
        let classes = case["classes"].as_u64().expect("a number") as usize;
        let (logits, labels) = (singles(&case["logits"]), wholes(&case["labels"]));
        let number = |name: &str| case[name].as_f64().expect("a number");
        let temperature = fit_temperature(&logits, &labels, classes).expect("a temperature");
        near(temperature, number("temperature"), 1e-6, "temperature");
        let loss = mean_cross_entropy(&logits, &labels, temperature);
        near(loss, number("loss"), 1e-12, "loss");
        near(mean_cross_entropy(&logits, &labels, 1.0), number("loss_at_1"), 1e-12, "loss");
        // The derivative is 0 there: a little beside it, it is worse by the square of that.
        for beside in [0.999, 1.001] {
            let other = mean_cross_entropy(&logits, &labels, temperature * beside);
            assert!(other > loss, "{other} beside {loss}");
        }
        for (row, want) in logits.chunks_exact(classes).zip(floats(&case["entropies"])) {
            let got = entropy(row, 1.5);
            assert!((got - want).abs() < 1e-12, "entropy {got}, expected {want}");
        }
    }
}

#[test]
fn entropies_lie_between_none_and_all() {
    assert!((entropy(&[3.0; 8], 0.7) - libm::log(8.0)).abs() < 1e-15);
    assert_eq!(entropy(&[1e4, -1e4, 0.0], 1.0), 0.0);
    assert_eq!(entropy(&[5.0], 1.0), 0.0);
    assert_eq!(entropy(&[3e38, -3e38], 1e-4), 0.0);
}

#[test]
fn what_has_no_best_temperature_is_refused() {
    let right = fit_temperature(&[2.0, 0.0, 0.0, 1.0], &[0, 1], 2);
    assert_eq!(right, Err(CalibrationError::Separable));
    let wrong = fit_temperature(&[2.0, 0.0, 0.0, 1.0], &[1, 0], 2);
    assert_eq!(wrong, Err(CalibrationError::Uninformative));
    let flat = fit_temperature(&[1.0; 4], &[1, 0], 2);
    assert_eq!(flat, Err(CalibrationError::Uninformative));
    let with = |logits: &[f32], labels: &[u32], classes| {
        fit_temperature(logits, labels, classes).unwrap_err().to_string()
    };
    assert!(with(&[], &[], 2).starts_with("there are 0 logits in rows of 2 and 0 labels"));
    assert!(with(&[0.0; 5], &[0, 1], 2).starts_with("there are 5 logits in rows of 2"));
    assert_eq!(with(&[0.0; 4], &[0, 2], 2), "row 1 has the label 2: there are 2 classes");
    assert_eq!(
        with(&[0.0, 0.0, f32::NAN, 0.0], &[0, 1], 2),
        "row 1 has the logit NaN: logits are finite"
    );
}

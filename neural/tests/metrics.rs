//! Against scikit-learn: `reference/metrics.json` was printed by `reference/metrics.py`.

mod common;

use common::{assert_close, floats};
use fogbit_neural::{Confusion, Standardiser, area_under_curve};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/metrics.json")).expect("JSON")
}

#[test]
fn scores_of_a_classifier_are_those_of_scikit_learn() {
    let reference = reference();
    let cases = reference["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 5);
    for case in cases {
        let scores = floats(&case["scores"]);
        let right: Vec<bool> =
            case["right"].as_array().expect("classes").iter().map(|own| own == true).collect();
        let mut confusion = Confusion::default();
        for (score, right) in scores.iter().zip(&right) {
            confusion.add(*score > 0.5, *right);
        }
        let counts = [
            confusion.true_positive,
            confusion.false_positive,
            confusion.true_negative,
            confusion.false_negative,
        ];
        assert_eq!(counts.map(|count| count as f64)[..], floats(&case["confusion"]));
        assert_eq!(confusion.balanced_accuracy(), case["balanced_accuracy"].as_f64());
        let (got, want) = (area_under_curve(&scores, &right), case["auc"].as_f64());
        assert!((got.unwrap() - want.unwrap()).abs() < 1e-14, "{got:?}, expected {want:?}");
        let one_for_all = scores.iter().all(|score| *score == scores[0]);
        assert_eq!(confusion.is_degenerate(), one_for_all);
    }
}

#[test]
fn what_cannot_be_told_is_none() {
    let mut confusion = Confusion::default();
    assert_eq!((confusion.accuracy(), confusion.is_degenerate()), (None, false));
    confusion.add(true, true);
    assert_eq!((confusion.accuracy(), confusion.balanced_accuracy()), (Some(1.0), None));
    assert!(confusion.is_degenerate());
    assert_eq!(area_under_curve(&[], &[]), None);
    assert_eq!(area_under_curve(&[1.0, 2.0], &[true, true]), None);
    // Two zeros are one score.
    assert_eq!(area_under_curve(&[0.0, -0.0], &[true, false]), Some(0.5));
}

#[test]
fn standard_scores_are_those_of_scikit_learn() {
    let reference = reference();
    let rows = floats(&reference["rows"]);
    let mut scores = vec![0.0; rows.len()];
    Standardiser::fit(&rows, 3).apply(&rows, &mut scores);
    assert_close(&scores, &floats(&reference["scores"]), 1e-7, "score");
}

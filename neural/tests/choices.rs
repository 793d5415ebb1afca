//! The loss of several choices at once, and its gradient, against NumPy (`reference/choices.py`).

use fogbit_neural::{Choices, FitError, Loss, Softened};
use serde_json::Value;

/// All numbers in nested lists, in their order.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(all) => all.iter().flat_map(flat).collect(),
        one => vec![one.as_f64().expect("a number")],
    }
}

fn singles(value: &Value) -> Vec<f32> {
    flat(value).into_iter().map(|value| value as f32).collect()
}

#[test]
fn the_loss_and_its_gradient_are_those_of_numpy() {
    let reference: Value =
        serde_json::from_str(include_str!("reference/choices.json")).expect("JSON");
    let size = |name: &str| reference[name].as_u64().expect("a size") as usize;
    let (rows, groups, choices) = (size("rows"), size("groups"), size("choices"));
    let cases = reference["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 5);
    for case in cases {
        let open: Vec<u32> = flat(&case["open"]).into_iter().map(|mask| mask as u32).collect();
        let labels: Vec<u8> = flat(&case["labels"]).into_iter().map(|own| own as u8).collect();
        let (costs, teacher) = (singles(&case["costs"]), singles(&case["teacher"]));
        let number = |name: &str| case[name].as_f64().expect("a number") as f32;
        let (temperature, alpha) = (number("temperature"), number("alpha"));
        let soft = Softened { teacher: &teacher, temperature, alpha };
        let loss = Choices {
            groups,
            choices,
            open: &open,
            labels: &labels,
            costs: &costs,
            cost_weight: number("cost_weight"),
            soft: (alpha > 0.0).then_some(soft),
        };
        loss.check(rows, groups * choices).expect("targets fit");
        // In another order than they lie, as a batch has them.
        let order: Vec<u32> = (0..rows as u32).rev().collect();
        let outputs = singles(&case["outputs"]);
        let turned: Vec<f32> = outputs.chunks(groups * choices).rev().flatten().copied().collect();
        let mut slope = vec![9.0; turned.len()];
        let value = loss.evaluate(&order, &turned, &mut slope);
        let want = case["loss"].as_f64().expect("a loss");
        assert!((value - want).abs() < 1e-5 * want, "{value}, expected {want}");
        let gradient = flat(&case["gradient"]);
        let found: Vec<f32> = slope.chunks(groups * choices).rev().flatten().copied().collect();
        for (place, (found, want)) in found.iter().zip(&gradient).enumerate() {
            let close = (f64::from(*found) - want).abs() < 2e-6 * want.abs().max(1.0);
            assert!(close, "place {place}: {found}, expected {want}");
            let closed = open[place / choices] >> (place % choices) & 1 == 0;
            assert!(!closed || *found == 0.0, "a closed choice learns nothing");
        }
    }
}

/// Two rows of two groups with two choices; the second row has one group.
fn small<'a>(open: &'a [u32], labels: &'a [u8]) -> Choices<'a> {
    Choices { groups: 2, choices: 2, open, labels, costs: &[], cost_weight: 0.0, soft: None }
}

#[test]
fn a_row_is_right_when_all_of_it_is() {
    let loss = small(&[3, 3, 3, 0], &[0, 1, 1, 9]);
    assert_eq!(loss.check(2, 4), Ok(()));
    let right = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 5.0, 5.0];
    assert_eq!(loss.hits(&[0, 1], &right), Some(2));
    let half = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 5.0, 5.0];
    assert_eq!(loss.hits(&[0, 1], &half), Some(1));
    // Closed choices are none, whatever they say.
    let closed = small(&[1, 2], &[0, 1]);
    assert_eq!(closed.hits(&[0], &[0.0, 9.0, 9.0, 0.0]), Some(1));
    assert_eq!(closed.hits(&[0], &[f32::NAN, 9.0, 9.0, f32::NAN]), Some(1));
}

#[test]
fn targets_that_do_not_fit_are_told() {
    let label = |row, label| Err(FitError::Label { row, label, outputs: 2 });
    assert_eq!(small(&[3, 3], &[0, 2]).check(1, 4), label(0, 2));
    assert_eq!(small(&[3, 3, 3, 1], &[0, 1, 1, 1]).check(2, 4), label(1, 1));
    for (loss, outputs) in [
        (small(&[3, 3], &[0, 0]), 6),
        (small(&[3], &[0, 0]), 4),
        (small(&[3, 3], &[0]), 4),
        (Choices { cost_weight: 1.0, ..small(&[3, 3], &[0, 0]) }, 4),
    ] {
        assert!(matches!(loss.check(1, outputs), Err(FitError::Length { .. })));
    }
    let soft = |temperature| Softened { teacher: &[0.0; 4], temperature, alpha: 0.5 };
    let cold = Choices { soft: Some(soft(0.0)), ..small(&[3, 3], &[0, 0]) };
    assert_eq!(cold.check(1, 4), Err(FitError::Temperature(0.0)));
}

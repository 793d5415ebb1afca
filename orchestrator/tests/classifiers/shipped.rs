//! Models and trace that ship, held against the real images and against each other.

use std::path::PathBuf;

use fogbit::train::classifiers::{Categories, STRONG_FILE, TracedImage, WEAK_FILE};
use fogbit_neural::{Classifier, answer};
use fogbit_scenario::cascade::read_trace;

use crate::common::topology;
use crate::fashion_mnist;

fn shipped(name: &str) -> PathBuf {
    topology("cascade").join(name)
}

/// Within 3 points of what was found with other programs (both right, both wrong, only strong, only
/// weak).
fn assert_categories(found: &Categories) {
    let Categories { both_right, both_wrong, only_strong, only_weak } = *found;
    let pairs = [(both_right, 0.68), (both_wrong, 0.08), (only_strong, 0.22), (only_weak, 0.02)];
    for (found, expected) in pairs {
        assert!((found - expected).abs() <= 0.03, "{found} is not near {expected}: {found:?}");
    }
}

/// The rows of the shipped trace.
fn rows() -> Vec<TracedImage> {
    let rows = read_trace(&shipped("fashion-mnist.csv.gz")).unwrap();
    let row = |row: &fogbit_scenario::cascade::TraceRow| TracedImage {
        id: row.id,
        split: if row.test { "test" } else { "train" },
        entropy: row.entropy.unwrap() as f32,
        weak_loss: row.weak_loss.unwrap() as u8,
        strong_loss: (row.weak_loss.unwrap() - row.reward) as u8,
        metric: row.metric as f32,
    };
    rows.iter().map(row).collect()
}

#[test]
fn the_trace_has_the_categories() {
    let rows = rows();
    assert_eq!(rows.len(), 30_000);
    let of = |split| Categories::of(rows.iter().filter(|row| row.split == split));
    assert_eq!(rows.iter().filter(|row| row.split == "test").count(), 10_000);
    assert_categories(&of("test"));
    assert_categories(&of("train"));
}

#[test]
fn what_ships_is_small() {
    let names = ["fashion-mnist.csv.gz", WEAK_FILE, STRONG_FILE];
    let sizes = names.map(|name| std::fs::metadata(shipped(name)).unwrap().len());
    assert!(sizes.iter().sum::<u64>() < 1_000_000, "{sizes:?} bytes");
}

/// All test images, classified anew.
#[test]
fn the_models_say_what_the_trace_says() {
    let Some(data) = fashion_mnist("the_models_say_what_the_trace_says") else { return };
    let [weak, strong] =
        [WEAK_FILE, STRONG_FILE].map(|name| Classifier::load(&shipped(name)).unwrap());
    let (mut weak_scratch, mut strong_scratch) = (weak.scratch(), strong.scratch());
    let mut found = vec![];
    let test: Vec<TracedImage> = rows().into_iter().filter(|row| row.split == "test").collect();
    for row in &test {
        let picture = data.picture(row.id).unwrap();
        let by_weak = weak.classify(picture.pixels, &mut weak_scratch);
        let by_strong = strong.classify(picture.pixels, &mut strong_scratch);
        let loss = |probabilities| u8::from(answer(probabilities) != picture.label);
        found.push(TracedImage {
            weak_loss: loss(&by_weak),
            strong_loss: loss(&by_strong),
            entropy: fogbit_neural::entropy_of(&by_weak) as f32,
            metric: weak.metric(&by_weak).unwrap(),
            ..*row
        });
    }
    for (found, row) in found.iter().zip(&test) {
        assert_eq!(found, row);
    }
    assert_categories(&Categories::of(found.iter()));
}

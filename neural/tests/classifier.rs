//! Classifiers: pixels to probabilities, and files.

mod common;

use common::key;
use fogbit_neural::calibration::entropy;
use fogbit_neural::{
    CLASSES, Classifier, ClassifierError, Metadata, ModelFault, Network, PIXELS, Preparation, SIDE,
    answer, entropy_of, probabilities,
};
use fogbit_scenario::cascade::MetricCurve;

const POOLED: Preparation = Preparation { pool: 4, mean: 0.25, scale: 0.5 };

fn classifier(temperature: f64) -> Classifier {
    let network = Network::new(&[49, CLASSES], &key(1));
    Classifier::new(network, POOLED, temperature, Metadata::new()).unwrap()
}

fn curve() -> MetricCurve {
    MetricCurve { range: [0.0, 2.0], width: 0.1, values: vec![-0.1, 0.1, 0.3, 0.2] }
}

/// Each pixel is its number modulo 251.
fn picture() -> [u8; PIXELS] {
    std::array::from_fn(|place| (place % 251) as u8)
}

#[test]
fn rows_are_means_of_squares() {
    let pixels = picture();
    let mut row = [0.0; 49];
    POOLED.apply(&pixels, &mut row);
    for (square, value) in row.iter().enumerate() {
        let (top, left) = (square / 7 * 4, square % 7 * 4);
        let mut sum = 0u32;
        for y in top..top + 4 {
            for x in left..left + 4 {
                sum += u32::from(pixels[y * SIDE + x]);
            }
        }
        let mean = f64::from(sum) / 16.0 / 255.0;
        assert!((f64::from(*value) - (mean - 0.25) / 0.5).abs() < 1e-6, "square {square}");
    }
    // Squares of one pixel are the pixels.
    let plain = Preparation { pool: 1, mean: 0.0, scale: 1.0 };
    let mut row = [0.0; PIXELS];
    plain.apply(&pixels, &mut row);
    assert!(row.iter().zip(pixels).all(|(value, pixel)| *value == f32::from(pixel) / 255.0));
}

/// Against exp, sums and ln in the plainest way.
#[test]
fn probabilities_and_entropy() {
    let logits = [3.5, -1.0, 0.0, 2.0, 3.5, -20.0, 1.0, 0.5, -0.5, 2.25f32];
    for temperature in [0.5, 1.0, 3.0] {
        let shares = logits.map(|z| libm::exp(f64::from(z) / temperature));
        let sum: f64 = shares.iter().sum();
        let found = probabilities(&logits, temperature);
        for (found, share) in found.iter().zip(shares) {
            assert!((found - share / sum).abs() < 1e-15);
        }
        let direct: f64 = shares.iter().map(|share| -(share / sum) * libm::log(share / sum)).sum();
        assert!((entropy_of(&found) - direct).abs() < 1e-14);
        assert!((entropy(&logits, temperature) - direct).abs() < 1e-12);
        // Of equal ones the lowest.
        assert_eq!(answer(&found), 0);
    }
    let sure = probabilities(&[0.0, 4000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1.0);
    assert_eq!((sure[1], entropy_of(&sure), answer(&sure)), (1.0, 0.0, 1));
    assert!((entropy_of(&[0.1; CLASSES]) - libm::log(10.0)).abs() < 1e-14);
}

#[test]
fn the_temperature_divides_the_logits() {
    let (cold, hot) = (classifier(1.0), classifier(2.5));
    let mut scratch = cold.scratch();
    let logits = cold.logits(&picture(), &mut scratch);
    assert_eq!(logits, hot.logits(&picture(), &mut scratch));
    assert_eq!(cold.classify(&picture(), &mut scratch), probabilities(&logits, 1.0));
    assert_eq!(hot.classify(&picture(), &mut scratch), probabilities(&logits, 2.5));
    assert_eq!(cold.with_temperature(2.5).unwrap(), hot);
}

#[test]
fn the_metric_follows_from_the_entropy() {
    let plain = classifier(1.5);
    let found = plain.classify(&picture(), &mut plain.scratch());
    assert_eq!(plain.metric(&found), None);
    let own = plain.with_metric(curve()).unwrap();
    assert_eq!(own.metric(&found), Some(curve().at(entropy_of(&found)) as f32));
    assert_eq!(own.metric_curve(), Some(&curve()));
}

#[test]
fn what_is_saved_is_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weak.safetensors");
    let metadata: Metadata = [("data".to_owned(), "whose".to_owned())].into();
    let network = Network::new(&[49, 20, CLASSES], &key(2));
    let own = Classifier::new(network, POOLED, 1.2345678901234567, metadata).unwrap();
    let own = own.with_metric(curve()).unwrap();
    own.save(&path).unwrap();
    let again = Classifier::load(&path).unwrap();
    assert_eq!(again, own);
    assert_eq!(again.metadata()["data"], "whose");
    assert_eq!(again.to_bytes().unwrap(), std::fs::read(path).unwrap());
}

#[test]
fn what_is_no_classifier_is_refused() {
    let missing = Classifier::load("nowhere.safetensors".as_ref()).unwrap_err();
    assert!(matches!(missing, ClassifierError::Model(ModelFault::Missing)));
    let bare = Network::new(&[49, CLASSES], &key(1)).to_bytes(&Metadata::new()).unwrap();
    assert!(matches!(Classifier::from_bytes(&bare), Err(ClassifierError::NoEntry)));
    let with = |network: &Network, name: &str, text: &str| {
        let mut metadata = classifier(1.0).metadata().clone();
        metadata.insert(name.into(), text.into());
        let bytes = network.to_bytes(&metadata).unwrap();
        Classifier::from_bytes(&bytes).unwrap_err().to_string()
    };
    let network = classifier(1.0).network().clone();
    let entry = |pool: usize, scale: &str, temperature: &str| {
        format!(
            r#"{{"preparation":{{"pool":{pool},"mean":0.0,"scale":{scale}}},"temperature":{temperature}}}"#
        )
    };
    for (text, expected) in [
        ("{}".to_owned(), "missing field"),
        (entry(0, "1.0", "1.0"), "pool divides 28"),
        (entry(5, "1.0", "1.0"), "pool divides 28"),
        (entry(4, "0.0", "1.0"), "scale above 0"),
        (entry(4, "1.0", "0.0"), "a temperature is above 0"),
        (entry(4, "1.0", "-2.0"), "a temperature is above 0"),
        (entry(2, "1.0", "1.0"), "it takes 49 values and gives 10, expected 196 and 10"),
    ] {
        let told = with(&network, "classifier", &text);
        assert!(told.contains(expected), "{text}: {told}");
    }
    for text in [
        "[]",
        r#"{"range":[0.0,1.0],"width":0.1,"values":[]}"#,
        r#"{"range":[1.0,1.0],"width":0.1,"values":[0.1,0.2]}"#,
        r#"{"range":[2.0,1.0],"width":0.1,"values":[0.1,0.2]}"#,
    ] {
        let told = with(&network, "metric", text);
        assert!(told.contains("the entry \"metric\" of its metadata is wrong"), "{told}");
    }
    let other = Network::new(&[49, 9], &key(1));
    let told = Classifier::new(other, POOLED, 1.0, Metadata::new()).unwrap_err().to_string();
    assert_eq!(told, "it takes 49 values and gives 9, expected 49 and 10");
}

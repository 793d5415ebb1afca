//! How good the classifiers are.

use fogbit_neural::calibration::mean_cross_entropy;
use serde::Serialize;

use super::outcome::Outcome;
use super::trace::TracedImage;

/// Bins of confidence in the expected calibration error.
const BINS: usize = 15;

/// What became of training, judged by images that nothing was fitted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Images that are judged.
    pub images: usize,
    /// The weak classifier.
    pub weak: ClassifierFigures,
    /// The strong classifier.
    pub strong: ClassifierFigures,
    /// Who is right.
    pub categories: Categories,
    /// The same of the images that temperature and metric were fitted to.
    pub held_out_categories: Categories,
    /// Mean of the reward: loss of the weak minus loss of the strong classifier.
    pub mean_reward: f64,
    /// Mean of the metric, which expects it.
    pub mean_metric: f64,
    /// Correlation of metric and reward; none where one of the two does not vary.
    pub correlation: Option<f64>,
}

/// One classifier.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassifierFigures {
    /// Share of right answers.
    pub accuracy: f64,
    /// What logits are divided by.
    pub temperature: f64,
    /// Mean cross-entropy in nats without the temperature.
    pub cross_entropy_before: f64,
    /// And with it.
    pub cross_entropy: f64,
    /// [`expected_calibration_error`] without the temperature.
    pub calibration_error_before: f64,
    /// And with it.
    pub calibration_error: f64,
}

/// Shares of images by who is right; together 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Categories {
    /// Both are.
    pub both_right: f64,
    /// Neither is.
    pub both_wrong: f64,
    /// Sending the image gains.
    pub only_strong: f64,
    /// Sending the image loses.
    pub only_weak: f64,
}

impl Categories {
    /// Counts the rows of a trace; all are 0 without any.
    pub fn of<'r>(rows: impl Iterator<Item = &'r TracedImage>) -> Categories {
        let mut counts = [[0usize; 2]; 2];
        rows.for_each(|row| {
            counts[usize::from(row.weak_loss)][usize::from(row.strong_loss)] += 1;
        });
        let all = counts.iter().flatten().sum::<usize>().max(1) as f64;
        let share = |weak: usize, strong: usize| counts[weak][strong] as f64 / all;
        Categories {
            both_right: share(0, 0),
            both_wrong: share(1, 1),
            only_strong: share(1, 0),
            only_weak: share(0, 1),
        }
    }
}

impl ClassifierFigures {
    /// Judges what a classifier said of at least one image.
    pub(super) fn of(outcome: &Outcome, temperature: f64) -> ClassifierFigures {
        let hits = outcome.hits(temperature).filter(|hit| *hit).count();
        let entropy = |at| mean_cross_entropy(&outcome.logits, &outcome.labels, at);
        ClassifierFigures {
            accuracy: hits as f64 / outcome.labels.len() as f64,
            temperature,
            cross_entropy_before: entropy(1.0),
            cross_entropy: entropy(temperature),
            calibration_error_before: expected_calibration_error(outcome, 1.0),
            calibration_error: expected_calibration_error(outcome, temperature),
        }
    }
}

/// How far confidence is from accuracy: images are put into 15 bins of equal width by the largest
/// probability, and the distances of a bin's mean probability from its share of right answers are
/// averaged, weighted by its images (Guo et al., ICML 2017, equation 3). 0 without images.
pub fn expected_calibration_error(outcome: &Outcome, temperature: f64) -> f64 {
    let mut bins = [0f64; BINS];
    let rows = outcome.rows().iter().zip(outcome.hits(temperature));
    for (logits, hit) in rows {
        let probabilities = fogbit_neural::probabilities(logits, temperature);
        let confidence = probabilities.iter().copied().fold(0.0, f64::max);
        let bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
        bins[bin] += confidence - f64::from(u8::from(hit));
    }
    bins.iter().map(|bin| bin.abs()).sum::<f64>() / outcome.labels.len().max(1) as f64
}

impl Evaluation {
    /// Puts the figures together; `rows` is the whole trace, and the outcomes are those of its rows
    /// of the test.
    pub(super) fn of(
        weak: (&Outcome, f64),
        strong: (&Outcome, f64),
        rows: &[TracedImage],
        test: &str,
    ) -> Evaluation {
        let of_test = || rows.iter().filter(|row| row.split == test);
        let held_out = rows.iter().filter(|row| row.split != test);
        let pairs: Vec<(f64, f64)> = of_test()
            .map(|row| {
                let reward = f64::from(row.weak_loss) - f64::from(row.strong_loss);
                (f64::from(row.metric), reward)
            })
            .collect();
        let mean =
            |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
        Evaluation {
            images: pairs.len(),
            weak: ClassifierFigures::of(weak.0, weak.1),
            strong: ClassifierFigures::of(strong.0, strong.1),
            categories: Categories::of(of_test()),
            held_out_categories: Categories::of(held_out),
            mean_metric: mean(|pair| pair.0),
            mean_reward: mean(|pair| pair.1),
            correlation: correlation(&pairs),
        }
    }
}

/// Pearson's correlation, in two passes.
fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let count = pairs.len() as f64;
    let x_mean = pairs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let y_mean = pairs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        let (x, y) = (x - x_mean, y - y_mean);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}

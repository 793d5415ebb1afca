//! Training.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use fogbit_neural::calibration::{CalibrationError, fit_temperature};
use fogbit_neural::{
    CLASSES, Classifier, ClassifierError, CrossEntropy, Epoch, Fit, FitError, Metadata, Network,
    Preparation, fit,
};
use fogbit_scenario::cascade::{EntropySample, MetricCurve};
use fogbit_scenario::draw::{Key, Purpose};
use serde::Serialize;

use super::evaluation::Evaluation;
use super::networks::{self, WEAK_POOL};
use super::outcome::Outcome;
use super::trace::TracedImage;
use crate::dataset::{DATA_LICENCE, FashionMnist, Part, Pictures};

/// The networks learn from two of so many images of the training part: 40,000 of 60,000.
const THIRDS: usize = 3;

/// How classifiers are trained. `Default` is how those that ship were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClassifierTraining {
    /// Seed of first weights and of the order of images.
    pub seed: u64,
    /// How often the strong classifier sees each image.
    pub epochs: u32,
    /// How often the weak classifier sees each image.
    pub weak_epochs: u32,
    /// Images that the networks learn from, at most: the first ones.
    pub images: u32,
}

impl Default for ClassifierTraining {
    fn default() -> ClassifierTraining {
        ClassifierTraining { seed: 1, epochs: 8, weak_epochs: 20, images: 40_000 }
    }
}

/// One of the two classifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That of the task node.
    Weak,
    /// That of the helper node.
    Strong,
}

impl Which {
    /// Both.
    pub const ALL: [Which; 2] = [Which::Weak, Which::Strong];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Which::Weak => "weak",
            Which::Strong => "strong",
        }
    }

    fn pool(self) -> usize {
        if self == Which::Weak { WEAK_POOL } else { 1 }
    }

    fn network(self, key: &Key) -> Network {
        match self {
            Which::Weak => networks::weak(key),
            Which::Strong => networks::strong(key),
        }
    }
}

/// What came of a training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The weak classifier, with the metric.
    pub weak: Classifier,
    /// The strong classifier.
    pub strong: Classifier,
    /// What both say of each image that they did not learn from.
    pub rows: Vec<TracedImage>,
    /// How good they are on the test.
    pub evaluation: Evaluation,
    /// How long the networks learnt, weak and strong.
    pub learning: [Duration; 2],
    /// How long all images were classified, and temperatures and metric fitted.
    pub tracing: Duration,
}

/// Why there are no classifiers.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// There are too few images.
    #[error(
        "there are {training} training and {test} test images, expected at least {THIRDS} and 1"
    )]
    TooFew {
        /// Images of the training part.
        training: usize,
        /// Images of the test part.
        test: usize,
    },
    /// Nothing can be learnt, or not this way.
    #[error("the {which} classifier cannot be trained: {error}")]
    Fit {
        /// Which one.
        which: &'static str,
        /// Why.
        error: FitError,
    },
    /// There is no temperature.
    #[error("the {which} classifier has no temperature: {error}")]
    Temperature {
        /// Which one.
        which: &'static str,
        /// Why.
        error: CalibrationError,
    },
    /// What was learnt is no classifier.
    #[error("what was learnt is no classifier: {0}")]
    Classifier(#[from] ClassifierError),
    /// Somebody asked to stop.
    #[error("the training was stopped")]
    Stopped,
}

/// Trains both classifiers. Their networks learn from the first two thirds of the training part; the
/// last third is held out, and temperatures and metric are fitted to it. `watch` is told of each epoch,
/// and may end the training. The same data and setting give the same bits on one host.
///
/// # Errors
/// If a loss stops being finite, a classifier cannot be calibrated, or `watch` asked to stop.
pub fn train(
    data: &FashionMnist,
    setting: &ClassifierTraining,
    mut watch: impl FnMut(Which, &Epoch) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    let (training, test) = (data.training.len(), data.test.len());
    if training < THIRDS || test == 0 {
        return Err(TrainError::TooFew { training, test });
    }
    let held_out = training / THIRDS * (THIRDS - 1);
    let learnt = held_out.min(setting.images as usize);
    let metadata = origin(data, setting);
    let began = Instant::now();
    let weak = learn(Which::Weak, &data.training, learnt, setting, &mut watch)?;
    let weak_learnt = Instant::now();
    let strong = learn(Which::Strong, &data.training, learnt, setting, &mut watch)?;
    let strong_learnt = Instant::now();
    let weak = calibrate(Which::Weak, weak, data, held_out, &metadata)?;
    let strong = calibrate(Which::Strong, strong, data, held_out, &metadata)?;
    let [before, after] = [&weak, &strong].map(|own| own.classifier.temperature());
    let weak_classifier = weak.classifier.clone().with_metric(metric(&weak, &strong))?;
    let rows = trace(&weak_classifier, &weak, &strong, data, held_out);
    let evaluation =
        Evaluation::of((&weak.test, before), (&strong.test, after), &rows, Part::Test.name());
    Ok(Trained {
        weak: weak_classifier,
        strong: strong.classifier,
        rows,
        evaluation,
        learning: [weak_learnt - began, strong_learnt - weak_learnt],
        tracing: strong_learnt.elapsed(),
    })
}

/// What the files say of where they come from.
fn origin(data: &FashionMnist, setting: &ClassifierTraining) -> Metadata {
    let setting = serde_json::to_string(setting).expect("plain numbers");
    let entries =
        [("setting", setting), ("data", DATA_LICENCE.into()), ("data_sha256", data.digest())];
    entries.map(|(name, text)| (name.into(), text)).into()
}

/// A network that has learnt, and how pixels come to it.
type Learnt = (Network, Preparation);

/// Trains the network of one classifier on the first `learnt` images.
fn learn(
    which: Which,
    pictures: &Pictures,
    learnt: usize,
    setting: &ClassifierTraining,
    mut watch: impl FnMut(Which, &Epoch) -> ControlFlow<()>,
) -> Result<Learnt, TrainError> {
    let preparation = prepare(which.pool(), pictures, learnt);
    let width = preparation.width();
    let mut rows = vec![0.0; learnt * width];
    for (pixels, row) in pictures.pixels()[..learnt].iter().zip(rows.chunks_exact_mut(width)) {
        preparation.apply(pixels, row);
    }
    let labels: Vec<u32> = pictures.labels()[..learnt].iter().map(|l| u32::from(*l)).collect();
    let key = |purpose| Key::derive(setting.seed, purpose, which as usize);
    let mut network = which.network(&key(Purpose::NetworkWeights));
    let epochs = if which == Which::Weak { setting.weak_epochs } else { setting.epochs };
    let how = Fit { epochs: epochs as usize, ..Fit::default() };
    let loss = CrossEntropy { labels: &labels };
    let mut stopped = false;
    let shuffles = key(Purpose::NetworkShuffle);
    let done = fit(&mut network, &rows, &loss, &how, &shuffles, |epoch, _| {
        let flow = watch(which, epoch);
        stopped = flow.is_break();
        flow
    });
    done.map_err(|error| TrainError::Fit { which: which.name(), error })?;
    if stopped { Err(TrainError::Stopped) } else { Ok((network, preparation)) }
}

/// Brings what a network sees of the first `learnt` images to mean 0 and deviation 1, all values
/// together.
fn prepare(pool: usize, pictures: &Pictures, learnt: usize) -> Preparation {
    let plain = Preparation { pool, mean: 0.0, scale: 1.0 };
    let mut row = vec![0.0; plain.width()];
    let (mut sum, mut squares) = (0.0, 0.0);
    for pixels in &pictures.pixels()[..learnt] {
        plain.apply(pixels, &mut row);
        for value in &row {
            sum += f64::from(*value);
            squares += f64::from(*value) * f64::from(*value);
        }
    }
    let count = (learnt * row.len()) as f64;
    let mean = sum / count;
    let deviation = (squares / count - mean * mean).max(0.0).sqrt();
    // Pictures of one grey have no deviation.
    let scale = if deviation > 0.0 { deviation } else { 1.0 };
    Preparation { pool, mean: mean as f32, scale: scale as f32 }
}

/// A classifier with its temperature, and what it says of the images it did not learn from.
struct Calibrated {
    classifier: Classifier,
    held_out: Outcome,
    test: Outcome,
}

fn calibrate(
    which: Which,
    (network, preparation): Learnt,
    data: &FashionMnist,
    held_out: usize,
    metadata: &Metadata,
) -> Result<Calibrated, TrainError> {
    let plain = Classifier::new(network, preparation, 1.0, metadata.clone())?;
    let held_out = Outcome::of(&plain, &data.training, held_out, data.training.len());
    let test = Outcome::of(&plain, &data.test, 0, data.test.len());
    let temperature = fit_temperature(&held_out.logits, &held_out.labels, CLASSES)
        .map_err(|error| TrainError::Temperature { which: which.name(), error })?;
    Ok(Calibrated { classifier: plain.with_temperature(temperature)?, held_out, test })
}

/// The metric, fitted to the images that were held out.
fn metric(weak: &Calibrated, strong: &Calibrated) -> MetricCurve {
    let samples: Vec<EntropySample> = findings(weak, &weak.held_out, strong, &strong.held_out)
        .map(|Finding { entropy, losses: [weak, strong], .. }| EntropySample {
            entropy,
            reward: f64::from(weak) - f64::from(strong),
        })
        .collect();
    MetricCurve::fit(&samples)
}

/// What both classifiers say of one image.
struct Finding {
    probabilities: [f64; CLASSES],
    entropy: f64,
    /// Losses of weak and strong.
    losses: [u8; 2],
}

fn findings<'o>(
    weak: &'o Calibrated,
    by_weak: &'o Outcome,
    strong: &'o Calibrated,
    by_strong: &'o Outcome,
) -> impl Iterator<Item = Finding> + 'o {
    let temperature = weak.classifier.temperature();
    let hits = by_weak.hits(temperature).zip(by_strong.hits(strong.classifier.temperature()));
    by_weak.rows().iter().zip(hits).map(move |(logits, (weak, strong))| {
        let probabilities = fogbit_neural::probabilities(logits, temperature);
        Finding {
            entropy: fogbit_neural::entropy_of(&probabilities),
            probabilities,
            losses: [weak, strong].map(|hit| u8::from(!hit)),
        }
    })
}

/// The rows of the trace: images that were held out, then those of the test.
fn trace(
    classifier: &Classifier,
    weak: &Calibrated,
    strong: &Calibrated,
    data: &FashionMnist,
    held_out: usize,
) -> Vec<TracedImage> {
    let rows = |part, first, findings: &mut dyn Iterator<Item = Finding>| {
        let row = |(number, finding): (usize, Finding)| TracedImage {
            id: data.id(part, number),
            split: part.name(),
            entropy: finding.entropy as f32,
            weak_loss: finding.losses[0],
            strong_loss: finding.losses[1],
            metric: classifier.metric(&finding.probabilities).expect("it was given one"),
        };
        (first..).zip(findings).map(row).collect::<Vec<_>>()
    };
    let mut of_held_out = findings(weak, &weak.held_out, strong, &strong.held_out);
    let mut of_test = findings(weak, &weak.test, strong, &strong.test);
    let mut all = rows(Part::Training, held_out, &mut of_held_out);
    all.extend(rows(Part::Test, 0, &mut of_test));
    all
}

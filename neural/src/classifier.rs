//! A classifier of pictures: a network with all that it needs to be asked.

use std::path::Path;

use fogbit_scenario::cascade::MetricCurve;
use serde::{Deserialize, Serialize};

use crate::model::{LoadError, Metadata, ModelFault, SaveError, read_bytes};
use crate::network::{Network, Scratch};

/// Pixels on one side of a picture.
pub const SIDE: usize = 28;

/// Pixels of a picture: grey values row by row, 0 is black.
pub const PIXELS: usize = SIDE * SIDE;

/// Classes, and so probabilities of a classification.
pub const CLASSES: usize = 10;

/// The entry of a model's metadata that holds preparation and temperature.
const ENTRY: &str = "classifier";

/// The entry that holds the offloading metric.
const METRIC_ENTRY: &str = "metric";

/// How pixels become the row that a network sees: means of squares, on one scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// Side of the squares whose means the network sees; 1 leaves the pixels as they are. Divides
    /// [`SIDE`].
    pub pool: usize,
    /// What is taken off each value, which is then between 0 and 1.
    pub mean: f32,
    /// What the rest is divided by.
    pub scale: f32,
}

impl Preparation {
    /// Values of a row.
    pub fn width(&self) -> usize {
        (SIDE / self.pool) * (SIDE / self.pool)
    }

    /// Writes the row of a picture: `(mean of the square / 255 - mean) / scale`, squares row by row.
    /// Sums within a square are whole numbers, so they are exact.
    ///
    /// # Panics
    /// If `row` is not [`Preparation::width`] long.
    pub fn apply(&self, pixels: &[u8; PIXELS], row: &mut [f32]) {
        assert_eq!(row.len(), self.width(), "values of a row");
        let squares = SIDE / self.pool;
        let whole = (255 * self.pool * self.pool) as f32;
        let bands = pixels.chunks_exact(self.pool * SIDE).zip(row.chunks_exact_mut(squares));
        for (band, row) in bands {
            for (square, value) in row.iter_mut().enumerate() {
                let lines = band.chunks_exact(SIDE);
                let own = lines.flat_map(|line| &line[square * self.pool..][..self.pool]);
                let sum: u32 = own.map(|pixel| u32::from(*pixel)).sum();
                *value = (sum as f32 / whole - self.mean) / self.scale;
            }
        }
    }

    fn check(&self) -> Result<(), ClassifierError> {
        let fits = self.pool > 0 && SIDE.is_multiple_of(self.pool);
        let scale = self.scale.is_finite() && self.scale > 0.0;
        if fits && scale && self.mean.is_finite() {
            return Ok(());
        }
        Err(ClassifierError::entry(format!(
            "pool divides {SIDE}, the mean is finite and the scale above 0; found {self:?}"
        )))
    }
}

/// What the entry of the metadata holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    preparation: Preparation,
    temperature: f64,
}

/// Why there is no classifier.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The file is missing, damaged or no network for pictures.
    #[error(transparent)]
    Model(#[from] ModelFault),
    /// The file is a network, but nothing says how pictures come to it.
    #[error("it is no classifier: the entry \"{ENTRY}\" of its metadata is missing")]
    NoEntry,
    /// What is said of it cannot be.
    #[error("the entry \"{entry}\" of its metadata is wrong: {reason}")]
    Entry {
        /// Its name.
        entry: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl ClassifierError {
    fn entry(reason: impl ToString) -> ClassifierError {
        ClassifierError::Entry { entry: ENTRY, reason: reason.to_string() }
    }

    fn metric(reason: impl ToString) -> ClassifierError {
        ClassifierError::Entry { entry: METRIC_ENTRY, reason: reason.to_string() }
    }
}

/// A network that classifies pictures of [`SIDE`] by [`SIDE`] pixels into [`CLASSES`] classes, with
/// its preparation of pixels and its temperature.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    network: Network,
    preparation: Preparation,
    temperature: f64,
    metric: Option<MetricCurve>,
    metadata: Metadata,
}

/// Room for [`Classifier::classify`]: one for each thread.
#[derive(Debug, Clone)]
pub struct ClassifierScratch {
    row: Vec<f32>,
    scratch: Scratch,
}

impl Classifier {
    /// A classifier of this network. Logits are divided by `temperature` before they become
    /// probabilities. `metadata` is kept beside it, and may hold the metric
    /// ([`Classifier::with_metric`]).
    ///
    /// # Errors
    /// If the network does not take what the preparation gives or has other outputs than
    /// [`CLASSES`], the temperature is not above 0, or the metric is no curve.
    pub fn new(
        network: Network,
        preparation: Preparation,
        temperature: f64,
        mut metadata: Metadata,
    ) -> Result<Classifier, ClassifierError> {
        preparation.check()?;
        if !(temperature.is_finite() && temperature > 0.0) {
            let wrong = format!("a temperature is above 0, found {temperature}");
            return Err(ClassifierError::entry(wrong));
        }
        network.expect_ends(preparation.width(), CLASSES)?;
        let entry = serde_json::to_string(&Entry { preparation, temperature });
        metadata.insert(ENTRY.into(), entry.expect("plain numbers"));
        let metric = metadata.get(METRIC_ENTRY).map(|text| read_metric(text)).transpose()?;
        Ok(Classifier { network, preparation, temperature, metric, metadata })
    }

    /// The same with another temperature.
    ///
    /// # Errors
    /// If it is not above 0.
    pub fn with_temperature(self, temperature: f64) -> Result<Classifier, ClassifierError> {
        Classifier::new(self.network, self.preparation, temperature, self.metadata)
    }

    /// The same with this offloading metric, which goes into its file.
    ///
    /// # Errors
    /// If it is no curve.
    pub fn with_metric(self, metric: MetricCurve) -> Result<Classifier, ClassifierError> {
        let text = serde_json::to_string(&metric).expect("plain numbers");
        let mut metadata = self.metadata;
        metadata.insert(METRIC_ENTRY.into(), text);
        Classifier::new(self.network, self.preparation, self.temperature, metadata)
    }

    /// Room for classifications.
    pub fn scratch(&self) -> ClassifierScratch {
        let row = vec![0.0; self.preparation.width()];
        ClassifierScratch { row, scratch: self.network.scratch() }
    }

    /// The probability of each class. Nothing is allocated, and the bits are the same on every host.
    ///
    /// # Panics
    /// If `scratch` is that of another classifier.
    pub fn classify(
        &self,
        pixels: &[u8; PIXELS],
        scratch: &mut ClassifierScratch,
    ) -> [f64; CLASSES] {
        probabilities(&self.logits(pixels, scratch), self.temperature)
    }

    /// What comes out of the network, before the temperature.
    ///
    /// # Panics
    /// As [`Classifier::classify`].
    pub fn logits(&self, pixels: &[u8; PIXELS], scratch: &mut ClassifierScratch) -> [f32; CLASSES] {
        self.preparation.apply(pixels, &mut scratch.row);
        let logits = self.network.infer(&scratch.row, &mut scratch.scratch);
        logits.try_into().expect("a classifier has as many outputs as there are classes")
    }

    /// The offloading metric of an image that was classified so, from the entropy; none without a
    /// curve. Single precision is what a trace holds ([`ImageRow`](fogbit_scenario::cascade::ImageRow)).
    pub fn metric(&self, probabilities: &[f64; CLASSES]) -> Option<f32> {
        let curve = self.metric.as_ref()?;
        Some(curve.at(entropy_of(probabilities)) as f32)
    }

    /// The curve behind [`Classifier::metric`].
    pub fn metric_curve(&self) -> Option<&MetricCurve> {
        self.metric.as_ref()
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How pixels become what the network sees.
    pub fn preparation(&self) -> Preparation {
        self.preparation
    }

    /// What logits are divided by.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// What its file says beside the weights.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The bytes of its file. The same classifier gives the same bytes.
    ///
    /// # Errors
    /// If a weight is not finite.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelFault> {
        self.network.to_bytes(&self.metadata)
    }

    /// Writes it to `path`, in the stead of what was there ([`Network::save`]).
    ///
    /// # Errors
    /// As [`Network::save`].
    pub fn save(&self, path: &Path) -> Result<(), SaveError> {
        self.network.save(path, &self.metadata)
    }

    /// A classifier from the bytes of its file.
    ///
    /// # Errors
    /// If they are damaged, or no classifier.
    pub fn from_bytes(bytes: &[u8]) -> Result<Classifier, ClassifierError> {
        let (network, metadata) = Network::from_bytes(bytes)?;
        let text = metadata.get(ENTRY).ok_or(ClassifierError::NoEntry)?;
        let entry: Entry = serde_json::from_str(text).map_err(ClassifierError::entry)?;
        let Entry { preparation, temperature } = entry;
        Classifier::new(network, preparation, temperature, metadata)
    }

    /// Reads a classifier.
    ///
    /// # Errors
    /// If the file is missing, damaged, or no classifier. The path is not in the message.
    pub fn load(path: &Path) -> Result<Classifier, ClassifierError> {
        let bytes = read_bytes(path).map_err(|LoadError { fault, .. }| fault)?;
        Classifier::from_bytes(&bytes)
    }
}

/// A curve that can be asked.
fn read_metric(text: &str) -> Result<MetricCurve, ClassifierError> {
    let curve: MetricCurve = serde_json::from_str(text).map_err(ClassifierError::metric)?;
    let [low, high] = curve.range;
    let finite = curve.values.iter().chain(&curve.range).all(|value| value.is_finite());
    let ordered = low < high || curve.values.len() == 1;
    if !finite || !ordered || curve.values.is_empty() {
        return Err(ClassifierError::metric("a range and at least one value, all finite"));
    }
    Ok(curve)
}

/// Entropy in nats, summed in order: 0 for one that is sure, ln 10 for one that knows nothing. The
/// same as [`calibration::entropy`](crate::calibration::entropy) but for rounding.
pub fn entropy_of(probabilities: &[f64; CLASSES]) -> f64 {
    let known = probabilities.iter().filter(|share| **share > 0.0);
    known.fold(0.0, |sum, share| sum - share * libm::log(*share))
}

/// `softmax(logits / temperature)`, in double precision: the largest is taken out first, and sums
/// run in order.
pub fn probabilities(logits: &[f32; CLASSES], temperature: f64) -> [f64; CLASSES] {
    let largest = logits.iter().fold(f32::NEG_INFINITY, |largest, z| largest.max(*z));
    let share = |z: &f32| libm::exp((f64::from(*z) - f64::from(largest)) / temperature);
    let mut shares: [f64; CLASSES] = std::array::from_fn(|class| share(&logits[class]));
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
    shares
}

/// The class with the largest probability; of equal ones the lowest.
pub fn answer(probabilities: &[f64; CLASSES]) -> u8 {
    // Probabilities that differ may be equal in single precision: no way over `argmax`.
    let mut best = 0;
    for (class, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = class;
        }
    }
    best as u8
}

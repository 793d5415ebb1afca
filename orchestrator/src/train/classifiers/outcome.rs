//! What a classifier says of images whose labels are known.

use fogbit_neural::{CLASSES, Classifier, PIXELS, answer};

use crate::dataset::Pictures;

/// What a classifier says of some images, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What comes out of the network, before the temperature: [`CLASSES`] for each image.
    pub logits: Vec<f32>,
    /// The right class of each image.
    pub labels: Vec<u32>,
}

impl Outcome {
    /// Asks `classifier` about images `first` to the one before `end` of `pictures`.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn of(classifier: &Classifier, pictures: &Pictures, first: usize, end: usize) -> Outcome {
        let mut scratch = classifier.scratch();
        let mut ask = |pixels: &[u8; PIXELS]| classifier.logits(pixels, &mut scratch);
        let logits = pictures.pixels()[first..end].iter().flat_map(&mut ask).collect();
        let labels = pictures.labels()[first..end].iter().map(|label| u32::from(*label)).collect();
        Outcome { logits, labels }
    }

    /// The logits of each image.
    pub fn rows(&self) -> &[[f32; CLASSES]] {
        self.logits.as_chunks().0
    }

    /// For each image, whether the answer at this temperature is right.
    pub fn hits(&self, temperature: f64) -> impl Iterator<Item = bool> {
        self.rows().iter().zip(&self.labels).map(move |(logits, label)| {
            let probabilities = fogbit_neural::probabilities(logits, temperature);
            u32::from(answer(&probabilities)) == *label
        })
    }
}

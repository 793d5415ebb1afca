//! What the classifiers say of each image.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImageRow {
    /// Which image it is, in the trace's own numbers.
    pub id: u32,
    /// The offloading metric: the reward that is to be expected from what the weak classifier says.
    pub metric: f32,
    /// Loss of the weak classifier.
    pub weak_loss: f32,
    /// What sending it gains: loss of the weak minus loss of the strong classifier, or what the
    /// metric leads to expect ([`Score`](crate::topology::Score)).
    pub reward: f32,
}

/// Images sorted by metric, and by id where metrics are equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageTable {
    rows: Arc<[ImageRow]>,
}

impl ImageTable {
    /// Sorts `rows`.
    ///
    /// # Panics
    /// If there is none, or a metric is not a number: whoever reads a trace has looked.
    pub fn new(mut rows: Vec<ImageRow>) -> ImageTable {
        assert!(!rows.is_empty(), "a trace has at least one image");
        let order = |a: &ImageRow, b: &ImageRow| {
            a.metric.partial_cmp(&b.metric).expect("metrics are numbers").then(a.id.cmp(&b.id))
        };
        rows.sort_by(order);
        ImageTable { rows: rows.into() }
    }

    /// The images by rank, the lowest metric first.
    pub fn rows(&self) -> &[ImageRow] {
        &self.rows
    }

    /// Mean loss if no image is sent.
    pub fn weak_loss(&self) -> f64 {
        let sum: f64 = self.rows.iter().map(|row| f64::from(row.weak_loss)).sum();
        sum / self.rows.len() as f64
    }

    /// Mean loss if every image is sent.
    pub fn strong_loss(&self) -> f64 {
        let sum: f64 = self.rows.iter().map(|row| f64::from(row.weak_loss - row.reward)).sum();
        sum / self.rows.len() as f64
    }
}

//! Features on one scale.

use serde::{Deserialize, Serialize};

use crate::model::Metadata;

/// The entry of a model's metadata that holds its standardiser.
const ENTRY: &str = "standardiser";

/// Turns features into z-scores, `(x - mean) / scale`, feature by feature. Numbers of very different
/// size come to a network on one scale. Kept in the metadata of the model that was trained with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardiser {
    mean: Vec<f64>,
    scale: Vec<f64>,
}

/// Why there is no standardiser.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StandardiserError {
    /// The metadata has none.
    #[error("the model has no standardiser: the entry \"{ENTRY}\" of its metadata is missing")]
    Missing,
    /// The entry cannot be read.
    #[error("the entry \"{ENTRY}\" of the metadata is no standardiser: {0}")]
    Malformed(String),
    /// It is for another number of features.
    #[error("the standardiser is for {found} features, expected {expected}")]
    Width {
        /// How many features it is for.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
}

impl Standardiser {
    /// Means and standard deviations (over n, not n - 1) of each feature of `rows`,
    /// `[rows, width]`, by Welford's method in the order of the rows. The scale of a feature that
    /// does not vary is 1: it comes out as 0, and as its difference where it varies later.
    ///
    /// # Panics
    /// Without rows, or if `rows` is not a whole number of rows.
    pub fn fit(rows: &[f64], width: usize) -> Standardiser {
        assert!(width > 0 && !rows.is_empty() && rows.len().is_multiple_of(width), "whole rows");
        let (mut mean, mut squares) = (vec![0.0; width], vec![0.0; width]);
        for (row, count) in rows.chunks_exact(width).zip(1u32..) {
            for ((value, mean), squares) in row.iter().zip(&mut mean).zip(&mut squares) {
                let before = value - *mean;
                *mean += before / f64::from(count);
                *squares += before * (value - *mean);
            }
        }
        let count = (rows.len() / width) as f64;
        let scale = |(squares, mean): (&f64, &f64)| {
            let deviation = (squares / count).sqrt();
            // Below that it is rounding.
            if deviation > 1e-12 * mean.abs() { deviation } else { 1.0 }
        };
        let scale = squares.iter().zip(&mean).map(scale).collect();
        Standardiser { mean, scale }
    }

    /// Writes the z-scores of `rows`, one row or many, to `scores`.
    ///
    /// # Panics
    /// If `rows` is not a whole number of rows, or `scores` is of another length.
    pub fn apply(&self, rows: &[f64], scores: &mut [f32]) {
        assert!(
            rows.len().is_multiple_of(self.width()) && rows.len() == scores.len(),
            "whole rows"
        );
        let width = self.width();
        for (row, scores) in rows.chunks_exact(width).zip(scores.chunks_exact_mut(width)) {
            let own = self.mean.iter().zip(&self.scale);
            for ((value, (mean, scale)), score) in row.iter().zip(own).zip(scores) {
                *score = ((value - mean) / scale) as f32;
            }
        }
    }

    /// How many features a row has.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// Mean of each feature.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// What the difference from the mean is divided by, for each feature.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Puts it into a model's metadata.
    pub fn store(&self, metadata: &mut Metadata) {
        let text = serde_json::to_string(self).expect("plain numbers");
        metadata.insert(ENTRY.into(), text);
    }

    /// Takes it out of a model's metadata, for rows of `width` features.
    ///
    /// # Errors
    /// If there is none, or none that fits.
    pub fn read(metadata: &Metadata, width: usize) -> Result<Standardiser, StandardiserError> {
        let text = metadata.get(ENTRY).ok_or(StandardiserError::Missing)?;
        let malformed = |reason: &str| StandardiserError::Malformed(reason.into());
        let own: Standardiser =
            serde_json::from_str(text).map_err(|error| malformed(&error.to_string()))?;
        if own.scale.len() != own.mean.len() {
            return Err(malformed("as many scales as means are needed"));
        }
        if own.width() != width {
            return Err(StandardiserError::Width { found: own.width(), expected: width });
        }
        let positive = own.scale.iter().all(|scale| scale.is_finite() && *scale > 0.0);
        if !positive || !own.mean.iter().all(|mean| mean.is_finite()) {
            return Err(malformed("means are finite, and scales above 0"));
        }
        Ok(own)
    }
}

//! The weak classifier of a camera: the real one on the real picture, or what the trace says of it.

use std::time::Instant;

use bytes::Bytes;
use fogbit_neural::{CLASSES, Classifier, ClassifierScratch, PIXELS};
use fogbit_scenario::cascade::ImageTable;

use crate::steer::nanoseconds;
use crate::trial::TrialError;

/// What sees the images of a trial.
#[derive(Debug)]
pub(super) struct Eye {
    table: ImageTable,
    weak: Option<Weak>,
}

/// A classifier with what it sees.
#[derive(Debug)]
struct Weak {
    classifier: Classifier,
    scratch: ClassifierScratch,
    /// The pictures by rank, one after another.
    pictures: Bytes,
}

impl Eye {
    /// One that takes the metrics of `table` as they are.
    pub(super) fn of_trace(table: ImageTable) -> Eye {
        Eye { table, weak: None }
    }

    /// One that classifies the `pictures` of `table`, which are there by rank.
    ///
    /// # Errors
    /// If there are too few, or the classifier has no metric.
    pub(super) fn of_pictures(
        table: ImageTable,
        classifier: Classifier,
        pictures: Bytes,
    ) -> Result<Eye, TrialError> {
        if pictures.len() != table.rows().len() * PIXELS {
            return Err(TrialError::Order("not as many pictures as images".into()));
        }
        if classifier.metric(&[1.0 / CLASSES as f64; CLASSES]).is_none() {
            return Err(TrialError::Order("a weak classifier without a metric".into()));
        }
        let scratch = classifier.scratch();
        Ok(Eye { table, weak: Some(Weak { classifier, scratch, pictures }) })
    }

    /// The metric of the image at `rank`, and how long it took in nanoseconds.
    ///
    /// # Errors
    /// If the classifier says something else than the trace, bit by bit: decisions and rewards would
    /// not belong together.
    pub(super) fn see(&mut self, rank: u32) -> Result<(f32, u64), TrialError> {
        let row = &self.table.rows()[rank as usize];
        let Some(Weak { classifier, scratch, pictures }) = &mut self.weak else {
            return Ok((row.metric, 0));
        };
        let begun = Instant::now();
        let picture = &pictures[rank as usize * PIXELS..][..PIXELS];
        let pixels = picture.try_into().expect("that many bytes");
        let metric = classifier.metric(&classifier.classify(pixels, scratch));
        let took_ns = nanoseconds(begun);
        match metric {
            Some(metric) if metric.to_bits() == row.metric.to_bits() => Ok((metric, took_ns)),
            metric => Err(TrialError::Metric {
                image: row.id,
                classified: metric.unwrap_or(f32::NAN),
                traced: row.metric,
            }),
        }
    }
}

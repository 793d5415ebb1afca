//! Images: what a service takes instead of tasks with work of their own.

use std::sync::Arc;

use bytes::Bytes;
use fogbit_neural::{Classifier, ClassifierScratch, PIXELS, answer};
use fogbit_scenario::work::{ComputeSpec, Execution, Work, WorkKind, execute};
use fogbit_transport::cascade::{ANSWER_BYTES, ImageRequest};

use super::error::ComputeError;
use super::service::ComputeTask;

/// What a service takes images for.
#[derive(Debug, Clone)]
pub struct ImageSpec {
    /// How many are classified at once, at least 1.
    pub workers: u32,
    /// How many more may wait.
    pub queue_limit: u32,
    /// Bytes of each; those of a picture where there is a classifier.
    pub bytes: u64,
    /// How long a worker takes where there is no classifier, in nanoseconds.
    pub service_ns: u64,
    /// What classifies them; without it they only take their time.
    pub classifier: Option<Arc<Classifier>>,
}

impl ImageSpec {
    /// The computer that does this: one of a cycle a nanosecond.
    pub(super) fn compute(&self) -> ComputeSpec {
        ComputeSpec {
            frequency_ghz: 1.0,
            load: 0.0,
            service_overhead_ns: 0,
            workers: self.workers,
            queue_limit: self.queue_limit,
            payload_limit: self.bytes.max(ANSWER_BYTES),
            execution: match self.classifier {
                Some(_) => Execution::Real,
                None => Execution::Timed,
            },
        }
    }

    /// The work of one image. A classifier takes what it takes.
    pub(super) fn work(&self) -> Work {
        let cycles = if self.classifier.is_some() { 0 } else { self.service_ns };
        Work { kind: WorkKind::default(), cycles }
    }

    /// Whether `request` is for an image of this kind.
    pub(super) fn check(&self, request: &ImageRequest) -> Result<(), ComputeError> {
        if request.image_bytes == self.bytes {
            return Ok(());
        }
        let message = format!("{} bytes where an image has {}", request.image_bytes, self.bytes);
        Err(ComputeError::BadRequest(message))
    }
}

/// What a worker does with what it takes.
#[derive(Debug)]
pub(super) enum Labour {
    /// The work of the task.
    Work,
    /// It classifies pictures.
    Classify(Arc<Classifier>, ClassifierScratch),
}

impl Labour {
    /// That of a worker with `classifier`, if it has one.
    pub(super) fn new(classifier: Option<&Arc<Classifier>>) -> Labour {
        match classifier {
            Some(classifier) => Labour::Classify(Arc::clone(classifier), classifier.scratch()),
            None => Labour::Work,
        }
    }

    /// Does it; none if `go_on` says no. A classification is short, and is not asked in between.
    pub(super) fn execute(
        &mut self,
        task: &ComputeTask,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Vec<u8>>, ComputeError> {
        match self {
            Labour::Work => {
                let mut go_on = || go_on();
                Ok(execute(task.work, &task.input, task.output_bytes, &mut go_on))
            }
            Labour::Classify(classifier, scratch) => {
                let pixels = pixels(&task.input)?;
                Ok(go_on().then(|| vec![answer(&classifier.classify(pixels, scratch))]))
            }
        }
    }
}

fn pixels(input: &Bytes) -> Result<&[u8; PIXELS], ComputeError> {
    let wrong = || format!("{} bytes where a picture has {PIXELS}", input.len());
    input.as_ref().try_into().map_err(|_| ComputeError::BadRequest(wrong()))
}

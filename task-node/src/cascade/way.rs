//! The way of an image to the helper node, and of its answer back.

use std::future::Future;
use std::time::Instant;

use bytes::Bytes;
use fogbit_scenario::cascade::{Fate, ImageStep, Stages};
use fogbit_transport::WireError;
use fogbit_transport::cascade::ImageRequest;
use fogbit_transport::compute::{ComputeCode, OffloadError, Offloaded, offload_image};
use fogbit_transport::wire::TrialId;
use quinn::Connection;

use crate::steer::nanoseconds;
use crate::trial::TrialError;

/// What images are sent by: each takes a stream of its own.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// Name of the helper node.
    pub(super) helper: String,
    /// To it.
    pub(super) connection: Connection,
    /// The trial.
    pub(super) trial: TrialId,
    /// Bytes of an image.
    pub(super) image_bytes: usize,
    /// All images by rank one after another, or what is sent for each of them.
    pub(super) images: Bytes,
    /// After so many nanoseconds the helper node need not answer any more.
    pub(super) deadline_ns: Option<u64>,
}

/// What became of an image that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) fate: Fate,
    pub(super) transmission_ns: u64,
    pub(super) queued_ns: u64,
    pub(super) strong_ns: u64,
}

impl Sent {
    /// One that was not classified, which was known after so many nanoseconds.
    pub(super) fn in_vain(fate: Fate, transmission_ns: u64) -> Sent {
        Sent { fate, transmission_ns, queued_ns: 0, strong_ns: 0 }
    }

    /// Writes it down.
    pub(super) fn tell(self, step: &mut ImageStep) {
        let Sent { fate, transmission_ns, queued_ns, strong_ns } = self;
        step.fate = fate;
        step.stages = Stages { transmission_ns, queued_ns, strong_ns, ..step.stages };
    }
}

impl Way {
    /// Sends image number `image`, which is at `rank`. Dropping the future takes it back.
    ///
    /// # Errors
    /// If the helper node is gone, or does not keep to the protocol. A refusal is none.
    pub(super) fn send(
        &self,
        image: u64,
        rank: u32,
    ) -> impl Future<Output = Result<Sent, TrialError>> + Send + use<> {
        let Way { helper, connection, trial, image_bytes, deadline_ns, .. } = self.clone();
        let bytes = self.image(rank);
        let request = ImageRequest { trial, image, image_bytes: image_bytes as u64, deadline_ns };
        async move {
            let begun = Instant::now();
            let error = match offload_image(&connection, request, &bytes).await {
                Ok(offloaded) => return Ok(answered(&offloaded)),
                Err(OffloadError::Refused { code, .. }) => {
                    // It knows beforehand what the task node would find out by waiting.
                    let late = code == ComputeCode::DeadlineMissed;
                    let fate = if late { Fate::TimedOut } else { Fate::Refused(code as u32) };
                    return Ok(Sent::in_vain(fate, nanoseconds(begun)));
                }
                Err(OffloadError::Wire(error)) => error,
                Err(error) => WireError::Malformed(error.to_string()),
            };
            Err(TrialError::Helper { helper, error })
        }
    }

    /// What is sent for the image at `rank`.
    fn image(&self, rank: u32) -> Bytes {
        if self.images.len() == self.image_bytes {
            return self.images.clone();
        }
        let begin = rank as usize * self.image_bytes;
        self.images.slice(begin..begin + self.image_bytes)
    }
}

/// What is not of the helper node is of the way.
fn answered(offloaded: &Offloaded) -> Sent {
    let (queued_ns, strong_ns) = (offloaded.times.queued_ns, offloaded.times.served_ns);
    let all = u64::try_from(offloaded.done.as_nanos()).unwrap_or(u64::MAX);
    let transmission_ns = all.saturating_sub(queued_ns.saturating_add(strong_ns));
    Sent { fate: Fate::Answered, transmission_ns, queued_ns, strong_ns }
}

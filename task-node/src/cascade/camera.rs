//! The camera over QUIC in virtual time: images really travel, and each answer is waited for.

use std::time::Instant;

use fogbit_scenario::cascade::{Arrival, Fate, ImageStep};

use super::eye::Eye;
use super::trial::CascadeFog;
use super::way::Way;
use crate::steer::{Steer, nanoseconds};
use crate::trial::TrialError;

/// Others get a turn after so many images, sent or not.
const TURN: u64 = 256;

/// A camera whose helper node is somewhere else.
#[derive(Debug)]
pub(super) struct SlotCamera {
    eye: Eye,
    way: Way,
    begun: Instant,
    /// The helper node serves as long as its session lasts.
    _session: Steer,
}

impl SlotCamera {
    /// Before the first image.
    pub(super) fn new(eye: Eye, way: Way, session: Steer) -> SlotCamera {
        SlotCamera { eye, way, begun: Instant::now(), _session: session }
    }
}

impl CascadeFog for SlotCamera {
    async fn classify(&mut self, image: u64, arrival: &Arrival) -> Result<(f32, u64), TrialError> {
        if image.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        self.eye.see(arrival.rank)
    }

    async fn submit(&mut self, step: &mut ImageStep) -> Result<bool, TrialError> {
        if step.offloaded() {
            let sent = self.way.send(step.image, step.rank).await?;
            // In virtual time every image that is sent is answered: one is sent at a time.
            if sent.fate != Fate::Answered {
                let helper = self.way.helper.clone();
                return Err(TrialError::Unanswered { helper, image: step.image });
            }
            sent.tell(step);
        }
        Ok(true)
    }

    fn clock(&mut self) -> u64 {
        nanoseconds(self.begun)
    }
}

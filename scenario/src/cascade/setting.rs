//! What a policy may know beforehand.

use serde::{Deserialize, Serialize};

use super::bucket::TokenBucket;
use super::images::ImageTable;
use super::stream::{ArrivalProcess, RingWalk};

/// What a policy may know beforehand: images to learn from, how streams come about, and the bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Images to learn from, sorted by metric; those of a trial are others if the trace says so.
    pub images: ImageTable,
    /// How the metrics of streams come about; its number of images is that of `images`.
    pub walk: RingWalk,
    /// The number of images of the trials, in whose ranks [`Hidden::place`](super::Hidden) counts.
    pub trial_images: u32,
    /// How the gaps of streams come about.
    pub arrivals: ArrivalProcess,
    /// The bucket.
    pub bucket: TokenBucket,
}

impl Setting {
    /// The share of images for which tokens come: `r tau` with the mean gap tau, at most 1.
    pub fn affordable_share(&self) -> f64 {
        (self.bucket.rate() * self.arrivals.mean_gap()).min(1.0)
    }
}

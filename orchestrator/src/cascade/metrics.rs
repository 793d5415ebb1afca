//! What Prometheus is told of a trial of `cascade` (`docs/metrics.md`).

use crate::harness::{Label, Metric};

/// What becomes of images.
pub(super) const FATES: [&str; 4] = ["kept", "answered", "timed-out", "refused"];

pub(super) const IMAGES: Metric =
    Metric::counter("fogbit_images_total", "Images by what became of them").by(Label::Fate(&FATES));
pub(super) const WANTED: Metric =
    Metric::counter("fogbit_images_wanted_total", "Images that the policy wanted to send");
pub(super) const WASTED: Metric =
    Metric::counter("fogbit_tokens_wasted_total", "Tokens that came and found the bucket full")
        .from_first_value();
pub(super) const LOSS: Metric =
    Metric::gauge("fogbit_cumulative_loss", "Sum of the losses of all images under this seed");
pub(super) const AVERAGE_LOSS: Metric =
    Metric::gauge("fogbit_average_loss", "Loss an image under this seed");

/// All of them.
pub(super) const ALL: &[Metric] = &[IMAGES, WANTED, WASTED, LOSS, AVERAGE_LOSS];

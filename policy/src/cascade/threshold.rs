//! A fixed threshold on the metric: the Baseline of the paper, and, without the bucket, its lower
//! bound (section VI-A4).
//!
//! The threshold is the quantile of the metrics to learn from above which lie as many images as there
//! are tokens for. Many images may have just that metric, as those of which the weak classifier is
//! sure: to send them all would cost more tokens than come, and to keep them all would waste some. So
//! of the images at the threshold itself every so many-th is sent, in the order in which they come and
//! by no draw, such that the share of all images that is sent is the share that tokens allow. A
//! threshold that is given is taken as it is: all images that reach it are sent.

use fogbit_scenario::cascade::{Hidden, Setting, Sight};
use fogbit_scenario::topology::ThresholdCascade;

use super::CascadePolicy;

/// Sends an image if its metric is above the threshold, and a part of those that are at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdPolicy {
    threshold: f32,
    /// The share of images at the threshold that is sent.
    share_at: f64,
    /// How many of the images at the threshold are due, below 1 after each.
    due: f64,
    /// Whether it keeps to the bucket.
    bound: bool,
}

impl ThresholdPolicy {
    /// With the threshold of `spec`, or else the (1 - r tau) quantile of the setting's metrics, tau
    /// the mean gap. It keeps to the bucket if `bound`.
    pub fn new(spec: &ThresholdCascade, setting: &Setting, bound: bool) -> ThresholdPolicy {
        let (threshold, share_at) = match spec.threshold {
            Some(threshold) => (threshold as f32, 1.0),
            None => quantile(setting),
        };
        ThresholdPolicy { threshold, share_at, due: 0.0, bound }
    }

    /// The metric that decides, and the share of the images at it that is sent.
    pub fn threshold(&self) -> (f32, f64) {
        (self.threshold, self.share_at)
    }
}

/// The metric that is reached by as many images as there are tokens for, and the share of the images
/// at it that is sent.
fn quantile(setting: &Setting) -> (f32, f64) {
    let rows = setting.images.rows();
    let affordable = setting.affordable_share() * rows.len() as f64;
    // The image at which the tokens run out; a whole number of images ends with the last one sent.
    let last = (affordable.ceil() as usize).clamp(1, rows.len());
    let threshold = rows[rows.len() - last].metric;
    let below = rows.partition_point(|row| row.metric < threshold);
    let above = rows.len() - rows.partition_point(|row| row.metric <= threshold);
    let at = rows.len() - below - above;
    (threshold, ((affordable - above as f64) / at as f64).clamp(0.0, 1.0))
}

impl CascadePolicy for ThresholdPolicy {
    #[inline]
    fn decide(&mut self, sight: &Sight, _hidden: &Hidden) -> bool {
        if sight.metric != self.threshold {
            return sight.metric > self.threshold;
        }
        self.due += self.share_at;
        let sent = self.due >= 1.0;
        self.due -= f64::from(u8::from(sent));
        sent
    }

    fn ignores_bucket(&self) -> bool {
        !self.bound
    }
}

//! A fixed threshold on the metric: the Baseline of the paper, and, without the bucket, its lower
//! bound (section VI-A4).

use fogbit_scenario::cascade::{Hidden, Setting, Sight};
use fogbit_scenario::topology::ThresholdCascade;

use super::CascadePolicy;

/// Sends an image if its metric is at least the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdPolicy {
    threshold: f32,
    /// Whether it keeps to the bucket.
    bound: bool,
}

impl ThresholdPolicy {
    /// With the threshold of `spec`, or else the (1 - r tau) quantile of the setting's metrics, tau
    /// the mean gap. It keeps to the bucket if `bound`.
    pub fn new(spec: &ThresholdCascade, setting: &Setting, bound: bool) -> ThresholdPolicy {
        let threshold = match spec.threshold {
            Some(threshold) => threshold as f32,
            None => quantile(setting),
        };
        ThresholdPolicy { threshold, bound }
    }
}

/// The metric that is reached by as many images as there are tokens for.
fn quantile(setting: &Setting) -> f32 {
    let rows = setting.images.rows();
    let kept = (1.0 - setting.affordable_share()) * rows.len() as f64;
    let first = (kept.round() as usize).min(rows.len() - 1);
    rows[first].metric
}

impl CascadePolicy for ThresholdPolicy {
    fn decide(&mut self, sight: &Sight, _hidden: &Hidden) -> bool {
        sight.metric >= self.threshold
    }

    fn ignores_bucket(&self) -> bool {
        !self.bound
    }
}

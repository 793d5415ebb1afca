//! What sending the best share of images gains.

use fogbit_scenario::cascade::ImageTable;

/// A way to split images by a threshold on their metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    /// The lowest metric that is sent; infinite if none is.
    pub(super) threshold: f32,
    /// F, the share of images that is sent.
    pub(super) share: f64,
    /// G, what that gains for an image, whether it is sent or not.
    pub(super) gain: f64,
}

/// The splits that are best at some price of sending, by rising share.
///
/// At the price `theta` a split is worth `G - theta F`. The best one lies on the upper hull of the
/// points (F, G), where the slope falls below `theta`; with a calibrated metric all thresholds lie on
/// the hull, and the slopes are the metrics themselves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RewardCurve {
    splits: Vec<Split>,
    /// Slope from each split to the next one, falling.
    slopes: Vec<f64>,
}

impl RewardCurve {
    /// The curve of `images`, whose gain is their own reward, or else their metric.
    pub(super) fn new(images: &ImageTable, own_rewards: bool) -> RewardCurve {
        let rows = images.rows();
        let all = rows.len() as f64;
        let (mut splits, mut slopes) =
            (vec![Split { threshold: f32::INFINITY, share: 0.0, gain: 0.0 }], Vec::new());
        let (mut sum, mut end) = (0.0, rows.len());
        while end > 0 {
            // Images of one metric are sent together: a threshold cannot part them.
            let threshold = rows[end - 1].metric;
            let begin = rows[..end].partition_point(|row| row.metric < threshold);
            let gain = |row| if own_rewards { f64::from(row) } else { f64::from(threshold) };
            sum += rows[begin..end].iter().map(|row| gain(row.reward)).sum::<f64>();
            end = begin;
            let share = (rows.len() - end) as f64 / all;
            let next = Split { threshold, share, gain: sum / all };
            push_hull(&mut splits, &mut slopes, next);
        }
        RewardCurve { splits, slopes }
    }

    /// The number of the best split at the price `theta`, in O(log K).
    pub(super) fn best(&self, theta: f64) -> usize {
        self.slopes.partition_point(|slope| *slope > theta)
    }

    /// The split of this number.
    pub(super) fn split(&self, number: usize) -> &Split {
        &self.splits[number]
    }
}

/// Puts a point behind those of a hull, and takes away what then lies below it.
fn push_hull(splits: &mut Vec<Split>, slopes: &mut Vec<f64>, next: Split) {
    loop {
        let last = splits[splits.len() - 1];
        let slope = (next.gain - last.gain) / (next.share - last.share);
        match slopes.last() {
            Some(before) if *before <= slope => {
                slopes.pop();
                splits.pop();
            }
            _ => {
                slopes.push(slope);
                splits.push(next);
                return;
            }
        }
    }
}

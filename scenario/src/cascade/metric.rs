//! The offloading metric: what the entropy of the weak classifier leads to expect of sending an image.
//!
//! Section V-A of the paper, equation 6: a mean of the rewards of the images to learn from, in which
//! images of similar entropy count more (kernel regression after Nadaraya and Watson).

use serde::{Deserialize, Serialize};

/// Into how many bins of equal width the entropies are cut.
const BINS: usize = 1000;
/// Widths that are tried, as powers of 2 of the range of entropies.
const EXPONENTS: [f64; 9] = [-8.0, -7.5, -7.0, -6.5, -6.0, -5.5, -5.0, -4.5, -4.0];
/// Weights below `exp(-40)` of the largest one are left out: together they are less than the rounding
/// of the sum.
const FARTHEST: f64 = 40.0;

/// The same, of the weight of a sample that is there.
const WINDOW: f64 = 50.0;
/// With a sum of weights below this no sample is near, and all weights may round to 0.
const ENOUGH: f64 = 1e-3;

/// An image to learn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntropySample {
    /// Entropy of what the weak classifier says, in nats.
    pub entropy: f64,
    /// Loss of the weak minus loss of the strong classifier.
    pub reward: f64,
}

/// The metric as a function of entropy: a straight line within each bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricCurve {
    /// The least and the largest entropy; beyond them the curve is level.
    pub range: [f64; 2],
    /// Width of the kernel, in nats.
    pub width: f64,
    /// The metric at the edges of the bins, from the least entropy to the largest; a single one where
    /// all entropies are equal.
    pub values: Vec<f64>,
}

impl MetricCurve {
    /// Fits the metric to `samples`, in any order.
    ///
    /// The kernel is `exp(-(dh/w)^2)`. Its width w is that of nine, from 2^-8 to 2^-4 of the range of
    /// entropies, by which either half of the samples predicts the rewards of the other best, in mean
    /// squares; the halves are the even and the odd ones by entropy.
    ///
    /// # Panics
    /// If there is no sample, or a number is not finite.
    pub fn fit(samples: &[EntropySample]) -> MetricCurve {
        assert!(!samples.is_empty(), "a metric is fitted to something");
        let mut sorted = samples.to_vec();
        sorted.sort_by(|a, b| {
            let finite = "entropies and rewards are finite";
            let by_entropy = a.entropy.partial_cmp(&b.entropy).expect(finite);
            by_entropy.then(a.reward.partial_cmp(&b.reward).expect(finite))
        });
        let range = [sorted[0].entropy, sorted[sorted.len() - 1].entropy];
        if range[0] == range[1] {
            let sum: f64 = sorted.iter().map(|sample| sample.reward).sum();
            return MetricCurve { range, width: 0.0, values: vec![sum / sorted.len() as f64] };
        }
        let half = |first| sorted.iter().skip(first).step_by(2).copied().collect::<Vec<_>>();
        let halves = [half(0), half(1)];
        let error = |width: f64| {
            let [even, odd] = &halves;
            smooth(even, range, width).squared_error(odd)
                + smooth(odd, range, width).squared_error(even)
        };
        let widths = EXPONENTS.map(|exponent| (range[1] - range[0]) * libm::exp2(exponent));
        let mut best = (f64::INFINITY, widths[0]);
        for width in widths {
            let error = error(width);
            // Of widths that are equally good, the larger.
            if error <= best.0 {
                best = (error, width);
            }
        }
        smooth(&sorted, range, best.1)
    }

    /// The metric of an image with this entropy.
    pub fn at(&self, entropy: f64) -> f64 {
        let [low, high] = self.range;
        let bins = self.values.len() - 1;
        if bins == 0 || entropy <= low {
            return self.values[0];
        }
        let place = (entropy - low) / (high - low) * bins as f64;
        let bin = (place as usize).min(bins - 1);
        let share = (place - bin as f64).min(1.0);
        self.values[bin] + share * (self.values[bin + 1] - self.values[bin])
    }

    fn squared_error(&self, samples: &[EntropySample]) -> f64 {
        let squares = samples.iter().map(|sample| {
            let error = self.at(sample.entropy) - sample.reward;
            error * error
        });
        squares.sum()
    }
}

/// The curve of `samples`, sorted by entropy, with a kernel of this width.
///
/// For a sample at r from the nearest edge, the weight at the k-th edge from there is
/// `exp(-r^2/w^2) exp(2 r d/w^2)^k exp(-k^2 d^2/w^2)`, d being the width of a bin: a product in place of
/// an exponential for each edge.
fn smooth(samples: &[EntropySample], range: [f64; 2], width: f64) -> MetricCurve {
    let [low, high] = range;
    let bin = (high - low) / BINS as f64;
    let reach = ((WINDOW.sqrt() * width / bin) as usize + 1).min(BINS);
    let square = |distance: f64| distance * distance / (width * width);
    let table: Vec<f64> = (0..=reach).map(|k| libm::exp(-square(k as f64 * bin))).collect();
    let mut sums = vec![(0.0, 0.0); BINS + 1];
    for sample in samples {
        let place = (sample.entropy - low) / bin;
        let nearest = ((place + 0.5) as usize).min(BINS);
        let off = (place - nearest as f64) * bin;
        let first = libm::exp(-square(off));
        let step = 2.0 * off * bin / (width * width);
        let (before, after) = sums.split_at_mut(nearest);
        add(after.iter_mut().zip(&table), first, libm::exp(step), sample.reward);
        let back = libm::exp(-step);
        add(before.iter_mut().rev().zip(&table[1..]), first * back, back, sample.reward);
    }
    let value = |(index, (weights, sum)): (usize, &(f64, f64))| {
        if *weights >= ENOUGH {
            sum / weights
        } else {
            expected(samples, low + (high - low) * (index as f64 / BINS as f64), width)
        }
    };
    MetricCurve { range, width, values: sums.iter().enumerate().map(value).collect() }
}

/// Adds a sample to the sums of weights and of weighted rewards at the edges on one side of it.
fn add<'s>(
    edges: impl Iterator<Item = (&'s mut (f64, f64), &'s f64)>,
    first: f64,
    factor: f64,
    reward: f64,
) {
    let mut power = first;
    for ((weights, sum), fall) in edges {
        let weight = power * fall;
        *weights += weight;
        *sum += weight * reward;
        power *= factor;
    }
}

/// The mean of rewards, weighted by the distance of their entropies from `entropy`.
///
/// Weights are relative to that of the nearest sample, so that there is one however far that is. This is
/// the plain way, for edges in gaps.
fn expected(samples: &[EntropySample], entropy: f64, width: f64) -> f64 {
    let after = samples.partition_point(|sample| sample.entropy < entropy);
    let square = |sample: &EntropySample| {
        let distance = (sample.entropy - entropy) / width;
        distance * distance
    };
    let nearest = samples[after.saturating_sub(1)..].iter().take(2);
    let least = nearest.map(square).fold(f64::INFINITY, f64::min);
    let reach = width * (least + FARTHEST).sqrt();
    let first = samples.partition_point(|sample| sample.entropy < entropy - reach);
    let end = samples.partition_point(|sample| sample.entropy <= entropy + reach);
    let (mut weights, mut sum) = (0.0, 0.0);
    for sample in &samples[first..end] {
        let weight = libm::exp(least - square(sample));
        weights += weight;
        sum += weight * sample.reward;
    }
    sum / weights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(pairs: &[(f64, f64)]) -> MetricCurve {
        let samples: Vec<_> = pairs
            .iter()
            .map(|(entropy, reward)| EntropySample { entropy: *entropy, reward: *reward });
        MetricCurve::fit(&samples.collect::<Vec<_>>())
    }

    #[test]
    fn one_entropy_has_the_mean_reward() {
        let curve = curve(&[(0.5, 1.0), (0.5, 0.0), (0.5, 0.5), (0.5, -0.5)]);
        assert_eq!((curve.at(0.0), curve.at(0.5), curve.at(9.0)), (0.25, 0.25, 0.25));
    }
}

//! The ring of images, cut into places: what a place says of the next metric, and what a metric says
//! of the place.

use fogbit_scenario::cascade::{ImageRow, Setting};

/// Places, times levels, times states of the arrivals, beyond which there are fewer places.
const MOST_STATES: usize = 1 << 22;
/// The fewest places.
const FEWEST: usize = 8;

/// The ring of the K images to learn from, cut into places of nearly equal length. Within a place the
/// walk is anywhere with equal probability, and an image up to `width` ranks beyond.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring {
    metrics: Vec<f32>,
    /// K.
    images: usize,
    /// `floor(spread K)`.
    width: usize,
    /// The first rank of each place, and K.
    starts: Vec<usize>,
    /// `sums[x]`: sum of the metrics of ranks below x.
    sums: Vec<f64>,
    /// `sums_of_sums[x]`: sum of `sums[y]` over y below x.
    sums_of_sums: Vec<f64>,
}

impl Ring {
    /// The ring of `setting` in `places` places. One is enough where images come independently, and
    /// more than there are images make no sense; where the bucket has so many levels that values would
    /// not fit into memory, there are fewer.
    pub(super) fn new(setting: &Setting, places: u32) -> Ring {
        let rows = setting.images.rows();
        let images = rows.len();
        let levels = 2 * (setting.bucket.depth as usize + 1);
        let most = images.min((MOST_STATES / levels).max(FEWEST));
        let places =
            if setting.walk.is_independent() { 1 } else { (places as usize).clamp(1, most) };
        // So that rank p is in place floor(p places / K).
        let starts = (0..=places).map(|place| (place * images).div_ceil(places)).collect();
        let sums = running(rows.iter().map(|row| f64::from(row.metric)));
        let sums_of_sums = running(sums.iter().copied());
        let width = setting.walk.width as usize;
        let metrics = rows.iter().map(|row: &ImageRow| row.metric).collect();
        Ring { metrics, images, width, starts, sums, sums_of_sums }
    }

    pub(super) fn places(&self) -> usize {
        self.starts.len() - 1
    }

    /// The place of a share of the ring: `rank` out of `images`, which may be those of another table.
    #[inline]
    pub(super) fn place_of(&self, rank: u32, images: u32) -> usize {
        (u64::from(rank) * self.places() as u64 / u64::from(images)) as usize
    }

    /// The share of the ring that each place is.
    pub(super) fn shares(&self) -> Vec<f64> {
        self.starts.windows(2).map(|w| (w[1] - w[0]) as f64 / self.images as f64).collect()
    }

    /// The first rank whose metric is above `theta`.
    pub(super) fn first_above(&self, theta: f64) -> usize {
        self.metrics.partition_point(|metric| f64::from(*metric) <= theta)
    }

    /// The ranks from `first` on, as the next image of `place`: F, the probability that it is one of
    /// them, and G, the mean over all next images of their metrics.
    ///
    /// With S(x) the sum over ranks below x, the images beyond p sum to S(p + width + 1) - S(p), and
    /// those beyond all p of a place to a difference of sums of S.
    pub(super) fn gain(&self, place: usize, first: usize) -> (f64, f64) {
        let (start, end) = (self.starts[place], self.starts[place + 1]);
        let step = self.width + 1;
        let outcomes = (end - start) as f64 * step as f64;
        let beyond = |sum: &dyn Fn(usize) -> f64| {
            (sum(end + step) - sum(start + step) - (sum(end) - sum(start))) / outcomes
        };
        (beyond(&|x| self.counted(first, x)), beyond(&|x| self.summed(first, x)))
    }

    /// Sum over y below x of the number of ranks from `first` to y, on the ring unrolled twice.
    fn counted(&self, first: usize, x: usize) -> f64 {
        let once = |x: usize| {
            let ranks = x.saturating_sub(first) as f64;
            ranks * (ranks - 1.0).max(0.0) / 2.0
        };
        self.unrolled(x, (self.images - first) as f64, once)
    }

    /// Sum over y below x of the sum of the metrics of ranks from `first` to y.
    fn summed(&self, first: usize, x: usize) -> f64 {
        let (whole, before) = (self.sums[self.images], self.sums[first]);
        let once = |x: usize| {
            let beyond = x.max(first);
            let sums = self.sums_of_sums[beyond] - self.sums_of_sums[first];
            sums - (beyond - first) as f64 * before
        };
        self.unrolled(x, whole - before, once)
    }

    /// `once` for x up to K, and on the second round what the first one summed to for each y.
    fn unrolled(&self, x: usize, whole: f64, once: impl Fn(usize) -> f64) -> f64 {
        let again = x.saturating_sub(self.images);
        let first = once(x - again);
        if again == 0 { first } else { first + again as f64 * whole + once(again) }
    }

    /// The ranks that an image with this metric may have: all that share it, or, for a metric that was
    /// not there to learn from, those around it, as far as a table of K other images may be off (half
    /// a root of K is the largest standard deviation of a rank, at the median).
    #[inline]
    pub(super) fn ranks(&self, metric: f32) -> std::ops::Range<usize> {
        let begin = self.metrics.partition_point(|known| *known < metric);
        let mut end = begin;
        // Ties are rare in most traces, and thousands of images in others.
        if self.metrics.get(begin) == Some(&metric) {
            end += 1;
            if self.metrics.get(end) == Some(&metric) {
                end += self.metrics[end..].partition_point(|known| *known <= metric);
            }
        }
        if begin < end {
            return begin..end;
        }
        let off = ((self.images as f64).sqrt() / 2.0) as usize + 1;
        begin.saturating_sub(off)..(begin + off).min(self.images)
    }

    /// Bounds for [`likelihoods`](Self::likelihoods): the first rank of each place and K, and what
    /// lies a window and a rank beyond.
    pub(super) fn bounds(&self) -> [Vec<f64>; 2] {
        let shifted = |by: usize| self.starts.iter().map(|start| (start + by) as f64).collect();
        [shifted(0), shifted(self.width + 1)]
    }

    /// Writes the probability, times `width + 1` and the number of ranks of the place, that the next
    /// image of each place has one of the `ranks`; `scratch` is one longer than `out`.
    ///
    /// The same sums as in [`gain`](Self::gain), without branches: a processor does several at once.
    pub(super) fn likelihoods(
        &self,
        bounds: &[Vec<f64>; 2],
        ranks: &std::ops::Range<usize>,
        scratch: &mut [f64],
        out: &mut [f64],
    ) {
        let (begin, end, round) = (ranks.start as f64, ranks.end as f64, self.images as f64);
        // Sum over y below x of the ranks from 0 to y.
        let ramp = |x: f64| {
            let x = x.max(0.0);
            x * (x - 1.0)
        };
        let sum = |x: f64| {
            let first = ramp(x - begin) - ramp(x - end);
            0.5 * (first + ramp(x - begin - round) - ramp(x - end - round))
        };
        for ((scratch, start), beyond) in scratch.iter_mut().zip(&bounds[0]).zip(&bounds[1]) {
            *scratch = sum(*beyond) - sum(*start);
        }
        for (place, out) in out.iter_mut().enumerate() {
            *out = scratch[place + 1] - scratch[place];
        }
    }
}

/// Running sums, from 0 on: one longer than what is summed.
fn running(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let sums = values.scan(0.0, |sum, value| {
        *sum += value;
        Some(*sum)
    });
    std::iter::once(0.0).chain(sums).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::setting;
    use super::*;

    /// Against all outcomes one by one, with ties, and with windows that reach around the ring.
    #[test]
    fn gains_and_likelihoods_count_outcomes() {
        let metrics = [0.1, 0.2, 0.2, 0.2, 0.3, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9];
        for (spread, places) in [(0.0, 11), (0.0, 4), (0.3, 4), (0.3, 11), (0.95, 3), (0.6, 1)] {
            let setting = setting(&metrics, spread, 0.1, 2.0);
            let ring = Ring::new(&setting, places);
            let (count, step) = (metrics.len(), setting.walk.width as usize + 1);
            let bounds = ring.bounds();
            let mut scratch = vec![0.0; ring.places() + 1];
            let mut likelihoods = vec![0.0; ring.places()];
            for place in 0..ring.places() {
                let outcomes: Vec<usize> = (0..count)
                    .filter(|rank| ring.place_of(*rank as u32, count as u32) == place)
                    .flat_map(|rank| (0..step).map(move |beyond| (rank + beyond) % count))
                    .collect();
                for first in 0..=count {
                    let sent = outcomes.iter().filter(|rank| **rank >= first);
                    let gain: f64 = sent.clone().map(|rank| f64::from(metrics[*rank])).sum();
                    let (share, mean) = ring.gain(place, first);
                    let all = outcomes.len() as f64;
                    assert!((share - sent.count() as f64 / all).abs() < 1e-12, "{place} {first}");
                    assert!((mean - gain / all).abs() < 1e-12, "{place} {first}");
                }
                for metric in metrics {
                    let known = outcomes.iter().filter(|rank| metrics[**rank] == metric).count();
                    ring.likelihoods(&bounds, &ring.ranks(metric), &mut scratch, &mut likelihoods);
                    assert!((likelihoods[place] - known as f64).abs() < 1e-9, "{place} {metric}");
                }
            }
        }
    }
}

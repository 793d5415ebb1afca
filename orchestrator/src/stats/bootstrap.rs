//! The bootstrap interval of a mean, which does not ask for normal values.
//!
//! Seeds are drawn anew from the seeds there are, with replacement; the means of many such
//! **resamples** show how the mean scatters. The interval is BCa (bias-corrected and accelerated):
//! B. Efron, Journal of the American Statistical Association 82 (1987) 171-185; B. Efron and R. J.
//! Tibshirani, An Introduction to the Bootstrap (1993), section 14.3.
//!
//! The draws are keyed, so the interval is a function of the values alone: those of the stream with
//! the label `stats.bootstrap`, seed 0 and node 0 (`docs/determinism.md`). Its 64-bit draws from
//! number 1 on are read as 32-bit words, the low half first; word `r n + i` (from 0) says which of
//! the n values stands at place i of resample r: the upper half of the 64-bit product `word * n`.

use fogbit_scenario::draw::{Key, Purpose, Stream, inverse_normal, normal_cdf};

use super::{Interval, Running, quantile};

/// Resamples, unless there are so many values that their means are normal anyway.
pub const RESAMPLES: usize = 10_000;
/// Resamples where there are very many values.
const FEWEST: usize = 1_000;
/// Draws that are made for one interval, as long as there are [`FEWEST`] resamples.
const WORK: usize = 20_000_000;

/// How many resamples are drawn of `n` values: [`RESAMPLES`] of up to 2,000, and from there on
/// 20,000,000 / n, but at least 1,000.
pub fn resamples(n: usize) -> usize {
    (WORK / n.max(1)).clamp(FEWEST, RESAMPLES)
}

/// The 95 % BCa interval of the mean of at least one independent value. With one value it has no
/// ends. For a paired interval, give the differences.
///
/// Of fewer than ten values or so every bootstrap interval is too narrow; Student's is the better
/// one there.
pub fn interval(values: &[f64]) -> Interval {
    let mean = Running::of(values).mean;
    if values.len() < 2 {
        return Interval { mean, low: None, high: None };
    }
    let (low, high) = bca(values, &mut means(values, resamples(values.len())), mean);
    Interval { mean, low: Some(low), high: Some(high) }
}

/// The means of `count` resamples, in the order of the resamples.
///
/// How often each value stands in a resample is counted first and the sum runs over the values in
/// their order: a resample that holds each once has exactly the sum of the values.
pub fn means(values: &[f64], count: usize) -> Vec<f64> {
    let n = values.len();
    let mut words = Words::new();
    let mut times = vec![0u32; n];
    (0..count)
        .map(|_| {
            times.fill(0);
            for _ in 0..n {
                times[((words.word() * n as u64) >> 32) as usize] += 1;
            }
            weighted_sum(values, &times) / n as f64
        })
        .collect()
}

fn weighted_sum(values: &[f64], times: &[u32]) -> f64 {
    values.iter().zip(times).fold(0.0, |sum, (value, times)| sum + value * f64::from(*times))
}

/// The stream of the bootstrap as 32-bit words.
#[derive(Debug)]
struct Words {
    stream: Stream,
    /// Number of the next word, from 0.
    next: u64,
    /// The half of the last draw that is not used yet.
    high: u64,
}

impl Words {
    fn new() -> Words {
        let key = Key::derive(0, Purpose::Bootstrap, 0);
        Words { stream: Stream::new(&key), next: 0, high: 0 }
    }

    #[inline]
    fn word(&mut self) -> u64 {
        let word = if self.next.is_multiple_of(2) {
            let draw = self.stream.at(self.next / 2 + 1);
            self.high = draw >> 32;
            draw & 0xFFFF_FFFF
        } else {
            self.high
        };
        self.next += 1;
        word
    }
}

/// Draws values anew, for statistics that are no means: the same words in the same order.
#[derive(Debug)]
pub struct Resampler(Words);

impl Default for Resampler {
    fn default() -> Resampler {
        Resampler(Words::new())
    }
}

impl Resampler {
    /// As many of `values` as there are, with replacement, into `drawn`.
    pub fn draw(&mut self, values: &[f64], drawn: &mut Vec<f64>) {
        let n = values.len() as u64;
        drawn.clear();
        drawn.extend(values.iter().map(|_| values[((self.0.word() * n) >> 32) as usize]));
    }
}

/// The BCa limits. The bias `z0` comes from the share of resampled means below the mean, where those
/// equal to it count half; the acceleration `a` from the jackknife, which for a mean is
/// `sum d^3 / (6 (sum d^2)^1.5)` over the deviations d from it. The limits are the quantiles
/// `Phi(z0 + (z0 + z) / (1 - a (z0 + z)))` of the resampled means, for z at 2.5 % and 97.5 %.
fn bca(values: &[f64], means: &mut [f64], mean: f64) -> (f64, f64) {
    let (squares, cubes) = values.iter().fold((0.0, 0.0), |(squares, cubes), value| {
        let d = value - mean;
        (squares + d * d, cubes + d * d * d)
    });
    if squares == 0.0 {
        return (mean, mean);
    }
    let acceleration = cubes / (6.0 * squares * squares.sqrt());
    // Not `mean`, which is summed in another way.
    let whole = weighted_sum(values, &vec![1; values.len()]) / values.len() as f64;
    let below = means.iter().filter(|m| **m < whole).count();
    let equal = means.iter().filter(|m| **m == whole).count();
    let share = (below as f64 + 0.5 * equal as f64) / means.len() as f64;
    // Neither is ever 0 or 1 where there is any spread, but for a run of luck.
    let half = 0.5 / means.len() as f64;
    let bias = inverse_normal(share.clamp(half, 1.0 - half));
    means.sort_unstable_by(f64::total_cmp);
    let limit = |tail: f64| {
        let z = bias + inverse_normal(tail);
        quantile(means, normal_cdf(bias + z / (1.0 - acceleration * z)))
    };
    (limit(0.025), limit(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fewer_resamples_of_many_values() {
        let counts =
            [(1, 10_000), (2_000, 10_000), (4_000, 5_000), (20_000, 1_000), (1 << 20, 1_000)];
        for (n, count) in counts {
            assert_eq!(resamples(n), count, "{n}");
        }
    }

    #[test]
    fn no_spread_no_width() {
        let none = Interval { mean: 3.0, low: None, high: None };
        assert_eq!(interval(&[3.0]), none);
        assert_eq!(
            interval(&[3.0, 3.0, 3.0]),
            Interval { low: Some(3.0), high: Some(3.0), ..none }
        );
    }

    /// Half of all resamples of two values hold both, and have their mean to the last bit.
    #[test]
    fn a_permutation_is_the_sample() {
        let values = [0.1, 0.7];
        let mean = (0.1 + 0.7) / 2.0;
        let same = means(&values, 4000).iter().filter(|m| **m == mean).count();
        assert!((1850..2150).contains(&same), "{same}");
    }

    /// On average, over many samples, the interval holds the truth nearly as often as it says.
    #[test]
    fn it_covers_what_it_says() {
        let mut draws = Stream::new(&Key::derive(7, Purpose::Feedback, 3));
        let mut slot = 0;
        let mut held = 0;
        for _ in 0..300 {
            let values: Vec<f64> = (0..40)
                .map(|_| {
                    slot += 1;
                    draws.normal(slot)
                })
                .collect();
            let Interval { low, high, .. } = interval(&values);
            held += u32::from(low.unwrap() < 0.0 && high.unwrap() > 0.0);
        }
        // 93.5 % of 300, give or take four standard deviations.
        assert!((263..298).contains(&held), "{held} of 300");
    }
}

//! Values whose quantiles are wanted, in bounded memory.

use serde::{Deserialize, Serialize};

use super::{Running, quantile};

/// No more values than this are kept of one sample.
pub const MOST_KEPT: usize = 1 << 17;

/// Mean of all values, and as many values as tell their quantiles. All are kept up to
/// [`MOST_KEPT`]; of more than that every second, every fourth, and so on: at least half as many,
/// evenly spread, whose quantile p has a standard error in rank of at most
/// `sqrt(p (1 - p) / 65,536)`, 0.04 percentage points at p = 0.99.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    running: Running,
    least: f64,
    most: f64,
    kept: Thinned<f64>,
}

impl Sample {
    /// One more value.
    pub fn add(&mut self, value: f64) {
        if self.running.n == 0 {
            (self.least, self.most) = (value, value);
        }
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        self.running.add(value);
        self.kept.add(value);
    }

    /// All values of another sample, after these.
    pub fn merge(&mut self, other: &Sample) {
        if other.running.n == 0 {
            return;
        }
        if self.running.n == 0 {
            (self.least, self.most) = (other.least, other.most);
        }
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.running.merge(&other.running);
        self.kept.merge(&other.kept);
    }

    /// Mean and deviation of all values.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// These quantiles, in their order; none where there are no values.
    pub fn quantiles(&self, wanted: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut values = self.kept.values.clone();
        values.sort_unstable_by(f64::total_cmp);
        match values.is_empty() {
            true => Vec::new(),
            false => wanted.map(|p| quantile(&values, p)).collect(),
        }
    }

    /// What the values are like; none where there is none.
    pub fn distribution(&self) -> Option<Distribution> {
        if self.running.n == 0 {
            return None;
        }
        let mut values = self.kept.values.clone();
        values.sort_unstable_by(f64::total_cmp);
        let at = |p| quantile(&values, p);
        Some(Distribution {
            count: self.running.n,
            mean: self.running.mean,
            min: self.least,
            p5: at(0.05),
            p25: at(0.25),
            p50: at(0.5),
            p75: at(0.75),
            p95: at(0.95),
            p99: at(0.99),
            max: self.most,
        })
    }
}

/// How values are spread: quantiles by definition 7 of Hyndman and Fan, as everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many values.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The least.
    pub min: f64,
    /// 5 % are below.
    pub p5: f64,
    /// A quarter is below.
    pub p25: f64,
    /// The median.
    pub p50: f64,
    /// Three quarters are below.
    pub p75: f64,
    /// 95 % are below.
    pub p95: f64,
    /// 99 % are below.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// Values in their order, every `stride`-th of them, a power of two that doubles when they become
/// too many.
#[derive(Debug, Clone, PartialEq)]
pub struct Thinned<T> {
    values: Vec<T>,
    stride: u64,
    /// Values to come before the next that is kept.
    skip: u64,
    most: usize,
}

impl<T: Copy> Default for Thinned<T> {
    fn default() -> Thinned<T> {
        Thinned::at_most(MOST_KEPT)
    }
}

impl<T: Copy> Thinned<T> {
    /// At most so many, an even number.
    pub fn at_most(most: usize) -> Thinned<T> {
        Thinned { values: Vec::new(), stride: 1, skip: 0, most }
    }

    /// One more value.
    pub fn add(&mut self, value: T) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        if self.values.len() == self.most {
            self.halve();
        }
        self.values.push(value);
        self.skip = self.stride - 1;
    }

    /// Those of another, after these, thinned alike.
    pub fn merge(&mut self, other: &Thinned<T>) {
        let mut other = other.clone();
        while self.stride < other.stride {
            self.halve();
        }
        while other.stride < self.stride {
            other.halve();
        }
        while self.values.len() + other.values.len() > self.most {
            self.halve();
            other.halve();
        }
        self.values.append(&mut other.values);
        self.skip = other.skip;
    }

    /// What is kept.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    fn halve(&mut self) {
        let mut index = 0;
        self.values.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.stride *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_all_kept() {
        let mut sample = Sample::default();
        assert_eq!(sample.distribution(), None);
        for value in [4.0, 1.0, 3.0, 2.0, 5.0] {
            sample.add(value);
        }
        // numpy.quantile([1, 2, 3, 4, 5], [.05, .25, .5, .75, .95, .99])
        let right = Distribution {
            count: 5,
            mean: 3.0,
            min: 1.0,
            p5: 1.2,
            p25: 2.0,
            p50: 3.0,
            p75: 4.0,
            p95: 4.8,
            p99: 4.96,
            max: 5.0,
        };
        let found = sample.distribution().unwrap();
        assert_eq!((found.count, found.min, found.max), (5, 1.0, 5.0));
        for (a, b) in [
            (found.mean, right.mean),
            (found.p5, right.p5),
            (found.p25, right.p25),
            (found.p50, right.p50),
            (found.p75, right.p75),
            (found.p95, right.p95),
            (found.p99, right.p99),
        ] {
            assert!((a - b).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let values: Vec<f64> = (0..100).map(|i| f64::from((i * 37) % 101)).collect();
        let mut whole = Sample::default();
        let mut merged = Sample::default();
        values.iter().for_each(|v| whole.add(*v));
        for part in values.chunks(33) {
            let mut sample = Sample::default();
            part.iter().for_each(|v| sample.add(*v));
            merged.merge(&sample);
        }
        let (a, b) = (whole.distribution().unwrap(), merged.distribution().unwrap());
        assert_eq!((a.count, a.p5, a.p50, a.p99, a.max), (b.count, b.p5, b.p50, b.p99, b.max));
        assert!((a.mean - b.mean).abs() < 1e-12);
    }

    #[test]
    fn many_values_are_thinned_evenly() {
        let mut thinned = Thinned::at_most(8);
        (0..100).for_each(|i| thinned.add(i));
        assert_eq!(thinned.values(), [0, 16, 32, 48, 64, 80, 96]);
        let mut one = Thinned::at_most(8);
        (0..6).for_each(|i| one.add(i));
        let mut other = Thinned::at_most(8);
        (10..19).for_each(|i| other.add(i));
        one.merge(&other);
        assert_eq!(one.values(), [0, 2, 4, 10, 12, 14, 16, 18]);
    }

    /// Of a million values the quantiles are those of the values, near enough.
    #[test]
    fn quantiles_of_many_values_are_near() {
        let mut sample = Sample::default();
        // A full period of a multiplicative generator: each of 1 .. 1,000,002 once.
        let mut value = 1u64;
        for _ in 0..1_000_002 {
            value = value * 2 % 1_000_003;
            sample.add(value as f64);
        }
        let found = sample.distribution().unwrap();
        for (p, value) in [(0.05, found.p5), (0.5, found.p50), (0.95, found.p95), (0.99, found.p99)]
        {
            assert!((value / 1_000_003.0 - p).abs() < 0.004, "{p}: {found:?}");
        }
        assert!(sample.kept.values().len() <= MOST_KEPT);
    }
}

//! How late packets are sent against their schedule.

use serde::{Deserialize, Serialize};

/// The first bucket holds everything below this many nanoseconds (2^10).
const FIRST_BITS: u32 = 10;
/// Buckets for each doubling.
const PER_OCTAVE: usize = 4;
/// Doublings that have buckets: up to 2^35 ns, 34 s; the last bucket holds everything beyond too.
const OCTAVES: usize = 25;
const BUCKETS: usize = 1 + OCTAVES * PER_OCTAVE;

/// A histogram of times in nanoseconds. Buckets grow by a quarter of a power of two, so a quantile is
/// at most 25 % too high; its size is fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lateness {
    counts: Vec<u64>,
    sum_ns: u64,
    max_ns: u64,
}

impl Default for Lateness {
    fn default() -> Lateness {
        Lateness { counts: vec![0; BUCKETS], sum_ns: 0, max_ns: 0 }
    }
}

impl Lateness {
    /// Adds `times` times the same value; allocates nothing.
    pub fn record(&mut self, ns: u64, times: u64) {
        if let Some(count) = self.counts.get_mut(bucket(ns)) {
            *count += times;
            self.sum_ns = self.sum_ns.saturating_add(ns.saturating_mul(times));
            self.max_ns = self.max_ns.max(ns);
        }
    }

    /// Values recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Sum of all values in nanoseconds.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// The largest value in nanoseconds; 0 without any.
    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// An upper limit in nanoseconds of the smallest value that at least the share `q` (0 to 1) of
    /// all values does not exceed; `None` without any.
    pub fn quantile_ns(&self, q: f64) -> Option<u64> {
        let count = self.count();
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let reaches = |counted: &u64| {
            seen += counted;
            seen >= rank
        };
        let index = self.counts.iter().position(reaches)?;
        Some(limit(index).min(self.max_ns))
    }

    /// The buckets, as (upper limit in nanoseconds, values in it), in ascending order. The last has no
    /// upper limit but the largest value.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts.iter().enumerate().map(|(index, count)| (limit(index), *count))
    }

    /// What was recorded since it was `earlier`. The largest value of that part is not known: the
    /// upper limit of its bucket stands for it.
    pub fn since(&self, earlier: &Lateness) -> Lateness {
        let parts = self.counts.iter().zip(&earlier.counts);
        let counts: Vec<u64> = parts.map(|(now, then)| now.saturating_sub(*then)).collect();
        let last = counts.iter().rposition(|count| *count > 0);
        let max_ns = last.map_or(0, |index| limit(index).min(self.max_ns));
        Lateness { counts, sum_ns: self.sum_ns.saturating_sub(earlier.sum_ns), max_ns }
    }

    /// Adds all that `other` has recorded.
    pub fn add(&mut self, other: &Lateness) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

fn bucket(ns: u64) -> usize {
    let bits = ns.checked_ilog2().unwrap_or(0);
    if bits < FIRST_BITS {
        return 0;
    }
    // The two bits after the first tell the quarter.
    let quarter = (ns >> (bits - 2)) as usize % PER_OCTAVE;
    (1 + (bits - FIRST_BITS) as usize * PER_OCTAVE + quarter).min(BUCKETS - 1)
}

/// The smallest value beyond bucket `index`.
fn limit(index: usize) -> u64 {
    let (octave, quarter) = (index / PER_OCTAVE, index % PER_OCTAVE);
    (1 << (FIRST_BITS as usize + octave)) / PER_OCTAVE as u64 * (PER_OCTAVE + quarter) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_below_the_limit_of_its_bucket_and_not_below_that_of_the_one_before() {
        let edges = (10..36).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits, (5 << bits) / 4]);
        for ns in edges.chain([0, 1, 1023, 1_000_000, 33_333_333]) {
            let index = bucket(ns);
            if index + 1 < BUCKETS {
                assert!(ns < limit(index), "{ns}: {index} ends at {}", limit(index));
            }
            assert!(index == 0 || ns >= limit(index - 1), "{ns}: {index}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_at_most_a_quarter_too_high() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.quantile_ns(0.5), None);
        for ns in 1..=100_000 {
            lateness.record(ns, 2);
        }
        assert_eq!(lateness.count(), 200_000);
        assert_eq!(lateness.sum_ns(), 100_000 * 100_001);
        for (q, want) in [(0.1, 10_000), (0.5, 50_000), (0.9, 90_000), (1.0, 100_000)] {
            let got = lateness.quantile_ns(q).unwrap();
            assert!((want..=want + want / 4).contains(&got), "{q}: {got}");
        }
    }
}

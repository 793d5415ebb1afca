//! What describes one list of values: mean, deviation, quantiles.

use serde::{Deserialize, Serialize};

/// Mean, standard deviation and median over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanSd {
    /// Mean.
    pub mean: f64,
    /// Standard deviation (n - 1 in the denominator); none with one seed.
    pub sd: Option<f64>,
    /// Median; none where only mean and deviation are known.
    #[serde(default)]
    pub median: Option<f64>,
}

impl MeanSd {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> MeanSd {
        let running = Running::of(values);
        MeanSd { mean: running.mean, sd: running.sd(), median: Some(median(values)) }
    }

    /// Where the values themselves are not known.
    pub fn without_median(mean: f64, sd: Option<f64>) -> MeanSd {
        MeanSd { mean, sd, median: None }
    }
}

/// Mean and deviation of values that come one by one: Welford's method (B. P. Welford,
/// Technometrics 4 (1962) 419-420).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Running {
    /// How many.
    pub n: u64,
    /// Their mean; 0 where there are none.
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    pub squares: f64,
}

impl Running {
    /// Of values that are all there, in their order.
    pub fn of(values: &[f64]) -> Running {
        let mut running = Running::default();
        for value in values {
            running.add(*value);
        }
        running
    }

    /// One more value.
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        let before = value - self.mean;
        self.mean += before / self.n as f64;
        self.squares += before * (value - self.mean);
    }

    /// All values of another one, as if they had been added here: T. F. Chan, G. H. Golub and R. J.
    /// LeVeque, The American Statistician 37 (1983) 242-247, equations (1.5).
    ///
    /// The last bits depend on how the values were split; merging into none, or none, changes
    /// nothing.
    pub fn merge(&mut self, other: &Running) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        let (a, b) = (self.n as f64, other.n as f64);
        let apart = other.mean - self.mean;
        self.n += other.n;
        self.mean += apart * (b / (a + b));
        self.squares += other.squares + apart * apart * (a * b / (a + b));
    }

    /// Standard deviation (n - 1 in the denominator); none for fewer than two values.
    pub fn sd(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.squares / (self.n - 1) as f64).sqrt())
    }
}

/// The quantile `p` in `[0, 1]` of at least one value in ascending order, by definition 7 of R. J.
/// Hyndman and Y. Fan, The American Statistician 50 (1996) 361-365, which is the default of NumPy
/// and of R: with `h = (n - 1) p`, a straight line from value `floor(h)` to the next, counted from 0.
pub fn quantile(ascending: &[f64], p: f64) -> f64 {
    let h = (ascending.len() - 1) as f64 * p.clamp(0.0, 1.0);
    let below = h as usize;
    let (low, share) = (ascending[below], h - below as f64);
    if share == 0.0 {
        // Whatever the next one is; it may be infinite.
        return low;
    }
    let high = ascending[(below + 1).min(ascending.len() - 1)];
    low + share * (high - low)
}

/// The median of at least one value, in any order; of an even number the mean of the middle two.
pub fn median(values: &[f64]) -> f64 {
    let mut ascending = values.to_vec();
    ascending.sort_unstable_by(f64::total_cmp);
    quantile(&ascending, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_no_deviation() {
        let one = MeanSd { mean: 3.0, sd: None, median: Some(3.0) };
        assert_eq!(MeanSd::of(&[3.0]), one);
    }

    /// By hand: deviations of 1, 2, 6 from 3 are -2, -1, 3; squares add up to 14, and sd is sqrt 7.
    #[test]
    fn parts_merge_to_the_whole() {
        let values = [1.0, 2.0, 6.0];
        for cut in 0..=values.len() {
            let mut left = Running::of(&values[..cut]);
            left.merge(&Running::of(&values[cut..]));
            assert_eq!(left.n, 3);
            assert!((left.mean - 3.0).abs() < 1e-15, "{cut}: {left:?}");
            assert!((left.squares - 14.0).abs() < 1e-14, "{cut}: {left:?}");
            assert!((left.sd().unwrap() - 7f64.sqrt()).abs() < 1e-15, "{cut}");
        }
    }

    /// Far from 0, where sums of squares would lose all digits.
    #[test]
    fn merging_keeps_its_digits() {
        let near: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i)).collect();
        let mut merged = Running::default();
        for part in near.chunks(37) {
            merged.merge(&Running::of(part));
        }
        // The sum of squares of 0..n-1 about its mean is n (n^2 - 1) / 12.
        let right = 1000.0 * (1e6 - 1.0) / 12.0;
        assert!((merged.squares - right).abs() < 1e-6 * right, "{merged:?}");
    }

    #[test]
    fn a_median_needs_no_order() {
        assert_eq!(median(&[5.0]), 5.0);
        assert_eq!(median(&[9.0, 1.0]), 5.0);
        assert_eq!(median(&[9.0, -1.0, 4.0]), 4.0);
    }
}

//! What Student's t distribution says of a mean of independent, roughly normal values.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Running;

/// More seeds than this are not asked for: nobody would wait for them.
pub const MOST_SEEDS: u64 = 1_000_000;

/// A mean with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Mean.
    pub mean: f64,
    /// Lower end; none with one value.
    pub low: Option<f64>,
    /// Upper end; none with one value.
    pub high: Option<f64>,
}

impl Interval {
    /// Student's interval for the mean of independent values, at least one:
    /// `mean +- t(n - 1, 0.975) sd / sqrt(n)`.
    pub fn of(values: &[f64]) -> Interval {
        Interval::of_running(&Running::of(values))
    }

    /// The same of values that are added up already.
    pub fn of_running(running: &Running) -> Interval {
        let n = running.n as f64;
        let half = running.sd().map(|sd| t_quantile(n - 1.0) * sd / n.sqrt());
        let mean = running.mean;
        Interval { mean, low: half.map(|h| mean - h), high: half.map(|h| mean + h) }
    }

    /// The interval for the mean of `a - b`, seed by seed.
    pub fn of_differences(a: &[f64], b: &[f64]) -> Interval {
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        Interval::of(&differences)
    }

    /// Whether 0 lies outside, so that the sign of the mean is decided; none with one value.
    pub fn decided(&self) -> Option<bool> {
        Some(self.low? > 0.0 || self.high? < 0.0)
    }
}

/// The p-value, two-sided, of Student's t test that the mean of independent values is 0:
/// `2 P(T_(n-1) <= -|mean| sqrt(n) / sd)`. None with one value, and where all values are 0. Where all
/// are the same other number it is 0.
pub fn p_value(values: &[f64]) -> Option<f64> {
    let running = Running::of(values);
    let n = running.n as f64;
    let error = running.sd()? / n.sqrt();
    if error == 0.0 {
        return (running.mean != 0.0).then_some(0.0);
    }
    Some(2.0 * student(n - 1.0).cdf(-(running.mean / error).abs()))
}

/// The least number of seeds for which Student's interval would exclude 0 if mean and standard
/// deviation stayed what they are: the least `n >= 2` with `n > (t(n - 1, 0.975) sd / |mean|)^2`.
/// None where that is more than [`MOST_SEEDS`].
///
/// With that many seeds the interval of a new run excludes 0 about every second time, if the present
/// values are the truth; twice as many are rarely too few.
pub fn seeds_needed(mean: f64, sd: f64) -> Option<u64> {
    // sqrt(n) / t(n - 1) only grows with n.
    let enough = |n: u64| mean.abs() > t_quantile((n - 1) as f64) * sd / (n as f64).sqrt();
    if !enough(MOST_SEEDS) {
        return None;
    }
    let (mut too_few, mut many) = (1, MOST_SEEDS);
    while many - too_few > 1 {
        let middle = too_few + (many - too_few) / 2;
        if enough(middle) { many = middle } else { too_few = middle }
    }
    Some(many)
}

/// The 97.5 % quantile of Student's t distribution.
pub(crate) fn t_quantile(degrees_of_freedom: f64) -> f64 {
    student(degrees_of_freedom).inverse_cdf(0.975)
}

fn student(degrees_of_freedom: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, degrees_of_freedom)
        .expect("two values or more have a degree of freedom")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Student's sleep data (1908), as analysed by R's `t.test(extra ~ group, paired = TRUE)`:
    /// mean of differences -1.58, interval -2.4598858 to -0.7001142, p-value 0.002833.
    #[test]
    fn students_own_example() {
        let one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let interval = Interval::of_differences(&one, &two);
        assert!((interval.mean + 1.58).abs() < 1e-12);
        assert!((interval.low.unwrap() + 2.459_885_8).abs() < 1e-6, "{interval:?}");
        assert!((interval.high.unwrap() + 0.700_114_2).abs() < 1e-6, "{interval:?}");
        assert_eq!(interval.decided(), Some(true));
        let differences: Vec<f64> = one.iter().zip(two).map(|(a, b)| a - b).collect();
        assert!((p_value(&differences).unwrap() - 0.002_833).abs() < 5e-7);
    }

    #[test]
    fn one_value_decides_nothing() {
        let one = Interval::of(&[3.0]);
        assert_eq!(one, Interval { mean: 3.0, low: None, high: None });
        assert_eq!(one.decided(), None);
        assert_eq!(p_value(&[3.0]), None);
    }

    #[test]
    fn values_without_spread() {
        assert_eq!(p_value(&[0.0, 0.0]), None);
        assert_eq!(p_value(&[2.0, 2.0]), Some(0.0));
        assert_eq!(Interval::of(&[0.0, 0.0]).decided(), Some(false));
        assert_eq!(seeds_needed(2.0, 0.0), Some(2));
        assert_eq!(seeds_needed(0.0, 0.0), None);
        assert_eq!(seeds_needed(0.0, 1.0), None);
    }

    /// Below the number the interval holds 0, from it on it does not.
    #[test]
    fn the_number_of_seeds_is_the_least() {
        for (mean, sd) in [(1.0, 0.01), (1.0, 1.0), (-0.3, 1.0), (0.02, 1.0)] {
            let n = seeds_needed(mean, sd).unwrap();
            let excludes =
                |n: u64| f64::abs(mean) > t_quantile((n - 1) as f64) * sd / (n as f64).sqrt();
            assert!(excludes(n) && (n == 2 || !excludes(n - 1)), "{mean} {sd}: {n}");
        }
        assert_eq!(seeds_needed(0.001, 1.0), None, "3.8 million");
    }
}

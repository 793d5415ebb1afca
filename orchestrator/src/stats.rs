//! Means, deviations and intervals over seeds.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean and standard deviation over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanSd {
    /// Mean.
    pub mean: f64,
    /// Standard deviation (n - 1 in the denominator); none with one seed.
    pub sd: Option<f64>,
}

impl MeanSd {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> MeanSd {
        let mut running = Running::default();
        for value in values {
            running.add(*value);
        }
        MeanSd { mean: running.mean, sd: running.sd() }
    }
}

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
    /// Student's interval for the mean of independent values, at least one.
    pub fn of(values: &[f64]) -> Interval {
        let MeanSd { mean, sd } = MeanSd::of(values);
        let half = sd.map(|sd| {
            let n = values.len() as f64;
            t_quantile(n - 1.0) * sd / n.sqrt()
        });
        Interval { mean, low: half.map(|h| mean - h), high: half.map(|h| mean + h) }
    }

    /// The interval for the mean of `a - b`, seed by seed.
    pub fn of_differences(a: &[f64], b: &[f64]) -> Interval {
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        Interval::of(&differences)
    }
}

/// The 97.5 % quantile of Student's t distribution.
fn t_quantile(degrees_of_freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom)
        .expect("a difference of at least two values has a degree of freedom")
        .inverse_cdf(0.975)
}

/// Mean and deviation of values that come one by one (Welford's method).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Running {
    /// How many.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

impl Running {
    /// One more value.
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        let before = value - self.mean;
        self.mean += before / self.n as f64;
        self.squares += before * (value - self.mean);
    }

    /// Standard deviation; none for fewer than two values.
    pub fn sd(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.squares / (self.n - 1) as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Student's sleep data (1908), as analysed by R's `t.test(extra ~ group, paired = TRUE)`:
    /// mean of differences -1.58, interval -2.4598858 to -0.7001142.
    #[test]
    fn students_own_example() {
        let one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let interval = Interval::of_differences(&one, &two);
        assert!((interval.mean + 1.58).abs() < 1e-12);
        assert!((interval.low.unwrap() + 2.459_885_8).abs() < 1e-6, "{interval:?}");
        assert!((interval.high.unwrap() + 0.700_114_2).abs() < 1e-6, "{interval:?}");
    }

    #[test]
    fn one_value_has_no_deviation() {
        assert_eq!(MeanSd::of(&[3.0]), MeanSd { mean: 3.0, sd: None });
        assert_eq!(Interval::of(&[3.0]), Interval { mean: 3.0, low: None, high: None });
    }
}

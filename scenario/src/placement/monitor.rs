//! What a task node makes of the round trips that it measures.

/// The smoothed round-trip time of a link: the estimator of RFC 6298, which begins anew where the
/// link has become another one.
///
/// The estimator alone needs some twenty samples to follow a link that changes its profile. So
/// samples that lie further from the estimate than four deviations and an eighth of it are held
/// back; a third one in a row on the same side begins the estimate anew with the mean of the three.
/// A single outlier is forgotten.
#[derive(Debug, Clone, Default)]
pub struct RttMonitor {
    smoothed_ns: Option<u64>,
    variation_ns: u64,
    /// Outliers in a row, all on one side.
    outliers: Vec<u64>,
    above: bool,
}

/// This many outliers in a row are a change.
const OUTLIERS: usize = 3;

impl RttMonitor {
    /// Nothing is measured yet.
    pub fn new() -> RttMonitor {
        RttMonitor::default()
    }

    /// Takes a sample in nanoseconds.
    pub fn sample(&mut self, round_trip_ns: u64) {
        let Some(smoothed) = self.smoothed_ns else { return self.begin(round_trip_ns) };
        let off = smoothed.abs_diff(round_trip_ns);
        if off > (4 * self.variation_ns).max(smoothed / 8) {
            return self.outlier(round_trip_ns, round_trip_ns > smoothed);
        }
        self.outliers.clear();
        // RFC 6298, (2.3), with the deviation first.
        self.variation_ns = (3 * self.variation_ns + off) / 4;
        self.smoothed_ns = Some((7 * smoothed + round_trip_ns) / 8);
    }

    /// The smoothed round-trip time in nanoseconds, once there is a sample.
    pub fn smoothed_ns(&self) -> Option<u64> {
        self.smoothed_ns
    }

    /// RFC 6298, (2.2).
    fn begin(&mut self, round_trip_ns: u64) {
        self.smoothed_ns = Some(round_trip_ns);
        self.variation_ns = round_trip_ns / 2;
        self.outliers.clear();
    }

    fn outlier(&mut self, round_trip_ns: u64, above: bool) {
        if above != self.above {
            self.outliers.clear();
        }
        self.above = above;
        self.outliers.push(round_trip_ns);
        if self.outliers.len() == OUTLIERS {
            let mean = self.outliers.iter().sum::<u64>() / OUTLIERS as u64;
            // Three samples say more of the deviation than the one of (2.2).
            let off: u64 = self.outliers.iter().map(|sample| mean.abs_diff(*sample)).sum();
            self.begin(mean);
            self.variation_ns = off / OUTLIERS as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RttMonitor;

    fn after(samples: &[u64]) -> Option<u64> {
        let mut monitor = RttMonitor::new();
        samples.iter().for_each(|sample| monitor.sample(*sample));
        monitor.smoothed_ns()
    }

    #[test]
    fn it_smooths_as_rfc_6298_says() {
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[8000]), Some(8000));
        // (7 * 8000 + 8800) / 8 = 8100; (7 * 8100 + 7700) / 8 = 8050.
        assert_eq!(after(&[8000, 8800]), Some(8100));
        assert_eq!(after(&[8000, 8800, 7700]), Some(8050));
    }

    #[test]
    fn an_outlier_is_forgotten_and_three_are_a_change() {
        let mut samples = vec![25_000; 30];
        samples.extend([90_000, 25_000, 90_000, 90_000]);
        assert_eq!(after(&samples), Some(25_000));
        samples.push(93_000);
        assert_eq!(after(&samples), Some(91_000));
        let back = [samples, vec![25_000, 25_000, 25_000]].concat();
        assert_eq!(after(&back), Some(25_000));
    }

    #[test]
    fn outliers_on_both_sides_are_no_change() {
        let mut samples = vec![50_000; 30];
        samples.extend([90_000, 10_000].repeat(10));
        assert_eq!(after(&samples), Some(50_000));
    }
}

//! The jitter of both directions of a link together.

/// The sum of two independent numbers, uniform between -a and a, and between -b and b. Its density is
/// a trapezoid, where a = b a triangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JitterSum {
    /// The wider half width.
    wide: f64,
    /// The narrower one.
    narrow: f64,
}

impl JitterSum {
    /// Of half widths `a` and `b`, which are not below 0.
    pub fn new(a: f64, b: f64) -> JitterSum {
        JitterSum { wide: a.max(b), narrow: a.min(b) }
    }

    /// The probability that the sum is at most `limit`. With s = a + b and r = |a - b| it is
    ///
    /// ```text
    /// 0                       limit < -s
    /// (s + limit)^2 / (8ab)   -s <= limit < -r
    /// 1/2 + limit / (2 max(a, b))    |limit| <= r
    /// 1 - (s - limit)^2 / (8ab)       r < limit <= s
    /// 1                       s < limit
    /// ```
    ///
    /// and a step at 0 where there is no jitter at all.
    #[inline]
    pub fn at_most(&self, limit: f64) -> f64 {
        let (sum, flat) = (self.wide + self.narrow, self.wide - self.narrow);
        let size = limit.abs();
        let above = if size >= sum {
            // Where there is no jitter, what is exactly due is in time.
            return f64::from(u8::from(limit >= sum));
        } else if size <= flat {
            0.5 - size / (2.0 * self.wide)
        } else {
            (sum - size) * (sum - size) / (8.0 * self.wide * self.narrow)
        };
        if limit < 0.0 { above } else { 1.0 - above }
    }

    /// The mean distance from 0: `a/2 + b^2 / (6a)`, where a >= b.
    pub fn mean_deviation(&self) -> f64 {
        if self.wide > 0.0 {
            self.wide / 2.0 + self.narrow * self.narrow / (6.0 * self.wide)
        } else {
            0.0
        }
    }
}

//! How well a classifier with two answers does.

/// Counts of true and predicted answers; "positive" is the answer 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confusion {
    /// Answer 1, and 1 is right.
    pub true_positive: u64,
    /// Answer 1, and 0 is right.
    pub false_positive: u64,
    /// Answer 0, and 0 is right.
    pub true_negative: u64,
    /// Answer 0, and 1 is right.
    pub false_negative: u64,
}

impl Confusion {
    /// Counts one answer.
    pub fn add(&mut self, predicted: bool, right: bool) {
        *match (predicted, right) {
            (true, true) => &mut self.true_positive,
            (true, false) => &mut self.false_positive,
            (false, false) => &mut self.true_negative,
            (false, true) => &mut self.false_negative,
        } += 1;
    }

    /// All answers.
    pub fn total(&self) -> u64 {
        self.true_positive + self.false_positive + self.true_negative + self.false_negative
    }

    /// Share of right answers; `None` without any.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.true_positive + self.true_negative, self.total())
    }

    /// Mean of the shares found of each class: 1/2 for whoever always says the same. `None` if one
    /// class does not occur.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let positive = share(self.true_positive, self.true_positive + self.false_negative)?;
        let negative = share(self.true_negative, self.true_negative + self.false_positive)?;
        Some((positive + negative) / 2.0)
    }

    /// Whether every answer was the same, whatever was right. False without any.
    pub fn is_degenerate(&self) -> bool {
        let positive = self.true_positive + self.false_positive;
        self.total() > 0 && (positive == 0 || positive == self.total())
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Area under the receiver operating characteristic: the probability that a row of class 1 has a
/// larger score than one of class 0, ties counted half; `None` if one class does not occur. By mean
/// ranks: (R - n (n + 1) / 2) / (n m), where R is the sum of the ranks of the n rows of class 1 and
/// m is the number of the others (Mann and Whitney, 1947).
///
/// # Panics
/// With fewer or more classes than scores.
pub fn area_under_curve(scores: &[f64], positive: &[bool]) -> Option<f64> {
    assert_eq!(scores.len(), positive.len(), "one class for each score");
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(positive.iter().copied()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Sums of doubled ranks: whole numbers.
    let (mut doubled, mut before) = (0u128, 0u128);
    for ties in rows.chunk_by(|a, b| a.0 == b.0) {
        let count = ties.len() as u128;
        let own = ties.iter().filter(|(_, positive)| *positive).count() as u128;
        doubled += own * (2 * before + count + 1);
        before += count;
    }
    let n = positive.iter().filter(|positive| **positive).count() as u128;
    let m = before - n;
    (n > 0 && m > 0).then(|| (doubled - n * (n + 1)) as f64 / (2 * n * m) as f64)
}

//! How well choices between here and elsewhere tell the better side.

use serde::{Deserialize, Serialize};

use crate::stats::sample::Thinned;

/// Choices against what would have been best: whether local or offloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Confusion {
    /// Local was best, and local was chosen.
    pub local_local: u64,
    /// Local was best, and the task was offloaded.
    pub local_offloaded: u64,
    /// Offloading was best, and local was chosen.
    pub offloaded_local: u64,
    /// Offloading was best, and the task was offloaded.
    pub offloaded_offloaded: u64,
}

impl Confusion {
    /// One more decision.
    pub fn add(&mut self, best_offloaded: bool, offloaded: bool) {
        let cell = match (best_offloaded, offloaded) {
            (false, false) => &mut self.local_local,
            (false, true) => &mut self.local_offloaded,
            (true, false) => &mut self.offloaded_local,
            (true, true) => &mut self.offloaded_offloaded,
        };
        *cell += 1;
    }

    /// Those of another one too.
    pub fn merge(&mut self, other: &Confusion) {
        self.local_local += other.local_local;
        self.local_offloaded += other.local_offloaded;
        self.offloaded_local += other.offloaded_local;
        self.offloaded_offloaded += other.offloaded_offloaded;
    }

    /// The mean of the shares that are right where local is best and where offloading is; none
    /// where one of the two never is.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let share = |right: u64, wrong: u64| {
            (right + wrong > 0).then(|| right as f64 / (right + wrong) as f64)
        };
        let local = share(self.local_local, self.local_offloaded)?;
        let offloaded = share(self.offloaded_offloaded, self.offloaded_local)?;
        Some((local + offloaded) / 2.0)
    }

    /// The one answer that was always given, if there was only one.
    pub fn only_answer(&self) -> Option<Answer> {
        let local = self.local_local + self.offloaded_local;
        let offloaded = self.local_offloaded + self.offloaded_offloaded;
        match (local, offloaded) {
            (0, 0) => None,
            (_, 0) => Some(Answer::Local),
            (0, _) => Some(Answer::Offload),
            _ => None,
        }
    }
}

/// What a policy says of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It runs on the task node.
    Local,
    /// It goes to a helper node.
    Offload,
}

impl Answer {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Answer::Local => "local",
            Answer::Offload => "offload",
        }
    }
}

/// Scores of tasks, higher where a policy thinks more of offloading, each with whether offloading
/// was best.
pub type Scores = Thinned<(f64, bool)>;

/// Area under the ROC curve: the probability that a task that is best offloaded has the higher
/// score than one that is not; equal scores count half (Mann and Whitney's U over the product of
/// the counts, with mid-ranks). None where one kind of task is missing.
pub fn auc(scores: &Scores) -> Option<f64> {
    let mut sorted = scores.values().to_vec();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let offloaded = sorted.iter().filter(|(_, best)| *best).count() as f64;
    let local = sorted.len() as f64 - offloaded;
    if offloaded == 0.0 || local == 0.0 {
        return None;
    }
    let mut before = 0.0;
    let mut ranks = 0.0;
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let count = equal.len() as f64;
        let middle = before + (count + 1.0) / 2.0;
        ranks += middle * equal.iter().filter(|(_, best)| *best).count() as f64;
        before += count;
    }
    Some((ranks - offloaded * (offloaded + 1.0) / 2.0) / (offloaded * local))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(values: &[(f64, bool)]) -> Scores {
        let mut scores = Scores::default();
        values.iter().for_each(|v| scores.add(*v));
        scores
    }

    /// The example of scikit-learn's `roc_auc_score`: labels 0 0 1 1, scores 0.1 0.4 0.35 0.8.
    #[test]
    fn auc_of_known_examples() {
        let known = scores(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]);
        assert_eq!(auc(&known), Some(0.75));
        // scipy.stats.mannwhitneyu([1, 2, 2, 5], [1, 2, 3]).statistic = 6.5; over 12.
        let ties = [(1.0, true), (2.0, true), (2.0, true), (5.0, true)];
        let others = [(1.0, false), (2.0, false), (3.0, false)];
        let found = auc(&scores(&[&ties[..], &others].concat())).unwrap();
        assert!((found - 6.5 / 12.0).abs() < 1e-15, "{found}");
        assert_eq!(auc(&scores(&[(1.0, true)])), None);
    }

    #[test]
    fn a_majority_is_not_balanced() {
        let mut always = Confusion::default();
        (0..99).for_each(|_| always.add(true, true));
        assert_eq!(always.balanced_accuracy(), None);
        always.add(false, true);
        assert_eq!(always.balanced_accuracy(), Some(0.5));
        assert_eq!(always.only_answer(), Some(Answer::Offload));
        always.add(false, false);
        assert_eq!(always.balanced_accuracy(), Some(0.75));
        assert_eq!(always.only_answer(), None);
    }
}

//! Loss: the exact interval of a share, and what bursts make of the size of a sample.

use super::{Finding, TAIL, Verdict, beta};
use crate::link::Loss;

/// A sample whose interval is wider than this, and than the loss itself, tells nothing of use.
const USEFUL_WIDTH: f64 = 0.02;

/// Packets that were sent over one direction and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LossSample {
    /// Packets that met the loss of the link.
    pub sent: u64,
    /// How many of them it let through.
    pub received: u64,
}

/// Packets counted on both sides while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct PassiveCounts {
    /// Packets given to the link by the sender.
    pub offered: u64,
    /// Of these, dropped because a queue was full.
    pub tail_dropped: u64,
    /// Of these, sent twice.
    pub duplicated: u64,
    /// Of these, on their way when the sender counted.
    pub under_way: u64,
    /// Packets that reached the receiver, duplicates among them.
    pub received: u64,
}

impl PassiveCounts {
    /// What happened since an earlier count of the same link. What was under way then arrives in this
    /// part, so it counts as offered here.
    pub fn since(&self, earlier: &PassiveCounts) -> PassiveCounts {
        let offered = self.offered - earlier.offered.min(self.offered) + earlier.under_way;
        PassiveCounts {
            offered,
            tail_dropped: self.tail_dropped.saturating_sub(earlier.tail_dropped),
            duplicated: self.duplicated.saturating_sub(earlier.duplicated),
            under_way: self.under_way,
            received: self.received.saturating_sub(earlier.received),
        }
    }

    /// The sample of the link's loss. Loss comes before the queue, so what the queue dropped or still
    /// holds was let through; a second copy is no packet of its own.
    pub fn sample(&self) -> LossSample {
        let let_through = (self.received + self.tail_dropped + self.under_way)
            .saturating_sub(self.duplicated)
            .min(self.offered);
        LossSample { sent: self.offered, received: let_through }
    }
}

/// Judges the loss of one direction by a sample, if there is one.
pub fn judge_loss(configured: &Loss, sample: Option<LossSample>) -> Finding {
    let share = configured.mean();
    let Some(sample) = sample.filter(|sample| sample.sent > 0) else {
        return Finding::not_measured(Some(share));
    };
    let sent = sample.sent as f64;
    let measured = sample.sent.saturating_sub(sample.received) as f64 / sent;
    let size = sent / inflation(configured, sample.sent);
    let (low, high) = clopper_pearson(measured * size, size);
    let verdict = if share < low || share > high {
        Verdict::Wrong
    } else if high - low <= USEFUL_WIDTH.max(share) {
        Verdict::Right
    } else {
        Verdict::NotResolved
    };
    Finding {
        verdict,
        configured: Some(share),
        measured: Some(measured),
        low: Some(low),
        high: Some(high),
    }
}

/// The 99.9 % interval of a share after `hits` of `size` (Clopper and Pearson, 1934). Neither needs to
/// be whole: an effective size is not.
pub fn clopper_pearson(hits: f64, size: f64) -> (f64, f64) {
    let misses = (size - hits).max(0.0);
    let low = if hits > 0.0 { beta::quantile(hits, misses + 1.0, TAIL) } else { 0.0 };
    let high = if misses > 0.0 { beta::quantile(hits + 1.0, misses, 1.0 - TAIL) } else { 1.0 };
    (low, high)
}

/// How many times more packets a sample of `sent` needs than it would if each were lost by itself;
/// 1 without bursts.
///
/// The chain of a [`Loss::Bursts`] has the stationary share `B = g / (g + b)` of bad states, and two of
/// its states `k` packets apart have the correlation `c^k` with `c = 1 - g - b` (the second eigenvalue of
/// its matrix). A packet is lost with a probability that depends on the state alone, so two losses have the
/// covariance `B (1 - B) (h_b - h_g)^2 c^k`, and the mean of `n` of them the variance
///
/// `( p (1 - p) + 2 B (1 - B) (h_b - h_g)^2 sum_{k=1}^{n-1} (1 - k/n) c^k ) / n`.
///
/// What that is beyond `p (1 - p) / n` is this factor: the variance inflation of a mean of correlated values
/// (Bayley and Hammersley, 1946).
pub fn inflation(loss: &Loss, sent: u64) -> f64 {
    let Loss::Bursts { good_to_bad, bad_to_good, good_loss, bad_loss } = *loss else {
        return 1.0;
    };
    let steps = good_to_bad + bad_to_good;
    let share = loss.mean();
    let alone = share * (1.0 - share);
    if steps <= 0.0 || alone <= 0.0 {
        return 1.0;
    }
    let bad = good_to_bad / steps;
    let together = bad * (1.0 - bad) * (bad_loss - good_loss) * (bad_loss - good_loss);
    // Alternating states make a sample better than its size says; that is not taken for granted.
    (1.0 + 2.0 * together * correlations(1.0 - steps, sent) / alone).max(1.0)
}

/// `sum_{k=1}^{n-1} (1 - k/n) c^k` in closed form: `(c / (1 - c)) (1 - (1 - c^n) / (n (1 - c)))`.
fn correlations(c: f64, sent: u64) -> f64 {
    let n = sent as f64;
    let rest = 1.0 - c;
    if rest < 1e-9 {
        // A chain that hardly ever moves: all packets see the same state.
        return (n - 1.0) / 2.0;
    }
    c / rest * (1.0 - (1.0 - libm::pow(c, n)) / (n * rest))
}

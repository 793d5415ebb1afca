//! Loss: the exact interval of a share, and what bursts make of the size of a sample.

use serde::{Deserialize, Serialize};

use super::{Finding, TAIL, Verdict, beta};
use crate::link::Loss;

/// A sample whose interval is wider than this, and than the loss itself, tells nothing of use.
const USEFUL_WIDTH: f64 = 0.02;

/// Packets that were sent over one direction and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LossSample {
    /// Packets that met the loss of the link.
    pub sent: u64,
    /// How many of them it let through.
    pub received: u64,
    /// By how many `received` may be wrong: what was under way when it was counted, and what the
    /// receiver's host dropped.
    pub unsure: u64,
}

/// What one end of a link counts, since any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EndCounts {
    /// Packets that it gave to its direction of the link.
    pub offered: u64,
    /// Of these and of copies, dropped because a queue was full.
    pub tail_dropped: u64,
    /// Of these, sent twice.
    pub duplicated: u64,
    /// Of these and of copies, on their way.
    pub under_way: u64,
    /// Packets that reached it over the other direction, copies among them.
    pub received: u64,
    /// Packets that its host had received, of whomever, and did not keep.
    pub host_dropped: u64,
}

/// Packets of one direction, counted on both sides while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PassiveCounts {
    /// By the sender.
    pub sender: EndCounts,
    /// By the receiver, later.
    pub receiver: EndCounts,
    /// Packets that may have been sent in between.
    pub between: u64,
}

impl PassiveCounts {
    /// The way up and the way down, after an exchange in which the task node counts (`asked`), tells the
    /// helper node, which counts (`answered`) and answers, whereupon the task node counts again
    /// (`heard`).
    ///
    /// On the way up nothing that was sent before `asked` is missing in `answered` unless it was lost or
    /// still under way, but what was sent meanwhile may be in it too; likewise on the way down.
    pub fn exchanged(
        asked: EndCounts,
        answered: EndCounts,
        heard: EndCounts,
    ) -> [PassiveCounts; 2] {
        [
            PassiveCounts {
                sender: asked,
                receiver: answered,
                between: heard.offered.saturating_sub(asked.offered),
            },
            PassiveCounts {
                sender: answered,
                receiver: heard,
                between: heard.received.saturating_sub(asked.received),
            },
        ]
    }

    /// The sample of the link's loss since `earlier`; the first counts may be all 0.
    ///
    /// Loss comes before the queue, so what the queue dropped or still holds was let through, and a second
    /// copy is no packet of its own. What was under way at `earlier` arrives in this part.
    pub fn since(&self, earlier: &PassiveCounts) -> LossSample {
        let of_sender = |count: fn(&EndCounts) -> u64| {
            count(&self.sender).saturating_sub(count(&earlier.sender))
        };
        let of_receiver = |count: fn(&EndCounts) -> u64| {
            count(&self.receiver).saturating_sub(count(&earlier.receiver))
        };
        let sent = of_sender(|end| end.offered);
        let passed = of_receiver(|end| end.received)
            + of_sender(|end| end.tail_dropped)
            + self.sender.under_way;
        let copies = of_sender(|end| end.duplicated) + earlier.sender.under_way;
        LossSample {
            sent,
            received: passed.saturating_sub(copies).min(sent),
            unsure: self.between + earlier.between + of_receiver(|end| end.host_dropped),
        }
    }
}

/// Judges the loss of one direction by a sample, if there is one.
pub fn judge_loss(configured: &Loss, sample: Option<LossSample>) -> Finding {
    let share = configured.mean();
    let Some(sample) = sample.filter(|sample| sample.sent > 0) else {
        return Finding::not_measured(Some(share));
    };
    let sent = sample.sent as f64;
    let lost = sample.sent.saturating_sub(sample.received);
    let inflation = inflation(configured, sample.sent);
    let limits = |lost: u64| clopper_pearson(lost as f64 / inflation, sent / inflation);
    let low = limits(lost.saturating_sub(sample.unsure)).0;
    let high = limits((lost + sample.unsure).min(sample.sent)).1;
    let measured = lost as f64 / sent;
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

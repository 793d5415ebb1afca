//! What was found of the links of all experiments.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::links::{LATE_NS, MOST_LATE};

/// A right link is found wrong once in so many verdicts on chance alone.
const CHANCE: f64 = 1e-3;
/// More wrong verdicts than chance gives in all but this share of suites are no chance.
const SURPRISE: f64 = 1e-3;

/// Verdicts on links, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkCounts {
    /// Findings that agree with what is configured, or contradict it.
    pub verdicts: u64,
    /// Findings of too small a sample to tell.
    pub not_resolved: u64,
    /// Round trips and rates that contradict what is configured.
    pub wrong: u64,
    /// Findings on loss among the verdicts: counts of random events.
    pub loss_verdicts: u64,
    /// Those of them that contradict what is configured.
    pub wrong_loss: u64,
    /// Findings from counting the packets of tasks that contradict what is configured. They count for
    /// nothing else: a packet that is under way when its state ends looks lost.
    pub wrong_passive: u64,
    /// Packets delivered by the links.
    pub packets: u64,
    /// Those that were delivered more than 5 ms late.
    pub late: u64,
}

impl LinkCounts {
    /// Adds the rows of `links.json` of an experiment.
    pub fn add(&mut self, links: &Value) {
        for row in links.as_array().into_iter().flatten() {
            // The round trip is that of both directions.
            if row["direction"] == "up" {
                self.count(&row["rtt_ms_verdict"], false);
            }
            self.count(&row["rate_mbit_s_verdict"], false);
            self.count(&row["loss_verdict"], true);
            self.wrong_passive += u64::from(row["passive_loss_verdict"] == "WRONG");
            for bucket in row["lateness_buckets_ns"].as_array().into_iter().flatten() {
                let packets = bucket[1].as_u64().unwrap_or(0);
                self.packets += packets;
                // The last bucket has no limit.
                let late = bucket[0].as_u64().is_none_or(|limit| limit > LATE_NS);
                self.late += if late { packets } else { 0 };
            }
        }
    }

    /// Share of the packets that were late.
    pub fn late_share(&self) -> f64 {
        self.late as f64 / self.packets.max(1) as f64
    }

    /// Whether the host kept to the links' schedule.
    pub fn are_in_time(&self) -> bool {
        self.late_share() <= MOST_LATE
    }

    fn count(&mut self, verdict: &Value, loss: bool) {
        match verdict.as_str() {
            Some("right") => {}
            Some("WRONG") if loss => self.wrong_loss += 1,
            Some("WRONG") => self.wrong += 1,
            Some(_) => {
                self.not_resolved += 1;
                return;
            }
            None => return,
        }
        self.verdicts += 1;
        self.loss_verdicts += u64::from(loss);
    }

    /// Whether a link is wrong. A round trip or a rate is if one finding says so, since those have
    /// tolerances beyond their intervals; loss is if more findings say so than chance explains.
    pub fn are_wrong(&self) -> bool {
        self.wrong > 0 || self.wrong_loss > by_chance(self.loss_verdicts)
    }
}

/// So many of `n` verdicts may be wrong by chance: the quantile `1 - SURPRISE` of the binomial
/// distribution.
fn by_chance(n: u64) -> u64 {
    let mut probability = libm::pow(1.0 - CHANCE, n as f64);
    let (mut count, mut sum) = (0, probability);
    while sum < 1.0 - SURPRISE && count < n {
        count += 1;
        probability *= (n - count + 1) as f64 / count as f64 * CHANCE / (1.0 - CHANCE);
        sum += probability;
    }
    count
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// scipy.stats.binom.ppf(0.999, n, 0.001) for n = 2, 100, 1000
    #[test]
    fn chance_is_that_of_the_binomial_distribution() {
        assert_eq!([2, 100, 1000].map(by_chance), [1, 2, 5]);
        assert_eq!(by_chance(0), 0);
    }

    #[test]
    fn findings_are_counted_once() {
        let row = |direction: &str, rate: &str, loss: &str| {
            json!({
                "direction": direction, "rtt_ms_verdict": "right", "rate_mbit_s_verdict": rate,
                "loss_verdict": loss, "passive_loss_verdict": "WRONG",
                "lateness_buckets_ns": [[1_000_000, 90], [8_000_000, 3], [u64::MAX, 7]],
            })
        };
        let mut counts = LinkCounts::default();
        counts.add(&json!([row("up", "right", "right"), row("down", "right", "WRONG")]));
        let right = LinkCounts {
            verdicts: 5,
            not_resolved: 0,
            wrong: 0,
            loss_verdicts: 2,
            wrong_loss: 1,
            wrong_passive: 2,
            packets: 200,
            late: 20,
        };
        assert_eq!(counts, right);
        assert!(!counts.are_wrong(), "one of two may be chance");
        assert!(!counts.are_in_time());
        counts.add(&json!([row("up", "WRONG", "right")]));
        assert!(counts.are_wrong());
    }
}

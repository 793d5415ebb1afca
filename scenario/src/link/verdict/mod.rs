//! Whether a link is what it was configured to be: pure functions from measurements to verdicts.
//!
//! A link is [wrong](Verdict::Wrong) only if what was configured lies outside the 99.9 % interval of what
//! was measured. A right link is so called by chance once in a thousand verdicts; a sample that
//! cannot tell says so.

mod beta;
mod delay;
mod loss;
mod rate;

use serde::{Deserialize, Serialize};

pub use delay::{RoundTrips, judge_delay};
pub use loss::{EndCounts, LossSample, PassiveCounts, clopper_pearson, inflation, judge_loss};
pub use rate::{Group, Groups, judge_rate};

use super::{Direction, LinkSpec, LinkState};

/// What lies beyond each end of a 99.9 % interval.
const TAIL: f64 = 0.0005;

/// What a measurement says of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It agrees.
    Right,
    /// It contradicts.
    Wrong,
    /// It is too small, or there is none.
    NotResolved,
}

/// A setting, configured beside measured, in the unit of the field that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether they agree.
    pub verdict: Verdict,
    /// The setting; none is a rate without limit.
    pub configured: Option<f64>,
    /// The measured value, if there is one.
    pub measured: Option<f64>,
    /// Lower end of its 99.9 % interval, before any tolerance.
    pub low: Option<f64>,
    /// Upper end of its 99.9 % interval, before any tolerance.
    pub high: Option<f64>,
}

impl Finding {
    /// Whether what `self` and `other` measured cannot be the same: their intervals are further apart than
    /// `tolerance`, in their unit. `None` if one of them measured nothing.
    pub fn differs(&self, other: &Finding, tolerance: f64) -> Option<bool> {
        let (low, other_low) = (self.low?, other.low?);
        let high = self.high.unwrap_or(f64::INFINITY);
        let other_high = other.high.unwrap_or(f64::INFINITY);
        Some(low - tolerance > other_high || other_low - tolerance > high)
    }

    /// What is wrong is not resolved if `excused` says so of the measured and the configured value.
    fn excuse_if(&mut self, excused: impl Fn(f64, f64) -> bool) {
        if let (Verdict::Wrong, Some(measured), Some(configured)) =
            (self.verdict, self.measured, self.configured)
            && excused(measured, configured)
        {
            self.verdict = Verdict::NotResolved;
        }
    }

    /// Nothing was measured.
    pub const fn not_measured(configured: Option<f64>) -> Finding {
        let verdict = Verdict::NotResolved;
        Finding { verdict, configured, measured: None, low: None, high: None }
    }
}

/// What was measured of a link.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measurement {
    /// Bytes of UDP payload of the packets that went round.
    pub echo_bytes: u64,
    /// Their round trips in nanoseconds, in the order of sending.
    pub round_trips_ns: Vec<u64>,
    /// How late both hosts together woke for one of them, on the average, in nanoseconds.
    pub late_ns: u64,
    /// From the task node to the helper node.
    pub up: OneWay,
    /// From the helper node to the task node.
    pub down: OneWay,
}

/// What the receiver of one direction saw of a probe.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OneWay {
    /// Arrivals of the rate probe; empty if there was none.
    pub rate: Vec<Group>,
    /// The loss probe, if there was one.
    pub loss: Option<LossSample>,
}

/// A link from one slot on: configured beside measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkCheck {
    /// Name of the helper node.
    pub link: String,
    /// Name of the link's profile.
    pub profile: String,
    /// The slot from which on the link is so.
    pub slot: u64,
    /// 5th percentile of round trips of small packets, in milliseconds.
    pub round_trip_ms: Finding,
    /// From the task node to the helper node.
    pub up: DirectionCheck,
    /// From the helper node to the task node.
    pub down: DirectionCheck,
}

/// One direction of a link: configured beside measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectionCheck {
    /// Rate on the wire in Mbit/s.
    pub rate_mbit_s: Finding,
    /// Share of packets lost, by the probe.
    pub loss: Finding,
    /// Share of packets lost, by all packets that passed until the link changed or the run ended.
    pub passive_loss: Finding,
    /// How late packets were delivered against the link's own schedule.
    pub lateness: Lateness,
}

/// How late packets were delivered against their schedule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Lateness {
    /// The buckets that hold any packet, in rising order: upper end in nanoseconds (inclusive), packets.
    pub buckets: Vec<(u64, u64)>,
    /// Half were at most this late, in milliseconds; the upper end of a bucket.
    pub p50_ms: Option<f64>,
    /// 99 of 100 were at most this late, in milliseconds; the upper end of a bucket.
    pub p99_ms: Option<f64>,
    /// The latest, in milliseconds.
    pub max_ms: Option<f64>,
}

impl Lateness {
    /// Of a histogram: each bucket's upper end in nanoseconds, rising, and how many packets it holds;
    /// `max_ns` is the latest of all.
    pub fn of(buckets: impl IntoIterator<Item = (u64, u64)>, max_ns: u64) -> Lateness {
        let buckets: Vec<_> = buckets.into_iter().filter(|(_, packets)| *packets > 0).collect();
        let all: u64 = buckets.iter().map(|(_, packets)| packets).sum();
        let ms = |ns: u64| ns as f64 / 1e6;
        let at = |percent: u64| {
            // The smallest whole number of packets that is at least this share.
            let wanted = (u128::from(all) * u128::from(percent)).div_ceil(100);
            let mut seen = 0;
            let bucket = buckets.iter().find(|(_, packets)| {
                seen += u128::from(*packets);
                seen >= wanted
            });
            bucket.map(|(end, _)| ms((*end).min(max_ns)))
        };
        let (p50_ms, p99_ms) = (at(50), at(99));
        let max_ms = (all > 0).then(|| ms(max_ns));
        Lateness { buckets, p50_ms, p99_ms, max_ms }
    }
}

impl LinkCheck {
    /// Judges `link`, which is as `state` says from `slot` on, by a probe.
    pub fn of_probe(link: &str, slot: u64, state: &LinkState, measured: &Measurement) -> LinkCheck {
        let LinkSpec { up, down } = &state.spec;
        LinkCheck {
            link: link.into(),
            profile: state.profile.clone(),
            slot,
            round_trip_ms: judge_delay(
                &state.spec,
                measured.echo_bytes,
                &measured.round_trips_ns,
                measured.late_ns,
            ),
            up: DirectionCheck::of_probe(up, &measured.up),
            down: DirectionCheck::of_probe(down, &measured.down),
        }
    }

    /// The same of a probe that shared the link with tasks: these wait in front of its packets and take a
    /// part of the rate and of the queue, so a delay or loss that is too high, or a rate that is too low, says
    /// nothing against the link.
    #[must_use]
    pub fn beside_tasks(mut self) -> LinkCheck {
        self.round_trip_ms.excuse_if(|measured, configured| measured > configured);
        for way in [&mut self.up, &mut self.down] {
            way.rate_mbit_s.excuse_if(|measured, configured| measured < configured);
            way.loss.excuse_if(|measured, configured| measured > configured);
        }
        self
    }

    /// All findings.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let directions = [&self.up, &self.down].into_iter();
        let of_each = directions.flat_map(|way| [&way.rate_mbit_s, &way.loss, &way.passive_loss]);
        std::iter::once(&self.round_trip_ms).chain(of_each)
    }

    /// What `self` and `other`, two links that are configured alike, have in common that was measured of both:
    /// its name, and whether it [differs](Finding::differs) by more than verdicts tolerate.
    pub fn compare(&self, other: &LinkCheck) -> Vec<(&'static str, bool)> {
        let delay = delay::tolerance(self.round_trip_ms.configured.unwrap_or(0.0) * 1e6) / 1e6;
        let rate =
            |way: &DirectionCheck| rate::TOLERANCE * way.rate_mbit_s.configured.unwrap_or(0.0);
        let pairs = [
            ("round trip", &self.round_trip_ms, &other.round_trip_ms, delay),
            ("rate up", &self.up.rate_mbit_s, &other.up.rate_mbit_s, rate(&self.up)),
            ("rate down", &self.down.rate_mbit_s, &other.down.rate_mbit_s, rate(&self.down)),
            ("loss up", &self.up.loss, &other.up.loss, 0.0),
            ("loss down", &self.down.loss, &other.down.loss, 0.0),
        ];
        let differs = |(name, here, there, tolerance): (_, &Finding, _, _)| {
            Some((name, here.differs(there, tolerance)?))
        };
        pairs.into_iter().filter_map(differs).collect()
    }

    /// Whether anything is wrong with it.
    pub fn is_wrong(&self) -> bool {
        self.findings().any(|finding| finding.verdict == Verdict::Wrong)
    }
}

impl DirectionCheck {
    fn of_probe(configured: &Direction, measured: &OneWay) -> DirectionCheck {
        DirectionCheck {
            rate_mbit_s: judge_rate(configured, &measured.rate),
            loss: judge_loss(&configured.loss, measured.loss),
            passive_loss: Finding::not_measured(Some(configured.loss.mean())),
            lateness: Lateness::default(),
        }
    }

    /// Adds what was counted ([`PassiveCounts::since`]) while the link was as it is.
    pub fn count(&mut self, configured: &Direction, counted: LossSample, lateness: Lateness) {
        self.passive_loss = judge_loss(&configured.loss, Some(counted));
        self.lateness = lateness;
    }
}

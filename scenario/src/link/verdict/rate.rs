//! Rate: the line through arrivals at a receiver whose link was never idle.

use serde::{Deserialize, Serialize};

use super::{Finding, Verdict};
use crate::link::Direction;

/// A rate is right within this share of it.
pub(super) const TOLERANCE: f64 = 0.03;
/// Fewer groups than this tell nothing of use.
const FEWEST: usize = 16;
/// The 99.95 % quantile of Student's t with 12 degrees of freedom, which is what `3 n / (2 l)` comes to
/// (Priestley, Spectral Analysis and Time Series, 6.2.3) with [`Groups::MOST`] groups and 8 lags.
const STUDENT: f64 = 4.318;

/// Consecutive arrivals, averaged.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Group {
    /// Mean, over its packets, of the bytes on the wire up to and with the packet.
    pub bytes: f64,
    /// Mean, over its packets, of the time of arrival in nanoseconds since the first one.
    pub time_ns: f64,
}

/// Arrivals of a rate probe at its receiver, in bounded memory: groups of as many packets as are needed
/// for at most [`Groups::MOST`].
#[derive(Debug, Clone, Default)]
pub struct Groups {
    size: u64,
    done: Vec<Group>,
    open: Group,
    open_packets: u64,
    bytes: u64,
    first_ns: Option<u64>,
}

impl Groups {
    /// The largest number of groups.
    pub const MOST: usize = 64;

    /// For a probe of `packets` packets.
    pub fn for_packets(packets: u64) -> Groups {
        Groups { size: packets.div_ceil(Groups::MOST as u64).max(1), ..Groups::default() }
    }

    /// A packet of `bytes` bytes on the wire arrived at `now_ns`.
    pub fn arrived(&mut self, now_ns: u64, bytes: u64) {
        let first = *self.first_ns.get_or_insert(now_ns);
        self.bytes += bytes;
        self.open.bytes += self.bytes as f64;
        self.open.time_ns += now_ns.saturating_sub(first) as f64;
        self.open_packets += 1;
        if self.open_packets == self.size && self.done.len() < Groups::MOST {
            let count = self.open_packets as f64;
            let Group { bytes, time_ns } = std::mem::take(&mut self.open);
            self.done.push(Group { bytes: bytes / count, time_ns: time_ns / count });
            self.open_packets = 0;
        }
    }

    /// The full groups, in the order of arrival.
    pub fn groups(&self) -> &[Group] {
        &self.done
    }
}

/// Judges the rate of one direction by the arrivals of a probe; values are in Mbit/s on the wire.
///
/// While something waits for the link, packet after packet leaves it as fast as it can, so arrival times are
/// a line over the bytes that have arrived, with slope 8 bits over the rate, and with jitter and lateness
/// around it. The slope is that of least squares; since jitter of neighbours is alike, its variance is that of
/// Newey and West (1987). What arrived before the first jitter was over is left out: nothing held it back.
pub fn judge_rate(configured: &Direction, groups: &[Group]) -> Finding {
    let Some(rate) = configured.rate_bits_s else {
        return Finding::not_measured(None);
    };
    let rate = rate as f64 / 1e6;
    let warm_ns = 2.0 * configured.jitter_ns as f64;
    let first = groups.iter().position(|group| group.time_ns >= warm_ns).unwrap_or(groups.len());
    let Some((slope, error)) = line(&groups[first..]) else {
        return Finding::not_measured(Some(rate));
    };
    // Nanoseconds a byte to Mbit/s.
    let as_rate = |slope: f64| 8e3 / slope;
    let measured = as_rate(slope);
    let margin = STUDENT * error;
    let low = as_rate(slope + margin);
    let high = if slope > margin { as_rate(slope - margin) } else { f64::INFINITY };
    let verdict = if rate < low * (1.0 - TOLERANCE) || rate > high * (1.0 + TOLERANCE) {
        Verdict::Wrong
    } else if high - low <= 2.0 * TOLERANCE * rate && (measured / rate - 1.0).abs() <= TOLERANCE {
        Verdict::Right
    } else {
        Verdict::NotResolved
    };
    let high = Some(high).filter(|high| high.is_finite());
    Finding { verdict, configured: Some(rate), measured: Some(measured), low: Some(low), high }
}

/// Slope of time over bytes, in nanoseconds a byte, and its standard error; `None` if there is too little
/// to say.
fn line(groups: &[Group]) -> Option<(f64, f64)> {
    if groups.len() < FEWEST {
        return None;
    }
    let count = groups.len() as f64;
    let mean = |of: fn(&Group) -> f64| groups.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|group| group.bytes), mean(|group| group.time_ns));
    let squares: f64 = groups.iter().map(|group| (group.bytes - x) * (group.bytes - x)).sum();
    let products: f64 = groups.iter().map(|group| (group.bytes - x) * (group.time_ns - y)).sum();
    let slope = products / squares;
    if !slope.is_finite() || slope <= 0.0 {
        return None;
    }
    let scores: Vec<f64> = groups
        .iter()
        .map(|group| (group.bytes - x) * (group.time_ns - y - slope * (group.bytes - x)))
        .collect();
    let lags = (groups.len() / 8).max(1);
    let covariance = |lag: usize| -> f64 {
        scores.iter().zip(&scores[lag..]).map(|(early, late)| early * late).sum()
    };
    let weighted: f64 =
        (1..=lags).map(|lag| 2.0 * (1.0 - lag as f64 / (lags + 1) as f64) * covariance(lag)).sum();
    // Two parameters were fitted.
    let variance = (covariance(0) + weighted).max(0.0) * count / (count - 2.0);
    Some((slope, variance.sqrt() / squares))
}

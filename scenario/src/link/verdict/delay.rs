//! Delay: what round trips a link makes by its settings, and what their 5th percentile tells.

use super::{Finding, TAIL, Verdict, beta};
use crate::link::{Direction, LinkSpec};

/// The percentile that is compared: what makes a packet late on a busy host leaves it alone.
const SHARE: f64 = 0.05;
/// A delay is right within this many nanoseconds,
const TOLERANCE_NS: f64 = 1e6;
/// or within this share of it, whichever is more.
const TOLERANCE_SHARE: f64 = 0.02;
/// An interval wider than this many tolerances tells nothing of use.
const USEFUL_TOLERANCES: f64 = 10.0;

/// The distribution of round trips of a small packet over a link that is otherwise idle.
///
/// Both jitters are uniform and independent. With widths `a <= b` their sum is a trapezoid:
///
/// | sum `s` | share of round trips up to `s` |
/// | --- | --- |
/// | `0 .. a` | `s^2 / (2 a b)` |
/// | `a .. b` | `(s - a/2) / b` |
/// | `b .. a+b` | `1 - (a + b - s)^2 / (2 a b)` |
///
/// A packet that skips the propagation of a direction (`reorder`) has neither its delay nor its
/// jitter, so the whole is a mixture of four of these. It holds for packets so far apart that none waits
/// for the jitter of the one before it.
#[derive(Debug, Clone)]
pub struct RoundTrips {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    share: f64,
    floor_ns: f64,
    narrow_ns: f64,
    wide_ns: f64,
}

impl RoundTrips {
    /// Those of packets with `bytes` bytes of UDP payload in both directions.
    pub fn of(link: &LinkSpec, bytes: u64) -> RoundTrips {
        let serialisation = link.up.serialisation_ns(bytes) + link.down.serialisation_ns(bytes);
        let mut parts = Vec::new();
        for (up_share, up) in ways(&link.up) {
            for (down_share, down) in ways(&link.down) {
                parts.push(Part {
                    share: up_share * down_share,
                    floor_ns: serialisation as f64 + up.0 + down.0,
                    narrow_ns: up.1.min(down.1),
                    wide_ns: up.1.max(down.1),
                });
            }
        }
        RoundTrips { parts }
    }

    /// The share of round trips of at most `time_ns`.
    pub fn cumulative(&self, time_ns: f64) -> f64 {
        self.parts.iter().map(|part| part.share * part.cumulative(time_ns - part.floor_ns)).sum()
    }

    /// The round trip in nanoseconds that a share `share` of them does not exceed.
    pub fn quantile(&self, share: f64) -> f64 {
        let possible = self.parts.iter().filter(|part| part.share > 0.0);
        let mut low = possible.clone().map(|part| part.floor_ns).fold(f64::INFINITY, f64::min);
        let mut high =
            possible.map(|part| part.floor_ns + part.narrow_ns + part.wide_ns).fold(low, f64::max);
        // Down to a fraction of a nanosecond.
        while high - low > 0.01 {
            let middle = 0.5 * (low + high);
            if self.cumulative(middle) < share { low = middle } else { high = middle }
        }
        high
    }
}

/// How a packet may pass: with the share of packets that do, floor and width in nanoseconds.
fn ways(direction: &Direction) -> [(f64, (f64, f64)); 2] {
    let delayed = (direction.floor_ns() as f64, 2.0 * direction.jitter_ns as f64);
    [(1.0 - direction.reorder, delayed), (direction.reorder, (0.0, 0.0))]
}

impl Part {
    fn cumulative(&self, sum_ns: f64) -> f64 {
        let (a, b) = (self.narrow_ns, self.wide_ns);
        if sum_ns < 0.0 {
            0.0
        } else if sum_ns >= a + b {
            1.0
        } else if sum_ns < a {
            sum_ns * sum_ns / (2.0 * a * b)
        } else if sum_ns <= b {
            (sum_ns - a / 2.0) / b
        } else {
            1.0 - (a + b - sum_ns) * (a + b - sum_ns) / (2.0 * a * b)
        }
    }
}

/// By how much a round trip of `configured_ns` may be off, in nanoseconds.
pub(super) fn tolerance(configured_ns: f64) -> f64 {
    TOLERANCE_NS.max(TOLERANCE_SHARE * configured_ns)
}

/// Judges the delay of a link by the round trips, in nanoseconds, of packets with `bytes` bytes of UDP
/// payload. Values are in milliseconds: the 5th percentile.
///
/// If round trips are those of the settings plus a constant, the rank-`k` one of `n` lies at a share of
/// their distribution `F` that is beta distributed with `(k, n - k + 1)` (David and Nagaraja, Order
/// Statistics, 2.1). So the constant is within `x_k - F^-1(q)` at the quantiles `q` of that, exactly, and
/// the 5th percentile within these and `F^-1(0.05)`.
///
/// `late_ns` is how late hosts wake on the average for what a round trip needs: so much more is not the
/// link's, and the lower end of the interval is lower by it.
pub fn judge_delay(link: &LinkSpec, bytes: u64, round_trips_ns: &[u64], late_ns: u64) -> Finding {
    let expected = RoundTrips::of(link, bytes);
    let configured = expected.quantile(SHARE);
    let count = round_trips_ns.len();
    if count == 0 {
        return Finding::not_measured(Some(configured / 1e6));
    }
    let mut sorted = round_trips_ns.to_vec();
    sorted.sort_unstable();
    let rank = ((SHARE * count as f64).ceil() as usize).max(1);
    let measured = sorted[rank - 1] as f64;
    let (k, rest) = (rank as f64, (count - rank + 1) as f64);
    let at = |tail| measured + configured - expected.quantile(beta::quantile(k, rest, tail));
    let (low, high) = (at(1.0 - TAIL) - late_ns as f64, at(TAIL));
    let tolerance = tolerance(configured);
    let verdict = if configured < low - tolerance || configured > high + tolerance {
        Verdict::Wrong
    } else if high - low <= USEFUL_TOLERANCES * tolerance {
        Verdict::Right
    } else {
        Verdict::NotResolved
    };
    let ms = |ns: f64| Some(ns / 1e6);
    // Centred where the sample would be by the settings: at the quantile of its own rank.
    let centre = at(0.5);
    Finding {
        verdict,
        configured: ms(configured),
        measured: ms(centre),
        low: ms(low),
        high: ms(high),
    }
}

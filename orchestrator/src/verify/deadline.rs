//! Channel quality and the probability to answer in time, written again in the plainest way: times in
//! milliseconds, sizes in bytes, the density of both jitters integrated piece by piece.

use fogbit_scenario::deadline::Deadline;
use fogbit_scenario::link::{Direction, LinkSpec};

/// Table 7.2.3-1 of 3GPP TS 36.213: modulation order in bits, and code rate times 1024.
const MODULATIONS: [(f64, f64); 15] = [
    (2.0, 78.0),
    (2.0, 120.0),
    (2.0, 193.0),
    (2.0, 308.0),
    (2.0, 449.0),
    (2.0, 602.0),
    (4.0, 378.0),
    (4.0, 490.0),
    (4.0, 616.0),
    (6.0, 466.0),
    (6.0, 567.0),
    (6.0, 666.0),
    (6.0, 772.0),
    (6.0, 873.0),
    (6.0, 948.0),
];

/// The CQI index of a rate over a channel. The table gives efficiencies to four digits.
pub(super) fn channel_quality(rate: Option<u64>, bandwidth_mhz: f64) -> f64 {
    let Some(rate) = rate else { return 15.0 };
    let mbit_s = rate as f64 / 1e6;
    let reached = |(bits, code_rate): &&(f64, f64)| {
        let efficiency = (bits * code_rate / 1024.0 * 1e4).round() / 1e4;
        efficiency * bandwidth_mhz <= mbit_s
    };
    MODULATIONS.iter().filter(reached).count() as f64
}

/// The probability that the task with the features `x` is answered in time over `link`.
pub(super) fn in_time(model: &Deadline, link: Option<&LinkSpec>, x: &[f64]) -> f64 {
    let link = link.unwrap_or(&LinkSpec::UNIMPAIRED);
    let bytes = (x[0] * model.scales.bytes).round();
    let fullness = x[2] * model.scales.queue;
    let waiting = fullness * model.full_queue_ns as f64 / 1e6;
    let cycles = x[1] * model.scales.cycles;
    let execution =
        if cycles == 0.0 { 0.0 } else { cycles / (x[3] * model.scales.gigahertz) / 1e6 };
    let answer = model.response_bytes as f64;
    let (up, down) = (&link.up, &link.down);
    let least = transfer_ms(up, bytes) + waiting + execution + transfer_ms(down, answer);
    let slack = model.deadline_ns as f64 / 1e6 - least;
    let (a, b) = (up.jitter_ns as f64 / 1e6, down.jitter_ns as f64 / 1e6);
    let mut whole = 1.0;
    for (direction, bytes) in [(up, bytes), (down, answer)] {
        for _ in 0..packets(bytes) as u64 {
            whole *= 1.0 - direction.loss.mean();
        }
    }
    let round_trip = (up.delay_ns + down.delay_ns) as f64 / 1e6;
    let probe_timeout = round_trip + (4.0 * deviation(a, b)).max(1.0) + 25.0;
    whole * at_most(slack, a, b) + (1.0 - whole) * at_most(slack - probe_timeout, a, b)
}

/// 1,415 of the 1,452 bytes of a packet are the message's.
fn packets(bytes: f64) -> f64 {
    (bytes / 1415.0).ceil().max(1.0)
}

/// From the first bit's leaving to the last one's coming, without jitter, in milliseconds.
fn transfer_ms(direction: &Direction, bytes: f64) -> f64 {
    let on_the_wire = bytes + packets(bytes) * (37.0 + 28.0);
    let serialisation = match direction.rate_bits_s {
        Some(rate) => on_the_wire * 8.0 / (rate as f64 / 1e3),
        None => 0.0,
    };
    serialisation + direction.delay_ns as f64 / 1e6
}

/// The mean size of u + v, with u uniform within a of 0 and v within b.
fn deviation(a: f64, b: f64) -> f64 {
    let (a, b) = (a.max(b), a.min(b));
    if a == 0.0 { 0.0 } else { a / 2.0 + b * b / (6.0 * a) }
}

/// P(u + v <= limit): the second integral of two boxes, from the four corners of the trapezoid.
fn at_most(limit: f64, a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 {
        let width = a.max(b);
        return match width == 0.0 {
            true => f64::from(u8::from(limit >= 0.0)),
            false => ((limit + width) / (2.0 * width)).clamp(0.0, 1.0),
        };
    }
    if limit >= a + b {
        return 1.0;
    }
    let corner = |from: f64| (limit - from).max(0.0).powi(2) / 2.0;
    let area = corner(-a - b) - corner(b - a) - corner(a - b) + corner(a + b);
    area / (4.0 * a * b)
}

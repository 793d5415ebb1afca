//! What a probe of a link sends, from what the link is configured to be: both ends compute the same.

use fogbit_scenario::link::{Direction, HEADER_BYTES, LinkSpec};

use super::packet::{HEADER, Kind};
use crate::emulation::RAW_OVERHEAD;

/// A probe takes no longer than this, in nanoseconds.
pub const BUDGET_NS: u64 = 2_000_000_000;
/// Of which this much is for what hosts take, in nanoseconds.
const SLACK_NS: u64 = 100_000_000;
/// More time to send would bring little, in nanoseconds.
const LONGEST_NS: u64 = 1_500_000_000;
/// Less would not be worth it, in nanoseconds.
const SHORTEST_NS: u64 = 100_000_000;
/// Packets that go round: UDP payload in bytes.
pub const ECHO_BYTES: u64 = 64;
/// Packets that go round do so at most this often, in nanoseconds.
const ECHO_INTERVAL_NS: u64 = 6_000_000;
/// Packets that go round over a link that does nothing.
const ECHOES_UNIMPAIRED: u64 = 20;
/// Packets by which loss is counted: UDP payload in bytes.
const LOSS_BYTES: u64 = 44;
/// At most this many of them a second.
const LOSS_PER_SECOND: u64 = 4_000;
/// At most this share of the rate, in percent: nothing may be lost in a queue.
const LOSS_PERCENT_OF_RATE: u64 = 60;
/// Packets by which a rate is measured take about this long each, in nanoseconds,
const RATE_PACKET_NS: u64 = 4_000_000;
/// and have at most this many bytes of UDP payload.
const LARGEST_BYTES: u64 = 1_200;
/// A queue is held at this much by a rate probe, in nanoseconds of the rate; half of it if that is less.
const BACKLOG_NS: u64 = 50_000_000;
/// With less to lose a host's scheduler alone would let the queue run dry, in nanoseconds.
const LEAST_BACKLOG_NS: u64 = 5_000_000;
/// Fewer packets tell no rate.
const FEWEST_RATE_PACKETS: u64 = 24;
/// Higher rates are not probed, in bits a second: two sides of a busy host would not sustain them.
const FASTEST_BITS_S: u64 = 250_000_000;
/// Rates of one process that are probed at the same time, in bits a second.
pub(super) const TOGETHER_BITS_S: u64 = 250_000_000;
/// Links of one process that are probed at the same time.
const TOGETHER: usize = 16;

/// Packets of one kind, evenly spaced behind those that go at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// Which.
    pub(super) kind: Kind,
    /// When the first is due, in nanoseconds since the probe began.
    pub(super) start_ns: u64,
    /// How many.
    pub(super) packets: u64,
    /// How many of them at once, at least 1.
    pub(super) burst: u64,
    /// Between two of the others, in nanoseconds.
    pub(super) interval_ns: u64,
    /// UDP payload of each in bytes, [`RAW_OVERHEAD`] among them.
    pub(super) bytes: u64,
    /// How many a sender that fell behind makes up for at once: more could overflow a queue. The others
    /// are later than planned.
    pub(super) catch_up: u64,
}

/// What is sent over one direction to measure its rate and its loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Train {
    /// To measure its rate.
    pub rate: Option<Phase>,
    /// To count what it loses.
    pub loss: Option<Phase>,
}

/// What a probe sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What goes round; none if it could not be back in time.
    pub echo: Option<Phase>,
    /// Over the way up.
    pub up: Train,
    /// Over the way down.
    pub down: Train,
}

impl Plan {
    /// For a link that is configured to be `link`.
    ///
    /// Packets that go round come first, while nothing else is on the link; then, on both ways at once, what
    /// measures the rate, and at last what counts loss. The longer the link, the less time is left to send.
    pub fn of(link: &LinkSpec) -> Plan {
        let nothing = Plan { echo: None, up: Train::default(), down: Train::default() };
        let longest = |way: &Direction| way.delay_ns + way.jitter_ns;
        let away = longest(&link.up) + longest(&link.down) + 2 * BACKLOG_NS + SLACK_NS;
        let active = BUDGET_NS.saturating_sub(away).min(LONGEST_NS);
        if active < SHORTEST_NS {
            return nothing;
        }
        let (echo_ns, rate_ns, loss_ns) = (active * 2 / 5, active / 3, active * 4 / 15);
        let echo = Some(echo_phase(link, echo_ns));
        if link.up.is_unimpaired() && link.down.is_unimpaired() {
            return Plan { echo, ..nothing };
        }
        let train = |way: &Direction| Train {
            rate: rate_phase(way, echo_ns, rate_ns),
            loss: loss_phase(way, echo_ns + rate_ns, loss_ns),
        };
        Plan { echo, up: train(&link.up), down: train(&link.down) }
    }
}

/// So far apart that no packet meets another one, in a queue or in its jitter: [`RoundTrips`] holds for
/// such packets.
///
/// [`RoundTrips`]: fogbit_scenario::link::verdict::RoundTrips
fn echo_phase(link: &LinkSpec, window_ns: u64) -> Phase {
    let width = |way: &Direction| if way.jitter_reorders { 0 } else { 2 * way.jitter_ns };
    let serialisation = |way: &Direction| 2 * way.serialisation_ns(ECHO_BYTES);
    let interval_ns = ECHO_INTERVAL_NS
        .max(width(&link.up) + width(&link.down))
        .max(serialisation(&link.up))
        .max(serialisation(&link.down));
    let fit = (window_ns / interval_ns).max(1);
    let nothing = link.up.is_unimpaired() && link.down.is_unimpaired();
    let packets = if nothing { fit.min(ECHOES_UNIMPAIRED) } else { fit };
    let kind = Kind::Echo;
    Phase { kind, start_ns: 0, packets, burst: 1, interval_ns, bytes: ECHO_BYTES, catch_up: 0 }
}

/// As much at once as waits in half a queue, and then as much as the rate takes away and the link loses:
/// the queue neither runs dry nor overflows, whether the rate is right or a tenth off.
fn rate_phase(way: &Direction, start_ns: u64, window_ns: u64) -> Option<Phase> {
    let rate = way.rate_bits_s.filter(|rate| *rate <= FASTEST_BITS_S)?;
    let bytes_in = |time_ns: u64| (u128::from(rate) * u128::from(time_ns) / 8_000_000_000) as u64;
    let smallest = (HEADER + RAW_OVERHEAD) as u64;
    let bytes =
        bytes_in(RATE_PACKET_NS).saturating_sub(HEADER_BYTES).clamp(smallest, LARGEST_BYTES);
    let wire = bytes + HEADER_BYTES;
    let backlog = (way.queue_bytes / 2).min(bytes_in(BACKLOG_NS));
    if backlog < bytes_in(LEAST_BACKLOG_NS).max(wire) {
        return None;
    }
    let burst = backlog / wire;
    let packets = burst + bytes_in(window_ns) / wire;
    if packets < FEWEST_RATE_PACKETS {
        return None;
    }
    // A fiftieth more than is taken away, for clocks; beyond half, lost packets are not made up for.
    let passing = (1.0 - way.loss.mean()).max(0.5);
    let interval_ns = (way.serialisation_ns(bytes) as f64 * passing / 1.02) as u64;
    Some(Phase { kind: Kind::Rate, start_ns, packets, burst, interval_ns, bytes, catch_up: burst })
}

fn loss_phase(way: &Direction, start_ns: u64, window_ns: u64) -> Option<Phase> {
    if way.is_unimpaired() {
        return None;
    }
    let by_rate = way.serialisation_ns(LOSS_BYTES) * 100 / LOSS_PERCENT_OF_RATE;
    let interval_ns = by_rate.max(1_000_000_000 / LOSS_PER_SECOND);
    let packets = window_ns / interval_ns;
    let queue = way.rate_bits_s.map_or(u64::MAX, |_| way.queue_bytes);
    let phase = Phase {
        kind: Kind::Loss,
        start_ns,
        packets,
        burst: 1,
        interval_ns,
        bytes: LOSS_BYTES,
        // With what the rate probe has left there, three quarters of the queue at most.
        catch_up: (queue / 4 / (LOSS_BYTES + HEADER_BYTES)).min(LOSS_PER_SECOND / 10),
    };
    Some(phase).filter(|_| packets > 0)
}

/// Which of a process's links are probed together, by their place in `links`: as many as neither disturb each
/// other nor the host. Impairments keep to their links, but processor time does not: a host that cannot
/// send the sum of all rates would find every one of them too low.
pub fn waves(links: &[LinkSpec]) -> Vec<Vec<usize>> {
    let mut waves: Vec<(u64, Vec<usize>)> = Vec::new();
    for (place, link) in links.iter().enumerate() {
        let rate = probed_bits_s(link);
        match waves.last_mut() {
            Some((all, wave)) if wave.len() < TOGETHER && *all + rate <= TOGETHER_BITS_S => {
                *all += rate;
                wave.push(place);
            }
            _ => waves.push((rate, vec![place])),
        }
    }
    waves.into_iter().map(|(_, wave)| wave).collect()
}

/// What a probe of `link` puts on both of its ways together, in bits a second.
fn probed_bits_s(link: &LinkSpec) -> u64 {
    let rates = [link.up.rate_bits_s, link.down.rate_bits_s];
    rates.into_iter().flatten().filter(|rate| *rate <= FASTEST_BITS_S).sum()
}

/// What a probe of `link` takes of the [`TOGETHER_BITS_S`] that one process may probe at the same time.
pub(super) fn share_bits_s(link: &LinkSpec) -> u64 {
    probed_bits_s(link).clamp(TOGETHER_BITS_S / TOGETHER as u64, TOGETHER_BITS_S)
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::link::{LinkSpec, profiles};
    use fogbit_scenario::topology::LinkProfile;

    use super::*;

    fn named(name: &str) -> LinkSpec {
        LinkProfile::Named(name.into()).resolve().unwrap().spec
    }

    #[test]
    fn every_profile_is_probed_within_its_time_and_its_queue() {
        for (name, _) in profiles() {
            let link = named(name);
            let plan = Plan::of(&link);
            let echo = plan.echo.expect(name);
            assert!(echo.packets >= 2, "{name}: {echo:?}");
            for (way, train) in [(&link.up, plan.up), (&link.down, plan.down)] {
                assert_eq!(train.rate.is_some(), way.rate_bits_s.is_some(), "{name}");
                assert_eq!(train.loss.is_some(), name != "loopback", "{name}");
                let sent = [train.rate, train.loss].into_iter().flatten();
                let end = sent.map(|p| p.start_ns + (p.packets - p.burst) * p.interval_ns).max();
                let there = end.unwrap_or(0) + link.up.delay_ns + link.down.delay_ns + BACKLOG_NS;
                assert!(there <= BUDGET_NS - SLACK_NS / 2, "{name}: {there}");
                if let Some(rate) = train.rate {
                    assert!(
                        rate.burst * (rate.bytes + HEADER_BYTES) <= way.queue_bytes / 2,
                        "{name}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_could_not_be_back_is_not_sent() {
        let mut link = named("geo");
        link.up.delay_ns = 1_900_000_000;
        let plan = Plan::of(&link);
        assert_eq!((plan.echo, plan.up, plan.down), (None, Train::default(), Train::default()));
    }

    #[test]
    fn rates_that_no_host_sustains_and_queues_that_run_dry_are_not_probed() {
        let mut link = named("lte");
        link.up.rate_bits_s = Some(10_000_000_000);
        link.down.queue_bytes = 2_000;
        let plan = Plan::of(&link);
        assert_eq!((plan.up.rate, plan.down.rate), (None, None));
        assert!(plan.up.loss.is_some() && plan.down.loss.is_some());
    }

    #[test]
    fn links_are_probed_together_until_their_rates_are_too_much() {
        let (lte, fast) = (named("lte"), named("5g"));
        assert_eq!(waves(&[lte; 5]), [[0, 1, 2, 3, 4]]);
        assert_eq!(waves(&[fast; 3]), [vec![0], vec![1], vec![2]]);
        assert_eq!(waves(&[fast, lte, lte, fast]), [vec![0, 1, 2], vec![3]]);
        assert_eq!(waves(&[named("loopback"); 20]).len(), 2);
        assert!(waves(&[]).is_empty());
    }
}

//! Payloads in virtual time against arithmetic.

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::LinkKeys;
use fogbit_scenario::link::{Direction, LinkSpec, Loss};
use fogbit_scenario::placement::{Channel, Way};
use fogbit_scenario::topology::{LinkProfile, TransferModel};
use proptest::prelude::*;

/// Task bytes in a packet, and its bytes on the wire.
const SEGMENT: u64 = 1415;
const WIRE: u64 = 1480;
/// The head of a request.
const HEAD: u64 = 48;

fn keys(seed: u64) -> LinkKeys {
    LinkKeys {
        up: Key::derive(seed, Purpose::LinkUp, 0),
        down: Key::derive(seed, Purpose::LinkDown, 0),
    }
}

fn channel(spec: LinkSpec, seed: u64) -> Channel {
    Channel::new(&spec, &keys(seed), TransferModel::Packets)
}

fn named(name: &str) -> LinkSpec {
    LinkProfile::Named(name.into()).resolve().expect("a profile").spec
}

/// A link of the same two directions.
fn both(delay_ms: u64, rate_bits_s: Option<u64>, loss: f64) -> LinkSpec {
    let direction = Direction {
        delay_ns: delay_ms * 1_000_000,
        loss: Loss::Independent(loss),
        rate_bits_s,
        queue_bytes: 10_000_000,
        ..Direction::UNIMPAIRED
    };
    LinkSpec { up: direction, down: direction }
}

/// Eight packets fit into the first window: they leave one after another, and the last arrives a
/// delay later.
#[test]
fn a_few_packets_take_their_serialisation_and_the_delay() {
    for rate in [750_000, 12_000_000, 100_000_000] {
        for packets in 1..=8u64 {
            let mut channel = channel(both(40, Some(rate), 0.0), 1);
            let bytes = packets * SEGMENT - HEAD;
            let arrived = channel.send(Way::Up, 5_000_000, bytes).unwrap();
            let wire_bits = (packets * WIRE * 8) as f64;
            let want = 5e6 + wire_bits / rate as f64 * 1e9 + 40e6;
            assert!((arrived as f64 - want).abs() < 10.0, "{packets} at {rate}: {arrived} {want}");
        }
    }
}

/// On a warm connection the window has room for ten packets as well.
#[test]
fn a_warm_window_lets_ten_packets_go_at_once() {
    let mut channel = channel(both(40, Some(12_000_000), 0.0), 1);
    let (bytes, mut now) = (10 * SEGMENT - HEAD, 0);
    let mut took = 0;
    for _ in 0..3 {
        took = channel.send(Way::Up, now, bytes).unwrap() - now;
        now += 1_000_000_000;
    }
    let want = (10 * WIRE * 8) as f64 / 12e6 * 1e9 + 40e6;
    assert!((took as f64 - want).abs() < 10.0, "{took} {want}");
}

/// Without a rate only rounds count: 12,000 bytes, then twice as many in each round.
#[test]
fn a_cold_window_takes_rounds() {
    // 8 packets, 16, 32: 3 rounds for 50 packets, and half of one for the last way; bursts are
    // spread over up to 4/5 of a round.
    let mut channel = channel(both(50, None, 0.0), 1);
    let took = channel.send(Way::Up, 0, 50 * SEGMENT - HEAD).unwrap();
    assert!((250_000_000..=430_000_000).contains(&took), "{took}");
}

#[test]
fn a_long_payload_comes_at_the_rate() {
    for name in ["wifi", "lte", "slow-4g", "3g-slow"] {
        let spec = named(name);
        let mut channel = channel(spec, 1);
        channel.send(Way::Up, 0, 3_000_000).unwrap();
        let begin = 1_000_000_000_000;
        let took = channel.send(Way::Up, begin, 3_000_000).unwrap() - begin;
        let packets = (3_000_000f64 / SEGMENT as f64).ceil();
        let rate = spec.up.rate_bits_s.unwrap() as f64;
        let want = packets * (WIRE * 8) as f64 / rate * 1e9 + spec.up.delay_ns as f64;
        let ratio = took as f64 / want;
        assert!((0.99..1.05).contains(&ratio), "{name}: {ratio}");
    }
}

/// Mathis et al. 1997: what loss leaves of a rate, here 1 % at 100 ms: 1.39 Mbit/s.
#[test]
fn loss_limits_the_rate_about_as_the_formula_says() {
    let bytes = 2_000_000;
    let mean = (1..=10)
        .map(|seed| channel(both(50, Some(100_000_000), 0.01), seed).send(Way::Up, 0, bytes))
        .map(|took| took.expect("it arrives") as f64 / 1e9 / 10.0)
        .sum::<f64>();
    let want = bytes as f64 * 8.0 / (1415.0 * 8.0 / 0.1 * (1.5f64 / 0.01).sqrt());
    assert!((0.7..1.4).contains(&(mean / want)), "{mean} s for {want} s");
}

#[test]
fn nothing_arrives_where_all_is_lost() {
    assert_eq!(channel(both(10, None, 1.0), 1).send(Way::Up, 0, 1000), None);
    assert_eq!(channel(both(10, None, 1.0), 1).probe(0), None);
}

#[test]
fn a_probe_takes_a_round_trip() {
    // 92 bytes on the wire each way: 61,333 ns at 12 Mbit/s.
    let rtt = channel(both(35, Some(12_000_000), 0.0), 1).probe(7).unwrap();
    assert!(rtt.abs_diff(70_000_000 + 2 * 61_333) < 4, "{rtt}");
}

#[test]
fn fluid_is_size_over_rate_and_half_a_round_trip() {
    let spec = both(30, Some(8_000_000), 0.5);
    let mut channel = Channel::new(&spec, &keys(1), TransferModel::Fluid);
    assert_eq!(channel.send(Way::Up, 100, 1_000_000), Some(1_030_000_100));
    assert_eq!(channel.send(Way::Down, 100, 0), Some(30_000_100));
    assert_eq!(channel.probe(100), Some(60_000_000));
}

#[test]
fn a_changed_link_is_another_one_from_then_on() {
    let mut channel = channel(both(10, None, 0.0), 1);
    assert_eq!(channel.send(Way::Up, 0, 100), Some(10_000_000));
    channel.set(&both(90, None, 0.0));
    assert_eq!(channel.send(Way::Up, 1_000_000_000, 100), Some(1_090_000_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the link does: what arrives has taken the time it must, the same again takes the
    /// same, and unless all is lost it arrives.
    #[test]
    fn everything_arrives(
        seed: u64,
        delay_ms in 0..300u64,
        jitter in 0.0..1.0f64,
        reorders: bool,
        loss in 0.0..0.3f64,
        shares in (0.0..0.5f64, 0.0..0.5f64),
        rate in prop::option::of(100_000..1_000_000_000u64),
        queue in 3000..500_000u64,
        payloads in prop::collection::vec((any::<bool>(), 0..120_000u64), 1..6),
    ) {
        let direction = Direction {
            delay_ns: delay_ms * 1_000_000,
            jitter_ns: (delay_ms as f64 * 1e6 * jitter) as u64,
            jitter_reorders: reorders,
            loss: Loss::Independent(loss),
            duplicate: shares.0,
            reorder: shares.1,
            rate_bits_s: rate,
            queue_bytes: queue,
        };
        let spec = LinkSpec { up: direction, down: direction };
        let (mut one, mut other) = (channel(spec, seed), channel(spec, seed));
        let mut now = 0;
        for (up, bytes) in payloads {
            let way = if up { Way::Up } else { Way::Down };
            let arrived = one.send(way, now, bytes);
            prop_assert_eq!(arrived, other.send(way, now, bytes));
            let arrived = arrived.expect("within an hour");
            let least = rate.map_or(0, |rate| bytes * 8_000_000_000 / rate);
            prop_assert!(arrived - now >= least, "{} ns for {}", arrived - now, bytes);
            now = arrived;
        }
    }
}

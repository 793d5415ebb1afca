//! The probability to answer in time, against a reference in another language.

use fogbit_scenario::deadline::{Deadline, Demand, InTime, JitterSum, Scales, packets, wire_bits};
use fogbit_scenario::link::{Direction, LinkChange, LinkPath, LinkSpec, LinkState, Loss};

/// `reference.py` in this folder printed it.
const REFERENCE: &str = include_str!("reference.txt");
/// Samples of its Monte Carlo column.
const SAMPLES: f64 = 2e6;

/// Features are raw values: bytes, cycles, a share and GHz.
const RAW: Scales = Scales { bytes: 1.0, cycles: 1.0, queue: 1.0, gigahertz: 1.0 };

fn nanoseconds(milliseconds: f64) -> u64 {
    (milliseconds * 1e6).round() as u64
}

fn direction(delay_ms: f64, jitter_ms: f64, loss: f64, mbit_s: f64) -> Direction {
    Direction {
        delay_ns: nanoseconds(delay_ms),
        jitter_ns: nanoseconds(jitter_ms),
        loss: Loss::Independent(loss),
        rate_bits_s: (mbit_s > 0.0).then_some((mbit_s * 1e6).round() as u64),
        queue_bytes: 1 << 20,
        ..Direction::UNIMPAIRED
    }
}

pub(crate) fn constant(spec: LinkSpec) -> LinkPath {
    LinkPath::constant(LinkState { profile: "test".into(), spec })
}

#[test]
fn it_is_that_of_the_reference() {
    assert_eq!(REFERENCE.lines().count(), 14);
    let mut between = 0;
    for line in REFERENCE.lines() {
        let row: Vec<f64> = line.split(' ').map(|value| value.parse().unwrap()).collect();
        let deadline = Deadline {
            deadline_ns: nanoseconds(row[0]),
            full_queue_ns: nanoseconds(row[1]),
            response_bytes: row[2] as u64,
            scales: RAW,
        };
        let demand =
            Demand { length: row[3], complexity: row[4], queue: row[5], cpu_frequency: row[6] };
        let up = direction(row[7], row[9], row[11], row[13]);
        let down = direction(row[8], row[10], row[12], row[14]);
        let path = constant(LinkSpec { up, down });
        let found = InTime::new(deadline, Some(&path)).probability(1, &demand);
        let (exact, sampled) = (row[15], row[16]);
        assert!((found - exact).abs() < 1e-9, "{found} where {exact} is right: {line}");
        let deviation = (exact * (1.0 - exact) / SAMPLES).sqrt();
        assert!((found - sampled).abs() <= 5.0 * deviation + 1e-6, "{found}: {line}");
        between += usize::from(exact > 0.01 && exact < 0.99);
    }
    assert!(between >= 9, "most cases are in doubt");
}

/// What needs no formula.
#[test]
fn it_is_certain_where_nothing_is_left_to_chance() {
    let deadline =
        Deadline { deadline_ns: 1000, full_queue_ns: 1000, response_bytes: 1, scales: RAW };
    let demand =
        |queue, complexity, cpu_frequency| Demand { length: 1e9, complexity, queue, cpu_frequency };
    let mut in_time = InTime::new(deadline, None);
    let mut is = |queue, cycles, ghz| in_time.probability(7, &demand(queue, cycles, ghz));
    assert_eq!((is(1.0, 0.0, 1.0), is(0.5, 500.0, 1.0)), (1.0, 1.0), "just in time");
    assert_eq!((is(1.0, 1.0, 1.0), is(0.0, 1001.0, 1.0)), (0.0, 0.0), "a nanosecond late");
    assert_eq!((is(0.0, 1.0, 0.0), is(0.0, 0.0, 0.0)), (0.0, 1.0), "a CPU that stands still");
    // Nothing comes through where every packet is lost, and nothing is lost twice.
    let lost = Direction { loss: Loss::Independent(1.0), ..Direction::UNIMPAIRED };
    let path = constant(LinkSpec { up: lost, down: Direction::UNIMPAIRED });
    let patient = Deadline { deadline_ns: 26_000_000, ..deadline };
    let probability =
        |deadline| InTime::new(deadline, Some(&path)).probability(1, &demand(0.0, 0.0, 1.0));
    assert_eq!((probability(deadline), probability(patient)), (0.0, 1.0), "25 ms and 1 ms later");
}

#[test]
fn a_link_changes_with_its_slots() {
    let state = |delay_ms: f64| {
        let way = direction(delay_ms, 0.0, 0.0, 0.0);
        LinkState { profile: "test".into(), spec: LinkSpec { up: way, down: way } }
    };
    let change = |at, delay_ms| LinkChange { at, state: state(delay_ms) };
    let path = LinkPath {
        first: state(10.0),
        changes: vec![change(5, 30.0), change(5, 31.0), change(9, 1.0)],
    };
    let deadline =
        Deadline { deadline_ns: 25_000_000, full_queue_ns: 0, response_bytes: 1, scales: RAW };
    let demand = Demand { length: 0.0, complexity: 0.0, queue: 0.0, cpu_frequency: 1.0 };
    let mut in_time = InTime::new(deadline, Some(&path));
    for slot in [1, 4, 5, 8, 9, 1_000_000, 4, 5, 1] {
        let right = f64::from(u8::from(!(5..9).contains(&slot)));
        assert_eq!(in_time.probability(slot, &demand), right, "slot {slot}");
    }
}

/// One packet carries 1,415 bytes; 65 of its bytes on the wire are not the message's.
#[test]
fn messages_are_cut_into_packets() {
    assert_eq!([0, 1, 1415, 1416, 2830, 2831].map(packets), [1, 1, 1, 2, 2, 3]);
    assert_eq!([0, 1415, 1416].map(wire_bits), [65 * 8, 1480 * 8, (1416 + 130) * 8]);
}

/// Every distribution function goes from 0 to 1 and never falls, whichever half width is the wider.
#[test]
fn the_sum_of_two_jitters_is_a_distribution() {
    for (a, b) in [(0.0, 0.0), (3.0, 0.0), (0.0, 3.0), (5.0, 5.0), (9.0, 1e-6), (2.0, 7.0)] {
        let (sum, turned) = (JitterSum::new(a, b), JitterSum::new(b, a));
        let mut before = 0.0;
        for step in -1000..=1000 {
            let limit = f64::from(step) / 1000.0 * (a + b + 1.0);
            let share = sum.at_most(limit);
            assert!((before..=1.0).contains(&share), "{a} {b} {limit}: {share} after {before}");
            assert_eq!(share, turned.at_most(limit));
            before = share;
        }
        assert_eq!((sum.at_most(f64::NEG_INFINITY), sum.at_most(a + b)), (0.0, 1.0));
        assert_eq!(sum.mean_deviation(), turned.mean_deviation());
    }
    assert_eq!(JitterSum::new(3.0, 3.0).mean_deviation(), 2.0, "a triangle");
    assert_eq!(JitterSum::new(3.0, 0.0).mean_deviation(), 1.5, "a box");
}

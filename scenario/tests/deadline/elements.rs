//! The probability to answer in time, against the elements that do it to real packets.

use fogbit_scenario::deadline::{
    Deadline, Demand, InTime, OVERHEAD_BYTES, PACKET_BYTES, Scales, packets,
};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::{Fate, LinkSpec, Shaper};
use fogbit_scenario::topology::LinkProfile;

use crate::probability::constant;

const TASKS: u64 = 20_000;
const ANSWER: u64 = 200;
/// Tasks do not meet on the link.
const APART_NS: u64 = 10_000_000_000;

fn link(profile: &str) -> LinkSpec {
    LinkProfile::Named(profile.into()).resolve().unwrap().spec
}

/// When the last of the packets of a message arrives; `None` if one is lost.
fn transfer(shaper: &mut Shaper, now_ns: u64, bytes: u64) -> Option<u64> {
    let (mut left, mut last, mut whole) = (bytes, now_ns, true);
    for _ in 0..packets(bytes) {
        let carried = left.min(PACKET_BYTES - OVERHEAD_BYTES);
        left -= carried;
        match shaper.send(now_ns, carried + OVERHEAD_BYTES) {
            Fate::Arrives { due_ns, .. } => last = last.max(due_ns),
            Fate::Dropped(_) => whole = false,
        }
    }
    whole.then_some(last)
}

/// The share of tasks of so many bytes that are answered within the deadline by the elements, and by
/// the formula. A task of which a packet is lost comes `again_ns` later.
fn shares(spec: LinkSpec, bytes: u64, deadline_ns: u64, again_ns: u64) -> (f64, f64) {
    let scales = Scales { bytes: 1.0, cycles: 1.0, queue: 1.0, gigahertz: 1.0 };
    let deadline = Deadline { deadline_ns, full_queue_ns: 0, response_bytes: ANSWER, scales };
    let demand = Demand { length: bytes as f64, complexity: 0.0, queue: 0.0, cpu_frequency: 1.0 };
    let formula = InTime::new(deadline, Some(&constant(spec))).probability(1, &demand);
    let key = |purpose| Key::derive(5, purpose, 0);
    let mut up = Shaper::new(spec.up, &key(Purpose::LinkUp));
    let mut down = Shaper::new(spec.down, &key(Purpose::LinkDown));
    let in_time = (0..TASKS).filter(|task| {
        let begun = task * APART_NS;
        let arrived = transfer(&mut up, begun, bytes);
        let sent = arrived.unwrap_or(begun + APART_NS / 4);
        let answered = transfer(&mut down, sent, ANSWER);
        let time = match arrived.zip(answered) {
            Some((_, answered)) => answered - begun,
            // The rest of the way is that of a task that came through.
            None => again_ns + mean_time(&spec, bytes),
        };
        time <= deadline_ns
    });
    (in_time.count() as f64 / TASKS as f64, formula)
}

/// Round trip and serialisation, without jitter.
fn mean_time(spec: &LinkSpec, bytes: u64) -> u64 {
    let full = packets(bytes) - 1;
    let rest = bytes - full * (PACKET_BYTES - OVERHEAD_BYTES);
    spec.round_trip_ns()
        + full * spec.up.serialisation_ns(PACKET_BYTES)
        + spec.up.serialisation_ns(rest + OVERHEAD_BYTES)
        + spec.down.serialisation_ns(ANSWER + OVERHEAD_BYTES)
}

fn is_binomial(share: f64, probability: f64) -> bool {
    let deviation = (probability * (1.0 - probability) / TASKS as f64).sqrt();
    (share - probability).abs() <= 4.5 * deviation
}

#[test]
fn tasks_of_one_packet_come_in_time_as_often_as_the_formula_says() {
    for (profile, deadlines_ms) in [
        ("lte", [63.0, 70.5, 76.0]),
        ("3g", [290.0, 310.0, 345.0]),
        ("starlink", [46.0, 52.0, 58.0]),
    ] {
        let spec = link(profile);
        for deadline_ms in deadlines_ms {
            let deadline_ns = (deadline_ms * 1e6) as u64;
            let (share, formula) = shares(spec, 1000, deadline_ns, APART_NS);
            assert!((0.02..0.98).contains(&formula), "{profile}: {formula}");
            // Bursts share their fate.
            let close = match profile {
                "starlink" => (share - formula).abs() < 0.02,
                _ => is_binomial(share, formula),
            };
            assert!(close, "{profile}, {deadline_ms} ms: {share} where {formula} is right");
        }
    }
}

/// The share of tasks that lose a packet, and when they come.
#[test]
fn what_is_lost_comes_a_round_later() {
    let spec = link("congested");
    // RTT, 4 times the mean deviation of two jitters of 10 ms, and the delay of acknowledgements.
    let again_ns = 200_000_000 + 4 * 2 * 10_000_000 / 3 + 25_000_000;
    let (share, formula) = shares(spec, 10_000, 300_000_000, again_ns);
    let lost = 1.0 - 0.95_f64.powi(9);
    assert!((formula - (1.0 - lost)).abs() < 1e-12, "{formula}");
    assert!(is_binomial(share, formula), "{share} where {formula} is right");
    let (share, formula) = shares(spec, 10_000, 600_000_000, again_ns);
    assert_eq!((share, formula), (1.0, 1.0));
}

/// Of several packets the slowest counts, which is the last one only where they are far apart. The
/// formula leaves that out: by how much is written in docs/limitations.md.
#[test]
fn of_many_packets_the_formula_is_a_little_too_good() {
    let spec = link("lte");
    let mean = mean_time(&spec, 14_000);
    let mut worst = 0.0_f64;
    for later_ms in [-6, -3, 0, 3, 6] {
        let deadline_ns = mean.checked_add_signed(later_ms * 1_000_000).unwrap();
        let (share, formula) = shares(spec, 14_000, deadline_ns, APART_NS);
        let excess = formula - share;
        assert!((-0.02..=0.22).contains(&excess), "{later_ms} ms: {share}, {formula}");
        worst = worst.max(excess);
    }
    assert!(worst > 0.15, "then docs/limitations.md says too much");
}

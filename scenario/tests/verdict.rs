//! Verdicts on links: against SciPy (`verdict.json`, printed by `verdict.py`), and against
//! simulated links, of which a right one may be called wrong once in a thousand times.

use fogbit_scenario::draw::{Key, Purpose, Stream};
use fogbit_scenario::link::verdict::{
    EndCounts, Finding, Group, Groups, Lateness, LinkCheck, LossSample, Measurement, OneWay,
    PassiveCounts, RoundTrips, Verdict, clopper_pearson, inflation, judge_delay, judge_loss,
    judge_rate,
};
use fogbit_scenario::link::{Direction, LinkSpec, Loss};
use fogbit_scenario::topology::LinkProfile;
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("verdict.json")).unwrap()
}

fn rows(name: &str) -> Vec<Vec<f64>> {
    serde_json::from_value(reference()[name].clone()).unwrap()
}

fn close(ours: f64, theirs: f64, relative: f64) {
    assert!((ours - theirs).abs() <= relative * theirs.abs(), "{ours} for {theirs}");
}

fn stream(seed: u64) -> Stream {
    Stream::new(&Key::derive(seed, Purpose::Policy("verdict"), 0))
}

fn way(delay_ms: f64, jitter_ms: f64) -> Direction {
    Direction {
        delay_ns: (delay_ms * 1e6) as u64,
        jitter_ns: (jitter_ms * 1e6) as u64,
        ..Direction::UNIMPAIRED
    }
}

#[test]
fn limits_of_a_share_are_exact() {
    for row in rows("clopper_pearson") {
        let (low, high) = clopper_pearson(row[0], row[1]);
        close(low, row[2], 1e-7);
        close(high, row[3], 1e-7);
    }
}

#[test]
fn two_jitters_add_to_a_trapezoid() {
    for row in rows("round_trips") {
        let link = LinkSpec { up: way(100.0, row[0] / 2.0), down: way(100.0, row[1] / 2.0) };
        let floor = 200e6 - 1e6 * (row[0] + row[1]) / 2.0;
        let trips = RoundTrips::of(&link, 48);
        let ours = trips.quantile(row[2]) - floor;
        assert!((ours / 1e6 - row[3]).abs() < 1e-5, "{ours} for {row:?}");
        assert!((trips.cumulative(floor + ours) - row[2]).abs() < 1e-6);
    }
}

#[test]
fn round_trips_hold_serialisation_and_those_that_skip_their_delay() {
    let limited = |delay, rate| Direction { rate_bits_s: Some(rate), ..way(delay, 0.0) };
    let link = LinkSpec { up: limited(10.0, 608_000), down: limited(20.0, 1_216_000) };
    // 48 + 28 bytes are 608 bits: 1 ms and half a millisecond.
    assert!((RoundTrips::of(&link, 48).quantile(0.05) - 31.5e6).abs() < 0.1);

    let up = Direction { reorder: 0.25, ..way(10.0, 0.0) };
    let trips = RoundTrips::of(&LinkSpec { up, down: way(20.0, 0.0) }, 48);
    assert!((trips.quantile(0.24) - 20e6).abs() < 0.1);
    assert!((trips.quantile(0.26) - 30e6).abs() < 0.1);
}

#[test]
fn the_interval_of_a_delay_is_that_of_its_rank() {
    let reference = &reference()["delay"];
    let trips: Vec<u64> = serde_json::from_value(reference["trips_ns"].clone()).unwrap();
    let link = LinkSpec { up: way(25.0, 5.0), down: way(24.0, 3.0) };
    let found = judge_delay(&link, 48, &trips, 0);
    for (ours, name) in [found.configured, found.measured, found.low, found.high].into_iter().zip([
        "configured_ms",
        "measured_ms",
        "low_ms",
        "high_ms",
    ]) {
        close(ours.unwrap(), reference[name].as_f64().unwrap(), 1e-7);
    }
    assert_eq!(found.verdict, Verdict::Right);
}

#[test]
fn the_interval_of_a_rate_is_that_of_newey_and_west() {
    let reference = &reference()["rate"];
    let groups: Vec<Vec<f64>> = serde_json::from_value(reference["groups"].clone()).unwrap();
    let groups: Vec<Group> =
        groups.iter().map(|row| Group { bytes: row[0], time_ns: row[1] }).collect();
    let configured = Direction { rate_bits_s: Some(12_000_000), ..Direction::UNIMPAIRED };
    let found = judge_rate(&configured, &groups);
    // The quantile of Student's t is written down with four digits.
    for (ours, name) in
        [found.measured, found.low, found.high].into_iter().zip(["measured", "low", "high"])
    {
        close(ours.unwrap(), reference[name].as_f64().unwrap(), 1e-5);
    }
    assert_eq!(found.verdict, Verdict::Right);
}

#[test]
fn bursts_make_a_sample_smaller_by_what_the_powers_of_the_chain_say() {
    for row in rows("inflation") {
        let loss = Loss::Bursts {
            good_to_bad: row[0],
            bad_to_good: row[1],
            good_loss: row[2],
            bad_loss: row[3],
        };
        close(inflation(&loss, row[4] as u64), row[5], 1e-9);
    }
    assert_eq!(inflation(&Loss::Independent(0.1), 1000), 1.0);
}

/// Packets of `sent` that a simulated link loses.
fn lost(loss: &Loss, sent: u64, seed: u64) -> u64 {
    let mut draws = stream(seed);
    match *loss {
        Loss::Independent(share) => {
            (1..=sent).filter(|&packet| draws.uniform(packet) < share).count() as u64
        }
        Loss::Bursts { good_to_bad, bad_to_good, good_loss, bad_loss } => {
            let mut bad = draws.uniform(1) < good_to_bad / (good_to_bad + bad_to_good);
            let mut lost = 0;
            for packet in 1..=sent {
                let turns = if bad { bad_to_good } else { good_to_bad };
                bad ^= draws.uniform(2 * packet + 1) < turns;
                let share = if bad { bad_loss } else { good_loss };
                lost += u64::from(draws.uniform(2 * packet) < share);
            }
            lost
        }
    }
}

fn sample(sent: u64, lost: u64) -> Option<LossSample> {
    Some(LossSample { sent, received: sent - lost, unsure: 0 })
}

const STARLINK: Loss =
    Loss::Bursts { good_to_bad: 0.0002, bad_to_good: 0.02, good_loss: 0.0, bad_loss: 0.5 };

#[test]
fn a_right_loss_is_hardly_ever_called_wrong() {
    let lossy = [
        (Loss::Independent(0.001), 1600),
        (Loss::Independent(0.05), 1600),
        (Loss::Bursts { good_to_bad: 0.01, bad_to_good: 0.1, good_loss: 0.0, bad_loss: 1.0 }, 2000),
        (STARLINK, 1600),
        (STARLINK, 20_000),
        (STARLINK, 100_000),
    ];
    for (loss, sent) in lossy {
        // The more packets a trial has, the fewer trials.
        let trials = (20_000_000 / sent).min(4000);
        let wrong = (0..trials)
            .filter(|&seed| {
                let found = judge_loss(&loss, sample(sent, lost(&loss, sent, seed)));
                found.verdict == Verdict::Wrong
            })
            .count() as f64;
        // One in a thousand, and what chance does to a count of them: a binomial limit of 1e-6.
        let expected = trials as f64 / 1000.0;
        assert!(
            wrong <= expected + 5.0 * expected.sqrt() + 3.0,
            "{wrong} of {trials}: {loss:?}, {sent}"
        );
    }
}

#[test]
fn a_wrong_loss_is_called_wrong() {
    for seed in 0..100 {
        let at_twenty = lost(&Loss::Independent(0.05), 1600, seed);
        let found = judge_loss(&Loss::Independent(0.02), sample(1600, at_twenty));
        assert_eq!(found.verdict, Verdict::Wrong, "{found:?}");
    }
    // Every lost packet of a link without loss is one too many.
    assert_eq!(judge_loss(&Loss::Independent(0.0), sample(1000, 1)).verdict, Verdict::Wrong);
    assert_eq!(judge_loss(&Loss::Independent(1.0), sample(1000, 999)).verdict, Verdict::Wrong);
}

#[test]
fn a_small_sample_resolves_nothing() {
    let none = judge_loss(&Loss::Independent(0.02), None);
    assert_eq!(none, Finding::not_measured(Some(0.02)));
    assert_eq!(judge_loss(&Loss::Independent(0.02), sample(0, 0)), none);
    assert_eq!(judge_loss(&Loss::Independent(0.02), sample(50, 1)).verdict, Verdict::NotResolved);
    assert_eq!(judge_loss(&Loss::Independent(0.0), sample(50, 0)).verdict, Verdict::NotResolved);
    assert_eq!(judge_loss(&Loss::Independent(0.0), sample(1000, 0)).verdict, Verdict::Right);
}

#[test]
fn passive_counts_leave_out_what_is_not_loss() {
    let at_sender = EndCounts {
        offered: 1000,
        tail_dropped: 30,
        duplicated: 10,
        under_way: 5,
        ..EndCounts::default()
    };
    let arrived = |received| EndCounts { received, host_dropped: 7, ..EndCounts::default() };
    let counts = |sender, receiver| PassiveCounts { sender, receiver, between: 0 };
    let begin = counts(EndCounts::default(), EndCounts { host_dropped: 7, ..Default::default() });
    let first = counts(at_sender, arrived(955));
    // 1000 and 10 copies; 955 are there, 5 will be, 30 found no room: 20 were lost.
    let found = first.since(&begin);
    assert_eq!(found, LossSample { sent: 1000, received: 980, unsure: 0 });
    // The five arrive, and 100 more, of which 3 are lost.
    let at_sender = EndCounts { offered: 1100, under_way: 0, ..at_sender };
    let second = counts(at_sender, arrived(1057));
    assert_eq!(second.since(&first), LossSample { sent: 100, received: 97, unsure: 0 });
}

#[test]
fn packets_that_one_side_alone_may_have_counted_make_nobody_wrong() {
    let end = |offered, received| EndCounts { offered, received, ..EndCounts::default() };
    // Between its two counts the task node sent 3 packets and heard 2.
    let [up, down] = PassiveCounts::exchanged(end(5000, 4000), end(4010, 5002), end(5003, 4002));
    let begin = PassiveCounts::default();
    assert_eq!(up.since(&begin), LossSample { sent: 5000, received: 5000, unsure: 3 });
    assert_eq!(down.since(&begin), LossSample { sent: 4010, received: 4002, unsure: 2 });
    let lossless = Loss::Independent(0.0);
    assert_eq!(judge_loss(&lossless, Some(up.since(&begin))).verdict, Verdict::Right);
    assert_eq!(judge_loss(&lossless, Some(down.since(&begin))).verdict, Verdict::Wrong);
    let unsure = LossSample { sent: 5000, received: 4995, unsure: 5 };
    assert_eq!(judge_loss(&lossless, Some(unsure)).verdict, Verdict::Right);
}

#[test]
fn a_right_delay_is_hardly_ever_called_wrong_and_ten_milliseconds_more_are() {
    let mut draws = stream(1);
    let mut next = 0;
    let mut trip = |floor_ms: f64, jitter_ms: f64| {
        next += 2;
        let jitter = 2.0 * jitter_ms * (draws.uniform(next) + draws.uniform(next + 1));
        ((floor_ms + jitter) * 1e6) as u64
    };
    // Delay and half width of the jitter each way, round trips in the sample.
    for (delay, jitter, count) in
        [(12.5, 2.5, 50), (35.0, 5.0, 25), (150.0, 25.0, 6), (1.0, 0.0, 80)]
    {
        let link = LinkSpec { up: way(delay, jitter), down: way(delay, jitter) };
        let mut judge = |more: f64| {
            let floor = 2.0 * (delay - jitter) + more;
            let trips: Vec<u64> = (0..count).map(|_| trip(floor, jitter)).collect();
            judge_delay(&link, 0, &trips, 0).verdict
        };
        let wrong = (0..4000).filter(|_| judge(0.0) == Verdict::Wrong).count();
        assert!(wrong <= 17, "{wrong} of 4000 with {delay} and {jitter} ms");
        let called = (0..200).map(|_| judge(10.0)).filter(|v| *v == Verdict::Wrong).count();
        // A jitter of 50 ms hides ten milliseconds from six packets, and then nothing is called right.
        assert!(if jitter > 20.0 { called < 200 } else { called == 200 }, "{called}: {delay}");
        if jitter > 20.0 {
            assert!((0..200).all(|_| judge(10.0) != Verdict::Right));
        }
    }
}

#[test]
fn no_round_trip_resolves_nothing_and_late_ones_do_not_matter() {
    let link = LinkSpec { up: way(5.0, 0.0), down: way(5.0, 0.0) };
    assert_eq!(judge_delay(&link, 48, &[], 0).verdict, Verdict::NotResolved);
    let mut trips = vec![10_100_000; 10];
    trips.extend([45_000_000; 90]);
    assert_eq!(judge_delay(&link, 48, &trips, 0).verdict, Verdict::Right);
    // Where most are late, it counts how late hosts wake.
    let trips = [12_500_000; 100];
    assert_eq!(judge_delay(&link, 48, &trips, 0).verdict, Verdict::Wrong);
    assert_eq!(judge_delay(&link, 48, &trips, 1_000_000).verdict, Verdict::Wrong);
    assert_eq!(judge_delay(&link, 48, &trips, 2_000_000).verdict, Verdict::Right);
    assert_eq!(judge_delay(&link, 48, &trips, 20_000_000).verdict, Verdict::NotResolved);
}

/// Arrivals over a link at `rate_mbit_s` whose jitter, `width_ms` wide, never turns packets round.
fn arrivals(
    rate_mbit_s: f64,
    width_ms: f64,
    packets: u64,
    bytes: u64,
    draws: &mut Stream,
    from: u64,
) -> Groups {
    let mut groups = Groups::for_packets(packets);
    let mut last = 0;
    for packet in 0..packets {
        let left = (packet * bytes) as f64 * 8e3 / rate_mbit_s;
        let due = (left + 1e6 * width_ms * draws.uniform(from + packet)) as u64;
        last = last.max(due);
        groups.arrived(last, bytes);
    }
    groups
}

#[test]
fn a_right_rate_is_hardly_ever_called_wrong_and_a_tenth_less_is() {
    let mut draws = stream(2);
    let mut from = 0;
    for (rate, width, packets, bytes) in [
        (12.0, 10.0, 600, 1228),
        (1.6, 50.0, 125, 800),
        (100.0, 5.0, 5000, 1228),
        (0.4, 0.0, 100, 228),
    ] {
        let configured =
            Direction { rate_bits_s: Some((rate * 1e6) as u64), ..way(100.0, width / 2.0) };
        let mut judge = |share: f64| {
            from += packets;
            let groups = arrivals(rate * share, width, packets, bytes, &mut draws, from);
            judge_rate(&configured, groups.groups()).verdict
        };
        let trials = if packets > 1000 { 300 } else { 3000 };
        let wrong = (0..trials).filter(|_| judge(1.0) == Verdict::Wrong).count();
        assert!(wrong <= 3 + trials / 500, "{wrong} of {trials} at {rate}");
        let slower = (0..200).map(|_| judge(0.9)).filter(|v| *v == Verdict::Wrong).count();
        assert!(slower >= if rate == 1.6 { 100 } else { 200 }, "{slower} of 200 at {rate}");
    }
}

#[test]
fn a_rate_without_limit_and_too_few_arrivals_resolve_nothing() {
    let unlimited = judge_rate(&Direction::UNIMPAIRED, &[]);
    assert_eq!(unlimited, Finding::not_measured(None));
    let configured = Direction { rate_bits_s: Some(1_000_000), ..Direction::UNIMPAIRED };
    let few = arrivals(1.0, 0.0, 10, 1228, &mut stream(3), 1);
    assert_eq!(judge_rate(&configured, few.groups()), Finding::not_measured(Some(1.0)));
    // All at the same moment: no slope.
    let at_once = vec![Group { bytes: 1.0, time_ns: 0.0 }; 64];
    assert_eq!(judge_rate(&configured, &at_once), Finding::not_measured(Some(1.0)));
}

#[test]
fn lateness_is_read_off_its_histogram() {
    let late = Lateness::of([(1000, 50), (2000, 0), (4000, 49), (8_000_000, 1)], 5_000_000);
    assert_eq!(late.buckets, [(1000, 50), (4000, 49), (8_000_000, 1)]);
    assert_eq!((late.p50_ms, late.p99_ms, late.max_ms), (Some(0.001), Some(0.004), Some(5.0)));
    assert_eq!(Lateness::of([(1000, 0)], 0), Lateness::default());
}

#[test]
fn two_links_differ_where_their_intervals_do() {
    let finding = |low, high| Finding {
        verdict: Verdict::Right,
        configured: Some(10.0),
        measured: Some(0.5 * (low + high)),
        low: Some(low),
        high: Some(high),
    };
    let (here, there) = (finding(9.0, 10.0), finding(10.5, 11.0));
    assert_eq!(here.differs(&there, 0.4), Some(true));
    assert_eq!(there.differs(&here, 0.4), Some(true));
    assert_eq!(here.differs(&there, 0.6), Some(false));
    assert_eq!(here.differs(&Finding::not_measured(Some(10.0)), 0.0), None);
    let unbounded = Finding { high: None, ..here };
    assert_eq!(unbounded.differs(&there, 0.0), Some(false));
}

#[test]
fn what_tasks_explain_is_nothing_against_a_link() {
    let link = |rtt_ms: f64, rate: f64, loss: f64| {
        let text =
            format!("rtt_ms = {rtt_ms}\nup_mbit_s = {rate}\ndown_mbit_s = {rate}\nloss = {loss}");
        let profile: LinkProfile = toml::from_str(&text).unwrap();
        profile.resolve().unwrap()
    };
    // What a link of 40 ms, 10 Mbit/s and a loss of a tenth would show.
    let way = || OneWay {
        rate: vec![],
        loss: Some(LossSample { sent: 2000, received: 1800, unsure: 0 }),
    };
    let seen = Measurement {
        echo_bytes: 64,
        round_trips_ns: (0..100).map(|n| 40_200_000 + n).collect(),
        late_ns: 0,
        up: way(),
        down: way(),
    };
    let verdicts = |check: &LinkCheck| [check.round_trip_ms.verdict, check.up.loss.verdict];
    // Longer and more lossy than configured: tasks may have been in front, or have filled the queue.
    let check = LinkCheck::of_probe("edge", 1, &link(20.0, 10.0, 0.01), &seen);
    assert_eq!(verdicts(&check), [Verdict::Wrong; 2]);
    assert_eq!(verdicts(&check.beside_tasks()), [Verdict::NotResolved; 2]);
    // Shorter and less lossy: no task can do that.
    let check = LinkCheck::of_probe("edge", 1, &link(60.0, 10.0, 0.3), &seen);
    assert_eq!(verdicts(&check), [Verdict::Wrong; 2]);
    assert_eq!(verdicts(&check.beside_tasks()), [Verdict::Wrong; 2]);
    let check = LinkCheck::of_probe("edge", 1, &link(40.0, 10.0, 0.1), &seen);
    assert_eq!(verdicts(&check.beside_tasks()), [Verdict::Right; 2]);
}

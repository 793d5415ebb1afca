//! The policies of the problem `placement` against brute force and against what they must learn.

use fogbit_policy::placement::{
    AlwaysOffloadPolicy, OnlinePolicy, OraclePolicy, PlacementPolicy, RulePolicy,
};
use fogbit_scenario::draw::{Key, Purpose, Stream};
use fogbit_scenario::placement::cost::expected_latency_s;
use fogbit_scenario::placement::{CostModel, Execution, Fate, Site, SiteSight, Task};
use fogbit_scenario::topology::{OnlinePlacement, RulePlacement, TransferModel};
use proptest::prelude::*;

fn task(cycles: u64, input_bytes: u64) -> Task {
    Task { cycles, input_bytes, output_bytes: 1000 }
}

fn helper(rtt_s: f64, mbit_s: f64, load: f64) -> SiteSight {
    SiteSight {
        rtt_s,
        up_bits_s: mbit_s * 1e6,
        down_bits_s: mbit_s * 1e6,
        ..SiteSight::local(15e9, load)
    }
}

proptest! {
    /// Every margin, every number of helper nodes: the least of all that may be chosen.
    #[test]
    fn rule_is_the_least_by_brute_force(
        cycles in 1_000_000..2_000_000_000u64,
        input in 0..1_000_000u64,
        helpers in prop::collection::vec((0.0..0.5f64, 0.1..100.0f64, 0.0..0.9f64), 1..6),
        margin_ms in -50.0..50.0f64,
    ) {
        let cost = CostModel::warm(TransferModel::Packets);
        let mut sights = vec![SiteSight::local(1.5e9, 0.2)];
        sights.extend(helpers.iter().map(|(rtt, rate, load)| helper(*rtt, *rate, *load)));
        let task = task(cycles, input);
        let mut policy = RulePolicy::new(&RulePlacement { margin_ms }, sights.len(), cost);
        let chosen = policy.decide(1, &task, &sights);
        let handicap = |site: Site| if site == Site::Local { 0.0 } else { margin_ms / 1e3 };
        let of = |site: Site| expected_latency_s(&task, &sights[site.index()], &cost) + handicap(site);
        for site in (0..sights.len()).map(Site::at) {
            prop_assert!(of(chosen) <= of(site) + 1e-12, "{:?} for {:?}", chosen, site);
        }
        prop_assert_eq!(policy.predictions().len(), sights.len());
    }

    #[test]
    fn the_oracle_takes_the_first_of_the_least(values in prop::collection::vec(0..5u8, 2..6)) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let chosen = OraclePolicy::choose(&values).index();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        prop_assert_eq!(Some(chosen), values.iter().position(|value| *value == least));
    }
}

#[test]
fn always_offload_takes_the_nearest() {
    let far = [SiteSight::local(1e9, 0.0), helper(0.2, 1.0, 0.0), helper(0.1, 1.0, 0.0)];
    let decided = AlwaysOffloadPolicy.decide(1, &task(1, 1), &far);
    assert_eq!(decided, Site::Helper(1));
}

/// Latencies that are linear in the features, without noise, and not those of the model: 1.3 times
/// the computing, twice the transfer, one and a half round trips.
#[test]
fn online_learns_what_is_linear() {
    let draws = Key::derive(1, Purpose::Policy("test"), 0);
    let mut draws: Vec<Stream> = (0..3).map(|index| Stream::new(&draws.child(index))).collect();
    let mut policy = OnlinePolicy::new(&OnlinePlacement::default(), 2);
    let mut wrong = 0;
    for slot in 1..=400 {
        let [c, b, r] = [0, 1, 2].map(|index: usize| draws[index].uniform(slot));
        let task =
            Task { cycles: 1 + (2e9 * c) as u64, input_bytes: (1e6 * b) as u64, output_bytes: 0 };
        let sights = [SiteSight::local(1.5e9, 0.0), helper(0.3 * r, 20.0, 0.0)];
        let remote = 1.3 * task.cycles as f64 / 15e9
            + 2.0 * task.input_bytes as f64 * 8.0 / 20e6
            + 1.5 * sights[1].rtt_s
            + 0.01;
        let truth = [task.cycles as f64 / 1.5e9, remote];
        let site = policy.decide(slot, &task, &sights);
        if slot > 200 {
            wrong += u32::from(truth[site.index()] > truth[0].min(truth[1]) * 1.02);
            for (predicted, truth) in policy.predictions().iter().zip(truth) {
                assert!((predicted - truth).abs() < 0.02, "slot {slot}: {predicted} for {truth}");
            }
        }
        let ns = (truth[site.index()] * 1e9) as u64;
        let fate = Fate::Done;
        let done = Execution { site, fate, latency_ns: ns, queued_ns: 0, executed_ns: ns };
        policy.learn(slot, &task, &sights, &done);
    }
    assert!(wrong <= 4, "{wrong} of 200 decisions are off by more than 2 %");
}

/// A helper node that refuses everything within 100 ms looks fast, but the task is still to be done.
#[test]
fn online_is_not_deceived_by_refusals() {
    let mut policy = OnlinePolicy::new(&OnlinePlacement::default(), 2);
    let sights = [SiteSight::local(1.5e9, 0.0), helper(0.01, 100.0, 0.0)];
    let mut offloaded = 0;
    for slot in 1..=200u64 {
        let task = task(100_000_000 + slot * 7_919_000 % 900_000_000, 1000);
        let site = policy.decide(slot, &task, &sights);
        offloaded += u32::from(slot > 100 && site != Site::Local);
        let local = (task.cycles as f64 / 1.5) as u64;
        let (fate, latency_ns) = match site {
            Site::Local => (Fate::Done, local),
            Site::Helper(_) => (Fate::Refused(0), 100_000_000),
        };
        let done = Execution { site, fate, latency_ns, queued_ns: 0, executed_ns: 0 };
        policy.learn(slot, &task, &sights, &done);
    }
    assert!(offloaded <= 5, "{offloaded} of 100");
}

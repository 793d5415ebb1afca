use super::*;
use fogbit_scenario::placement::{SiteSight, Task};

/// By hand: local 100 ms, helpers 80 and 95 ms.
#[test]
fn choices_are_priced() {
    let expected = [100.0, 80.0, 95.0];
    let local = Priced::new(Site::Local, &expected);
    assert_eq!((local.best, local.best_offloaded), (Site::Helper(0), true));
    assert!((local.regret_ms - 20.0).abs() < 1e-9 && local.outside);
    let second = Priced::new(Site::Helper(1), &expected);
    assert!((second.regret_ms - 15.0).abs() < 1e-9);
    let best = Priced::new(Site::Helper(0), &expected);
    assert_eq!((best.best, best.regret_ms), (Site::Helper(0), 0.0));
    // 100 against 91.0 is within 10 % of the lesser, against 90.8 beyond it.
    assert!(!Priced::new(Site::Local, &[100.0, 91.0]).outside);
    assert!(Priced::new(Site::Local, &[100.0, 90.8]).outside);
    // A tie is right either way, and is no reason to offload.
    let tie = [100.0, 100.0];
    assert_eq!(Priced::new(Site::Helper(0), &tie).best, Site::Helper(0));
    assert!(!Priced::new(Site::Helper(0), &tie).best_offloaded);
}

fn sight(rtt_s: f64) -> SiteSight {
    SiteSight {
        frequency_hz: 1e9,
        load: 0.0,
        overhead_s: 0.0,
        rtt_s,
        up_bits_s: 1e6,
        down_bits_s: 1e6,
        loss: 0.0,
    }
}

fn execution(site: Site, fate: Fate, ms: u64) -> Execution {
    Execution { site, fate, latency_ns: ms * 1_000_000, queued_ns: 0, executed_ns: 0 }
}

fn step(own: Execution, shadows: Vec<Execution>) -> Step {
    Step {
        slot: 1,
        task: Task { cycles: 1, input_bytes: 1000, output_bytes: 250 },
        sights: vec![sight(0.0), sight(0.050)],
        predicted_s: vec![0.3, 0.1],
        execution: own,
        shadows,
    }
}

/// By hand, with a deadline of 150 ms: one task in time, one late, one timed out, one refused.
#[test]
fn counts_add_up_and_latency_is_of_those_that_came_back() {
    let truth = Truth { pairs: &[], deadline_ns: Some(150_000_000) };
    let helper = Site::Helper(0);
    let mut tally = Tally::default();
    for own in [
        execution(helper, Fate::Done, 100),
        execution(Site::Local, Fate::Done, 200),
        execution(helper, Fate::TimedOut, 1000),
        execution(helper, Fate::Refused(7), 5),
    ] {
        let priced = Priced::new(own.site, &[200.0, 100.0]);
        tally.add(&step(own, vec![]), &priced, &truth);
    }
    let kpis = tally.kpis();
    let right = TaskCounts {
        tasks: 4,
        local: 1,
        offloaded: 3,
        done: 1,
        deadline_missed: 1,
        timed_out: 1,
        refused: 1,
    };
    assert_eq!(kpis.counts, right);
    assert_eq!(kpis.mean_latency_ms, Some(150.0));
    assert_eq!(kpis.latency_offloaded_ms.unwrap().count, 1);
    // 10,000 bits in 100 ms.
    assert!((kpis.throughput_mbit_s.unwrap() - 0.1).abs() < 1e-12);
    assert_eq!((kpis.accuracy, kpis.offloaded_share), (Some(0.75), Some(0.75)));
    assert!((kpis.mean_regret_ms.unwrap() - 25.0).abs() < 1e-9);
    assert!((kpis.worst_regret_ms.unwrap() - 100.0).abs() < 1e-9);
    assert_eq!(kpis.rtt_ms.unwrap().p50, 50.0);
    assert_eq!(kpis.auc, None, "offloading is best for all");
}

/// The differences are -5 and 5: Student's interval is 12.706 * 7.071 / sqrt 2 about them.
#[test]
fn break_even_is_a_mean_over_tasks() {
    let own = execution(Site::Helper(0), Fate::Done, 120);
    let priced = Priced::new(own.site, &[200.0, 100.0]);
    let mut tally = Tally::default();
    for (measured_ms, formula_ms) in [(120.0, 125.0), (140.0, 135.0)] {
        let pair = TaskPair { node: 1, measured_ms, formula_ms };
        let truth = Truth { pairs: &[pair], deadline_ns: None };
        tally.add(&step(own, vec![]), &priced, &truth);
    }
    assert_eq!(tally.pairs[0].break_even(), None);
    let found = tally.pairs[1].break_even().unwrap();
    assert_eq!((found.pairs, found.measured_ms, found.formula_ms), (2, 130.0, 130.0));
    assert!((found.low_ms.unwrap() - (130.0 - 63.531)).abs() < 1e-3, "{found:?}");
}

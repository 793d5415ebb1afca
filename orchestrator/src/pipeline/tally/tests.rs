//! Sums by hand.

use fogbit_scenario::pipeline::{Flow, Schedule, SiteSet, SubTask};

use super::*;

/// Three sub-tasks in a row, each anywhere.
fn application() -> Application {
    let sub_task = SubTask { cycles: 1_000_000, sites: SiteSet::all(3) };
    let flow = |from: Option<u32>, to: Option<u32>| Flow { from, to, bytes: 1000 };
    let flows = vec![flow(Some(0), Some(1)), flow(Some(1), Some(2))];
    Application::new(vec![sub_task; 3], flows)
}

/// One application: its placement, modelled delay, fate and measured delay. The best is at 0, 1, 1
/// with a delay of 2 ms.
type Told = (u64, [u8; 3], u64, ApplicationFate, Option<u64>);

fn tally(told: &[Told]) -> Tally {
    let (application, mut tally) = (application(), Tally::default());
    let label = Optimum { placement: vec![0, 1, 1], delay_ns: 2_000_000 };
    for (number, placement, delay_ns, fate, measured) in told {
        let measured =
            measured.map(|delay_ns| Measured { delay_ns, schedule: Schedule::default() });
        let step = ApplicationStep {
            application: *number,
            placement: placement.to_vec(),
            fate: *fate,
            measured,
        };
        let (delay_ns, label) = (*delay_ns, &label);
        tally.add(&Entry {
            step: &step,
            application: &application,
            delay_ns,
            label,
            held_up_ns: 0,
        });
    }
    tally
}

const DONE: ApplicationFate = ApplicationFate::Done;

/// One placed as in the label, one as good as it, one worse, one that timed out, one refused.
const FIVE: [Told; 5] = [
    (1, [0, 1, 1], 2_000_000, DONE, Some(2_200_000)),
    (2, [0, 1, 2], 2_000_000, DONE, Some(2_100_000)),
    (3, [2, 2, 2], 5_000_000, DONE, None),
    (4, [0, 0, 1], 3_000_000, ApplicationFate::TimedOut, Some(9_000_000)),
    (5, [1, 1, 1], 8_000_000, ApplicationFate::Refused(7), None),
];

#[test]
fn five_applications() {
    let kpis = tally(&FIVE).kpis(3);
    let counts = Counts {
        applications: 5,
        done: 3,
        timed_out: 1,
        refused: 1,
        sub_tasks: 15,
        as_label: 3 + 2 + 2 + 2,
        exact: 1,
        optimal: 2,
    };
    assert_eq!(kpis.counts, counts);
    assert_eq!(kpis.counts.applications, counts.done + counts.timed_out + counts.refused);
    // 20 ms over 10 ms.
    assert_eq!((kpis.mean_delay_ms, kpis.mean_optimum_ms), (Some(4.0), Some(2.0)));
    assert_eq!(kpis.delay_ratio, Some(2.0));
    assert_eq!((kpis.label_accuracy, kpis.exact_match), (Some(9.0 / 15.0), Some(0.2)));
    assert_eq!(kpis.optimal_share, Some(0.4));
    assert_eq!(kpis.site_share, [4.0 / 15.0, 7.0 / 15.0, 4.0 / 15.0]);
    let ratio = kpis.ratio.unwrap();
    assert_eq!((ratio.count, ratio.min, ratio.p50, ratio.max), (5, 1.0, 1.5, 4.0));
    assert_eq!(ratio.mean, (1.0 + 1.0 + 2.5 + 1.5 + 4.0) / 5.0);
    // Only what was done and measured: 4.3 ms where 4 ms are modelled.
    let measured = kpis.measured.unwrap();
    assert!((measured.mean_delay_ms - 2.15).abs() < 1e-12);
    assert_eq!((measured.mean_modelled_ms, measured.ratio.count), (2.0, 2));
    assert!((measured.ratio.p50 - (1.1 + 1.05) / 2.0).abs() < 1e-12);
    assert_eq!(tally(&FIVE).lost_ms(), 10.0);
}

#[test]
fn parts_merge_to_the_whole() {
    for cut in 0..=FIVE.len() {
        let mut merged = tally(&FIVE[..cut]);
        merged.merge(&tally(&FIVE[cut..]));
        let (merged, whole) = (merged.kpis(3), tally(&FIVE).kpis(3));
        assert_eq!(merged.counts, whole.counts);
        assert_eq!(merged.delay_ratio, whole.delay_ratio);
        assert_eq!(merged.site_share, whole.site_share);
        let middle = |kpis: &Kpis| kpis.delay_ms.map(|ms| (ms.count, ms.p50, ms.p99, ms.max));
        assert_eq!(middle(&merged), middle(&whole), "{cut}");
        assert_eq!(merged.measured.map(|m| m.ratio.count), Some(2));
    }
}

#[test]
fn nothing_has_no_mean() {
    let kpis = Tally::default().kpis(3);
    assert_eq!((kpis.mean_delay_ms, kpis.delay_ratio, kpis.label_accuracy), (None, None, None));
    assert_eq!((kpis.delay_ms, kpis.ratio), (None, None));
    assert_eq!(kpis.measured, None);
    assert!(kpis.site_share.is_empty());
}

/// What takes no time at all is optimal, and not infinitely worse than itself.
#[test]
fn a_ratio_of_nothing_is_one() {
    assert_eq!(ratio(0, 0), 1.0);
    assert_eq!(ratio(6, 4), 1.5);
    assert_eq!(ratio(6, 0), 6.0);
}

#[test]
fn the_first_applications_are_kept() {
    let many: Vec<Told> =
        (1..=MOST_KEPT + 20).map(|n| (n, [0, 1, 2], 3_000_000, DONE, Some(n))).collect();
    let kept = tally(&many).first;
    assert_eq!(kept.len() as u64, MOST_KEPT);
    assert_eq!(kept[41].application, 42);
    assert_eq!((&kept[41].placement[..], &kept[41].label[..]), (&[0, 1, 2][..], &[0, 1, 1][..]));
    assert_eq!(kept[41].measured.as_ref().map(|own| own.delay_ns), Some(42));
    let mut merged = Tally::default();
    merged.merge(&tally(&many));
    assert!(merged.first.is_empty());
}

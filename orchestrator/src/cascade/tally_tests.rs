//! Sums by hand.

use fogbit_scenario::cascade::Sight;

use super::*;

/// Half a token comes in each slot, the bucket holds two: N = 1, P = 2, M = 4.
const BUCKET: TokenBucket = TokenBucket { refill: 1, price: 2, depth: 4 };
const ROW: ImageRow = ImageRow { id: 7, metric: 0.5, weak_loss: 0.75, reward: 0.5 };

fn step(gap: u32, level: u32, wasted: u64, wanted: bool, fate: Fate) -> ImageStep {
    let sight = Sight { metric: 0.5, gap, level };
    let stages = Stages::default();
    ImageStep { image: 1, slot: 1, rank: 0, sight, wasted, wanted, fate, stages }
}

/// Five images in eleven slots, one of each fate, and one that was wanted without a token.
fn five() -> Tally {
    let mut tally = Tally::new(&BUCKET);
    let losses: Vec<f64> = [
        step(0, 4, 0, true, Fate::Answered),
        step(1, 3, 0, true, Fate::TimedOut),
        step(1, 2, 0, true, Fate::Refused(3)),
        step(1, 1, 0, true, Fate::Kept),
        step(7, 4, 4, false, Fate::Kept),
    ]
    .iter()
    .map(|step| tally.add(step, &ROW))
    .collect();
    assert_eq!(losses, [0.25, 0.75, 0.75, 0.75, 0.75]);
    tally
}

#[test]
fn five_images() {
    let kpis = five().kpis(&BUCKET, true);
    let counts =
        Counts { images: 5, wanted: 4, offloaded: 3, answered: 1, timed_out: 1, refused: 1 };
    assert_eq!(kpis.counts, counts);
    assert_eq!(kpis.average_loss, Some(3.25 / 5.0));
    assert_eq!((kpis.offloaded_share, kpis.wanted_share), (Some(0.6), Some(0.8)));
    // Ten slots after the first bring five tokens; two of them found the bucket full.
    assert_eq!((kpis.tokens_came, kpis.tokens_wasted), (5.0, Some(2.0)));
    assert_eq!((kpis.wasted_share, kpis.mean_gap), (Some(0.4), Some(2.5)));
    assert_eq!(five().levels, [0, 1, 1, 1, 2]);
    let free = five().kpis(&BUCKET, false);
    assert_eq!((free.tokens_wasted, free.wasted_share), (None, None));
}

/// The gap before the first image of a trial is none, in each of them.
#[test]
fn two_trials_are_twice_one() {
    let mut both = Tally::default();
    both.merge(&five());
    both.merge(&five());
    let (one, two) = (five().kpis(&BUCKET, true), both.kpis(&BUCKET, true));
    assert_eq!(two.counts.images, 10);
    assert_eq!((two.average_loss, two.wasted_share), (one.average_loss, one.wasted_share));
    assert_eq!((two.mean_gap, two.tokens_came), (one.mean_gap, 10.0));
    assert_eq!(both.levels, [0, 2, 2, 2, 4]);
}

#[test]
fn nothing_has_no_mean() {
    let kpis = Tally::default().kpis(&BUCKET, true);
    assert_eq!((kpis.average_loss, kpis.wasted_share, kpis.mean_gap), (None, None, None));
    // One image: no gap, and no token came.
    let mut one = Tally::new(&BUCKET);
    one.add(&step(0, 4, 0, true, Fate::Answered), &ROW);
    let kpis = one.kpis(&BUCKET, true);
    assert_eq!((kpis.average_loss, kpis.wasted_share, kpis.mean_gap), (Some(0.25), None, None));
}

#[test]
fn one_answer_is_found() {
    let mut tally = Tally::default();
    assert_eq!(tally.only_answer(), None);
    tally = Tally::new(&BUCKET);
    tally.add(&step(0, 4, 0, true, Fate::Answered), &ROW);
    tally.add(&step(1, 1, 0, true, Fate::Kept), &ROW);
    assert_eq!(tally.only_answer(), Some(Answer::Send), "wanted, but not affordable");
    tally.add(&step(1, 2, 0, false, Fate::Kept), &ROW);
    assert_eq!(tally.only_answer(), None);
}

/// Times of images without an answer count nowhere.
#[test]
fn stages_of_kept_and_answered_images() {
    let mut tally = Tally::new(&BUCKET);
    let stages = |weak_ns| Stages { weak_ns, decision_ns: 500_000, ..Stages::default() };
    for (ns, fate) in [
        (1_000_000, Fate::Kept),
        (3_000_000, Fate::Kept),
        (9_000_000, Fate::TimedOut),
        (5_000_000, Fate::Answered),
    ] {
        let step = ImageStep { stages: stages(ns), ..step(1, 4, 0, true, fate) };
        tally.add(&step, &ROW);
    }
    let StageTally { kept, answered } = tally.stages;
    assert_eq!((kept.weak.n, kept.weak.mean, kept.all.mean), (2, 2.0, 2.5));
    assert!((kept.weak.sd().unwrap() - 2f64.sqrt()).abs() < 1e-12);
    assert_eq!((answered.weak.n, answered.all.mean), (1, 5.5));
}

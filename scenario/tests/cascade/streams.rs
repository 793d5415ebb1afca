//! Distributions of streams, at seeds that are fixed. The limits are those of SciPy at a probability of
//! 1e-4, on both sides together where there are two.

use fogbit_scenario::cascade::{
    Arrival, ArrivalProcess, CascadeInstance, ImageStream, RingWalk, TokenBucket,
};
use fogbit_scenario::topology::{ImageStream as WalkSpec, Tokens};
use proptest::prelude::*;

use crate::common::edited;
use crate::vectors::keys;
use crate::{GOOD, TRACE, folder, good};

/// `scipy.stats.chi2.ppf(1 - 1e-4, df)`.
const CHI2: [(usize, f64); 4] =
    [(10, 35.564013941952), (20, 52.385973273053), (99, 160.055738296632), (199, 281.874349601974)];
/// `scipy.stats.norm.ppf(1 - 5e-5)`.
const NORMAL: f64 = 3.890591886413;
const CONSTANT: ArrivalProcess = ArrivalProcess { gaps: [1; 2], leave: [0.0; 2] };

/// Fails if counts are further from what is expected than chance goes.
fn fits(what: &str, counts: &[u64], expected: &[f64]) {
    let squares =
        counts.iter().zip(expected).map(|(got, want)| (*got as f64 - want).powi(2) / want);
    let (statistic, df) = (squares.sum::<f64>(), counts.len() - 1);
    let limit = CHI2.iter().find(|(known, _)| *known == df).expect("a limit").1;
    assert!(statistic < limit, "{what}: chi-square {statistic} with {df} degrees of freedom");
}

/// As [`fits`], where all counts are to be alike.
fn fits_evenly(what: &str, counts: &[u64]) {
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    fits(what, counts, &vec![mean; counts.len()]);
}

fn stream(images: u32, spread: f64, reset: f64, arrivals: ArrivalProcess) -> ImageStream {
    let walk = RingWalk::new(&WalkSpec { spread, reset }, images);
    ImageStream::new(walk, arrivals, &keys(3))
}

fn arrivals(stream: &mut ImageStream, count: usize) -> Vec<Arrival> {
    (0..count).map(|_| stream.next_image()).collect()
}

#[test]
fn without_memory_all_images_are_alike_and_independent() {
    for (spread, reset) in [(1.0, 0.0), (0.1, 1.0), (0.0, 1.0), (1.0, 1.0)] {
        let mut stream = stream(200, spread, reset, CONSTANT);
        let seen = arrivals(&mut stream, 200_000);
        let (mut ranks, mut pairs) = ([0; 200], [0; 100]);
        for arrival in &seen {
            ranks[arrival.rank as usize] += 1;
        }
        // Of pairs that do not overlap, as the test wants them independent.
        for pair in seen.chunks_exact(2) {
            pairs[(pair[0].rank / 20 * 10 + pair[1].rank / 20) as usize] += 1;
        }
        fits_evenly(&format!("ranks at {spread}, {reset}"), &ranks);
        fits_evenly(&format!("pairs at {spread}, {reset}"), &pairs);
    }
}

#[test]
fn images_are_spread_evenly_over_the_window() {
    // floor(0.1 * 205) = 20: 21 places.
    let mut stream = stream(205, 0.1, 0.1, CONSTANT);
    let mut offsets = [0; 21];
    for arrival in arrivals(&mut stream, 100_000) {
        let beyond = (arrival.rank + 205 - arrival.hidden.place) % 205;
        offsets[beyond as usize] += 1;
    }
    fits_evenly("offsets", &offsets);
}

#[test]
fn with_spread_0_an_image_stays_until_the_window_jumps() {
    let mut stream = stream(50, 0.0, 0.25, CONSTANT);
    let seen = arrivals(&mut stream, 100_000);
    assert!(seen.iter().all(|arrival| arrival.rank == arrival.hidden.place));
    let jumps = seen.windows(2).filter(|pair| pair[0].rank != pair[1].rank).count();
    // A jump in 50 comes back to where it was: scipy.stats.binom.ppf([5e-5, 1 - 5e-5], 99999, 0.245).
    assert!((23972..=25030).contains(&jumps), "{jumps} jumps");
}

#[test]
fn with_reset_0_the_window_never_moves() {
    let mut stream = stream(1000, 0.2, 0.0, CONSTANT);
    let seen = arrivals(&mut stream, 10_000);
    assert!(seen.iter().all(|arrival| arrival.hidden.place == seen[0].hidden.place));
}

#[test]
fn stays_in_a_state_are_geometric() {
    let process = ArrivalProcess { gaps: [1; 2], leave: [0.2, 0.05] };
    let mut stream = stream(50, 1.0, 1.0, process);
    let states: Vec<u8> =
        arrivals(&mut stream, 1_000_000).iter().map(|arrival| arrival.hidden.state).collect();
    for (state, leave) in [(0, 0.2f64), (1, 0.05)] {
        let stays = states.chunk_by(|a, b| a == b);
        let lengths: Vec<usize> = stays.filter(|stay| stay[0] == state).map(<[u8]>::len).collect();
        // Neither the first stay nor the last is whole.
        let lengths = &lengths[1..lengths.len() - 1];
        let (mut counts, n) = ([0; 11], lengths.len() as f64);
        for length in lengths {
            counts[(length - 1).min(10)] += 1;
        }
        let share = |length: i32| leave * (1.0 - leave).powi(length);
        let expected: Vec<f64> =
            (0..10).map(|length| n * share(length)).chain([n * (1.0 - leave).powi(10)]).collect();
        fits(&format!("stays in state {state}"), &counts, &expected);
    }
}

#[test]
fn mean_gaps_are_as_the_formula_says() {
    for (gaps, leave) in [([1, 3], [0.001, 0.0005]), ([1, 6], [0.01, 0.02]), ([5, 2], [0.5, 0.3])] {
        let process = ArrivalProcess { gaps, leave };
        let walk = RingWalk::new(&WalkSpec { spread: 1.0, reset: 1.0 }, 50);
        const IMAGES: u64 = 250_000;
        let means: Vec<f64> = (1..=40)
            .map(|seed| {
                let mut stream = ImageStream::new(walk, process, &keys(seed));
                let last = (0..=IMAGES).map(|_| stream.next_image().slot).last().unwrap();
                (last - 1) as f64 / IMAGES as f64
            })
            .collect();
        let n = means.len() as f64;
        let mean = means.iter().sum::<f64>() / n;
        let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let error = (mean - process.mean_gap()) / (variance / n).sqrt();
        // Trials begin in the state of a slot rather than of an image, which long ones forget.
        assert!(error.abs() < NORMAL, "{process:?}: mean gap {mean}, {error} standard errors off");
    }
}

fn instance(text: &str, seed: u64) -> CascadeInstance {
    good(folder(TRACE).path(), text).instance(seed)
}

#[test]
fn every_policy_meets_the_same_images() {
    let draws = |instance: &CascadeInstance| arrivals(&mut instance.stream(), 500);
    let first = instance(GOOD, 5);
    let (filter, fewer) = ("[policies.filter]\nkind = \"belief\"\nplaces = 64\n\n", "images = 400");
    let other = instance(&edited(GOOD, &[(filter, ""), ("images = 1000", fewer)]), 5);
    assert_eq!(draws(&first), draws(&first));
    assert_eq!(draws(&first), draws(&other));
    assert_eq!(draws(&first), draws(&first.without_rewards()));
    assert_ne!(draws(&first), draws(&instance(GOOD, 6)));
}

/// What one part of a stream is set to changes no draw of the other.
#[test]
fn metrics_and_arrivals_are_drawn_apart() {
    let markov = ArrivalProcess { gaps: [1, 3], leave: [0.1, 0.2] };
    let seen = arrivals(&mut stream(200, 0.1, 0.2, markov), 1000);
    let even = arrivals(&mut stream(200, 0.1, 0.2, CONSTANT), 1000);
    let ranks =
        |seen: &[Arrival]| seen.iter().map(|a| (a.rank, a.hidden.place)).collect::<Vec<_>>();
    assert_eq!(ranks(&seen), ranks(&even));
    let wide = arrivals(&mut stream(200, 1.0, 0.7, markov), 1000);
    let slots = |seen: &[Arrival]| seen.iter().map(|a| (a.slot, a.gap)).collect::<Vec<_>>();
    assert_eq!(slots(&seen), slots(&wide));
    // With another probability the window jumps at more images, to the same places.
    let jumpy = arrivals(&mut stream(200, 0.1, 0.7, markov), 1000);
    let jumped = |seen: &[Arrival], at: usize| seen[at].hidden.place != seen[at - 1].hidden.place;
    for at in (1..1000).filter(|at| jumped(&seen, *at)) {
        assert_eq!(seen[at].hidden.place, jumpy[at].hidden.place);
    }
}

proptest! {
    /// What came is what was spent, what was wasted, and what is there.
    #[test]
    fn no_token_is_lost(
        rate in 1..=60u32, under in 1..=60u32, depth in 1..40u32,
        wishes in prop::collection::vec((any::<bool>(), 1..50u32), 1..100),
    ) {
        prop_assume!(rate <= under);
        let exact = |text: String| Tokens::Fraction(text).exact().unwrap();
        let rate = exact(format!("{rate}/{under}"));
        let bucket = TokenBucket::new(rate, exact(depth.to_string()), 10_000).unwrap();
        prop_assert!((bucket.rate() - rate.value()).abs() < 1e-15);
        let (mut level, mut came, mut spent, mut wasted) = (bucket.full(), 0u64, 0u64, 0u64);
        for (wish, gap) in wishes {
            let sent = wish && bucket.affords(level);
            let (later, lost) = bucket.later(level, sent, gap);
            prop_assert!(later <= bucket.full());
            prop_assert!(lost == 0 || later == bucket.full());
            spent += if sent { u64::from(bucket.price) } else { 0 };
            came += u64::from(bucket.refill) * u64::from(gap);
            (level, wasted) = (later, wasted + lost);
        }
        prop_assert_eq!(u64::from(bucket.full()) + came, spent + wasted + u64::from(level));
    }
}

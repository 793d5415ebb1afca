//! Against brute force, on settings so small that everything can be enumerated.

use fogbit_policy::cascade::{
    BeliefPolicy, CascadePolicy, ClairvoyantPolicy, HiddenStatePolicy, MdpPolicy, ThresholdPolicy,
};
use fogbit_scenario::cascade::{
    ArrivalProcess, CascadeInstance, Hidden, ImageRow, ImageTable, RingWalk, Setting, Sight,
    StreamKeys, TokenBucket,
};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::{
    BeliefCascade, ImageStream as WalkSpec, MdpCascade, Ratio, ThresholdCascade,
};

const BLANK: Hidden = Hidden { place: 0, state: 0 };

fn setting(
    rows: &[(f32, f32)],
    (spread, reset): (f64, f64),
    (gaps, leave): ([u32; 2], [f64; 2]),
    [rate, depth]: [(u64, u64); 2],
) -> Setting {
    let row = |(id, (metric, reward)): (usize, &(f32, f32))| ImageRow {
        id: id as u32,
        metric: *metric,
        weak_loss: 1.0,
        reward: *reward,
    };
    let ratio = |(over, under)| Ratio::new(over, under).expect("a ratio");
    Setting {
        images: ImageTable::new(rows.iter().enumerate().map(row).collect()),
        walk: RingWalk::new(&WalkSpec { spread, reset }, rows.len() as u32),
        trial_images: rows.len() as u32,
        arrivals: ArrivalProcess { gaps, leave },
        bucket: TokenBucket::new(ratio(rate), ratio(depth), 1000).expect("a bucket"),
    }
}

const ALWAYS: ([u32; 2], [f64; 2]) = ([1, 1], [0.0, 0.0]);
const MARKOV: ([u32; 2], [f64; 2]) = ([1, 3], [0.2, 0.1]);

/// Average gain of an image if `sends(level, row)` decides and images come independently: the level
/// is followed as a distribution until it no longer changes.
fn average_gain(setting: &Setting, sends: impl Fn(u32, &ImageRow) -> bool) -> f64 {
    let bucket = setting.bucket;
    let gaps = setting.arrivals.gaps.into_iter().zip(setting.arrivals.shares_of_images());
    let rows = setting.images.rows();
    let weight = 1.0 / rows.len() as f64;
    let mut levels = vec![0.0; bucket.depth as usize + 1];
    levels[bucket.depth as usize] = 1.0;
    let mut gain = 0.0;
    for _ in 0..1500 {
        let mut next = vec![0.0; levels.len()];
        gain = 0.0;
        for (level, probability) in levels.iter().enumerate() {
            for row in rows {
                let sent = bucket.affords(level as u32) && sends(level as u32, row);
                gain += probability * weight * if sent { f64::from(row.reward) } else { 0.0 };
                for (gap, share) in gaps.clone() {
                    let to = bucket.later(level as u32, sent, gap).0;
                    next[to as usize] += probability * weight * share;
                }
            }
        }
        // Half a step, so that nothing goes round in circles for ever.
        for (level, next) in levels.iter_mut().zip(next) {
            *level = 0.5 * (*level + next);
        }
    }
    gain
}

/// The largest average gain of all ways to choose a threshold for each level with a token.
fn best_of_all_thresholds(setting: &Setting) -> f64 {
    let rows = setting.images.rows();
    let choices = rows.len() + 1;
    let bucket = setting.bucket;
    let with_token = (bucket.depth - bucket.price + 1) as usize;
    let mut best = f64::NEG_INFINITY;
    for number in 0..choices.pow(with_token as u32) {
        let sends = |level: u32, row: &ImageRow| {
            let digit = number / choices.pow(level - bucket.price) % choices;
            digit < rows.len() && row.metric >= rows[digit].metric
        };
        best = best.max(average_gain(setting, sends));
    }
    best
}

#[test]
fn mdp_is_the_best_of_all_thresholds() {
    let calibrated = [(0.1, 0.1), (0.2, 0.2), (0.2, 0.2), (0.6, 0.6), (0.9, 0.9)];
    // Rewards that do not rise with the metric, and some that are losses.
    let skew = [(0.1, 0.3), (0.2, -0.2), (0.4, 0.1), (0.6, 0.9), (0.9, 0.5)];
    let mut cases = 0;
    for rows in [calibrated, skew] {
        for arrivals in [ALWAYS, MARKOV, ([2, 2], [0.0, 0.0])] {
            for bucket in [[(1, 2), (3, 2)], [(1, 3), (5, 3)], [(1, 4), (1, 1)], [(1, 1), (1, 1)]] {
                let setting = setting(&rows, (1.0, 1.0), arrivals, bucket);
                let best = best_of_all_thresholds(&setting);
                let searches = if rows == calibrated { vec![false, true] } else { vec![true] };
                for search in searches {
                    let spec = MdpCascade { search, discount: 0.999_999 };
                    let mdp = MdpPolicy::new(&spec, &setting);
                    let thresholds = mdp.thresholds();
                    let gain = average_gain(&setting, |level, row| {
                        row.metric >= thresholds[level as usize]
                    });
                    let case = format!("{rows:?} {arrivals:?} {bucket:?} {search}");
                    assert!((gain - best).abs() < 1e-5, "{case}: {gain} {best} {thresholds:?}");
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 36);
}

/// Where the metric is calibrated, a search decides as the values do.
#[test]
fn search_agrees_on_a_calibrated_metric() {
    let rows: Vec<(f32, f32)> = (0..400u32)
        .map(|id| {
            let metric = ((id * id % 173) as f32 / 173.0).powi(2);
            (metric, metric)
        })
        .collect();
    for (rate, depth) in [((1, 10), (4, 1)), ((1, 20), (20, 1)), ((37, 100), (3, 2))] {
        let setting = setting(&rows, (0.1, 0.1), MARKOV, [rate, depth]);
        let [mut plain, mut search] = [false, true].map(|search| {
            MdpPolicy::new(&MdpCascade { search, ..MdpCascade::default() }, &setting)
        });
        let mut sent = 0;
        for level in 0..=setting.bucket.depth {
            for row in setting.images.rows() {
                let sight = Sight { metric: row.metric, gap: 1, level };
                let wanted = plain.decide(&sight, &BLANK);
                assert_eq!(wanted, search.decide(&sight, &BLANK), "{level} {}", row.metric);
                sent += u32::from(wanted);
            }
        }
        assert!(sent > 0);
    }
}

/// Value iteration over every (state, place, level), outcome by outcome, against the decisions of
/// `hidden-state` for every outcome.
#[test]
fn hidden_state_is_value_iteration() {
    const DISCOUNT: f64 = 0.95;
    let rows: Vec<(f32, f32)> =
        [0.03, 0.11, 0.2, 0.2, 0.37, 0.48, 0.71, 0.93].iter().map(|m| (*m, *m)).collect();
    for walk in [(0.0, 0.0), (0.0, 0.3), (0.3, 0.1), (0.3, 0.0), (0.3, 1.0), (1.0, 0.2)] {
        for arrivals in [ALWAYS, MARKOV, ([3, 1], [0.05, 1.0])] {
            let setting = setting(&rows, walk, arrivals, [(1, 3), (2, 1)]);
            let spec = BeliefCascade { discount: DISCOUNT, places: 8 };
            let mut policy = HiddenStatePolicy::new(&spec, &setting);
            let values = enumerate_values(&setting, DISCOUNT);
            for (state, level, place, metric, kept, sent) in values {
                let sight = Sight { metric, gap: 1, level };
                let decided = policy.decide(&sight, &Hidden { place, state });
                let margin = f64::from(metric) + sent - kept;
                assert!(
                    margin.abs() < 1e-4 || decided == (margin > 0.0),
                    "{walk:?} {arrivals:?}: {state} {level} {place} {metric} {margin} {decided}"
                );
            }
        }
    }
}

/// For each state, level with a token, place and outcome: the metric, and the discounted values of
/// what follows if the image is kept and sent.
fn enumerate_values(setting: &Setting, discount: f64) -> Vec<(u8, u32, u32, f32, f64, f64)> {
    let Setting { images, walk, arrivals, bucket, .. } = setting;
    let (rows, count) = (images.rows(), images.rows().len());
    let levels = bucket.depth as usize + 1;
    let at = |state: usize, level: usize, place: usize| (state * levels + level) * count + place;
    let mut values = vec![0.0; 2 * levels * count];
    let next = |values: &[f64], state: usize, level: usize, place: usize, sent: bool| {
        let to = bucket.later(level as u32, sent, arrivals.gaps[state]).0 as usize;
        let changed = arrivals.changed_after(arrivals.gaps[state])[state];
        let value = |state| {
            let anew: f64 = (0..count).map(|place| values[at(state, to, place)]).sum();
            let stays = values[at(state, to, place)];
            (1.0 - walk.reset) * stays + walk.reset * anew / count as f64
        };
        discount * ((1.0 - changed) * value(state) + changed * value(1 - state))
    };
    let outcomes = |place: usize| {
        (0..=walk.width as usize).map(move |beyond| rows[(place + beyond) % count].metric)
    };
    for _ in 0..600 {
        let old = values.clone();
        for state in 0..2 {
            for level in 0..levels {
                for place in 0..count {
                    let kept = next(&old, state, level, place, false);
                    let sum: f64 = outcomes(place)
                        .map(|metric| {
                            if !bucket.affords(level as u32) {
                                return kept;
                            }
                            kept.max(f64::from(metric) + next(&old, state, level, place, true))
                        })
                        .sum();
                    values[at(state, level, place)] = sum / (walk.width + 1) as f64;
                }
            }
        }
    }
    let mut all = Vec::new();
    for state in 0..2 {
        for level in bucket.price as usize..levels {
            for place in 0..count {
                let [kept, sent] =
                    [false, true].map(|sent| next(&values, state, level, place, sent));
                for metric in outcomes(place) {
                    all.push((state as u8, level as u32, place as u32, metric, kept, sent));
                }
            }
        }
    }
    all
}

/// The belief after a few images, against the sum over all hidden paths.
#[test]
fn belief_is_the_posterior() {
    let rows: Vec<(f32, f32)> = [0.1, 0.2, 0.2, 0.5, 0.9].iter().map(|m| (*m, *m)).collect();
    let setting = setting(&rows, (0.3, 0.25), MARKOV, [(1, 3), (2, 1)]);
    let seen = [(0, 0.2), (1, 0.2), (3, 0.5), (3, 0.9), (1, 0.1)];
    let mut policy = BeliefPolicy::new(&BeliefCascade { places: 5, discount: 0.9 }, &setting);
    for length in 1..=seen.len() {
        let (gap, metric) = seen[length - 1];
        policy.decide(&Sight { metric, gap, level: 6 }, &BLANK);
        let (places, states) = policy.belief();
        let (expected_places, expected_states) = posterior(&setting, &seen[..length]);
        for (found, expected) in
            places.iter().chain(states).zip(expected_places.iter().chain(&expected_states))
        {
            assert!(
                (found - expected).abs() < 1e-9,
                "{length}: {places:?} {expected_places:?} {states:?} {expected_states:?}"
            );
        }
    }
}

/// Probabilities of places and of states after `seen`, by enumeration of all paths.
fn posterior(setting: &Setting, seen: &[(u32, f32)]) -> (Vec<f64>, Vec<f64>) {
    let Setting { images, walk, arrivals, .. } = setting;
    let (rows, count) = (images.rows(), images.rows().len());
    let first = arrivals.share_of_first();
    let likely = |place: usize, metric: f32| {
        let window = (0..=walk.width as usize).map(|beyond| rows[(place + beyond) % count].metric);
        window.filter(|other| *other == metric).count() as f64 / (walk.width + 1) as f64
    };
    // Paths as (place, state, probability).
    let mut paths: Vec<(usize, usize, f64)> = (0..count)
        .flat_map(|place| [(place, 0, first), (place, 1, 1.0 - first)])
        .map(|(place, state, weight)| {
            (place, state, weight / count as f64 * likely(place, seen[0].1))
        })
        .collect();
    for (gap, metric) in &seen[1..] {
        let mut next = Vec::new();
        for (place, state, weight) in paths.into_iter().filter(|path| path.2 > 0.0) {
            if arrivals.gaps[state] != *gap {
                continue;
            }
            // All ways of the state through the slots of the gap.
            for way in 0..1u32 << gap {
                let (mut now, mut weight) = (state, weight);
                for slot in 0..*gap {
                    let leaves = way >> slot & 1 == 1;
                    weight *= if leaves { arrivals.leave[now] } else { 1.0 - arrivals.leave[now] };
                    now = if leaves { 1 - now } else { now };
                }
                next.push((place, now, weight * (1.0 - walk.reset) * likely(place, *metric)));
                for anew in 0..count {
                    let weight = weight * walk.reset / count as f64 * likely(anew, *metric);
                    next.push((anew, now, weight));
                }
            }
        }
        paths = next;
    }
    let (mut places, mut states, mut all) = (vec![0.0; count], vec![0.0; 2], 0.0);
    for (place, state, weight) in paths {
        places[place] += weight;
        states[state] += weight;
        all += weight;
    }
    places.iter_mut().chain(&mut states).for_each(|probability| *probability /= all);
    (places, states)
}

fn instance(setting: &Setting, images: u64, seed: u64) -> CascadeInstance {
    let key = |purpose| Key::derive(seed, purpose, 0);
    CascadeInstance {
        seed,
        images,
        table: setting.images.clone(),
        walk: setting.walk,
        arrivals: setting.arrivals,
        keys: StreamKeys {
            reset: key(Purpose::ImageReset),
            place: key(Purpose::ImagePlace),
            within: key(Purpose::ImageWithin),
            arrivals: key(Purpose::ImageArrivals),
        },
        bucket: setting.bucket,
        wall_ns: None,
    }
}

/// What `decide(image, level, reward)` gains over the trial.
fn gain(instance: &CascadeInstance, mut decide: impl FnMut(u64, &Sight, f64) -> bool) -> f64 {
    let mut stream = instance.stream();
    let (mut level, mut sent, mut sum) = (instance.bucket.full(), false, 0.0);
    for image in 0..instance.images {
        let arrival = stream.next_image();
        level = instance.bucket.later(level, sent, arrival.gap).0;
        let row = instance.table.rows()[arrival.rank as usize];
        let sight = Sight { metric: row.metric, gap: arrival.gap, level };
        sent = decide(image, &sight, f64::from(row.reward)) && instance.bucket.affords(level);
        sum += if sent { f64::from(row.reward) } else { 0.0 };
    }
    sum
}

/// Against all 2^13 ways to decide, over blocks of four images and a last one of one.
#[test]
fn clairvoyant_is_the_best_of_all_decisions() {
    let rows = [(0.1, 0.3), (0.2, -0.2), (0.4, 0.1), (0.6, 0.9), (0.9, 0.5)];
    for arrivals in [ALWAYS, MARKOV] {
        for bucket in [[(1, 3), (5, 3)], [(1, 4), (1, 1)], [(2, 5), (2, 1)]] {
            for seed in 1..=5 {
                let setting = setting(&rows, (0.3, 0.2), arrivals, bucket);
                let instance = instance(&setting, 13, seed);
                let best = (0..1u32 << 13)
                    .map(|ways| gain(&instance, |image, _, _| ways >> image & 1 == 1))
                    .fold(f64::NEG_INFINITY, f64::max);
                let mut policy = ClairvoyantPolicy::new(&instance);
                let promised = policy.gain();
                let found = gain(&instance, |_, sight, _| policy.decide(sight, &BLANK));
                assert!((best - found).abs() < 1e-9, "{arrivals:?} {bucket:?} {seed}");
                assert!((best - promised).abs() < 1e-9, "{arrivals:?} {bucket:?} {seed}");
            }
        }
    }
}

/// With half of all images at one metric, the share that is sent is still what tokens allow.
#[test]
fn ties_are_sent_in_part() {
    let metrics: Vec<f32> = (0..100).map(|id| if id < 50 { 0.5 } else { id as f32 }).collect();
    let rows: Vec<(f32, f32)> = metrics.iter().map(|m| (*m, *m)).collect();
    for (rate, above, at) in [((1, 10), 10, 0), ((3, 5), 50, 10), ((1, 2), 50, 0), ((1, 1), 50, 50)]
    {
        let setting = setting(&rows, (1.0, 1.0), ALWAYS, [rate, (1, 1)]);
        let mut policy = ThresholdPolicy::new(&ThresholdCascade::default(), &setting, false);
        let (mut sent_above, mut sent_at) = (0, 0);
        for _ in 0..20 {
            for metric in &metrics {
                if policy.decide(&Sight { metric: *metric, gap: 1, level: 0 }, &BLANK) {
                    *(if *metric > 0.5 { &mut sent_above } else { &mut sent_at }) += 1;
                }
            }
        }
        assert_eq!(sent_above, 20 * above, "{rate:?}");
        let off: i32 = sent_at - 20 * at;
        assert!(off.abs() <= 1, "{rate:?} {sent_at}");
    }
    // A threshold that is given is taken as it is.
    let setting = setting(&rows, (1.0, 1.0), ALWAYS, [(1, 10), (1, 1)]);
    let spec = ThresholdCascade { threshold: Some(0.5) };
    let mut policy = ThresholdPolicy::new(&spec, &setting, true);
    assert!(policy.decide(&Sight { metric: 0.5, gap: 1, level: 0 }, &BLANK));
    assert!(!policy.decide(&Sight { metric: 0.499, gap: 1, level: 0 }, &BLANK));
}

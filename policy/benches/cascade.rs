//! How long the solvers of the problem `cascade` take, and one decision of each policy.
//!
//! `cargo bench -p fogbit-policy --bench cascade`

use std::hint::black_box;

use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use fogbit_policy::cascade::{CascadePolicy, ClairvoyantPolicy, build};
use fogbit_scenario::cascade::{
    Arrival, ArrivalProcess, CascadeInstance, ImageRow, ImageTable, RingWalk, Setting, Sight,
    StreamKeys, TokenBucket,
};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::{
    BeliefCascade, CascadePolicySpec, ImageStream, MdpCascade, Ratio, ThresholdCascade,
};

/// Images that decisions are made about, over and over.
const IMAGES: usize = 1 << 14;

/// As many images as the paper's figure 3 shows, with spread and reset .1.
fn setting(gaps: [u32; 2], leave: [f64; 2], tokens: u64) -> Setting {
    let row = |id: u32| {
        let metric = 0.003 + 0.66 * (id as f32 / 3334.0).powi(2);
        ImageRow { id, metric, weak_loss: 0.2984, reward: metric }
    };
    let ratio = |over, under| Ratio::new(over, under).expect("a ratio");
    Setting {
        images: ImageTable::new((0..3334).map(row).collect()),
        walk: RingWalk::new(&ImageStream { spread: 0.1, reset: 0.1 }, 3334),
        trial_images: 3334,
        arrivals: ArrivalProcess { gaps, leave },
        bucket: TokenBucket::new(ratio(1, 10), ratio(tokens, 1), 100_000).expect("a bucket"),
    }
}

fn instance(setting: &Setting, images: u64) -> CascadeInstance {
    let key = |purpose| Key::derive(1, purpose, 0);
    CascadeInstance {
        seed: 1,
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

fn kinds() -> [(&'static str, CascadePolicySpec); 4] {
    [
        ("threshold", CascadePolicySpec::Threshold(ThresholdCascade::default())),
        ("mdp", CascadePolicySpec::Mdp(MdpCascade::default())),
        ("hidden-state", CascadePolicySpec::HiddenState(BeliefCascade::default())),
        ("belief", CascadePolicySpec::Belief(BeliefCascade::default())),
    ]
}

fn solve(criterion: &mut Criterion) {
    for (tokens, gaps, leave) in
        [(4, [1, 1], [0.0, 0.0]), (20, [1, 1], [0.0, 0.0]), (4, [1, 3], [0.001, 0.0005])]
    {
        let name = format!("solve, {tokens} tokens, gaps {gaps:?}");
        let mut group = criterion.benchmark_group(name);
        let setting = setting(gaps, leave, tokens);
        for (kind, spec) in kinds() {
            group.sample_size(10).bench_function(kind, |bencher| {
                bencher.iter(|| build(&spec, black_box(&setting)));
            });
        }
        group.finish();
    }
    let setting = setting([1, 1], [0.0, 0.0], 4);
    let mut group = criterion.benchmark_group("solve, a million images");
    group.sample_size(10).bench_function("clairvoyant", |bencher| {
        let instance = instance(&setting, 1_000_000);
        bencher.iter(|| ClairvoyantPolicy::new(&instance));
    });
    group.finish();
}

/// Decides about `images` one after the other, as a trial would.
fn decide_all(
    bencher: &mut Bencher<'_>,
    policy: &mut dyn CascadePolicy,
    setting: &Setting,
    images: &[Arrival],
) {
    let rows = setting.images.rows();
    let (mut next, mut level, mut sent) = (0, setting.bucket.full(), false);
    bencher.iter(|| {
        let arrival = &images[next % IMAGES];
        next += 1;
        level = setting.bucket.later(level, sent, arrival.gap).0;
        let metric = rows[arrival.rank as usize].metric;
        let sight = Sight { metric, gap: arrival.gap, level };
        let wanted = policy.decide(black_box(&sight), black_box(&arrival.hidden));
        sent = wanted && setting.bucket.affords(level);
        sent
    });
}

fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one decision");
    let setting = setting([1, 3], [0.001, 0.0005], 4);
    let mut stream = instance(&setting, IMAGES as u64).stream();
    let images: Vec<Arrival> = (0..IMAGES).map(|_| stream.next_image()).collect();
    for (kind, spec) in kinds() {
        let mut policy = build(&spec, &setting).expect("a policy");
        group.bench_function(kind, |bencher| decide_all(bencher, &mut *policy, &setting, &images));
    }
    group.finish();
}

criterion_group!(benches, solve, decide);
criterion_main!(benches);

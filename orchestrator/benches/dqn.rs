//! The parts of one update in the training of a deep Q-network, in the paper's setting: a batch of 128
//! segments, 96 metrics (and 95 gaps), five layers of 64, 71 values. An update is `read`, `ask`,
//! `targets` and `step`; a full training has 512,000. And one decision.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use fogbit::train::dqn::{DqnTrainer, Outcome, Targets, TrainingStream, centre};
use fogbit_neural::{Adam, Regression, Tape};
use fogbit_policy::cascade::{CascadePolicy, DqnPolicy};
use fogbit_scenario::cascade::{
    ArrivalProcess, Hidden, ImageRow, ImageTable, RingWalk, Setting, Sight, StreamKeys, TokenBucket,
};
use fogbit_scenario::draw::{Key, Purpose, Stream};
use fogbit_scenario::topology::DqnTraining;

const BATCH: usize = 128;

fn setting(arrivals: ArrivalProcess) -> Setting {
    let images = 3334;
    let row = |id: u32| {
        let metric = id as f32 / images as f32;
        ImageRow { id, metric, weak_loss: 0.3, reward: metric }
    };
    Setting {
        images: ImageTable::new((0..images).map(row).collect()),
        walk: RingWalk { images, width: images / 10, reset: 0.1 },
        trial_images: images,
        arrivals,
        bucket: TokenBucket { refill: 1, price: 10, depth: 40 },
    }
}

fn parts(criterion: &mut Criterion) {
    let constant = ArrivalProcess { gaps: [1, 1], leave: [0.0, 0.0] };
    let markov = ArrivalProcess { gaps: [1, 3], leave: [0.001, 0.0005] };
    for (name, arrivals) in [("constant", constant), ("markov", markov)] {
        let setting = setting(arrivals);
        let how = DqnTraining { images: 10_000, updates: 1, ..DqnTraining::default() };
        let mut trainer = DqnTrainer::new(&setting, &how, None).expect("it fits");
        let model = Arc::new(trainer.model().expect("a model"));
        let (shape, scale) = (*model.shape(), *model.scale());
        let key = |index| Key::derive(7, Purpose::TrainingImages, index);
        let keys = StreamKeys { reset: key(1), place: key(2), within: key(3), arrivals: key(4) };
        let stream = TrainingStream::new(&setting, shape, scale, 10_000_000, &keys);
        let mut group = criterion.benchmark_group(format!("dqn/{name}"));

        let (mut draws, mut draw) = (Stream::new(&key(5)), 0);
        let mut before = vec![0.0; BATCH * shape.inputs()];
        let mut after = before.clone();
        let mut outcomes = Vec::new();
        group.bench_function("read", |bencher| {
            bencher.iter(|| {
                outcomes.clear();
                let width = shape.inputs();
                for (before, after) in
                    before.chunks_exact_mut(width).zip(after.chunks_exact_mut(width))
                {
                    draw += 1;
                    let place = u128::from(draws.at(draw)) * u128::from(stream.segments());
                    outcomes.push(stream.read((place >> 64) as u64, before, after));
                }
            });
        });

        let mut network = model.network().clone();
        let mut tape = Tape::new(&network, BATCH);
        group.bench_function("ask", |bencher| {
            bencher.iter(|| {
                tape.inputs(BATCH).copy_from_slice(&after);
                tape.forward(&network);
                black_box(tape.outputs());
            });
        });

        let mut targets = Targets::new(shape, 0.9999);
        let mut wanted = vec![0.0; BATCH * shape.outputs()];
        group.bench_function("targets", |bencher| {
            bencher.iter(|| {
                let width = shape.outputs();
                let says = tape.outputs().chunks_exact(width);
                for ((outcome, says), wanted) in
                    outcomes.iter().zip(says).zip(wanted.chunks_exact_mut(width))
                {
                    let outcome: &Outcome = outcome;
                    targets.fill(outcome, says, wanted);
                }
                centre(&mut wanted);
            });
        });

        let mut regression = Regression::new(&network, BATCH);
        group.bench_function("step", |bencher| {
            bencher.iter(|| regression.step(&mut network, &Adam::default(), &before, &wanted));
        });

        group.bench_function("all", |bencher| {
            bencher.iter(|| trainer.iterate().expect("it does not diverge"));
        });

        let mut policy = DqnPolicy::new(model);
        let (rows, mut image) = (setting.images.rows(), 0);
        group.bench_function("decide", |bencher| {
            bencher.iter(|| {
                image = (image + 1) % rows.len();
                let sight = Sight { metric: rows[image].metric, gap: arrivals.gaps[0], level: 40 };
                policy.decide(&sight, &Hidden { place: 0, state: 0 })
            });
        });
        group.finish();
    }
}

criterion_group!(benches, parts);
criterion_main!(benches);

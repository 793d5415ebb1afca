//! How long a decision takes, a step of training, and an image.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fogbit_neural::{
    Adam, AdamState, Conv2d, CrossEntropy, Dense, Initial, Layer, Loss, MaxPool2d, Network, Planes,
    Regression, Tape,
};
use fogbit_scenario::draw::{Key, Purpose, Stream};

/// The network of the placement problem, the student of the cascade problem, and its teacher.
const SHAPES: [&[usize]; 3] = [&[4, 32, 16, 2], &[24, 64, 32, 24], &[24, 128, 128, 64, 24]];

/// The decision network of the cascade problem: 27,463 parameters.
const CASCADE: &[usize] = &[96, 64, 64, 64, 64, 64, 71];

fn key() -> Key {
    Key::derive(1, Purpose::NetworkWeights, 0)
}

fn network(widths: &[usize]) -> Network {
    Network::new(widths, &key())
}

fn leaky(widths: &[usize]) -> Network {
    Network::dense(widths, &Layer::LeakyRelu { slope: 0.2 }, Initial::HeUniform, &key())
}

fn name(widths: &[usize]) -> String {
    widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-")
}

/// Normal features, `[rows, width]`.
fn features(rows: usize, width: usize) -> Vec<f32> {
    let mut stream = Stream::new(&Key::derive(1, Purpose::Noise(0), 0));
    (1..=rows * width).map(|place| stream.normal(place as u64) as f32).collect()
}

fn infer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("infer");
    for network in SHAPES.map(network).into_iter().chain([leaky(CASCADE)]) {
        let layers = network.layers().iter().filter_map(|layer| match layer {
            Layer::Dense(dense) => Some(dense.outputs),
            _ => None,
        });
        let widths: Vec<_> = [network.inputs()].into_iter().chain(layers).collect();
        let row = features(1, network.inputs());
        let mut scratch = network.scratch();
        group.bench_function(name(&widths), |bencher| {
            bencher.iter(|| network.infer(black_box(&row), &mut scratch)[0]);
        });
        let mut prepared = network.prepare();
        group.bench_function(format!("{}, prepared", name(&widths)), |bencher| {
            bencher.iter(|| prepared.infer(black_box(&row))[0]);
        });
    }
    group.finish();
}

fn train(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("train step");
    for widths in SHAPES {
        for batch in [64, 128] {
            let mut network = network(widths);
            let rows: Vec<u32> = (0..batch).collect();
            let features = features(batch as usize, network.inputs());
            let labels: Vec<u32> = rows.iter().map(|row| row % 2).collect();
            let loss = CrossEntropy { labels: &labels };
            let mut tape = Tape::new(&network, batch as usize);
            let mut state = AdamState::new(&network);
            group.throughput(Throughput::Elements(u64::from(batch)));
            group.bench_function(format!("{}, batch {batch}", name(widths)), |bencher| {
                bencher.iter(|| {
                    tape.inputs(batch as usize).copy_from_slice(&features);
                    tape.forward(&network);
                    let (outputs, slope) = tape.outputs_and_slope();
                    black_box(loss.evaluate(&rows, outputs, slope));
                    tape.backward(&network);
                    Adam::default().step(&mut network, tape.gradients(), &mut state);
                });
            });
        }
    }
    group.finish();
}

/// What Q-learning does in a step: the target network on one batch, the other trained on another.
fn regression(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("regression, batch 128");
    let mut network = leaky(CASCADE);
    let (inputs, targets) = (features(128, 96), features(128, 71));
    let mut target = network.prepare();
    group.bench_function("forward", |bencher| {
        bencher.iter(|| target.infer_batch(black_box(&inputs))[0]);
    });
    let mut regression = Regression::new(&network, 128);
    let adam = Adam { rate: 1e-4, ..Adam::default() };
    group.bench_function("step", |bencher| {
        bencher.iter(|| regression.step(&mut network, &adam, black_box(&inputs), &targets));
    });
    let (mut tape, mut state) = (Tape::new(&network, 128), AdamState::new(&network));
    tape.inputs(128).copy_from_slice(&inputs);
    group.bench_function("forward of a step", |bencher| {
        bencher.iter(|| tape.forward(black_box(&network)));
    });
    group.bench_function("Adam of a step", |bencher| {
        bencher.iter(|| adam.step(&mut network, tape.gradients(), &mut state));
    });
    group.finish();
}

/// A classifier of 28 x 28 images, of 2.1 million products.
fn classifier() -> Network {
    let planes = |channels, side| Planes { channels, height: side, width: side };
    let layers = vec![
        Layer::Conv2d(Conv2d::zeros(planes(1, 28), 32, 3, 1, 1)),
        Layer::Relu,
        Layer::MaxPool2d(MaxPool2d { inputs: planes(32, 28) }),
        Layer::Conv2d(Conv2d::zeros(planes(32, 14), 32, 3, 1, 1)),
        Layer::Relu,
        Layer::MaxPool2d(MaxPool2d { inputs: planes(32, 14) }),
        Layer::Flatten,
        Layer::Dense(Dense::zeros(32 * 49, 64)),
        Layer::Relu,
        Layer::Dense(Dense::zeros(64, 10)),
    ];
    let mut network = Network::from_layers(784, layers).expect("a network");
    network.draw(Initial::HeUniform, &key());
    network
}

fn images(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("images");
    let mut network = classifier();
    let batch = 64;
    let images = features(batch, 784);
    let mut prepared = network.prepare();
    group.bench_function("one", |bencher| {
        bencher.iter(|| prepared.infer(black_box(&images[..784]))[0]);
    });
    let rows: Vec<u32> = (0..batch as u32).collect();
    let labels: Vec<u32> = rows.iter().map(|row| row % 10).collect();
    let loss = CrossEntropy { labels: &labels };
    let (mut tape, mut state) = (Tape::new(&network, batch), AdamState::new(&network));
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function(format!("train step, batch {batch}"), |bencher| {
        bencher.iter(|| {
            tape.inputs(batch).copy_from_slice(&images);
            tape.forward(&network);
            let (outputs, slope) = tape.outputs_and_slope();
            black_box(loss.evaluate(&rows, outputs, slope));
            tape.backward(&network);
            Adam::default().step(&mut network, tape.gradients(), &mut state);
        });
    });
    group.finish();
}

criterion_group!(benches, infer, train, regression, images);
criterion_main!(benches);

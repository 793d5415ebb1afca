//! How long a decision takes, and a step of training.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fogbit_neural::{Adam, AdamState, CrossEntropy, Loss, Network, Tape};
use fogbit_scenario::draw::{Key, Purpose, Stream};

/// The network of the placement problem, the student of the cascade problem, and its teacher.
const SHAPES: [&[usize]; 3] = [&[4, 32, 16, 2], &[24, 64, 32, 24], &[24, 128, 128, 64, 24]];

fn network(widths: &[usize]) -> Network {
    Network::new(widths, &Key::derive(1, Purpose::NetworkWeights, 0))
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
    for widths in SHAPES {
        let network = network(widths);
        let row = features(1, network.inputs());
        let mut scratch = network.scratch();
        group.bench_function(name(widths), |bencher| {
            bencher.iter(|| network.infer(black_box(&row), &mut scratch)[0]);
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

criterion_group!(benches, infer, train);
criterion_main!(benches);

//! Images a second of one trial of the problem `cascade` in virtual time, on one core: draws, bucket,
//! policy and loop, with a recorder that only adds up.
//!
//! `cargo bench -p fogbit-task-node --bench cascade`

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fogbit_policy::cascade::build;
use fogbit_scenario::cascade::{
    ArrivalProcess, CascadeInstance, ImageRow, ImageStep, ImageTable, RingWalk, Setting,
    StreamKeys, TokenBucket,
};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::{
    CascadePolicySpec, ImageStream, MdpCascade, Ratio, ThresholdCascade,
};
use fogbit_task_node::TrialError;
use fogbit_task_node::cascade::{CascadeRecorder, CascadeTrial, SimCamera};

const IMAGES: u64 = 1_000_000;

/// Adds up.
struct Sum<'t> {
    rows: &'t [ImageRow],
    loss: f64,
    sent: u64,
    wasted: u64,
}

impl CascadeRecorder for Sum<'_> {
    #[inline]
    async fn record(&mut self, step: &ImageStep) -> Result<(), TrialError> {
        let row = &self.rows[step.rank as usize];
        let gained = if step.offloaded() { row.reward } else { 0.0 };
        self.loss += f64::from(row.weak_loss) - f64::from(gained);
        self.sent += u64::from(step.offloaded());
        self.wasted += step.wasted;
        Ok(())
    }
}

fn trial(criterion: &mut Criterion) {
    let row = |id: u32| {
        let metric = 0.003 + 0.66 * (id as f32 / 3334.0).powi(2);
        ImageRow { id, metric, weak_loss: 0.2984, reward: metric }
    };
    let table = ImageTable::new((0..3334).map(row).collect());
    let walk = RingWalk::new(&ImageStream { spread: 0.1, reset: 0.1 }, 3334);
    let ratio = |over, under| Ratio::new(over, under).expect("a ratio");
    let bucket = TokenBucket::new(ratio(1, 10), ratio(4, 1), 1000).expect("a bucket");
    let key = |purpose| Key::derive(1, purpose, 0);
    let mut group = criterion.benchmark_group("cascade, a million images");
    group.throughput(Throughput::Elements(IMAGES)).sample_size(20);
    for (name, gaps, leave) in
        [("constant", [1, 1], [0.0, 0.0]), ("markov", [1, 3], [0.001, 0.0005])]
    {
        let arrivals = ArrivalProcess { gaps, leave };
        let keys = StreamKeys {
            reset: key(Purpose::ImageReset),
            place: key(Purpose::ImagePlace),
            within: key(Purpose::ImageWithin),
            arrivals: key(Purpose::ImageArrivals),
        };
        let (images, table) = (IMAGES, table.clone());
        let instance =
            CascadeInstance { seed: 1, images, table, walk, arrivals, keys, bucket, wall_ns: None };
        let images = instance.table.clone();
        let setting = Setting { images, walk, trial_images: 3334, arrivals, bucket };
        group.bench_function(format!("{name}, stream alone"), |bencher| {
            bencher.iter(|| {
                let mut stream = instance.stream();
                (0..IMAGES).map(|_| u64::from(black_box(stream.next_image()).rank)).sum::<u64>()
            });
        });
        for (kind, spec) in [
            ("mdp", CascadePolicySpec::Mdp(MdpCascade::default())),
            ("threshold", CascadePolicySpec::Threshold(ThresholdCascade::default())),
        ] {
            let mut policy = build(&spec, &setting).expect("a policy");
            group.bench_function(format!("{name}, {kind}"), |bencher| {
                bencher.iter(|| {
                    let trial = CascadeTrial { instance: &instance };
                    let mut fog = SimCamera::new(&instance.table);
                    let rows = instance.table.rows();
                    let mut sum = Sum { rows, loss: 0.0, sent: 0, wasted: 0 };
                    let stop = AtomicBool::new(false);
                    let done = {
                        let play = pin!(trial.play(&mut fog, &mut *policy, &mut sum, &stop));
                        play.poll(&mut Context::from_waker(Waker::noop()))
                    };
                    assert!(matches!(done, Poll::Ready(Ok(_))), "nothing waits in virtual time");
                    (sum.loss, sum.sent, sum.wasted)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, trial);
criterion_main!(benches);

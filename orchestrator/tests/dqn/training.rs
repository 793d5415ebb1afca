//! What a training does.

use std::ops::ControlFlow;
use std::sync::Arc;

use fogbit::train::dqn::{DqnProgress, DqnTrainer, Referee, TrainingStream, train};
use fogbit_neural::{Checkpoint, Dense, Layer, Metadata, Network};
use fogbit_policy::cascade::{CascadePolicy, DqnModel, DqnPolicy, dqn_standardiser};
use fogbit_scenario::cascade::{Hidden, ImageStream, Setting, Sight, StreamKeys};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::DqnTraining;

use crate::{CORRELATED, MARKOV, scenario, topology};

const NO_POLICY: &str = "[policies.threshold]\nkind = \"threshold\"";

fn setting(more: &str) -> Setting {
    let dir = tempfile::tempdir().unwrap();
    scenario(&topology(dir.path(), more, NO_POLICY)).setting()
}

fn quick() -> DqnTraining {
    DqnTraining {
        iterations: 6,
        updates: 4,
        batch: 16,
        hidden: vec![8, 8],
        images: 2000,
        history: 9,
        ..DqnTraining::default()
    }
}

#[test]
fn the_same_training_gives_the_same_bytes_stopped_or_not() {
    for more in [CORRELATED, MARKOV] {
        let setting = setting(more);
        let on = |_: &DqnTrainer, _: &DqnProgress<'_>| ControlFlow::Continue(());
        let whole = train(&setting, &quick(), None, on).unwrap().bytes;
        assert_eq!(train(&setting, &quick(), None, on).unwrap().bytes, whole);
        let other = DqnTraining { seed: 2, ..quick() };
        assert_ne!(train(&setting, &other, None, on).unwrap().bytes, whole);
        for last in 1..6 {
            let mut kept = None;
            let stopped = train(&setting, &quick(), None, |trainer, done| {
                kept = Some(trainer.checkpoint().to_bytes().unwrap());
                if done.iteration == last {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            assert!(stopped.is_err());
            let from = Checkpoint::from_bytes(&kept.unwrap()).unwrap();
            assert!(train(&setting, &quick(), Some(from), on).unwrap().bytes == whole, "{last}");
        }
    }
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let setting_here = setting(CORRELATED);
    let trainer = DqnTrainer::new(&setting_here, &quick(), None).unwrap();
    let refused = |setting: &Setting, how: &DqnTraining| {
        DqnTrainer::new(setting, how, Some(trainer.checkpoint())).unwrap_err().to_string()
    };
    let slower = DqnTraining { learning_rate: 1e-4, ..quick() };
    assert!(refused(&setting_here, &slower).contains("0.0001"));
    let told = refused(&setting(MARKOV), &quick());
    assert!(told.contains("another training") && told.contains("gaps of 1 and 3"), "{told}");
    let mut bare = trainer.checkpoint();
    bare.metadata = Metadata::new();
    assert!(DqnTrainer::new(&setting_here, &quick(), Some(bare)).is_err());
}

/// The learner reads from its stream what the policy remembers of the same images, from the first on.
#[test]
fn learner_and_policy_see_the_same() {
    for more in [CORRELATED, MARKOV] {
        let setting = setting(more);
        let mut trainer = DqnTrainer::new(&setting, &quick(), None).unwrap();
        trainer.iterate().unwrap();
        let model = Arc::new(trainer.model().unwrap());
        let (shape, bucket) = (*model.shape(), setting.bucket);
        let key = |index| Key::derive(3, Purpose::TrainingImages, index);
        let keys = StreamKeys { reset: key(1), place: key(2), within: key(3), arrivals: key(4) };
        let read = TrainingStream::new(&setting, shape, *model.scale(), 500, &keys);
        let mut network = model.network().prepare();
        let mut policy = DqnPolicy::new(Arc::clone(&model));
        let mut stream = ImageStream::new(setting.walk, setting.arrivals, &keys);
        let (mut before, mut after) = (vec![9.0; shape.inputs()], vec![9.0; shape.inputs()]);
        let mut expected = vec![0.0; shape.inputs()];
        let mut sent = 0;
        for segment in 0..499 {
            let arrival = stream.next_image();
            let row = setting.images.rows()[arrival.rank as usize];
            let level = bucket.price + segment as u32 % (bucket.depth + 1 - bucket.price);
            let sight = Sight { metric: row.metric, gap: arrival.gap, level };
            let decided = policy.decide(&sight, &Hidden { place: 0, state: 0 });
            let outcome = read.read(segment, &mut before, &mut after);
            assert_eq!(outcome.reward, row.reward);
            if segment > 0 {
                assert_eq!(before, expected, "what comes after one image comes before the next");
            }
            expected.clone_from(&after);
            let values = network.infer(&before);
            let (keep, send) = shape.pair(level).unwrap();
            assert_eq!(decided, values[keep] <= values[send], "image {segment}");
            sent += u32::from(decided);
            // The policy sees nothing without a token, but remembers.
            let poor = Sight { level: bucket.price - 1, ..sight };
            assert!(
                !DqnPolicy::new(Arc::clone(&model)).decide(&poor, &Hidden { place: 0, state: 0 })
            );
        }
        assert!((1..499).contains(&sent), "all decisions alike would show nothing: {sent}");
    }
}

/// Metrics on their scale, newest first, written down by hand.
#[test]
fn a_row_is_as_documented() {
    let setting = setting(MARKOV);
    let trainer = DqnTrainer::new(&setting, &quick(), None).unwrap();
    let model = trainer.model().unwrap();
    let shape = *model.shape();
    assert_eq!((shape.metrics(), shape.gaps(), shape.outputs()), (8, 7, 2 * 21 - 1 - 10));
    let key = |index| Key::derive(3, Purpose::TrainingImages, index);
    let keys = StreamKeys { reset: key(1), place: key(2), within: key(3), arrivals: key(4) };
    let read = TrainingStream::new(&setting, shape, *model.scale(), 100, &keys);
    let mut stream = ImageStream::new(setting.walk, setting.arrivals, &keys);
    let images: Vec<_> = (0..100).map(|_| stream.next_image()).collect();
    let metrics: Vec<f64> = setting.images.rows().iter().map(|row| f64::from(row.metric)).collect();
    let mean = metrics.iter().sum::<f64>() / 300.0;
    let deviation = (metrics.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / 300.0).sqrt();
    let (mut before, mut after) = ([9.0; 15], [9.0; 15]);
    for segment in 0..99 {
        let outcome = read.read(segment as u64, &mut before, &mut after);
        assert_eq!(outcome.gap, images[segment + 1].gap);
        for (row, last) in [(&before, segment), (&after, segment + 1)] {
            for (place, value) in row.iter().enumerate() {
                let back = place % 8;
                let expected = match (last.checked_sub(back), place < 8) {
                    (Some(image), true) => {
                        (metrics[images[image].rank as usize] - mean) / deviation
                    }
                    (Some(image), false) if image > 0 => f64::from(images[image].gap) - 2.0,
                    _ => 0.0,
                };
                assert!((f64::from(*value) - expected).abs() < 1e-5, "{segment}, {place}");
            }
        }
    }
}

/// A network of biases alone treats all images alike, and that is noticed.
#[test]
fn degenerate_policies_are_noticed() {
    let setting = setting(CORRELATED);
    let trainer = DqnTrainer::new(&setting, &quick(), None).unwrap();
    let shape = *trainer.model().unwrap().shape();
    let constant = |send: f32| {
        let mut dense = Dense::zeros(shape.inputs(), shape.outputs());
        dense.parameters.bias[shape.keeps()..].fill(send);
        let network = Network::from_layers(shape.inputs(), vec![Layer::Dense(dense)]).unwrap();
        let scale = dqn_standardiser(&setting.images);
        let origin = trainer.origin().clone();
        Arc::new(DqnModel::new(network, origin, &scale, Metadata::new()).unwrap())
    };
    let referee = Referee::new(&setting, 1);
    let never = referee.judge(constant(-1.0));
    assert_eq!(never.degenerate, Some("keeps every image"));
    // What nobody sends is lost at the weak classifier's rate.
    assert!((never.average_loss - 0.3).abs() < 1e-6, "{}", never.average_loss);
    let always = referee.judge(constant(1.0));
    assert_eq!(always.sent_share, 1.0);
    assert!(always.degenerate.unwrap().contains("sends every image"));
    // Where there are tokens for all images it is right.
    let rich = self::setting("bucket = { rate = 1.0, depth = 2 }");
    let how = quick();
    let trained = train(&rich, &how, None, |_, _| ControlFlow::Continue(())).unwrap();
    let referee = Referee::new(&rich, 1);
    let origin = trained.model.origin().clone();
    let shape = *trained.model.shape();
    let mut dense = Dense::zeros(shape.inputs(), shape.outputs());
    dense.parameters.bias[shape.keeps()..].fill(1.0);
    let network = Network::from_layers(shape.inputs(), vec![Layer::Dense(dense)]).unwrap();
    let scale = dqn_standardiser(&rich.images);
    let model = DqnModel::new(network, origin, &scale, Metadata::new()).unwrap();
    assert_eq!(referee.judge(Arc::new(model)).degenerate, None);
}

/// More than fits is refused before it is asked for.
#[test]
fn too_much_at_once_is_refused() {
    let how = DqnTraining { updates: 100_000, batch: 100_000, ..quick() };
    let error = DqnTrainer::new(&setting(CORRELATED), &how, None).unwrap_err().to_string();
    assert!(error.contains("does not fit into 4 GB"), "{error}");
}

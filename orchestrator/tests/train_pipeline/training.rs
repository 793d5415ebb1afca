//! Networks that are trained: the same each time, better than chance, and by whom they are taught.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit::train::pipeline::{
    Examples, Judge, LabelSet, Lesson, Origin, Part, PipelineTrainError, Rows, Teaching, prepare,
    train,
};
use fogbit_policy::pipeline::{PipelineNet, RandomSites};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::PipelineTraining;

use crate::{learners, scenario, topology};

static GO_ON: AtomicBool = AtomicBool::new(false);

fn setting(labels: u32, epochs: u32) -> PipelineTraining {
    let hidden = Some(vec![24, 16]);
    PipelineTraining {
        labels,
        epochs,
        batch: 32,
        hidden,
        learning_rate: 3e-3,
        ..Default::default()
    }
}

#[test]
fn a_network_learns_and_is_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario(&topology(dir.path(), &learners()));
    let labels =
        LabelSet::make(&Examples::new(&scenario, 1, Part::Training), 2000, &GO_ON, |_| ()).unwrap();
    let rows = Rows::new(&scenario, 1, &labels).unwrap();
    let origin = Origin::of(&scenario);
    let training = setting(2000, 20);
    let (training, hidden) = (&training, &[24, 16]);
    let lesson = Lesson { rows: &rows, count: 2000, training, hidden, teaching: None };
    let mut losses = Vec::new();
    let net = train(&lesson, &origin, |epoch| {
        assert_eq!(epoch.number, losses.len() + 1);
        losses.push(epoch.loss);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(losses.len(), 20);
    assert!(losses[19] < 0.7 * losses[0], "{losses:?}");
    let again = train(&lesson, &origin, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(net.to_bytes().unwrap(), again.to_bytes().unwrap());
    assert_eq!(Origin::read(net.metadata()), Some(origin.clone()));

    let judge = Judge::new(&scenario, 1, 500, &GO_ON).unwrap();
    let key = Key::derive(1, Purpose::RandomPlacement, 0);
    let chance = judge.policy(&mut RandomSites::new(key));
    let (net, fixed) = (Arc::new(net), [0, 1, 2].map(|site| judge.fixed(site).delay_ratio));
    let own = judge.net(&net);
    assert_eq!(own.applications, 500);
    assert!(own.delay_ratio >= 1.0 && own.delay_ratio < chance.delay_ratio);
    assert!(fixed.iter().all(|fixed| own.delay_ratio < *fixed), "{own:?}, {fixed:?}");
    assert!(own.label_accuracy > 0.7 && own.exact_match < own.label_accuracy, "{own:?}");

    // With a teacher it is another one; alpha = 0 listens to nobody.
    let taught = |alpha| {
        let teaching = Teaching { teacher: Arc::clone(&net), temperature: 3.0, alpha };
        let lesson = Lesson { teaching: Some(&teaching), ..lesson };
        train(&lesson, &origin, |_| ControlFlow::Continue(())).unwrap()
    };
    let weights = |net: &PipelineNet| net.network().clone();
    assert_eq!(weights(&taught(0.0)), weights(&net));
    assert_ne!(weights(&taught(0.7)), weights(&net));
    let stopped = train(&lesson, &origin, |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(PipelineTrainError::Stopped)));
}

#[test]
fn a_run_is_prepared_with_what_the_topology_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = topology(dir.path(), &learners());
    let models = prepare(&scenario(&path), true, &GO_ON).unwrap();
    assert_eq!(models.0.keys().collect::<Vec<_>>(), ["alone", "taught"]);
    let taught = &models.0["taught"].model;
    // `alone` is trained as the teacher is to be: it is the teacher.
    assert!(taught.metadata()["distillation"].contains("\"labels\":300"));
    std::fs::write(dir.path().join("m.safetensors"), &models.0["alone"].bytes).unwrap();
    // Read again, it teaches again: the same student comes of it.
    let named = learners()
        .replace("kind = \"imitation\"", "kind = \"imitation\"\nmodel = \"m.safetensors\"");
    let again = prepare(&scenario(&topology(dir.path(), &named)), true, &GO_ON).unwrap();
    assert_eq!(again.0["alone"].bytes, models.0["alone"].bytes);
    assert_eq!(again.0["taught"].bytes, models.0["taught"].bytes);
    models.keep(dir.path()).unwrap();
    let stop = AtomicBool::new(true);
    assert!(prepare(&scenario(&path), true, &stop).is_err(), "the student is not there yet");
}

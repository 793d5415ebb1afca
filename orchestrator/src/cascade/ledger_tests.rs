//! Who is believed.

use std::sync::{Arc, Mutex};

use fogbit_scenario::cascade::Stages;

use super::*;
use crate::cascade::report::small;

/// The steps of a trial as they must be: every second image is wanted.
fn steps(instance: &CascadeInstance) -> Vec<ImageStep> {
    let mut stream = instance.stream();
    let (bucket, mut level, mut sent) = (instance.bucket, instance.bucket.full(), false);
    (1..=instance.images)
        .map(|image| {
            let arrival = stream.next_image();
            let (now, wasted) = bucket.later(level, sent, arrival.gap);
            level = now;
            let wanted = image % 2 == 0;
            sent = wanted && bucket.affords(level);
            let metric = instance.table.rows()[arrival.rank as usize].metric;
            ImageStep {
                image,
                slot: arrival.slot,
                rank: arrival.rank,
                sight: fogbit_scenario::cascade::Sight { metric, gap: arrival.gap, level },
                wasted,
                wanted,
                fate: if sent { Fate::Answered } else { Fate::Kept },
                stages: Stages::default(),
            }
        })
        .collect()
}

/// A file that can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_task_node_that_lies_is_found() {
    let (_dir, scenario) = small("images = 60");
    let instance = scenario.instance(3);
    let right = steps(&instance);
    let told = |steps: &[ImageStep]| {
        let mut ledger =
            CascadeLedger::new(instance.clone(), true, Told::ByTaskNode, None).unwrap();
        steps.iter().try_for_each(|step| ledger.record(step))
    };
    told(&right).unwrap();
    let sent = right.iter().position(ImageStep::offloaded).unwrap();
    let lies: [fn(&mut ImageStep); 9] = [
        |step| step.image += 1,
        |step| step.slot += 1,
        |step| step.rank ^= 1,
        |step| step.sight.gap += 1,
        |step| step.sight.level -= 1,
        |step| step.wasted += 1,
        |step| step.sight.metric = f32::NAN,
        |step| step.wanted = false,
        |step| step.fate = Fate::Kept,
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let mut steps = right.clone();
        lie(&mut steps[sent]);
        let error = told(&steps).unwrap_err().to_string();
        assert!(error.starts_with(&format!("image {}: ", sent + 1)), "{number}: {error}");
    }
    // Nothing comes after the last image.
    let more = ImageStep { image: 61, ..right[59] };
    told(&[&right[..], &[more]].concat()).unwrap_err();
}

/// What the ledger adds up does not depend on whether it looks at every step.
#[test]
fn a_ledger_that_looks_adds_up_the_same() {
    let (_dir, scenario) = small("images = 60");
    let instance = scenario.instance(3);
    let sums = |told| {
        let mut ledger = CascadeLedger::new(instance.clone(), true, told, None).unwrap();
        steps(&instance).iter().for_each(|step| ledger.record(step).unwrap());
        ledger.close().unwrap()
    };
    assert_eq!(sums(Told::Here), sums(Told::ByTaskNode));
}

#[test]
fn the_first_images_are_written() {
    let (_dir, scenario) = small("images = 60");
    let instance = scenario.instance(3);
    let all = steps(&instance);
    for (most, told, lines) in
        [(10, Told::Here, 11), (10, Told::ByTaskNode, 11), (u64::MAX, Told::Here, 61)]
    {
        let file = Shared::default();
        let decisions = Decisions { file: Box::new(file.clone()), most };
        let mut ledger = CascadeLedger::new(instance.clone(), true, told, Some(decisions)).unwrap();
        all.iter().for_each(|step| ledger.record(step).unwrap());
        assert_eq!(ledger.close().unwrap().images, 60);
        let text = String::from_utf8(file.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), lines, "{most} {told:?}");
        let row: Vec<&str> = text.lines().nth(10).unwrap().split(',').collect();
        assert_eq!((row.len(), row[0]), (17, "10"));
        // Nobody measured.
        assert!(row[12..].iter().all(|ms| ms.is_empty()), "{row:?}");
    }
}

//! Labels in files: what they are, and how one goes on with them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit::train::pipeline::{
    Examples, LabelError, LabelFile, LabelFileError, LabelSet, PIECE, Part, Rows,
};
use fogbit_policy::pipeline::exhaustive;
use fogbit_scenario::pipeline::{CostTable, PipelineScenario, Scheduler};

use crate::{learners, scenario, topology};

static GO_ON: AtomicBool = AtomicBool::new(false);

fn open(path: &Path, scenario: &PipelineScenario, seed: u64) -> Result<LabelFile, LabelFileError> {
    LabelFile::open(path, scenario, seed)
}

fn first(path: &Path, scenario: &PipelineScenario, count: u64) -> LabelSet {
    let file = open(path, scenario, 1).unwrap();
    file.first(scenario, 1, count, &GO_ON, |_| ()).unwrap()
}

#[test]
fn labels_are_what_exhaustive_search_finds() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario(&topology(dir.path(), &learners()));
    let examples = Examples::new(&scenario, 3, Part::Training);
    let labels = LabelSet::make(&examples, 200, &GO_ON, |_| ()).unwrap();
    assert_eq!(labels.len(), 200);
    let mut scheduler = Scheduler::default();
    for number in 1..=200 {
        let (application, conditions) = examples.example(number);
        let table = CostTable::new(&application, &conditions);
        let best = exhaustive(&application, &table, &mut scheduler);
        assert_eq!(labels.placement(number), best.placement);
        assert_eq!(labels.delay_ns(number), best.delay_ns);
    }
    // Those that networks are judged by are others.
    let other = Examples::new(&scenario, 3, Part::Judging).example(1);
    assert_ne!(other, examples.example(1));
}

#[test]
fn a_file_grows_and_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario(&topology(dir.path(), &learners()));
    let path = dir.path().join("labels.bin");
    let examples = Examples::new(&scenario, 1, Part::Training);
    let all = LabelSet::make(&examples, PIECE + 150, &GO_ON, |_| ()).unwrap();
    let few = first(&path, &scenario, 100);
    assert_eq!((few.len(), few.placement(100)), (100, all.placement(100)));
    assert_eq!(first(&path, &scenario, PIECE + 150), all);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(first(&path, &scenario, 100), few, "the first of many");
    assert_eq!(std::fs::read(&path).unwrap(), whole, "and none is lost");
    assert!(whole.starts_with(b"{\"format\":\"fogbit labels 1\""));

    // Killed while it wrote: anywhere within the last piece, or within the first line.
    for cut in [whole.len() - 1, whole.len() - 40, whole.len() - 50 * 13 - 33, 40, 0] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let kept = open(&path, &scenario, 1).unwrap().len();
        assert!(kept < PIECE + 150, "{cut}: {kept}");
        assert_eq!(first(&path, &scenario, PIECE + 150), all, "{cut}");
    }

    // Stopped: what was made is kept.
    std::fs::remove_file(&path).unwrap();
    let stop = AtomicBool::new(false);
    let file = open(&path, &scenario, 1).unwrap();
    let stopped =
        file.first(&scenario, 1, 3 * PIECE, &stop, |_| stop.store(true, Ordering::Relaxed));
    assert!(matches!(stopped, Err(LabelFileError::Labels(LabelError::Stopped))));
    assert_eq!(open(&path, &scenario, 1).unwrap().len(), PIECE);
}

#[test]
fn other_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario(&topology(dir.path(), &learners()));
    let path = dir.path().join("labels.bin");
    first(&path, &scenario, 50);
    let bytes = std::fs::read(&path).unwrap();
    let told = |scenario: &PipelineScenario, seed| {
        open(&path, scenario, seed).expect_err("it is refused").to_string()
    };
    let seed = told(&scenario, 2);
    assert!(seed.contains("labels of seed 1") && seed.contains("not of seed 2"), "{seed}");
    // The same names, other numbers.
    let text = std::fs::read_to_string(dir.path().join("topology.toml")).unwrap();
    std::fs::write(dir.path().join("topology.toml"), text.replace("max = 300", "max = 301"))
        .unwrap();
    let other = crate::scenario(&dir.path().join("topology.toml"));
    let drawn = told(&other, 1);
    assert!(drawn.contains("what is drawn has changed"), "{drawn}");

    let busy = open(&path, &scenario, 1).unwrap();
    assert!(matches!(open(&path, &scenario, 1), Err(LabelFileError::Busy(of)) if of == path));
    drop(busy);

    let mut odd = bytes.clone();
    let place = odd.len() - 60;
    odd[place] ^= 1;
    std::fs::write(&path, &odd).unwrap();
    let damaged = told(&scenario, 1);
    assert!(damaged.contains("labels 1 to 50 are not what was written"), "{damaged}");
    // No piece holds so many labels: what follows is not the tail of one that was cut off.
    let mut odd = bytes.clone();
    let count = odd.iter().position(|byte| *byte == b'\n').expect("a first line") + 1;
    odd[count..count + 4].fill(0xff);
    std::fs::write(&path, &odd).unwrap();
    assert!(told(&scenario, 1).contains("labels 1 to 5000 are not what was written"));
    assert_eq!(std::fs::read(&path).unwrap(), odd, "it is left as it was");
    for none in
        [&b"labels"[..], b"\n", b"{}\n", b"{\"format\":\"fogbit labels 2\"}\n", &[0; 70_000]]
    {
        std::fs::write(&path, none).unwrap();
        assert!(told(&scenario, 1).contains("holds no labels"));
        assert_eq!(std::fs::read(&path).unwrap(), none, "it is left as it was");
    }
    let nowhere = dir.path().join("no/labels.bin");
    let told = open(&nowhere, &scenario, 1).expect_err("no such folder").to_string();
    assert!(told.contains("cannot be written"), "{told}");
}

#[test]
fn labels_of_something_else_are_no_rows() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario(&topology(dir.path(), &learners()));
    let labels =
        LabelSet::make(&Examples::new(&scenario, 1, Part::Training), 20, &GO_ON, |_| ()).unwrap();
    assert_eq!(Rows::new(&scenario, 1, &labels).unwrap().len(), 20);
    // Those of another seed.
    assert_eq!(Rows::new(&scenario, 2, &labels).unwrap_err(), LabelError::Wrong(1));
}

#[test]
fn rows_say_what_a_wrong_site_costs() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = scenario(&topology(dir.path(), &learners()));
    let examples = Examples::new(&scenario, 1, Part::Training);
    let labels = LabelSet::make(&examples, 40, &GO_ON, |_| ()).unwrap();
    let rows = Rows::new(&scenario, 1, &labels).unwrap();
    let (most, sites) = (5, 3);
    assert_eq!(rows.features.len(), 40 * rows.encoding.inputs());
    for number in 1..=40u64 {
        let (application, conditions) = examples.example(number);
        let table = CostTable::new(&application, &conditions);
        let row = number as usize - 1;
        for sub_task in 0..most {
            let place = row * most + sub_task;
            let costs = &rows.costs[place * sites..][..sites];
            if sub_task >= application.sub_tasks().len() {
                assert_eq!((rows.open[place], costs), (0, &[0.0; 3][..]));
                continue;
            }
            assert_eq!(rows.open[place], 7);
            for (site, found) in costs.iter().enumerate() {
                let mut moved = labels.placement(number).to_vec();
                moved[sub_task] = site as u8;
                let delay = Scheduler::new(&application).delay_ns(&table, &moved);
                let cost = (delay - labels.delay_ns(number)) as f64 / 1e6;
                assert!((f64::from(*found) - cost).abs() < 1e-3 + 1e-6 * cost);
            }
            assert_eq!(costs[usize::from(rows.labels[place])], 0.0);
        }
    }
}

//! Tasks to train decision networks on. `training.txt` was printed by `training.py`, which shares no
//! code with this crate.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::placement::{Example, PlacementScenario};
use fogbit_scenario::topology::PlacementUnits;

const TABLE: &str = include_str!("training.txt");
/// Printed by `population.py`, which needs numpy.
const POPULATION: &str = include_str!("population.txt");
/// As many as are compared with what is known of all such tasks.
const MANY: u64 = 200_000;

fn rows(table: &'static str, sort: &str) -> Vec<Vec<&'static str>> {
    let rows = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let rows: Vec<_> = rows.filter(|columns| columns[0] == sort).collect();
    assert!(rows.len() >= 3, "{} rows of {sort}", rows.len());
    rows
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn read(text: String) -> PlacementScenario {
    let file = TopologyFile::from_text(Path::new("test.toml"), text);
    PlacementScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The topology that ships, with a link of so many Mbit/s.
fn learned(mbit_s: f64) -> PlacementScenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/learned.toml");
    let mut file = TopologyFile::read(&path).expect("a file");
    file.set(&format!("links.profile={{ up_mbit_s = {mbit_s}, down_mbit_s = {mbit_s} }}")).unwrap();
    PlacementScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults}"))
}

/// A second implementation draws the same tasks, and its formula says the same of both sites.
#[test]
fn tasks_and_labels_are_those_of_the_independent_script() {
    let scenario = learned(8.0);
    for columns in rows(TABLE, "task") {
        let mut examples = scenario.examples(number(columns[1]));
        let Example { task, local, remote } = examples.example(number(columns[2]));
        assert_eq!((task.cycles, task.input_bytes), (number(columns[3]), number(columns[4])));
        assert_eq!((local.load, remote.rtt_s), (number(columns[5]), number(columns[6])));
    }
    for columns in rows(TABLE, "expected") {
        let units = PlacementUnits::ALL.into_iter().find(|units| units.name() == columns[3]);
        let example = scenario.examples(number(columns[1])).example(number(columns[2]));
        let expected = example.expected_s(&scenario.cost_model(), units.expect("units"));
        for (found, known) in expected.into_iter().zip(&columns[4..]) {
            let known: f64 = number(known);
            assert!((found / known - 1.0).abs() < 1e-14, "{found} {columns:?}");
        }
    }
}

/// What is known of such tasks at large, by numpy: 86.8 % are better offloaded over 1 MB/s, 30.6 %
/// over 1 Mbit/s, 99.5 % with the notebook's slip; and what those lose who do not look at a task.
#[test]
fn tasks_at_large_are_as_numpy_has_them() {
    let cases = [
        ("1MB/s", 8.0, PlacementUnits::Fixed),
        ("1Mbit/s", 1.0, PlacementUnits::Fixed),
        ("slip", 8.0, PlacementUnits::Notebook),
    ];
    for columns in rows(POPULATION, "population") {
        let (_, mbit_s, units) = cases.iter().find(|case| case.0 == columns[1]).unwrap();
        let scenario = learned(*mbit_s);
        let (mut examples, cost) = (scenario.examples(1), scenario.cost_model());
        let (mut share, mut offloading, mut keeping) = (0.0, 0.0, 0.0);
        for task in 1..=MANY {
            let [local, edge] = examples.example(task).expected_s(&cost, *units);
            let best = local.min(edge);
            share += f64::from(u8::from(edge < local)) / MANY as f64;
            offloading += (edge - best) / MANY as f64;
            keeping += (local - best) / MANY as f64;
        }
        let known: Vec<f64> = columns[3..].iter().map(|text| number(text)).collect();
        let p = known[0];
        let deviations = [(p * (1.0 - p)).sqrt(), known[2], known[4]];
        let means = [(share, known[0]), (offloading, known[1]), (keeping, known[3])];
        for ((found, mean), deviation) in means.into_iter().zip(deviations) {
            // The sample of numpy is ten times as large.
            let error = deviation / (MANY as f64).sqrt() * 1.1f64.sqrt();
            assert!((found - mean).abs() < 4.0 * error, "{found} {mean} {error} {columns:?}");
        }
    }
}

/// Of 100 slots a link is slow in the last 75, and helper nodes take turns.
#[test]
fn links_weigh_as_much_as_the_slots_that_they_hold() {
    let scenario = read(
        "problem = \"placement\"\nslots = 100\n\
         [[node]]\nname = \"a\"\nload = { min = 0.2, max = 0.4 }\n[[node]]\nname = \"b\"\n\
         [links]\nprofile = { rtt_ms = 10 }\n\
         [[event]]\nat = 26\nprofile = { rtt_ms = 90 }\n\
         [policies.learned]\nkind = \"learned\"\n"
            .into(),
    );
    let mut examples = scenario.examples(3);
    let all: Vec<_> = (1..=4000).map(|number| examples.example(number)).collect();
    let slow = all.iter().filter(|example| example.remote.rtt_s == 0.09).count();
    assert!(all.iter().all(|example| [0.01, 0.09].contains(&example.remote.rtt_s)));
    // Four deviations of a binomial with p = 3/4.
    assert!((slow as f64 - 3000.0).abs() < 4.0 * 27.4, "{slow}");
    for (index, example) in all.iter().enumerate() {
        let range = if index % 2 == 0 { 0.2..=0.4 } else { 0.0..=0.0 };
        assert!(range.contains(&example.remote.load), "{index}: {:?}", example.remote);
    }
    // Any order gives the same.
    assert_eq!(scenario.examples(3).example(777), all[776]);
    assert_ne!(scenario.examples(4).example(777), all[776]);
}

#[test]
fn the_table_is_what_the_independent_script_prints() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/training.py");
    match Command::new("python3").arg("-B").arg(script).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(String::from_utf8_lossy(&output.stdout), TABLE);
        }
        // Past the capture of output: a check that did not happen must be seen.
        Err(error) => {
            let all = std::env::var("FOGBIT_REQUIRE_ALL").is_ok_and(|value| value == "1");
            assert!(!all, "training.py cannot be skipped here: python3: {error}");
            writeln!(std::io::stderr(), "SKIPPED: training.py was not run: python3: {error}")
                .unwrap();
        }
    }
}

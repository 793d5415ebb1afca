//! Real pictures, small ones in number: the weak classifier sees each, the strong one those that are
//! sent.

use std::fmt::Write as _;
use std::path::Path;

use fogbit_neural::{CLASSES, Classifier, Network, PIXELS, Preparation, answer, entropy_of};
use fogbit_scenario::cascade::MetricCurve;
use fogbit_scenario::draw::{Key, Purpose};

use super::{both, common, written};

/// Pictures to learn from, which come first, and of the trials.
const COUNTS: [u32; 2] = [30, 90];

/// Pictures of squares of different brightness, by a generator of the test's own.
fn picture(id: u32) -> [u8; PIXELS] {
    let mut state = u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 56) as u8
    };
    let squares: Vec<u8> = (0..49).map(|_| next()).collect();
    std::array::from_fn(|pixel| squares[pixel / 28 / 4 * 7 + pixel % 28 / 4])
}

fn label(id: u32) -> u8 {
    (id * 7 % CLASSES as u32) as u8
}

/// The four idx files of the data set.
fn write_data(dir: &Path) {
    let mut first = 0;
    for (part, count) in ["train", "t10k"].into_iter().zip(COUNTS) {
        let mut images = vec![0, 0, 8, 3];
        for number in [count, 28, 28] {
            images.extend(number.to_be_bytes());
        }
        let mut labels = vec![0, 0, 8, 1];
        labels.extend(count.to_be_bytes());
        for id in first..first + count {
            images.extend(picture(id));
            labels.push(label(id));
        }
        std::fs::write(dir.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(dir.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
        first += count;
    }
}

fn classifier(seed: u64, widths: &[usize], pool: usize) -> Classifier {
    let preparation = Preparation { pool, mean: 0.5, scale: 0.3 };
    let key = Key::derive(seed, Purpose::Policy("any"), 0);
    Classifier::new(Network::new(widths, &key), preparation, 1.3, Default::default()).unwrap()
}

/// Classifiers by chance, and the trace of what they say; `bend` may spoil a metric.
fn write_run(dir: &Path, bend: impl Fn(u32, f32) -> f32) {
    write_data(dir);
    let curve = MetricCurve { range: [0.5, 2.4], width: 0.1, values: vec![-0.1, 0.2, 0.15, 0.4] };
    let weak = classifier(1, &[49, CLASSES], 4).with_metric(curve).unwrap();
    let strong = classifier(2, &[PIXELS, 12, CLASSES], 1);
    weak.save(&dir.join("weak.safetensors")).unwrap();
    strong.save(&dir.join("strong.safetensors")).unwrap();
    let (mut see, mut look) = (weak.scratch(), strong.scratch());
    let mut trace = String::from("id,split,entropy,weak_loss,strong_loss,metric\n");
    for id in 0..COUNTS[0] + COUNTS[1] {
        let split = if id < COUNTS[0] { "train" } else { "test" };
        let said = weak.classify(&picture(id), &mut see);
        let loss = |class: u8| u8::from(class != label(id));
        let strong_loss = loss(answer(&strong.classify(&picture(id), &mut look)));
        let (entropy, weak_loss) = (entropy_of(&said), loss(answer(&said)));
        let metric = bend(id, weak.metric(&said).unwrap());
        writeln!(trace, "{id},{split},{entropy},{weak_loss},{strong_loss},{metric:?}").unwrap();
    }
    std::fs::write(dir.join("trace.csv"), trace).unwrap();
}

const PICTURES: (&str, &str) =
    ("[policies.baseline]", "[pictures]\nfrom = \".\"\nclassifiers = \".\"\n\n[policies.baseline]");

#[test]
fn decisions_on_pictures_are_those_on_their_trace() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), |_, metric| metric);
    let file = written(dir.path(), &[("images = 1500", "images = 600"), PICTURES]);
    let summary = both(&file, dir.path());
    for policy in summary["policies"].as_array().unwrap() {
        let [answered, timed_out, refused] = super::fates(&policy["whole"]);
        assert!(answered > 0, "{policy}");
        assert_eq!((timed_out, refused), (0, 0));
    }
    let path = dir.path().join("process/decisions/eager-1.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let head = reader.headers().unwrap().clone();
    let value = |row: &csv::StringRecord, name: &str| -> f64 {
        row[head.iter().position(|column| column == name).unwrap()].parse().unwrap()
    };
    for row in reader.records() {
        let row = row.unwrap();
        assert!(value(&row, "weak_ms") > 0.0, "every picture is classified here");
        let sent = &row[head.iter().position(|column| column == "fate").unwrap()] == "answered";
        assert_eq!(value(&row, "strong_ms") > 0.0, sent, "{row:?}");
        assert_eq!(value(&row, "transmission_ms") > 0.0, sent, "{row:?}");
    }
}

#[test]
fn classifiers_of_another_trace_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), |id, metric| if id == 77 { metric.next_up() } else { metric });
    let file = written(dir.path(), &[PICTURES]);
    let output = common::fogbit()
        .args(["run", "--backend", "process", "--quiet", "--out"])
        .args([&dir.path().join("out"), &file])
        .output()
        .unwrap();
    let told = common::stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("do not belong together"), "{told}");
    assert!(!dir.path().join("out").exists(), "nothing was written");
}

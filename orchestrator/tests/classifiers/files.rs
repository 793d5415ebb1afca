//! The files of a data set: read, and refused where they are damaged.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use fogbit::dataset::{DatasetError, FashionMnist, Part, Pictures};
use fogbit_neural::PIXELS;
use serde_json::Value;

use crate::common::{fogbit, skip, stderr, stdout};
use crate::flat;

const TRAINING_IMAGES: &str = "train-images-idx3-ubyte";
const TRAINING_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// An idx file with these sides.
fn idx(sides: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sides.len() as u8];
    sides.iter().for_each(|side| bytes.extend(side.to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// So many images; pixel p of image i is i + p modulo 256.
fn images(count: usize) -> Vec<u8> {
    let values: Vec<u8> =
        (0..count).flat_map(|image| (0..PIXELS).map(move |pixel| (image + pixel) as u8)).collect();
    idx(&[count as u32, 28, 28], &values)
}

fn labels(values: &[u8]) -> Vec<u8> {
    idx(&[values.len() as u32], values)
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three training images and two of the test.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write(TRAINING_IMAGES, images(3));
    write(TRAINING_LABELS, labels(&[9, 0, 4]));
    write(TEST_IMAGES, images(2));
    write(TEST_LABELS, labels(&[1, 4]));
    folder
}

#[test]
fn images_have_their_pixels_labels_and_numbers() {
    let folder = folder();
    let data = FashionMnist::read(folder.path()).unwrap();
    assert_eq!((data.training.len(), data.test.len()), (3, 2));
    assert_eq!(data.training.labels(), [9, 0, 4]);
    assert_eq!(data.test.labels(), [1, 4]);
    assert_eq!(data.training.balance(), [1, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    assert_eq!(data.training.pixels()[2][..4], [2, 3, 4, 5]);
    assert_eq!(data.training.pixels()[1][783], (784 % 256) as u8);
    // Numbers of a trace: those of the training first.
    assert_eq!(data.id(Part::Training, 2), 2);
    assert_eq!(data.id(Part::Test, 1), 4);
    let labels: Vec<_> = (0..6).map(|id| data.picture(id).map(|own| own.label)).collect();
    assert_eq!(labels, [Some(9), Some(0), Some(4), Some(1), Some(4), None]);
    assert_eq!(data.picture(4).unwrap().pixels, &data.test.pixels()[1]);
}

#[test]
fn packed_files_are_the_same() {
    let folder = folder();
    let plain = FashionMnist::read(folder.path()).unwrap();
    for name in [TRAINING_IMAGES, TRAINING_LABELS, TEST_IMAGES, TEST_LABELS] {
        let path = folder.path().join(name);
        fs::write(folder.path().join(format!("{name}.gz")), packed(&fs::read(&path).unwrap()))
            .unwrap();
        fs::remove_file(path).unwrap();
    }
    let data = FashionMnist::read(folder.path()).unwrap();
    assert_eq!(data, plain);
    assert_eq!(data.digest(), plain.digest());
    // The digest is that of pixels and labels: one more grey is another one.
    let path = folder.path().join(TEST_LABELS);
    fs::write(path, labels(&[1, 5])).unwrap();
    assert_ne!(FashionMnist::read(folder.path()).unwrap().digest(), plain.digest());
}

/// What is said where file `name` has these bytes.
fn refused(name: &str, bytes: &[u8]) -> String {
    let folder = folder();
    if let Some(plain) = name.strip_suffix(".gz") {
        fs::remove_file(folder.path().join(plain)).unwrap();
    }
    fs::write(folder.path().join(name), bytes).unwrap();
    let error = FashionMnist::read(folder.path()).expect_err(name).to_string();
    error.replace(&folder.path().display().to_string(), "DIR")
}

#[test]
fn damage_is_told() {
    let cut = |bytes: &[u8], end: usize| bytes[..end].to_vec();
    let two = images(2);
    let head = |sides: &[u32]| idx(sides, &[]);
    let squashed = packed(&two);
    let mut flipped = squashed.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    let cases: [(&str, Vec<u8>, &str); 20] = [
        (TEST_IMAGES, vec![], "it ends after 0 bytes, within its head of 16"),
        (TEST_IMAGES, cut(&two, 3), "it ends after 3 bytes, within its head of 16"),
        (TEST_IMAGES, cut(&two, 15), "it ends after 15 bytes, within its head of 16"),
        (TEST_LABELS, cut(&labels(&[1, 4]), 6), "it ends after 6 bytes, within its head of 8"),
        (TEST_IMAGES, cut(&two, 16), "says that it holds 2 images and ends after 0: it is cut off"),
        (TEST_IMAGES, cut(&two, 16 + 2 * PIXELS - 1), "2 images and ends after 1: it is cut off"),
        (TEST_LABELS, cut(&labels(&[1, 4]), 9), "2 labels and ends after 1: it is cut off"),
        (TEST_IMAGES, [&two[..], &[0]].concat(), "says that it holds 2 images, and more follows"),
        (
            TEST_IMAGES,
            b"\x89PNG\r\n\x1a\n and so on".to_vec(),
            "it begins with 89 50 4e 47, and an idx file of images with 00 00 08 03",
        ),
        (TEST_LABELS, b"label\n1\n".to_vec(), "an idx file of labels with 00 00 08 01"),
        (TEST_IMAGES, labels(&[1, 4]), "it holds labels, expected images: two files are swapped"),
        (TEST_LABELS, two.clone(), "it holds images, expected labels: two files are swapped"),
        (TEST_IMAGES, head(&[2, 32, 32]), "its images have 32 x 32 pixels, expected 28 x 28"),
        (TEST_IMAGES, head(&[0, 28, 28]), "it says that it holds 0 images"),
        (TEST_IMAGES, head(&[u32::MAX, 28, 28]), "it says that it holds 4294967295 images"),
        (TEST_LABELS, labels(&[1, 10]), "label number 1 (from 0) is 10: classes are 0 to 9"),
        (
            TEST_LABELS,
            labels(&[1, 4, 4]),
            "t10k-labels-idx1-ubyte holds 3 labels for the 2 images of DIR/t10k-images-idx3-ubyte",
        ),
        (TEST_IMAGES, squashed.clone(), "it is compressed with gzip: its name should end in .gz"),
        ("t10k-images-idx3-ubyte.gz", cut(&squashed, squashed.len() / 2), "it cannot be unpacked"),
        ("t10k-images-idx3-ubyte.gz", flipped, "it cannot be unpacked"),
    ];
    for (name, bytes, expected) in cases {
        let told = refused(name, &bytes);
        assert!(told.contains(expected), "{name}: expected {expected:?} in {told:?}");
        assert!(told.contains(&format!("DIR/{name}")), "the file is named: {told}");
    }
}

#[test]
fn what_is_missing_is_told() {
    let folder = folder();
    fs::remove_file(folder.path().join(TRAINING_LABELS)).unwrap();
    let told = FashionMnist::read(folder.path()).unwrap_err().to_string();
    assert!(told.ends_with("has neither train-labels-idx1-ubyte nor train-labels-idx1-ubyte.gz"));
    let told = FashionMnist::read(&folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(told.ends_with("nowhere is no folder"), "{told}");
}

#[test]
fn both_parts_have_their_counts() {
    let of = |count: usize| Pictures::new(vec![0; count * PIXELS], vec![0; count]);
    let check =
        |training, test| FashionMnist { training: of(training), test: of(test) }.check_counts();
    check(60_000, 10_000).unwrap();
    assert!(matches!(check(10_000, 60_000), Err(DatasetError::PartsSwapped)));
    let told = check(60_000, 9_999).unwrap_err().to_string();
    assert_eq!(told, "the test part has 9999 images, expected 10000");
    let told = check(3, 10_000).unwrap_err().to_string();
    assert_eq!(told, "the train part has 3 images, expected 60000");
}

#[test]
fn the_command_refuses_what_is_not_whole() {
    let folder = folder();
    let command = |from: &Path| {
        fogbit().args(["dataset", "fashion-mnist", "--from"]).arg(from).output().unwrap()
    };
    let output = command(folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(flat(&output).contains("the train part has 3 images, expected 60000"));
    let output = command(&folder.path().join("nowhere"));
    assert_eq!(output.status.code(), Some(2));
    assert!(flat(&output).contains("come with Debian's package"), "{}", stderr(&output));
}

#[test]
fn the_command_says_what_there_is() {
    if !Path::new(fogbit::dataset::DEBIAN_FOLDER).is_dir() {
        skip("the_command_says_what_there_is", "dataset-fashion-mnist is not installed");
        return;
    }
    let output = fogbit().args(["dataset", "fashion-mnist", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["training"]["images"], 60_000);
    assert_eq!(told["training"]["classes"], Value::from(vec![6_000; 10]));
    assert_eq!(told["test"]["classes"], Value::from(vec![1_000; 10]));
    // The digest in the source was computed by Python's hashlib from the unpacked files.
    assert_eq!(told["as_in_debian"], true, "{told}");
    let output = fogbit().args(["dataset", "fashion-mnist"]).output().unwrap();
    let table = stdout(&output);
    assert!(table.contains("60,000 training and 10,000 test images"), "{table}");
    assert!(table.contains("9 ankle boot"), "{table}");
}

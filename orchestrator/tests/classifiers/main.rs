//! Data sets of real images, the classifiers that are trained on them, and their trace.

#[path = "../common/mod.rs"]
mod common;

mod files;
mod interrupted;
mod reference;
mod shipped;
mod training;

use std::path::Path;

use fogbit::dataset::{DEBIAN_FOLDER, FashionMnist, Pictures};
use fogbit_neural::PIXELS;
use fogbit_scenario::draw::{Key, Purpose, Stream};

/// Fashion-MNIST, if Debian's package is installed; otherwise says that `test` is skipped.
pub(crate) fn fashion_mnist(test: &str) -> Option<FashionMnist> {
    if !Path::new(DEBIAN_FOLDER).is_dir() {
        common::skip(test, "the package dataset-fashion-mnist is not installed");
        return None;
    }
    Some(FashionMnist::read(Path::new(DEBIAN_FOLDER)).unwrap())
}

/// What was told on standard error; long messages are broken into lines.
pub(crate) fn flat(output: &std::process::Output) -> String {
    let told = common::stderr(output);
    told.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

/// Pictures with something bright at a place of their class, under noise; some have a wrong label.
pub(crate) fn pictures(seed: u64, count: usize) -> Pictures {
    let mut stream = Stream::new(&Key::derive(seed, Purpose::TrainingImages, 0));
    let mut slot = 0;
    let mut uniform = || {
        slot += 1;
        stream.uniform(slot)
    };
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for number in 0..count {
        let class = number % 10;
        let (top, left) = (class / 5 * 14, class % 5 * 5);
        for place in 0..PIXELS {
            let (row, column) = (place / 28, place % 28);
            let inside = (top..top + 14).contains(&row) && (left..left + 7).contains(&column);
            let light = if inside { 70.0 } else { 40.0 };
            pixels.push((light + 180.0 * uniform()) as u8);
        }
        let wrong = uniform() < 0.15;
        labels.push(if wrong { (10.0 * uniform()) as u8 } else { class as u8 });
    }
    Pictures::new(pixels, labels)
}

/// A small data set of such pictures.
pub(crate) fn small() -> FashionMnist {
    FashionMnist { training: pictures(1, 900), test: pictures(2, 200) }
}

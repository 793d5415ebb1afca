//! How long a classification takes.

use std::hint::black_box;
use std::time::Instant;

use fogbit_neural::Classifier;

use crate::dataset::Pictures;

/// Images in a pass.
const IMAGES: usize = 100;
/// Passes, of which the middle one counts: others were interrupted.
const PASSES: usize = 11;

/// How long `classifier` takes for one image, pixels to probabilities, in seconds: measured on this
/// host over the first images of `pictures`.
pub fn classification_seconds(classifier: &Classifier, pictures: &Pictures) -> f64 {
    let mut scratch = classifier.scratch();
    let images = &pictures.pixels()[..IMAGES.min(pictures.len())];
    let mut passes: Vec<f64> = (0..PASSES)
        .map(|_| {
            let started = Instant::now();
            for pixels in images {
                black_box(classifier.classify(black_box(pixels), &mut scratch));
            }
            started.elapsed().as_secs_f64() / images.len() as f64
        })
        .collect();
    passes.sort_by(f64::total_cmp);
    passes[PASSES / 2]
}

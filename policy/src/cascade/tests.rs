//! What the unit tests of the solvers share.

use fogbit_scenario::cascade::{
    ArrivalProcess, ImageRow, ImageTable, RingWalk, Setting, TokenBucket,
};
use fogbit_scenario::topology::{Arrivals, ImageStream, Tokens};

/// A setting of images that gain their metric, one in each slot.
pub(super) fn setting(metrics: &[f32], spread: f64, reset: f64, depth: f64) -> Setting {
    let row = |(id, metric): (usize, &f32)| ImageRow {
        id: id as u32,
        metric: *metric,
        weak_loss: 1.0,
        reward: *metric,
    };
    let images = ImageTable::new(metrics.iter().enumerate().map(row).collect());
    let exact = |number| Tokens::Number(number).exact().expect("a number of tokens");
    Setting {
        images,
        walk: RingWalk::new(&ImageStream { spread, reset }, metrics.len() as u32),
        trial_images: metrics.len() as u32,
        arrivals: ArrivalProcess::new(&Arrivals::default()),
        bucket: TokenBucket::new(exact(0.5), exact(depth), 1000).expect("a bucket"),
    }
}

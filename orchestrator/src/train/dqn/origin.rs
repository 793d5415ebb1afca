//! The setting that a network is trained for, and whether another one is the same.

use std::fmt::Write as _;

use fogbit_policy::cascade::DqnOrigin;
use fogbit_scenario::cascade::{ArrivalProcess, RingWalk, Setting, TokenBucket};
use sha2::{Digest, Sha256};

/// What a network that is trained for `setting` with segments of `history` images says of it.
pub fn origin(setting: &Setting, history: u32) -> DqnOrigin {
    let mut hash = Sha256::new();
    for row in setting.images.rows() {
        hash.update(row.metric.to_le_bytes());
        hash.update(row.reward.to_le_bytes());
    }
    let images = hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let Setting { walk, arrivals, bucket, .. } = *setting;
    DqnOrigin { bucket, walk, arrivals, history, images }
}

/// In what `theirs` is another setting than `ours`, for people; nothing where they are the same. How
/// many images a network looks back is no part of it, and neither is the bucket, which has to be the
/// same in any case.
pub fn differences(theirs: &DqnOrigin, ours: &DqnOrigin) -> Vec<String> {
    let mut told = Vec::new();
    let (there, here) = (walk(&theirs.walk), walk(&ours.walk));
    if theirs.walk != ours.walk {
        told.push(format!("for a stream of {there}, not of {here}"));
    }
    if theirs.arrivals != ours.arrivals {
        let (there, here) = (arrivals(&theirs.arrivals), arrivals(&ours.arrivals));
        told.push(format!("for {there}, not {here}"));
    }
    if theirs.images != ours.images {
        told.push("on other images than those of this trace".into());
    }
    told
}

/// A setting in one line.
pub fn summary(origin: &DqnOrigin) -> String {
    let DqnOrigin { bucket, walk: images, arrivals: gaps, history, .. } = origin;
    format!("{}; {}; {}; segments of {history}", tokens(bucket), walk(images), arrivals(gaps))
}

/// A bucket in words.
pub(super) fn tokens(bucket: &TokenBucket) -> String {
    let TokenBucket { refill, price, depth } = *bucket;
    let whole = |levels: u32| match levels % price {
        0 => (levels / price).to_string(),
        _ => format!("{levels}/{price}"),
    };
    format!("{} tokens a slot, at most {}", whole(refill), whole(depth))
}

fn walk(walk: &RingWalk) -> String {
    let RingWalk { images, width, reset } = walk;
    format!("{images} images (places up to {width} beyond, reset {reset})")
}

fn arrivals(arrivals: &ArrivalProcess) -> String {
    let ArrivalProcess { gaps: [first, second], leave: [a, b] } = arrivals;
    match arrivals.is_constant() {
        true => format!("a gap of {first}"),
        false => format!("gaps of {first} and {second} (left with {a} and {b})"),
    }
}

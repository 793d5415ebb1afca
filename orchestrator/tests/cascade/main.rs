//! Runs of the problem `cascade` in virtual time: what they print, write, and refuse.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/problem.rs"]
mod problem;

mod beside;
mod figures;
mod results;

use std::path::{Path, PathBuf};

pub(crate) use problem::{play, policy};

/// A camera under correlated images and arrivals, and policies that need no training.
pub(crate) const SMALL: &str = r#"about = "Small <& quick>"
problem = "cascade"
images = 500
seeds = 3

[trace]
file = "small.csv"

[stream]
spread = 0.2
reset = 0.05

[arrivals]
kind = "markov"
gaps = [1, 3]
leave = [0.01, 0.02]

[bucket]
rate = 0.1
depth = 4

[policies.fixed]
kind = "threshold"

[policies.mdp]
kind = "mdp"

[policies.belief]
kind = "belief"
places = 20

[policies.hidden]
kind = "hidden-state"
places = 20

[policies.bound]
kind = "lower-bound"

[policies.seer]
kind = "clairvoyant"
"#;

/// 200 images whose metrics and rewards are 0, 1/200, ..., 199/200, and whose weak loss is 1/2.
pub(crate) fn trace(dir: &Path) {
    let rows = (0..200).map(|id| {
        let value = f64::from(id) / 200.0;
        format!("{id},{value},0.5,{value},{value}\n")
    });
    let head = "id,entropy,weak_loss,reward,metric\n".to_owned();
    let text: String = std::iter::once(head).chain(rows).collect();
    std::fs::write(dir.join("small.csv"), text).unwrap();
}

/// Writes a topology and its trace; `from` is replaced by `to` in [`SMALL`].
pub(crate) fn topology(dir: &Path, from: &str, to: &str) -> PathBuf {
    trace(dir);
    problem::changed(dir, SMALL, from, to)
}

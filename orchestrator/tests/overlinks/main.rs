//! The one-bit problem over links: a node is happy with a task if it is answered in time. In virtual
//! time every backend draws the same bits; in real time the bits are what was measured.

mod alike;
#[path = "../common/mod.rs"]
mod common;
mod real_time;
mod verified;

use std::path::{Path, PathBuf};

/// Everything at once, in virtual time.
pub(crate) fn everything() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/overlinks/everything.toml")
}

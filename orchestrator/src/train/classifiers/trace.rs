//! The trace: what both classifiers say of each image that they were not trained on.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use serde::Serialize;

/// A line of the trace, as the problem `cascade` reads it (`docs/cascade.md`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TracedImage {
    /// Which image it is ([`FashionMnist::id`](crate::dataset::FashionMnist::id)).
    pub id: u32,
    /// `train` or `test`.
    pub split: &'static str,
    /// Entropy of what the weak classifier says, in nats, rounded to single precision.
    pub entropy: f32,
    /// Whether the weak classifier is wrong: 0 or 1.
    pub weak_loss: u8,
    /// Whether the strong classifier is wrong: 0 or 1.
    pub strong_loss: u8,
    /// The reward that the entropy leads to expect.
    pub metric: f32,
}

/// Writes a trace as compressed CSV. Numbers have as many digits as it takes to read the same ones
/// again; the same rows are the same bytes.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write_trace(rows: &[TracedImage], out: impl Write) -> io::Result<()> {
    // Without a time and a name in its head.
    let packed = GzBuilder::new().mtime(0).write(out, Compression::best());
    let mut writer = csv::Writer::from_writer(packed);
    for row in rows {
        writer.serialize(row).map_err(io::Error::other)?;
    }
    let packed = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    packed.finish()?.flush()
}

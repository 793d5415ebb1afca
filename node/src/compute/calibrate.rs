//! How fast this host's core does each kind of work.

use std::sync::LazyLock;
use std::time::Duration;

use fogbit_scenario::work::{Calibration, Work, WorkKind, execute};

use super::clock::now;

/// One measurement takes so long or a little more...
const LONG_ENOUGH: Duration = Duration::from_micros(300);
/// ... and the shortest of so many counts: whatever else happens on a host makes it only slower.
const MEASUREMENTS: usize = 5;

static CALIBRATION: LazyLock<Calibration> =
    LazyLock::new(|| Calibration { round_ns: WorkKind::ALL.map(round_ns) });

/// What this host does, measured when first asked for; that takes a few milliseconds.
pub fn calibration() -> Calibration {
    *CALIBRATION
}

/// Nanoseconds of one round.
fn round_ns(kind: WorkKind) -> f64 {
    let mut rounds = 8;
    while took(kind, rounds) < LONG_ENOUGH {
        rounds *= 2;
    }
    let least = (0..MEASUREMENTS).map(|_| took(kind, rounds)).min().expect("some measurements");
    // A clock that does not move would make a host infinitely fast.
    least.as_nanos().max(1) as f64 / rounds as f64
}

fn took(kind: WorkKind, rounds: u64) -> Duration {
    let work = Work { kind, cycles: rounds * kind.round_cycles() };
    let begun = now();
    let output = execute(work, b"calibration", 32, &mut || true);
    std::hint::black_box(output);
    begun.elapsed()
}

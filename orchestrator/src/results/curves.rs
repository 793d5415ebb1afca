//! `curves.csv` (average regret) and `curves/NAME.csv` (everything else that is drawn).

use std::fmt::Write;

use super::{ResultsDir, ResultsError};
use crate::plan::{Collector, Curve, Plan};
use crate::stats::Running;

/// The file of a curve, relative to the results directory.
pub fn curve_file(curve: Curve) -> String {
    match curve {
        Curve::AverageRegret => "curves.csv".into(),
        other => format!("curves/{}.csv", other.name()),
    }
}

/// Writes all curves that some policy has.
///
/// # Errors
/// If a file cannot be written.
pub fn write_curves(
    dir: &ResultsDir,
    plan: &Plan,
    collector: &Collector,
) -> Result<(), ResultsError> {
    for curve in Curve::ALL {
        let points = plan.policies.iter().enumerate().flat_map(|(index, policy)| {
            let points = collector.curve(index, curve);
            points.map(move |(slot, value)| Point { policy: &policy.name, from: None, slot, value })
        });
        dir.write(&curve_file(curve), points_csv(Over::Slots, points).as_bytes())?;
    }
    Ok(())
}

/// What each point of a curve is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// One slot, or all up to it.
    Slots,
    /// Several slots, from a first to a last one.
    Windows,
}

/// A point of a policy's curve.
#[derive(Debug, Clone, Copy)]
pub struct Point<'p> {
    /// The policy.
    pub policy: &'p str,
    /// The first slot, where it is over several.
    pub from: Option<u64>,
    /// The slot, or the last of several.
    pub slot: u64,
    /// Over the seeds.
    pub value: &'p Running,
}

/// The file of a curve; points over no seed are left out.
pub fn points_csv<'p>(over: Over, points: impl Iterator<Item = Point<'p>>) -> String {
    let mut csv = String::from(match over {
        Over::Slots => "policy,slot,mean,sd,n\n",
        Over::Windows => "policy,from,slot,mean,sd,n\n",
    });
    for Point { policy, from, slot, value } in points.filter(|point| point.value.n > 0) {
        let from = from.map_or(String::new(), |from| format!("{from},"));
        let sd = value.sd().map_or(String::new(), |sd| format!("{sd:?}"));
        let (mean, n) = (value.mean, value.n);
        writeln!(csv, "{policy},{from}{slot},{mean:?},{sd},{n}").expect("a string takes it all");
    }
    csv
}

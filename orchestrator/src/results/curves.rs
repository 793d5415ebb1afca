//! `curves.csv` (average regret) and `curves/NAME.csv` (everything else that is drawn).

use std::fmt::Write;

use super::{ResultsDir, ResultsError};
use crate::plan::{Collector, Curve, Plan};

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
        let mut csv = String::from("policy,slot,mean,sd,n\n");
        for (index, policy) in plan.policies.iter().enumerate() {
            for (slot, value) in collector.curve(index, curve).filter(|(_, v)| v.n > 0) {
                let sd = value.sd().map_or(String::new(), |sd| format!("{sd:?}"));
                let (name, mean, n) = (&policy.name, value.mean, value.n);
                writeln!(csv, "{name},{slot},{mean:?},{sd},{n}").expect("a string takes it all");
            }
        }
        dir.write(&curve_file(curve), csv.as_bytes())?;
    }
    Ok(())
}

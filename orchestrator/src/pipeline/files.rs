//! The files of a results directory beside `summary.json`.

use std::collections::BTreeMap;
use std::fmt::Write;

use fogbit_scenario::pipeline::{Measured, PipelineScenario};
use serde::{Deserialize, Serialize};

use super::collect::PipelineCollector;
use super::plan::PipelinePlan;
use super::record::placement_text;
use super::tally::{KeptApplication, Tally};
use crate::results::{ResultsDir, ResultsError};

/// How delays of each policy are spread.
pub const DISTRIBUTIONS_FILE: &str = "distributions.csv";
/// The first applications under the first seed.
pub const APPLICATIONS_FILE: &str = "applications.json";
/// What students learn from how many labels, as `fogbit train pipeline --label-sweep` wrote it.
pub const LABEL_SWEEP_FILE: &str = PipelineScenario::KEPT_LABEL_SWEEP;

/// The quantiles of `distributions.csv`: every hundredth, and more of them at the upper end.
pub fn quantiles() -> impl Iterator<Item = f64> {
    let hundredths = (0..100).map(|step| f64::from(step) / 100.0);
    hundredths.chain([0.995, 0.999, 1.0])
}

/// What is told as a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Modelled delays in milliseconds.
    Delay,
    /// Modelled delays over the least ones.
    Ratio,
}

impl Spread {
    /// Both.
    pub const ALL: [Spread; 2] = [Spread::Delay, Spread::Ratio];

    /// The name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Spread::Delay => "delay_ms",
            Spread::Ratio => "ratio",
        }
    }

    fn values(self, tally: &Tally) -> Vec<f64> {
        let sample = match self {
            Spread::Delay => &tally.delays_ms,
            Spread::Ratio => &tally.ratios,
        };
        sample.quantiles(quantiles())
    }
}

/// The first applications of each policy under the first seed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FirstApplications {
    /// The seed.
    pub seed: u64,
    /// By name of the policy.
    pub policies: BTreeMap<String, Vec<PlacedApplication>>,
}

/// An application that was placed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlacedApplication {
    /// Its number.
    pub application: u64,
    /// Where its sub-tasks were placed, as in decision files.
    pub placement: String,
    /// Where they had best been.
    pub label: String,
    /// What really happened; left out where nobody measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// Writes distributions and the first applications.
///
/// # Errors
/// If a file cannot be written.
pub fn write(
    dir: &ResultsDir,
    plan: &PipelinePlan,
    collector: &PipelineCollector,
) -> Result<(), ResultsError> {
    let mut csv = String::from("policy,kind,quantile,value\n");
    for (policy, pooled) in plan.policies.iter().zip(&collector.pooled) {
        for spread in Spread::ALL {
            let (name, kind) = (&policy.name, spread.name());
            for (quantile, value) in quantiles().zip(spread.values(pooled)) {
                let _ = writeln!(csv, "{name},{kind},{quantile},{value:?}");
            }
        }
    }
    dir.write(DISTRIBUTIONS_FILE, csv.as_bytes())?;
    let first = first_applications(plan, collector);
    let json = serde_json::to_string(&first).expect("applications are plain data") + "\n";
    dir.write(APPLICATIONS_FILE, json.as_bytes())
}

fn first_applications(plan: &PipelinePlan, collector: &PipelineCollector) -> FirstApplications {
    let placed = |kept: &KeptApplication| PlacedApplication {
        application: kept.application,
        placement: placement_text(&kept.placement),
        label: placement_text(&kept.label),
        measured: kept.measured.clone(),
    };
    let policies = plan.policies.iter().zip(&collector.first);
    FirstApplications {
        seed: plan.seeds.first().copied().unwrap_or_default(),
        policies: policies
            .map(|(policy, kept)| (policy.name.clone(), kept.iter().map(placed).collect()))
            .collect(),
    }
}

/// Keeps the label sweep that the topology names, if it names one.
///
/// # Errors
/// If it cannot be copied.
pub fn keep_label_sweep(dir: &ResultsDir, plan: &PipelinePlan) -> Result<(), ResultsError> {
    let Some(from) = plan.scenario.label_sweep() else { return Ok(()) };
    let path = dir.path().join(LABEL_SWEEP_FILE);
    match std::fs::copy(from, &path) {
        Ok(_) => Ok(()),
        Err(error) => {
            // Half a sweep is none.
            let _ = std::fs::remove_file(&path);
            Err(ResultsError::Write { path, error })
        }
    }
}

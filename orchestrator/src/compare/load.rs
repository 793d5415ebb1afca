//! Results directories, read for a comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fogbit_scenario::topology::Metric;
use fogbit_scenario::{Faults, Scenario, TopologyFile};

use super::{CompareError, PolicyInfo, RunInfo};
use crate::harness::BySeed;
use crate::plan::Status;
use crate::results::read;
use crate::results::summary::{PolicySummary, Summary, TrialSummary};
use crate::results::{Manifest, RunStatus};
use crate::stats::MeanSd;

/// One run.
pub(super) struct Run {
    pub(super) dir: PathBuf,
    /// A short name that no other run here has.
    pub(super) label: String,
    pub(super) manifest: Manifest,
    pub(super) summary: Summary,
    pub(super) scenario: Scenario,
    /// The content of the trace, if features come from one.
    pub(super) trace: Option<Vec<u8>>,
}

/// One policy of one run.
pub(super) struct Entry<'r> {
    /// The name in this comparison.
    pub(super) name: String,
    /// Number of its run.
    pub(super) run: usize,
    pub(super) label: &'r str,
    pub(super) summary: &'r PolicySummary,
    /// The metric in its complete trials.
    pub(super) values: BySeed,
}

/// Reads the runs.
pub(super) fn runs(dirs: &[PathBuf]) -> Result<Vec<Run>, CompareError> {
    let mut seen = BTreeSet::new();
    let mut runs = Vec::new();
    for dir in dirs {
        let real = dir.canonicalize().unwrap_or_else(|_| dir.clone());
        if !seen.insert(real.clone()) {
            return Err(CompareError::Twice(dir.clone()));
        }
        runs.push(run(dir, &real)?);
    }
    let labels: Vec<String> = runs.iter().map(|run| run.label.clone()).collect();
    for run in &mut runs {
        if labels.iter().filter(|label| **label == run.label).count() > 1 {
            run.label = run.dir.display().to_string();
        }
    }
    Ok(runs)
}

fn run(dir: &Path, real: &Path) -> Result<Run, CompareError> {
    let not_results = |error| CompareError::NotResults { dir: dir.into(), error };
    let manifest = read::manifest(dir).map_err(not_results)?;
    if manifest.status == RunStatus::Running {
        return Err(CompareError::Unfinished(dir.into()));
    }
    let summary = read::summary(dir).map_err(not_results)?;
    let unreadable = |reason: String| CompareError::Topology { dir: dir.into(), reason };
    let scenario = scenario(dir).map_err(|faults| unreadable(faults.to_string()))?;
    let trace = scenario.trace_file().map(std::fs::read).transpose();
    let trace = trace.map_err(|error| unreadable(error.to_string()))?;
    let label = real.file_name().unwrap_or(real.as_os_str()).to_string_lossy().into_owned();
    Ok(Run { dir: dir.into(), label, manifest, summary, scenario, trace })
}

/// The scenario of a run without its expectations: they may speak of policies that were left out.
fn scenario(dir: &Path) -> Result<Scenario, Faults> {
    let mut file = TopologyFile::read(&dir.join("topology.toml"))?;
    file.set("expect=[]")?;
    Scenario::from_file(&file)
}

impl Run {
    /// What is said of it.
    pub(super) fn info(&self) -> RunInfo {
        let run = &self.summary.run;
        RunInfo {
            dir: self.dir.display().to_string(),
            label: self.label.clone(),
            topology: run.topology.clone(),
            backend: run.backend.clone(),
            status: run.status,
            valid: run.valid,
            slots: run.slots,
            seeds: self.manifest.seeds.clone(),
            version: run.version.clone(),
        }
    }

    fn complete(&self, policy: &str) -> impl Iterator<Item = &TrialSummary> {
        let trials = self.summary.trials.iter();
        trials.filter(move |trial| trial.policy == policy && trial.status == Status::Complete)
    }
}

/// The policies of all runs, run by run. A name that several runs have gets the run's label.
pub(super) fn entries(runs: &[Run], metric: Metric) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        for summary in &run.summary.policies {
            let has_one = |run: &&Run| run.summary.policies.iter().any(|p| p.name == summary.name);
            let name = match runs.iter().filter(has_one).count() {
                1 => summary.name.clone(),
                _ => format!("{}@{}", summary.name, run.label),
            };
            let values =
                run.complete(&summary.name).map(|trial| (trial.seed, value(trial, metric)));
            let values = values.collect();
            entries.push(Entry { name, run: index, label: &run.label, summary, values });
        }
    }
    entries
}

impl Entry<'_> {
    /// The name with its run.
    pub(super) fn full_name(&self) -> String {
        format!("{}@{}", self.summary.name, self.label)
    }

    /// What is said of it.
    pub(super) fn info(&self) -> PolicyInfo {
        let values: Vec<f64> = self.values.values().copied().collect();
        PolicyInfo {
            name: self.name.clone(),
            run: self.label.to_owned(),
            policy: self.summary.name.clone(),
            kind: self.summary.kind.clone(),
            parameters: self.summary.parameters.clone(),
            seeds: values.len() as u64,
            value: (!values.is_empty()).then(|| MeanSd::of(&values)),
        }
    }
}

fn value(trial: &TrialSummary, metric: Metric) -> f64 {
    match metric {
        Metric::AverageRegret => trial.whole.regret_linear / trial.slots as f64,
        Metric::RegretLinear => trial.whole.regret_linear,
        Metric::RegretHappiness => trial.whole.regret_happiness,
        Metric::Reward => trial.whole.reward as f64,
    }
}

/// What tells trials of a policy apart, by seed: all its sums, to the last bit.
pub(super) fn sums(run: &Run, policy: &str) -> BTreeMap<u64, [u64; 5]> {
    let sums = |t: &TrialSummary| {
        let whole = &t.whole;
        let reals = [whole.regret_linear, whole.regret_happiness, whole.optimal_reward];
        let reals = reals.map(f64::to_bits);
        [t.slots, whole.reward as u64, reals[0], reals[1], reals[2]]
    };
    run.complete(policy).map(|trial| (trial.seed, sums(trial))).collect()
}

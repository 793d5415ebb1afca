//! Models that the policies `dqn` of a run need before it begins.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_policy::cascade::{DqnModel, DqnModelError, DqnPolicy};
use fogbit_scenario::Fault;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::topology::{CascadePolicySpec, DqnCascade};

use super::fit::train;
use super::origin::{differences, origin, tokens};
use super::referee::Verdict;
use super::trainer::DqnTrainError;
use crate::exit::{Exit, Failure, tell};
use crate::train::kept;
use crate::train::progress::TrainingProgress;

/// The model of one policy.
#[derive(Debug, Clone)]
pub struct PreparedDqn {
    /// The model.
    pub model: Arc<DqnModel>,
    /// The bytes of its file: what travels to a task node.
    pub bytes: Arc<[u8]>,
    /// How its policy does, if it was trained just now.
    pub verdict: Option<Verdict>,
}

/// The models of a run, by the name of the policy.
#[derive(Debug, Clone, Default)]
pub struct DqnModels(pub BTreeMap<String, PreparedDqn>);

/// Reads the models that policies of `scenario` name, and trains those that they do not, once for
/// all seeds. Progress is shown on standard error unless `quiet`; a training ends when `stop` is set.
///
/// # Errors
/// If a file holds no model for this setting, underlined where the topology file names it (exit
/// code 2), or a training comes to nothing.
pub fn prepare(
    scenario: &CascadeScenario,
    quiet: bool,
    stop: &AtomicBool,
) -> Result<DqnModels, Failure> {
    // All files before any training: a slip should not cost the time of one.
    let mut models = read_all(scenario)?;
    for (name, dqn) in learners(scenario) {
        if !models.0.contains_key(name) {
            models.0.insert(name.to_owned(), make(scenario, name, dqn, quiet, stop)?);
        }
    }
    Ok(models)
}

/// Reads the models that the topology names, and trains none.
///
/// # Errors
/// Every model that cannot be used, at its place.
pub fn check_models(scenario: &CascadeScenario) -> Result<(), Failure> {
    read_all(scenario).map(drop)
}

fn read_all(scenario: &CascadeScenario) -> Result<DqnModels, Failure> {
    let read = |_: &str, path: &Path, dqn: &DqnCascade| read(scenario, path, dqn.other_setting);
    Ok(DqnModels(kept::read_all(scenario, learners(scenario), read)?))
}

/// The policies that need a model.
fn learners(scenario: &CascadeScenario) -> impl Iterator<Item = (&str, &DqnCascade)> {
    scenario.policies().filter_map(|(name, spec)| match spec {
        CascadePolicySpec::Dqn(dqn) => Some((name, dqn)),
        _ => None,
    })
}

/// Reads the model of a policy.
fn read(
    scenario: &CascadeScenario,
    path: &Path,
    other_setting: bool,
) -> Result<PreparedDqn, Fault> {
    let about = |error: &dyn std::fmt::Display| {
        Fault::new(format!("{} is no model of `dqn`: {error}", path.display())).help(
            "a file that `fogbit train dqn` wrote; or leave the key out: the model is then trained \
             at the start of the run",
        )
    };
    let bytes = fogbit_neural::read_bytes(path).map_err(|error| about(&error.fault))?;
    let model = DqnModel::from_bytes(&bytes).map_err(|error: DqnModelError| about(&error))?;
    check_setting(scenario, path, &model, other_setting)?;
    Ok(PreparedDqn { model: Arc::new(model), bytes: bytes.into(), verdict: None })
}

/// Whether the model may be used here.
fn check_setting(
    scenario: &CascadeScenario,
    path: &Path,
    model: &DqnModel,
    other_setting: bool,
) -> Result<(), Fault> {
    let theirs = model.origin();
    let ours = origin(&scenario.setting(), theirs.history);
    if theirs.bucket != ours.bucket {
        let (there, here) = (tokens(&theirs.bucket), tokens(&ours.bucket));
        let message = format!(
            "{} was trained for another bucket: {there}; this one has {here}",
            path.display()
        );
        return Err(Fault::new(message).help(
            "a network has an output for each level: `fogbit train dqn` makes one for this bucket",
        ));
    }
    match &differences(theirs, &ours)[..] {
        [] => Ok(()),
        _ if other_setting => Ok(()),
        told => {
            let message =
                format!("{} was trained for another setting: {}", path.display(), told.join("; "));
            Err(Fault::new(message).help(
                "other_setting = true uses it all the same; `fogbit train dqn` makes one for this \
                 setting",
            ))
        }
    }
}

/// Trains the model of a policy that names none.
fn make(
    scenario: &CascadeScenario,
    name: &str,
    dqn: &DqnCascade,
    quiet: bool,
    stop: &AtomicBool,
) -> Result<PreparedDqn, Failure> {
    let mut progress = TrainingProgress::iterations(name, dqn.train.iterations, quiet);
    let trained = train(&scenario.setting(), &dqn.train, None, |_, done| {
        progress.iteration(done);
        match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    drop(progress);
    let trained =
        trained.map_err(|error| Failure::new(exit(&error), format!("policy {name}: {error}")))?;
    warn(name, &trained.verdict);
    Ok(PreparedDqn {
        model: trained.model,
        bytes: trained.bytes.into(),
        verdict: Some(trained.verdict),
    })
}

/// What a training that came to nothing ends with.
pub(crate) fn exit(error: &DqnTrainError) -> Exit {
    match error {
        DqnTrainError::Stopped => Exit::Interrupted,
        DqnTrainError::Model(_) => Exit::Internal,
        _ => Exit::Usage,
    }
}

/// Says so if a policy has learnt nothing.
pub(crate) fn warn(name: &str, verdict: &Verdict) {
    if let Some(does) = verdict.degenerate {
        tell(format_args!("warning: the policy {name} is degenerate: it {does}"));
    }
}

impl PreparedDqn {
    /// The policy, for one trial.
    pub fn policy(&self) -> DqnPolicy {
        DqnPolicy::new(Arc::clone(&self.model))
    }
}

impl DqnModels {
    /// Keeps the models in the results directory `results`, each as [`kept_model`](fogbit_scenario::kept_model) names it, so that
    /// the run can be repeated.
    ///
    /// # Errors
    /// Which file cannot be written, and why.
    pub fn keep(&self, results: &Path) -> Result<(), (PathBuf, io::Error)> {
        kept::keep(results, self.0.iter().map(|(name, model)| (name, &model.bytes[..])))
    }
}

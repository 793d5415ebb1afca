//! Models that the policies of a run need before it begins.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_neural::ModelFault;
use fogbit_policy::placement::{DecisionModel, DecisionModelError};
use fogbit_scenario::Fault;
use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::{LearnedPlacement, PlacementPolicySpec};

use super::evaluation::Evaluation;
use super::fit::{TrainError, train};
use super::origin::Origin;
use crate::exit::{Exit, Failure, tell};
use crate::train::kept;
use crate::train::progress::TrainingProgress;

/// The model of one policy.
#[derive(Debug, Clone)]
pub struct PreparedModel {
    /// The model.
    pub model: Arc<DecisionModel>,
    /// The bytes of its file: what travels to a task node.
    pub bytes: Arc<[u8]>,
    /// How it does on held-out tasks, if it was trained just now.
    pub evaluation: Option<Evaluation>,
}

/// The models of a run, by the name of the policy.
#[derive(Debug, Clone, Default)]
pub struct PlacementModels(pub BTreeMap<String, PreparedModel>);

/// Reads the models that policies of `scenario` name, and trains those that they do not, once for
/// all seeds. Progress is shown on standard error unless `quiet`; a training ends when `stop` is set.
///
/// # Errors
/// If a file holds no model of such a policy, underlined where the topology file names it (exit
/// code 2), or a training comes to nothing.
pub fn prepare(
    scenario: &PlacementScenario,
    quiet: bool,
    stop: &AtomicBool,
) -> Result<PlacementModels, Failure> {
    // All files before any training: a slip should not cost the time of one.
    let mut models = read_all(scenario, quiet)?;
    for (name, learned) in learners(scenario) {
        if !models.0.contains_key(name) {
            models.0.insert(name.to_owned(), make(scenario, name, learned, quiet, stop)?);
        }
    }
    Ok(models)
}

/// Reads the models that the topology names, and trains none.
///
/// # Errors
/// Every model that cannot be used, at its place.
pub fn check_models(scenario: &PlacementScenario) -> Result<(), Failure> {
    read_all(scenario, true).map(drop)
}

fn read_all(scenario: &PlacementScenario, quiet: bool) -> Result<PlacementModels, Failure> {
    let models = kept::read_all(scenario, learners(scenario), |name, path, learned| {
        let prepared = read(path, learned)?;
        note_origin(scenario, name, &prepared.model, quiet);
        Ok(prepared)
    })?;
    Ok(PlacementModels(models))
}

/// The policies that need a model.
fn learners(scenario: &PlacementScenario) -> impl Iterator<Item = (&str, &LearnedPlacement)> {
    scenario.policies().filter_map(|(name, spec)| match spec {
        PlacementPolicySpec::Learned(learned) => Some((name, learned)),
        _ => None,
    })
}

/// Reads the model of a policy.
fn read(path: &Path, learned: &LearnedPlacement) -> Result<PreparedModel, Fault> {
    let about = |error: &dyn std::fmt::Display| {
        Fault::new(format!("{} is no model of `learned`: {error}", path.display())).help(
            "a file that `fogbit train placement` wrote; or leave the key out: the model is \
                   then trained at the start of the run",
        )
    };
    let bytes = fogbit_neural::read_bytes(path).map_err(|error| about(&error.fault))?;
    let model = DecisionModel::from_bytes(&bytes).map_err(|error| match error {
        DecisionModelError::Missing(_) | DecisionModelError::Network(ModelFault::Ends { .. }) => {
            about(&format!("{error}: it was trained for something else"))
        }
        error => about(&error),
    })?;
    let train = &learned.train;
    for (key, found, wanted) in [
        ("features", model.features().name(), train.features.name()),
        ("units", model.units().name(), train.units.name()),
    ] {
        if found != wanted {
            let message = format!(
                "{} was trained with {key} = \"{found}\", but the policy has \"{wanted}\"",
                path.display()
            );
            return Err(
                Fault::new(message).help(format!("train.{key} = \"{found}\", or another model"))
            );
        }
    }
    Ok(PreparedModel { model: Arc::new(model), bytes: bytes.into(), evaluation: None })
}

/// Says so if a model was trained for other tasks than it will meet.
fn note_origin(scenario: &PlacementScenario, name: &str, model: &DecisionModel, quiet: bool) {
    let own = Origin::of(scenario);
    let Some(origin) = Origin::read(model.metadata()) else { return };
    if !quiet && origin.digest != own.digest {
        tell(format_args!(
            "note: the model of {name} was trained for another scenario ({})",
            origin.summary
        ));
    }
}

/// Trains the model of a policy that names none.
fn make(
    scenario: &PlacementScenario,
    name: &str,
    learned: &LearnedPlacement,
    quiet: bool,
    stop: &AtomicBool,
) -> Result<PreparedModel, Failure> {
    let mut progress = TrainingProgress::start(name, learned.train.epochs, quiet);
    let trained = train(scenario, &learned.train, |epoch| {
        progress.epoch(epoch);
        match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    drop(progress);
    let trained = trained.map_err(|error| {
        let exit = match error {
            TrainError::Fit(_) => Exit::Usage,
            TrainError::Model(_) => Exit::Internal,
            TrainError::Stopped => Exit::Interrupted,
        };
        Failure::new(exit, format!("policy {name}: {error}"))
    })?;
    if let Some(answer) = trained.evaluation.only_answer {
        tell(format_args!(
            "warning: the network of {name} is degenerate: it answers \"{answer}\" to every task"
        ));
    }
    Ok(PreparedModel {
        model: Arc::new(trained.model),
        bytes: trained.bytes.into(),
        evaluation: Some(trained.evaluation),
    })
}

impl PlacementModels {
    /// Keeps the models in the results directory `results`, each as [`kept_model`](fogbit_scenario::kept_model) names it, so that
    /// the run can be repeated.
    ///
    /// # Errors
    /// Which file cannot be written, and why.
    pub fn keep(&self, results: &Path) -> Result<(), (PathBuf, io::Error)> {
        kept::keep(results, self.0.iter().map(|(name, model)| (name, &model.bytes[..])))
    }
}

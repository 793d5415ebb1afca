//! Networks that the policies of a run need before it begins.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_neural::Epoch;
use fogbit_policy::pipeline::{NetPolicy, PipelineNet, PipelineNetError};
use fogbit_scenario::Fault;
use fogbit_scenario::pipeline::PipelineScenario;

use super::fit::PipelineTrainError;
use super::label_file::LabelFileError;
use super::learn::{LearnError, Learner, Learnt, Told, Trainee, learn};
use super::origin::Origin;
use crate::exit::{Exit, Failure, tell};
use crate::train::kept;
use crate::train::progress::TrainingProgress;

/// The network of one policy.
#[derive(Debug, Clone)]
pub struct PreparedNet {
    /// The network.
    pub model: Arc<PipelineNet>,
    /// The bytes of its file: what travels to a task node.
    pub bytes: Arc<[u8]>,
}

/// The networks of a run, by the name of the policy.
#[derive(Debug, Clone, Default)]
pub struct PipelineModels(pub BTreeMap<String, PreparedNet>);

/// Reads the models that policies of `scenario` name, and trains those that they do not, once for
/// all seeds. Progress is shown on standard error unless `quiet`; a training ends when `stop` is set.
///
/// # Errors
/// If a file holds no network for these applications, underlined where the topology file names it (exit
/// code 2), or a training comes to nothing.
pub fn prepare(
    scenario: &PipelineScenario,
    quiet: bool,
    stop: &AtomicBool,
) -> Result<PipelineModels, Failure> {
    // All files before any training: a slip should not cost the time of one.
    let mut models = read_all(scenario, quiet)?;
    let trainees: Vec<(&str, Trainee<'_>)> =
        trainees(scenario).filter(|(name, _)| !models.0.contains_key(*name)).collect();
    let mut learner = Learner::new(scenario, stop, None);
    models.0.values().for_each(|own| learner.knows(&own.model));
    let learnt = learn(&mut learner, &trainees, &mut Progress::new(quiet));
    let learnt = learnt.map_err(|(name, error)| failure(&error, Some(name)))?;
    for (name, Learnt { net, bytes }) in learnt {
        models.0.insert(name.to_owned(), PreparedNet { model: net, bytes });
    }
    Ok(models)
}

/// Reads the models that the topology names, and trains none.
///
/// # Errors
/// Every model that cannot be used, at its place.
pub fn check_models(scenario: &PipelineScenario) -> Result<(), Failure> {
    read_all(scenario, true).map(drop)
}

/// The policies that need a network.
fn trainees(scenario: &PipelineScenario) -> impl Iterator<Item = (&str, Trainee<'_>)> {
    scenario.policies().filter_map(|(name, spec)| Some((name, Trainee::of(spec)?)))
}

fn read_all(scenario: &PipelineScenario, quiet: bool) -> Result<PipelineModels, Failure> {
    let all: Vec<(&str, Trainee<'_>)> = trainees(scenario).collect();
    let learners = all.iter().map(|(name, own)| (*name, own));
    let models = kept::read_all(scenario, learners, |name, path, trainee| {
        let prepared = read(scenario, path)?;
        is_of(&prepared.model, path, trainee)?;
        note_origin(scenario, name, &prepared.model, quiet);
        Ok(prepared)
    })?;
    Ok(PipelineModels(models))
}

/// Reads a network from a file.
fn read(scenario: &PipelineScenario, path: &Path) -> Result<PreparedNet, Fault> {
    let about = |error: &dyn std::fmt::Display| {
        Fault::new(format!("{} is no model of `pipeline`: {error}", path.display())).help(
            "a file that `fogbit train pipeline` wrote; or leave the key out: the network is then \
             trained at the start of the run",
        )
    };
    let bytes = fogbit_neural::read_bytes(path).map_err(|error| about(&error.fault))?;
    let net = PipelineNet::from_bytes(&bytes).map_err(|error: PipelineNetError| about(&error))?;
    let most = scenario.source().most_sub_tasks();
    net.fits(most, scenario.sites().len()).map_err(|error| {
        Fault::new(format!("{} does not fit this topology: {error}", path.display()))
            .help("`fogbit train pipeline` makes a network for it")
    })?;
    Ok(PreparedNet { model: Arc::new(net), bytes: bytes.into() })
}

/// Fails if the network was trained for another kind of policy, or has other layers than the policy says
/// it has: results would tell what is not so.
fn is_of(net: &PipelineNet, path: &Path, trainee: &Trainee<'_>) -> Result<(), Fault> {
    let (kind, trained) = (super::fit::kind_of(net), super::fit::training_of(net));
    let fault = |found: String, help: &str| {
        Err(Fault::new(format!("{} {found}", path.display())).help(help))
    };
    if kind != Some(trainee.kind()) {
        let found = kind.unwrap_or("something else");
        let found = format!("was trained for `{found}`, but the policy is `{}`", trainee.kind());
        return fault(found, "the model of a policy of this kind, or another kind");
    }
    let (given, own) = (&trainee.training().hidden, trained.and_then(|own| own.hidden));
    if given.is_some() && *given != own {
        let text = |hidden: &Option<Vec<u32>>| format!("{:?}", hidden.clone().unwrap_or_default());
        let found = format!("has hidden layers {}, but the policy has {}", text(&own), text(given));
        return fault(found, "train.hidden as the model has it, or left out, or another model");
    }
    Ok(())
}

/// Says so if a network was trained for other applications than it will meet.
fn note_origin(scenario: &PipelineScenario, name: &str, net: &PipelineNet, quiet: bool) {
    let Some(origin) = Origin::read(net.metadata()) else { return };
    if !quiet && origin.digest != Origin::of(scenario).digest {
        tell(format_args!(
            "note: the network of {name} was trained for other applications or conditions ({})",
            origin.summary
        ));
    }
}

/// What a training that came to nothing ends with; `policy` is the one of several that it was for.
pub(crate) fn failure(error: &LearnError, policy: Option<&str>) -> Failure {
    let told = match policy {
        Some(name) => format!("policy {name}: {error}"),
        None => error.to_string(),
    };
    match error {
        LearnError::Train(PipelineTrainError::Stopped) => Failure::new(Exit::Interrupted, told),
        LearnError::Train(PipelineTrainError::Model(_)) => Failure::new(Exit::Internal, told),
        LearnError::Train(PipelineTrainError::Labels(own)) => Failure::new(own.exit(), told),
        LearnError::Train(_) => Failure::usage(told),
        LearnError::File(own) => {
            let help = match own {
                LabelFileError::Io { .. } => {
                    return Failure::new(Exit::Failed, told)
                        .help("labels that are there already are kept: the same command goes on");
                }
                LabelFileError::Busy(_) => "wait for its end, or --label-set with another file",
                LabelFileError::Damaged { .. } => "delete it: labels are made anew then",
                LabelFileError::Foreign { .. } => {
                    "a file is for one topology, one mix and one seed: --label-set with another one"
                }
                _ => "a file that --label-set made, or one that is not there yet",
            };
            Failure::usage(told).help(help)
        }
    }
}

/// Shows a training on standard error.
pub(crate) struct Progress {
    quiet: bool,
    shown: Option<TrainingProgress>,
}

impl Progress {
    /// Shows nothing if `quiet`.
    pub(crate) fn new(quiet: bool) -> Progress {
        Progress { quiet, shown: None }
    }

    /// One ends before the next begins.
    fn next(&mut self, begin: impl FnOnce(bool) -> TrainingProgress) {
        self.shown = None;
        self.shown = Some(begin(self.quiet));
    }
}

impl Told for Progress {
    fn labels(&mut self, name: &str, count: u64) {
        self.next(|quiet| TrainingProgress::labels(name, count as u32, quiet));
    }

    fn labelled(&mut self, done: u64) {
        if let Some(shown) = &mut self.shown {
            shown.done(done);
        }
    }

    fn training(&mut self, name: &str, epochs: u32) {
        self.next(|quiet| TrainingProgress::start(name, epochs, quiet));
    }

    fn epoch(&mut self, epoch: &Epoch) {
        if let Some(shown) = &mut self.shown {
            shown.epoch(epoch);
        }
    }
}

impl PreparedNet {
    /// The policy, for one trial.
    pub fn policy(&self) -> NetPolicy {
        NetPolicy::new(Arc::clone(&self.model))
    }
}

impl PipelineModels {
    /// Keeps the models in the results directory `results`, each as
    /// [`kept_model`](fogbit_scenario::kept_model) names it, so that the run can be repeated.
    ///
    /// # Errors
    /// Which file cannot be written, and why.
    pub fn keep(&self, results: &Path) -> Result<(), (PathBuf, io::Error)> {
        kept::keep(results, self.0.iter().map(|(name, own)| (name, &own.bytes[..])))
    }
}

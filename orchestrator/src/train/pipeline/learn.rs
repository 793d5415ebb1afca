//! From a policy of a topology to its network: labels, a teacher where there is one, training.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fogbit_neural::Epoch;
use fogbit_policy::pipeline::PipelineNet;
use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::topology::{DistilledPipeline, PipelinePolicySpec, PipelineTraining};

use super::fit::{Lesson, PipelineTrainError, Teaching, train, was_trained_so};
use super::label_file::{LabelFile, LabelFileError};
use super::labels::{Examples, LabelSet, Part};
use super::origin::Origin;
use super::rows::Rows;

/// Hidden layers of whoever teaches, and of whoever learns from a teacher, unless it is said.
const HIDDEN: [&[u32]; 2] = [&[256, 256, 256], &[64, 32]];

/// What a training is told of how it goes: what is done now, and how far it is.
pub trait Told {
    /// `count` labels are made, for a network that goes by `name`.
    fn labels(&mut self, name: &str, count: u64);
    /// So many labels are there.
    fn labelled(&mut self, done: u64);
    /// A network that goes by `name` is trained for so many epochs.
    fn training(&mut self, name: &str, epochs: u32);
    /// An epoch is done.
    fn epoch(&mut self, epoch: &Epoch);
}

/// A policy that has a network to learn.
#[derive(Debug, Clone, Copy)]
pub enum Trainee<'s> {
    /// By labels alone.
    Imitation(&'s PipelineTraining),
    /// From a teacher too.
    Distilled(&'s DistilledPipeline),
}

impl<'s> Trainee<'s> {
    /// The policy of `spec`, if it has one.
    pub fn of(spec: &'s PipelinePolicySpec) -> Option<Trainee<'s>> {
        match spec {
            PipelinePolicySpec::Imitation(own) => Some(Trainee::Imitation(&own.train)),
            PipelinePolicySpec::Distilled(own) => Some(Trainee::Distilled(own)),
            _ => None,
        }
    }

    /// How it is trained.
    pub fn training(&self) -> &'s PipelineTraining {
        match self {
            Trainee::Imitation(training) => training,
            Trainee::Distilled(own) => &own.train,
        }
    }

    /// Sizes of its hidden layers.
    pub fn hidden(&self) -> &'s [u32] {
        let place = usize::from(matches!(self, Trainee::Distilled(_)));
        self.training().hidden.as_deref().unwrap_or(HIDDEN[place])
    }

    /// Which policy it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Trainee::Imitation(_) => "imitation",
            Trainee::Distilled(_) => "distilled",
        }
    }

    /// Its teacher as one who learns by labels alone, if it has one.
    pub fn teacher(&self) -> Option<Trainee<'s>> {
        match self {
            Trainee::Imitation(_) => None,
            Trainee::Distilled(own) => Some(Trainee::Imitation(&own.teacher)),
        }
    }
}

/// A network that was learnt.
#[derive(Debug, Clone)]
pub struct Learnt {
    /// The network.
    pub net: Arc<PipelineNet>,
    /// The bytes of its file.
    pub bytes: Arc<[u8]>,
}

/// Trains networks of one scenario; labels and teachers that are wanted again are kept.
#[derive(Debug)]
pub struct Learner<'s> {
    scenario: &'s PipelineScenario,
    origin: Origin,
    stop: &'s AtomicBool,
    /// Where labels are kept, if they are.
    file: Option<PathBuf>,
    /// The rows that were needed last, with seed and number.
    rows: Option<((u64, u32), Arc<Rows>)>,
    /// Networks that may teach.
    teachers: Vec<Arc<PipelineNet>>,
    /// Who teaches whatever the setting says.
    chosen: Option<Arc<PipelineNet>>,
}

/// Why a policy has no network.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The training came to nothing.
    #[error(transparent)]
    Train(#[from] PipelineTrainError),
    /// The file of labels is of no use.
    #[error(transparent)]
    File(LabelFileError),
}

impl From<LabelFileError> for LearnError {
    fn from(error: LabelFileError) -> LearnError {
        match error {
            LabelFileError::Labels(error) => LearnError::Train(error.into()),
            error => LearnError::File(error),
        }
    }
}

impl<'s> Learner<'s> {
    /// For networks of `scenario`; a training ends when `stop` is set. Labels are kept in `file`, or
    /// nowhere.
    pub fn new(
        scenario: &'s PipelineScenario,
        stop: &'s AtomicBool,
        file: Option<PathBuf>,
    ) -> Learner<'s> {
        let (origin, rows, teachers) = (Origin::of(scenario), None, Vec::new());
        Learner { scenario, origin, stop, file, rows, teachers, chosen: None }
    }

    /// This network teaches, however teachers are to be trained.
    pub fn teach(&mut self, net: Arc<PipelineNet>) {
        self.chosen = Some(net);
    }

    /// A network that is there already: where it is what a teacher would become, it teaches.
    pub fn knows(&mut self, net: &Arc<PipelineNet>) {
        self.teachers.push(Arc::clone(net));
    }

    /// The labels of a training.
    ///
    /// # Errors
    /// If it is stopped, or the file is of no use.
    pub fn labels(
        &self,
        training: &PipelineTraining,
        name: &str,
        told: &mut dyn Told,
    ) -> Result<LabelSet, LearnError> {
        let (seed, count) = (training.seed, u64::from(training.labels));
        let Some(path) = &self.file else {
            told.labels(name, count);
            let examples = Examples::new(self.scenario, seed, Part::Training);
            let labels = LabelSet::make(&examples, count, self.stop, |done| told.labelled(done));
            return Ok(labels.map_err(PipelineTrainError::from)?);
        };
        let file = LabelFile::open(path, self.scenario, seed)?;
        told.labels(name, count);
        Ok(file.first(self.scenario, seed, count, self.stop, |done| told.labelled(done))?)
    }

    fn rows(
        &mut self,
        training: &PipelineTraining,
        name: &str,
        told: &mut dyn Told,
    ) -> Result<Arc<Rows>, LearnError> {
        let wanted = (training.seed, training.labels);
        if let Some((_, rows)) = self.rows.as_ref().filter(|(own, _)| *own == wanted) {
            return Ok(Arc::clone(rows));
        }
        // Two sets are not kept at a time: they may be large.
        self.rows = None;
        let labels = self.labels(training, name, told)?;
        let rows =
            Rows::new(self.scenario, training.seed, &labels).map_err(PipelineTrainError::from)?;
        let rows = Arc::new(rows);
        self.rows = Some((wanted, Arc::clone(&rows)));
        Ok(rows)
    }

    /// Trains `trainee`, who goes by `name`, and its teacher before it, unless that is known.
    ///
    /// # Errors
    /// If a training comes to nothing.
    pub fn learn(
        &mut self,
        name: &str,
        trainee: Trainee<'_>,
        told: &mut dyn Told,
    ) -> Result<Learnt, LearnError> {
        let teaching = match trainee {
            Trainee::Imitation(_) => None,
            Trainee::Distilled(own) => {
                let teacher = self.teacher(name, Trainee::Imitation(&own.teacher), told)?;
                Some(Teaching { teacher, temperature: own.temperature, alpha: own.alpha })
            }
        };
        let net = self.trained(name, trainee, teaching.as_ref(), told)?;
        let bytes = net.to_bytes().map_err(PipelineTrainError::from)?;
        if teaching.is_none() {
            self.knows(&net);
        }
        Ok(Learnt { net, bytes: bytes.into() })
    }

    fn teacher(
        &mut self,
        name: &str,
        teacher: Trainee<'_>,
        told: &mut dyn Told,
    ) -> Result<Arc<PipelineNet>, LearnError> {
        if let Some(net) = &self.chosen {
            return Ok(Arc::clone(net));
        }
        let fits = |net: &&Arc<PipelineNet>| {
            was_trained_so(net, teacher.training(), teacher.hidden(), &self.origin)
        };
        if let Some(net) = self.teachers.iter().find(fits) {
            return Ok(Arc::clone(net));
        }
        let net = self.trained(&format!("teacher of {name}"), teacher, None, told)?;
        self.knows(&net);
        Ok(net)
    }

    fn trained(
        &mut self,
        name: &str,
        trainee: Trainee<'_>,
        teaching: Option<&Teaching>,
        told: &mut dyn Told,
    ) -> Result<Arc<PipelineNet>, LearnError> {
        let (training, hidden) = (trainee.training(), trainee.hidden());
        let rows = self.rows(training, name, told)?;
        let lesson = Lesson { rows: &rows, count: rows.len(), training, hidden, teaching };
        told.training(name, training.epochs);
        let trained = train(&lesson, &self.origin, |epoch| {
            told.epoch(epoch);
            match self.stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        Ok(Arc::new(trained?))
    }
}

/// Trains all of `trainees`, by name: those that learn from labels alone first, who may teach others.
///
/// # Errors
/// The name of the first of whom nothing comes, and why.
pub fn learn<'n>(
    learner: &mut Learner<'_>,
    trainees: &[(&'n str, Trainee<'_>)],
    told: &mut dyn Told,
) -> Result<BTreeMap<&'n str, Learnt>, (&'n str, LearnError)> {
    let mut learnt = BTreeMap::new();
    for alone in [true, false] {
        for (name, trainee) in trainees {
            if trainee.teacher().is_none() == alone {
                let own = learner.learn(name, *trainee, told).map_err(|error| (*name, error))?;
                learnt.insert(*name, own);
            }
        }
    }
    Ok(learnt)
}

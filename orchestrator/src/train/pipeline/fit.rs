//! Training.

use std::ops::ControlFlow;
use std::sync::Arc;

use fogbit_neural::{
    Adam, Choices, Epoch, Fit, FitError, Metadata, ModelFault, Network, Softened, fit,
};
use fogbit_policy::pipeline::{PipelineNet, PipelineNetError};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::topology::PipelineTraining;

use super::labels::LabelError;
use super::origin::Origin;
use super::rows::Rows;

/// The learning rate goes down in steps: share of the epochs, and of the rate that training begins
/// with. Adam begins anew with each.
pub const STAGES: [(f64, f64); 4] = [(0.5, 1.0), (0.25, 0.3), (0.125, 0.1), (0.125, 0.03)];
/// Rows that a teacher answers at once.
const AT_ONCE: usize = 256;

const KIND: &str = "policy";
const TRAINING: &str = "train";
const TEACHING: &str = "distillation";

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum PipelineTrainError {
    /// Nothing can be learnt, or not this way.
    #[error("the network cannot be trained: {0}")]
    Fit(#[from] FitError),
    /// What was learnt is no model.
    #[error("what was learnt is no model: {0}")]
    Model(#[from] PipelineNetError),
    /// Somebody asked to stop.
    #[error("the training was stopped")]
    Stopped,
    /// There are no labels to learn from.
    #[error(transparent)]
    Labels(LabelError),
}

impl From<ModelFault> for PipelineTrainError {
    fn from(fault: ModelFault) -> PipelineTrainError {
        PipelineTrainError::Model(fault.into())
    }
}

impl From<LabelError> for PipelineTrainError {
    fn from(error: LabelError) -> PipelineTrainError {
        match error {
            LabelError::Stopped => PipelineTrainError::Stopped,
            error => PipelineTrainError::Labels(error),
        }
    }
}

/// Who teaches, and how.
#[derive(Debug, Clone)]
pub struct Teaching {
    /// The network that is learnt from.
    pub teacher: Arc<PipelineNet>,
    /// Temperature of the softmax of both.
    pub temperature: f64,
    /// Weight of the teacher's answers against the labels.
    pub alpha: f64,
}

/// What is learnt, and from what.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'l> {
    /// The rows.
    pub rows: &'l Rows,
    /// How many of them, from the first.
    pub count: usize,
    /// How.
    pub training: &'l PipelineTraining,
    /// Sizes of the hidden layers.
    pub hidden: &'l [u32],
    /// From whom too.
    pub teaching: Option<&'l Teaching>,
}

/// Trains a network for the scenario of `origin`. `watch` is told of each epoch, and may end the
/// training. The same lesson gives the same network on one host.
///
/// # Errors
/// If the loss stops being finite, or `watch` asked to stop.
pub fn train(
    lesson: &Lesson<'_>,
    origin: &Origin,
    mut watch: impl FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<PipelineNet, PipelineTrainError> {
    let Lesson { rows, count, training, hidden, teaching } = *lesson;
    let encoding = &rows.encoding;
    let (groups, choices) = (encoding.sub_tasks as usize, encoding.sites as usize);
    let features = &rows.features[..count * encoding.inputs()];
    let answers = teaching.map(|own| answers(&own.teacher, features));
    let soft = teaching.zip(answers.as_deref()).map(|(own, teacher)| Softened {
        teacher,
        temperature: own.temperature as f32,
        alpha: own.alpha as f32,
    });
    // A cost of 1 is the mean of the least delays.
    let cost_weight = (training.cost_weight / rows.mean_optimum_ms(count)) as f32;
    let loss = Choices {
        groups,
        choices,
        open: &rows.open[..count * groups],
        labels: &rows.labels[..count * groups],
        costs: &rows.costs[..count * groups * choices],
        cost_weight,
        soft,
    };
    let key = |purpose| Key::derive(training.seed, purpose, 0);
    let hidden = hidden.iter().map(|size| *size as usize);
    let widths: Vec<usize> =
        std::iter::once(encoding.inputs()).chain(hidden).chain([encoding.outputs()]).collect();
    let mut network = Network::new(&widths, &key(Purpose::NetworkWeights));
    let shuffles = key(Purpose::NetworkShuffle);
    let (mut done, mut stopped) = (0, false);
    for (stage, (epochs, rate)) in stages(training.epochs as usize).into_iter().enumerate() {
        let adam = Adam { rate: training.learning_rate * rate, ..Adam::default() };
        let how = Fit { epochs, batch: training.batch as usize, adam };
        fit(&mut network, features, &loss, &how, &shuffles.child(stage as u64), |epoch, _| {
            let flow = watch(&Epoch { number: done + epoch.number, ..*epoch });
            stopped = flow.is_break();
            flow
        })?;
        if stopped {
            return Err(PipelineTrainError::Stopped);
        }
        done += epochs;
    }
    Ok(PipelineNet::new(network, encoding.clone(), metadata(lesson, origin))?)
}

/// The epochs of each stage with its share of the learning rate; stages without any are left out.
fn stages(epochs: usize) -> Vec<(usize, f64)> {
    let mut ends = 0.0;
    let mut done = 0;
    let stages = STAGES.iter().map(|(share, rate)| {
        ends += share;
        let own = (ends * epochs as f64).ceil() as usize - done;
        done += own;
        (own, *rate)
    });
    stages.filter(|(own, _)| *own > 0).collect()
}

/// What the teacher says to each row: its logits.
fn answers(teacher: &PipelineNet, features: &[f32]) -> Vec<f32> {
    let mut network = teacher.network().prepare();
    let rows = features.chunks(AT_ONCE * network.inputs());
    rows.flat_map(|some| network.infer_batch(some).to_vec()).collect()
}

/// What a model says of its training.
fn metadata(lesson: &Lesson<'_>, origin: &Origin) -> Metadata {
    let mut metadata = Metadata::new();
    origin.store(&mut metadata);
    let kind = if lesson.teaching.is_some() { "distilled" } else { "imitation" };
    metadata.insert(KIND.into(), kind.into());
    metadata.insert(TRAINING.into(), setting(lesson.training, lesson.hidden));
    if let Some(Teaching { teacher, temperature, alpha }) = lesson.teaching {
        let teacher = teacher.metadata().get(TRAINING).cloned().unwrap_or_default();
        let text = format!(
            "{{\"temperature\":{temperature},\"alpha\":{alpha},\"teacher\":{}}}",
            if teacher.is_empty() { "null" } else { &teacher }
        );
        metadata.insert(TEACHING.into(), text);
    }
    metadata
}

/// How a network was trained, as its file says it.
pub(super) fn setting(training: &PipelineTraining, hidden: &[u32]) -> String {
    let full = PipelineTraining { hidden: Some(hidden.to_vec()), ..training.clone() };
    serde_json::to_string(&full).expect("plain data")
}

/// The kind of policy that `net` was trained for, as its file says it.
pub(super) fn kind_of(net: &PipelineNet) -> Option<&str> {
    net.metadata().get(KIND).map(String::as_str)
}

/// How `net` was trained, as its file says it.
pub(super) fn training_of(net: &PipelineNet) -> Option<PipelineTraining> {
    serde_json::from_str(net.metadata().get(TRAINING)?).ok()
}

/// Whether `net` was trained so, without a teacher, for the scenario of `origin`.
pub(super) fn was_trained_so(
    net: &PipelineNet,
    training: &PipelineTraining,
    hidden: &[u32],
    origin: &Origin,
) -> bool {
    let entry = |name| net.metadata().get(name).map(String::as_str);
    entry(KIND) == Some("imitation")
        && entry(TRAINING) == Some(&setting(training, hidden))
        && Origin::read(net.metadata()).is_some_and(|own| own.digest == origin.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_share_all_epochs() {
        assert_eq!(stages(40), [(20, 1.0), (10, 0.3), (5, 0.1), (5, 0.03)]);
        assert_eq!(stages(1), [(1, 1.0)]);
        for epochs in 1..50 {
            assert_eq!(stages(epochs).iter().map(|own| own.0).sum::<usize>(), epochs);
        }
    }
}

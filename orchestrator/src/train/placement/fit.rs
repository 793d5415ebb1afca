//! Training.

use std::ops::ControlFlow;

use fogbit_neural::{
    Adam, CrossEntropy, Epoch, Fit, FitError, Metadata, ModelFault, Network, Standardiser, fit,
};
use fogbit_policy::placement::{DecisionModel, DecisionModelError, FEATURES};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::placement::{Example, PlacementScenario};
use fogbit_scenario::topology::{PlacementFeatures, PlacementTraining};

use super::evaluation::Evaluation;
use super::origin::Origin;

/// One task in so many is held out.
const HELD_OUT: u32 = 5;

/// A trained model and what it is worth.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model.
    pub model: DecisionModel,
    /// The bytes of its file. The same scenario and setting give the same bytes on one host.
    pub bytes: Vec<u8>,
    /// How it does on the tasks that were held out.
    pub evaluation: Evaluation,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Nothing can be learnt, or not this way.
    #[error("the network cannot be trained: {0}")]
    Fit(#[from] FitError),
    /// What was learnt is no model.
    #[error("what was learnt is no model: {0}")]
    Model(#[from] DecisionModelError),
    /// Somebody asked to stop.
    #[error("the training was stopped")]
    Stopped,
}

impl From<ModelFault> for TrainError {
    fn from(fault: ModelFault) -> TrainError {
        TrainError::Model(fault.into())
    }
}

/// Trains a decision network on tasks of `scenario`, on all but a fifth, and judges it by that
/// fifth. `watch` is told of each epoch, and may end the training.
///
/// # Errors
/// If the loss stops being finite, or `watch` asked to stop.
pub fn train(
    scenario: &PlacementScenario,
    setting: &PlacementTraining,
    mut watch: impl FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Trained, TrainError> {
    let examples = draw(scenario, setting);
    let (learnt, held_out) =
        examples.split_at((setting.samples - setting.samples / HELD_OUT) as usize);
    let cost = scenario.cost_model();
    let labels: Vec<u32> = learnt
        .iter()
        .map(|example| {
            let [local, offload] = example.expected_s(&cost, setting.units);
            u32::from(offload < local)
        })
        .collect();
    let (rows, standardiser) = rows(learnt, setting.features);
    let key = |purpose| Key::derive(setting.seed, purpose, 0);
    let hidden = setting.hidden.iter().map(|size| *size as usize);
    let widths: Vec<usize> = std::iter::once(FEATURES).chain(hidden).chain([2]).collect();
    let mut network = Network::new(&widths, &key(Purpose::NetworkWeights));
    let mut stopped = false;
    let adam = Adam { rate: setting.learning_rate, ..Adam::default() };
    let how = Fit { epochs: setting.epochs as usize, batch: setting.batch as usize, adam };
    let loss = CrossEntropy { labels: &labels };
    let shuffles = key(Purpose::NetworkShuffle);
    fit(&mut network, &rows, &loss, &how, &shuffles, |epoch, _| {
        let flow = watch(epoch);
        stopped = flow.is_break();
        flow
    })?;
    if stopped {
        return Err(TrainError::Stopped);
    }
    let mut metadata = Metadata::new();
    Origin::of(scenario).store(setting, &mut metadata);
    let model =
        DecisionModel::new(network, setting.features, setting.units, standardiser, metadata)?;
    let bytes = model.to_bytes()?;
    let evaluation = Evaluation::of(&model, scenario, held_out);
    Ok(Trained { model, bytes, evaluation })
}

/// All tasks of a data set.
pub(super) fn draw(scenario: &PlacementScenario, setting: &PlacementTraining) -> Vec<Example> {
    let mut examples = scenario.examples(setting.seed);
    (1..=u64::from(setting.samples)).map(|number| examples.example(number)).collect()
}

/// What the network sees of `examples`, and the scale that brought it there, which is theirs.
fn rows(examples: &[Example], features: PlacementFeatures) -> (Vec<f32>, Option<Standardiser>) {
    let row = |e: &Example| DecisionModel::row(features, &e.task, &e.local, &e.remote);
    let raw: Vec<f64> = examples.iter().flat_map(row).collect();
    if features == PlacementFeatures::Raw {
        return (raw.into_iter().map(|value| value as f32).collect(), None);
    }
    let standardiser = Standardiser::fit(&raw, FEATURES);
    let mut scores = vec![0.0; raw.len()];
    standardiser.apply(&raw, &mut scores);
    (scores, Some(standardiser))
}

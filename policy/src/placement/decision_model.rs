//! The model of `learned`: a network, what it sees of a task, and what its file says of both.

use fogbit_neural::{Metadata, ModelFault, Network, Scratch, Standardiser, StandardiserError};
use fogbit_scenario::placement::{SiteSight, Task};
use fogbit_scenario::topology::{PlacementFeatures, PlacementUnits};

/// Values in a row that the network sees.
pub const FEATURES: usize = 4;
/// Answers of the network: local, offload.
const ANSWERS: usize = 2;

/// What is stated in the metadata beside the network.
const PROBLEM: &str = "problem";
const KIND: &str = "features";
const UNITS: &str = "units";

/// A network that says whether a task had better be offloaded to a helper node.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionModel {
    network: Network,
    features: PlacementFeatures,
    units: PlacementUnits,
    /// Of all features but raw ones.
    standardiser: Option<Standardiser>,
    /// What else its file says.
    metadata: Metadata,
}

/// Why a file holds no model of `learned`.
#[derive(Debug, thiserror::Error)]
pub enum DecisionModelError {
    /// It holds no network, or one for something else.
    #[error(transparent)]
    Network(#[from] ModelFault),
    /// It does not say what it is.
    #[error("its metadata has no entry \"{0}\"")]
    Missing(&'static str),
    /// It says that it is something else.
    #[error("its metadata has {entry} = \"{found}\", expected {expected}")]
    Other {
        /// The entry of the metadata.
        entry: &'static str,
        /// What it says.
        found: String,
        /// What it could say.
        expected: String,
    },
    /// Its features are on no scale.
    #[error(transparent)]
    Standardiser(#[from] StandardiserError),
}

impl DecisionModel {
    /// A model that sees `features` of tasks, on the scale of `standardiser` unless they are raw,
    /// and was trained on labels in `units`. `metadata` is what else its file says.
    ///
    /// # Errors
    /// If the network has other ends than [`FEATURES`] and two answers, or the standardiser is
    /// missing.
    pub fn new(
        network: Network,
        features: PlacementFeatures,
        units: PlacementUnits,
        standardiser: Option<Standardiser>,
        mut metadata: Metadata,
    ) -> Result<DecisionModel, DecisionModelError> {
        network.expect_ends(FEATURES, ANSWERS)?;
        if let Some(standardiser) = &standardiser {
            standardiser.store(&mut metadata);
        }
        let standardiser = match features {
            PlacementFeatures::Raw => None,
            _ => Some(Standardiser::read(&metadata, FEATURES)?),
        };
        metadata.insert(PROBLEM.into(), "placement".into());
        metadata.insert(KIND.into(), features.name().into());
        metadata.insert(UNITS.into(), units.name().into());
        Ok(DecisionModel { network, features, units, standardiser, metadata })
    }

    /// Reads the bytes of a model's file.
    ///
    /// # Errors
    /// If they hold no such model.
    pub fn from_bytes(bytes: &[u8]) -> Result<DecisionModel, DecisionModelError> {
        let (network, metadata) = Network::from_bytes(bytes)?;
        let entry = |name| metadata.get(name).ok_or(DecisionModelError::Missing(name));
        let problem = entry(PROBLEM)?;
        if problem != "placement" {
            let expected = "\"placement\"".into();
            let found = problem.clone();
            return Err(DecisionModelError::Other { entry: PROBLEM, found, expected });
        }
        let features = named(KIND, entry(KIND)?, &PlacementFeatures::ALL, |kind| kind.name())?;
        let units = named(UNITS, entry(UNITS)?, &PlacementUnits::ALL, |units| units.name())?;
        DecisionModel::new(network, features, units, None, metadata)
    }

    /// The bytes of its file, which are the same for the same model.
    ///
    /// # Errors
    /// If a weight is not finite: nobody could read it again.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelFault> {
        self.network.to_bytes(&self.metadata)
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the network sees of a task.
    pub fn features(&self) -> PlacementFeatures {
        self.features
    }

    /// The units of the labels that it was trained on.
    pub fn units(&self) -> PlacementUnits {
        self.units
    }

    /// What its file says beside the weights.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What there is to see of a task that could go from `local` to `remote`, before it is
    /// standardised: input in KB, cycles, round-trip time in seconds, load of the task node; with
    /// logarithmic features `ln(cycles)` and `ln(1 - load)`, in which the time on the task node is
    /// linear: `ln(C / (f (1 - load))) = ln C - ln(1 - load) - ln f`.
    pub fn row(
        features: PlacementFeatures,
        task: &Task,
        local: &SiteSight,
        remote: &SiteSight,
    ) -> [f64; FEATURES] {
        let (kilobytes, cycles) = (task.input_bytes as f64 / 1e3, task.cycles as f64);
        match features {
            PlacementFeatures::Raw | PlacementFeatures::Standardised => {
                [kilobytes, cycles, remote.rtt_s, local.load]
            }
            PlacementFeatures::Logarithmic => {
                [kilobytes, libm::log(cycles), remote.rtt_s, libm::log(1.0 - local.load)]
            }
        }
    }

    /// By how much the network is for offloading: the logit of "offload" less that of "local", 0
    /// where that is no number.
    pub fn margin(
        &self,
        task: &Task,
        local: &SiteSight,
        remote: &SiteSight,
        scratch: &mut Scratch,
    ) -> f64 {
        let row = DecisionModel::row(self.features, task, local, remote);
        let mut scores = [0.0; FEATURES];
        match &self.standardiser {
            Some(standardiser) => standardiser.apply(&row, &mut scores),
            None => scores = row.map(|value| value as f32),
        }
        let logits = self.network.infer(&scores, scratch);
        let margin = f64::from(logits[1]) - f64::from(logits[0]);
        if margin.is_nan() { 0.0 } else { margin }
    }
}

/// The one of `all` that is called `found`.
fn named<T: Copy>(
    entry: &'static str,
    found: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, DecisionModelError> {
    all.iter().copied().find(|one| name(*one) == found).ok_or_else(|| {
        let expected: Vec<String> = all.iter().map(|one| format!("\"{}\"", name(*one))).collect();
        let expected = expected.join(" or ");
        DecisionModelError::Other { entry, found: found.into(), expected }
    })
}

//! `learned`: a decision network that was trained before the run.

use fogbit_neural::{Network, Scratch, Standardiser};
use fogbit_scenario::placement::{Execution, Site, SiteSight, Task};
use fogbit_scenario::topology::PlacementFeatures;

use super::PlacementPolicy;

/// Number of features of a decision network.
pub const DECISION_FEATURES: usize = 4;

/// What a decision network sees of a task that may go to the helper node seen as `remote`: input in
/// KB, cycles, round-trip time in seconds, load of the task node. With
/// [`PlacementFeatures::Logarithmic`] the second is the logarithm of the cycles and the last that of
/// `1 - load`. Standardising comes after it.
pub fn decision_row(
    features: PlacementFeatures,
    task: &Task,
    local: &SiteSight,
    remote: &SiteSight,
) -> [f64; DECISION_FEATURES] {
    let (kb, cycles) = (task.input_bytes as f64 / 1e3, task.cycles as f64);
    match features {
        PlacementFeatures::Raw | PlacementFeatures::Standardised => {
            [kb, cycles, remote.rtt_s, local.load]
        }
        PlacementFeatures::Logarithmic => {
            [kb, libm::log(cycles), remote.rtt_s, libm::log(1.0 - local.load)]
        }
    }
}

/// A task is offloaded where the network's second logit is above its first; of several helper nodes
/// to the one where it is furthest above.
#[derive(Debug, Clone)]
pub struct LearnedPolicy {
    network: Network,
    standardiser: Option<Standardiser>,
    features: PlacementFeatures,
    scratch: Scratch,
    scores: Vec<f64>,
}

/// The network does not fit its purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a decision network has {DECISION_FEATURES} inputs, as many in its standardiser, and 2 \
     outputs; this one has {inputs}, {standardised:?} and {outputs}"
)]
pub struct Misfit {
    /// What it has.
    pub inputs: usize,
    /// Features of its standardiser, if it has one.
    pub standardised: Option<usize>,
    /// What comes out.
    pub outputs: usize,
}

impl LearnedPolicy {
    /// The policy of a network that was trained on `features`, standardised if there is a
    /// standardiser. Its logits are those of "local" and "offload".
    ///
    /// # Errors
    /// If the network takes or gives something else.
    pub fn new(
        network: Network,
        standardiser: Option<Standardiser>,
        features: PlacementFeatures,
    ) -> Result<LearnedPolicy, Misfit> {
        let (inputs, outputs) = (network.inputs(), network.outputs());
        let standardised = standardiser.as_ref().map(Standardiser::width);
        let fits = standardised.is_none_or(|width| width == DECISION_FEATURES);
        if inputs != DECISION_FEATURES || outputs != 2 || !fits {
            return Err(Misfit { inputs, standardised, outputs });
        }
        let scratch = network.scratch();
        Ok(LearnedPolicy { network, standardiser, features, scratch, scores: Vec::new() })
    }

    /// By how much the logit of "offload" is above that of "local".
    fn margin(&mut self, task: &Task, local: &SiteSight, remote: &SiteSight) -> f64 {
        let row = decision_row(self.features, task, local, remote);
        let mut input = row.map(|value| value as f32);
        if let Some(standardiser) = &self.standardiser {
            standardiser.apply(&row, &mut input);
        }
        match self.network.infer(&input, &mut self.scratch) {
            [local, offload] => f64::from(*offload) - f64::from(*local),
            other => unreachable!("two outputs were checked, not {}", other.len()),
        }
    }
}

impl PlacementPolicy for LearnedPolicy {
    fn decide(&mut self, _slot: u64, task: &Task, sights: &[SiteSight]) -> Site {
        self.scores.clear();
        self.scores.push(0.0);
        for remote in &sights[1..] {
            let margin = self.margin(task, &sights[0], remote);
            self.scores.push(-margin);
        }
        super::least(&self.scores)
    }

    fn learn(&mut self, _slot: u64, _task: &Task, _sights: &[SiteSight], _done: &Execution) {}

    /// Scores, not seconds: 0 for the task node, and for each helper node its margin, negative
    /// where offloading is right.
    fn predictions(&self) -> &[f64] {
        &self.scores
    }
}

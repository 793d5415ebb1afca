//! How good a decision network is.

use fogbit_neural::{Confusion, area_under_curve};
use fogbit_policy::placement::DecisionModel;
use fogbit_scenario::placement::{Example, PlacementScenario};
use fogbit_scenario::topology::PlacementUnits;
use serde::Serialize;

use super::probes::Probe;

/// How a network does on tasks that it was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// How many tasks.
    pub tasks: u64,
    /// Share of tasks that are better offloaded.
    pub offload_share: f64,
    /// Answers against what is best.
    pub confusion: Counts,
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean of the shares of right answers where local is best and where offloading is; none where
    /// one of the two never is.
    pub balanced_accuracy: Option<f64>,
    /// Probability that a task that is better offloaded has the larger difference of logits than
    /// one that is not; none where one sort is missing.
    pub auc: Option<f64>,
    /// The only answer that was ever given, if there was one only: the network is then degenerate.
    pub only_answer: Option<&'static str>,
    /// What is lost against the best choice, by the model behind the labels.
    pub regret_s: Baselines,
    /// The same by the model with fixed units, where the labels are in those of the notebook.
    pub regret_fixed_s: Option<Baselines>,
    /// The tasks on which the notebook of seed 000 tries its network, where the topology is like it.
    pub probes: Vec<Probe>,
}

/// Answers against what is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Local is best, and the answer is local.
    pub local_local: u64,
    /// Local is best, and the answer is offload.
    pub local_offload: u64,
    /// Offloading is best, and the answer is local.
    pub offload_local: u64,
    /// Offloading is best, and the answer is offload.
    pub offload_offload: u64,
}

/// What somebody loses against the best choice, in seconds a task.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Loss {
    /// On average.
    pub mean: f64,
    /// At most.
    pub max: f64,
}

/// The network beside those who do not look at the task.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Baselines {
    /// The network.
    pub network: Loss,
    /// Whoever keeps every task.
    pub always_local: Loss,
    /// Whoever offloads every task.
    pub always_offload: Loss,
}

impl Evaluation {
    /// Judges `model` by `examples` of `scenario`, at least one.
    pub fn of(
        model: &DecisionModel,
        scenario: &PlacementScenario,
        examples: &[Example],
    ) -> Evaluation {
        let cost = scenario.cost_model();
        let mut scratch = model.network().scratch();
        let margins: Vec<f64> = examples
            .iter()
            .map(|e| model.margin(&e.task, &e.local, &e.remote, &mut scratch))
            .collect();
        let expected = |units| examples.iter().map(move |e| e.expected_s(&cost, units));
        let best: Vec<bool> =
            expected(model.units()).map(|[local, offload]| offload < local).collect();
        let mut confusion = Confusion::default();
        margins.iter().zip(&best).for_each(|(margin, best)| confusion.add(*margin > 0.0, *best));
        let notebook = model.units() == PlacementUnits::Notebook;
        let fixed = expected(PlacementUnits::Fixed);
        Evaluation {
            tasks: examples.len() as u64,
            offload_share: best.iter().filter(|best| **best).count() as f64 / best.len() as f64,
            confusion: Counts {
                local_local: confusion.true_negative,
                local_offload: confusion.false_positive,
                offload_local: confusion.false_negative,
                offload_offload: confusion.true_positive,
            },
            accuracy: confusion.accuracy().unwrap_or_default(),
            balanced_accuracy: confusion.balanced_accuracy(),
            auc: area_under_curve(&margins, &best),
            only_answer: confusion.is_degenerate().then(|| answer(margins[0] > 0.0)),
            regret_s: Baselines::of(&margins, expected(model.units())),
            regret_fixed_s: notebook.then(|| Baselines::of(&margins, fixed)),
            probes: Probe::all(model, scenario),
        }
    }
}

/// An answer in a word.
pub(super) fn answer(offload: bool) -> &'static str {
    if offload { "offload" } else { "local" }
}

impl Baselines {
    /// `expected` are the latencies of each task, here and elsewhere.
    fn of(margins: &[f64], expected: impl Iterator<Item = [f64; 2]>) -> Baselines {
        let mut all = Baselines::default();
        for (margin, [local, offload]) in margins.iter().zip(expected) {
            let best = local.min(offload);
            all.network.add(if *margin > 0.0 { offload } else { local } - best);
            all.always_local.add(local - best);
            all.always_offload.add(offload - best);
        }
        for loss in [&mut all.network, &mut all.always_local, &mut all.always_offload] {
            loss.mean /= margins.len() as f64;
        }
        all
    }
}

impl Loss {
    /// One more task; the mean is a sum until it is divided.
    fn add(&mut self, seconds: f64) {
        self.mean += seconds;
        self.max = self.max.max(seconds);
    }
}

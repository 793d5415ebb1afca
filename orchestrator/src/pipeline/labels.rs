//! The best placements of the applications of a run, by which all policies are judged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fogbit_policy::pipeline::{Optimum, SearchPolicy, Sight};
use fogbit_scenario::pipeline::PipelineInstance;
use fogbit_scenario::topology::SearchMethod;

/// Seeds whose labels are kept: more than are played at once.
const KEPT: usize = 32;

/// The labels of one seed, by application.
pub type SeedLabels = Arc<OnceLock<Vec<Optimum>>>;

/// The labels of the seeds that are being played. They are found once for all policies, when the first
/// trial of a seed asks.
#[derive(Debug, Clone, Default)]
pub struct Labels(Arc<Mutex<VecDeque<(u64, SeedLabels)>>>);

impl Labels {
    /// The labels of `instance`, found or not.
    pub fn of(&self, instance: &PipelineInstance) -> SeedLabels {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, labels)) = kept.iter().find(|(seed, _)| *seed == instance.seed) {
            return Arc::clone(labels);
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        let labels = SeedLabels::default();
        kept.push_back((instance.seed, Arc::clone(&labels)));
        labels
    }
}

/// The best placement of every application of `instance`, by branch and bound.
pub fn labels(instance: &PipelineInstance) -> Vec<Optimum> {
    let mut search = SearchPolicy::new(SearchMethod::BranchAndBound);
    let best = |number| {
        let (application, conditions) = (instance.application(number), instance.conditions(number));
        search.optimum(&Sight { number, application: &application, conditions: &conditions })
    };
    (1..=instance.applications).map(best).collect()
}

//! The best placements of the applications of a run, by which all policies are judged.
//!
//! They are found a few at a time, when the first trial of a seed comes to them: a trial can be stopped
//! in between, and memory does not grow with its length.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fogbit_policy::pipeline::{Optimum, SearchPolicy, Sight};
use fogbit_scenario::pipeline::PipelineInstance;
use fogbit_scenario::topology::SearchMethod;

/// Seeds whose labels are kept: more than are played at once.
const KEPT_SEEDS: usize = 32;
/// Applications whose labels are found at once.
const AT_ONCE: u64 = 16;
/// So many times [`AT_ONCE`] are kept of a seed, the first ones: some 2 MB. Each trial finds later ones
/// by itself.
const KEPT_OF_SEED: usize = 1024;

/// The labels of [`AT_ONCE`] applications, fewer at the end of a trial.
type Piece = Arc<Vec<Optimum>>;

/// The labels of one seed that were found so far, by number of the first application over [`AT_ONCE`].
type OfSeed = Arc<Mutex<BTreeMap<u64, Piece>>>;

/// The labels of the seeds that are being played: what one policy's trial has found is there for the
/// others.
#[derive(Debug, Clone, Default)]
pub struct Labels(Arc<Mutex<VecDeque<(u64, OfSeed)>>>);

impl Labels {
    /// The labels of `instance`, as far as they are found.
    pub fn of(&self, instance: &PipelineInstance) -> SeedLabels {
        let mut kept = lock(&self.0);
        let found = kept.iter().find(|(seed, _)| *seed == instance.seed);
        let all = found.map(|(_, labels)| Arc::clone(labels)).unwrap_or_else(|| {
            if kept.len() == KEPT_SEEDS {
                kept.pop_front();
            }
            let labels = OfSeed::default();
            kept.push_back((instance.seed, Arc::clone(&labels)));
            labels
        });
        SeedLabels { all, current: None, search: SearchPolicy::new(SearchMethod::BranchAndBound) }
    }
}

/// The labels of one seed, for one trial.
#[derive(Debug)]
pub struct SeedLabels {
    all: OfSeed,
    current: Option<(u64, Piece)>,
    search: SearchPolicy,
}

impl SeedLabels {
    /// The best placement of application `number` of `instance`, from 1.
    pub fn label(&mut self, instance: &PipelineInstance, number: u64) -> Optimum {
        let place = (number - 1) / AT_ONCE;
        let labels = match &self.current {
            Some((at, labels)) if *at == place => Arc::clone(labels),
            _ => {
                let labels = self.find(instance, place);
                self.current = Some((place, Arc::clone(&labels)));
                labels
            }
        };
        labels[((number - 1) % AT_ONCE) as usize].clone()
    }

    fn find(&mut self, instance: &PipelineInstance, place: u64) -> Piece {
        if let Some(labels) = lock(&self.all).get(&place) {
            return Arc::clone(labels);
        }
        let first = place * AT_ONCE + 1;
        let numbers = first..=(first + AT_ONCE - 1).min(instance.applications);
        let labels: Piece = Arc::new(numbers.map(|number| self.best(instance, number)).collect());
        let mut all = lock(&self.all);
        if all.len() < KEPT_OF_SEED {
            all.insert(place, Arc::clone(&labels));
        }
        labels
    }

    fn best(&mut self, instance: &PipelineInstance, number: u64) -> Optimum {
        let (application, conditions) = (instance.application(number), instance.conditions(number));
        self.search.optimum(&Sight { number, application: &application, conditions: &conditions })
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

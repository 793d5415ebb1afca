//! The best placements of the applications of a run, by which all policies are judged.
//!
//! Each is found when the first trial of a seed comes to it: a trial can be stopped in between, and
//! memory does not grow with its length.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use fogbit_policy::pipeline::{Optimum, SearchPolicy, Sight, TooHard};
use fogbit_scenario::pipeline::PipelineInstance;
use fogbit_scenario::topology::SearchMethod;

/// Seeds whose labels are kept: more than are played at once.
const KEPT_SEEDS: usize = 32;
/// Labels of so many applications lie together.
const TOGETHER: u64 = 16;
/// So many times [`TOGETHER`] are kept of a seed, the first ones: some 2 MB. Each trial finds later ones
/// by itself.
const KEPT_OF_SEED: usize = 1024;

/// The labels of [`TOGETHER`] applications, as far as a trial has come to them.
type Piece = Arc<[OnceLock<Result<Optimum, TooHard>>; TOGETHER as usize]>;

/// The labels of one seed that were found so far, by number of the first application over
/// [`TOGETHER`].
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
    ///
    /// # Errors
    /// If branch and bound gives up.
    pub fn label(&mut self, instance: &PipelineInstance, number: u64) -> Result<Optimum, TooHard> {
        let place = (number - 1) / TOGETHER;
        let piece = match &self.current {
            Some((at, piece)) if *at == place => Arc::clone(piece),
            _ => self.piece(place),
        };
        self.current = Some((place, Arc::clone(&piece)));
        let label = &piece[((number - 1) % TOGETHER) as usize];
        label.get_or_init(|| self.best(instance, number)).clone()
    }

    fn piece(&self, place: u64) -> Piece {
        let mut all = lock(&self.all);
        match all.get(&place) {
            Some(piece) => Arc::clone(piece),
            None if all.len() < KEPT_OF_SEED => Arc::clone(all.entry(place).or_default()),
            None => Piece::default(),
        }
    }

    fn best(&mut self, instance: &PipelineInstance, number: u64) -> Result<Optimum, TooHard> {
        let (application, conditions) = (instance.application(number), instance.conditions(number));
        self.search.optimum(&Sight { number, application: &application, conditions: &conditions })
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Plays units over all cores. Workers take trial after trial from one list, so that they stay busy
//! until it is at its end; whoever ends the last trial of a unit writes its file. What a unit holds
//! does not depend on who played which trial, or when.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::dir::SweepDir;
use super::plan::{SweepPlan, Unit};
use super::problem::{PointPlay, TrialOutcome, TrialWatch};
use super::unit::UnitResults;
use crate::exit::Failure;
use crate::results::ResultsError;

/// What is to be played, and where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Job<'j> {
    /// The sweep.
    pub plan: &'j SweepPlan,
    /// The resolved topology of each point.
    pub topologies: &'j [String],
    /// Where units go.
    pub dir: &'j SweepDir,
    /// The units to play, in their order.
    pub units: &'j [Unit],
    /// How many trials go on side by side.
    pub jobs: usize,
    /// Grows to [`Job::cost`].
    pub done: &'j AtomicU64,
    /// Set to stop as soon as possible.
    pub stop: &'j Arc<AtomicBool>,
}

/// Why a sweep cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// A unit's file cannot be written.
    #[error(transparent)]
    Write(#[from] ResultsError),
    /// A point's topology, or something that it needs, cannot be read any more.
    #[error("{}", .0.told())]
    Point(Failure),
    /// A trial could not be played.
    #[error("{0}")]
    Trial(String),
}

impl Job<'_> {
    /// What all trials together cost.
    pub fn cost(&self) -> u64 {
        let played = &self.plan.played;
        self.units
            .iter()
            .map(|unit| played.points[unit.point].cost() * played.seeds_of(*unit).len() as u64)
            .sum()
    }

    fn trials(&self, unit: Unit) -> usize {
        let played = &self.plan.played;
        played.points[unit.point].policies.len() * played.seeds_of(unit).len()
    }

    /// Plays until everything is done or it is stopped; what was written before stays. Says how
    /// many units have trials that failed.
    ///
    /// # Errors
    /// The first thing that went wrong; the others stop then.
    pub fn play(&self) -> Result<u64, PlayError> {
        let mut end = 0;
        let ends: Vec<usize> = self
            .units
            .iter()
            .map(|unit| {
                end += self.trials(*unit);
                end
            })
            .collect();
        let work = Work {
            job: self,
            ends: &ends,
            next: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            pending: self.units.iter().map(|_| Mutex::default()).collect(),
            plans: self.plan.played.points.iter().map(|_| Mutex::default()).collect(),
        };
        let jobs = self.jobs.min(end).max(1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(|| work.work())).collect();
            let mut first = Ok(());
            for worker in workers {
                match worker.join() {
                    Ok(result) => first = first.and(result),
                    Err(panic) => resume_unwind(panic),
                }
            }
            first.map(|()| work.failed.load(Ordering::Relaxed))
        })
    }
}

/// What workers share.
struct Work<'w> {
    job: &'w Job<'w>,
    /// For each unit the number of the trial after its last one.
    ends: &'w [usize],
    /// The next trial that nobody has taken.
    next: AtomicU64,
    /// Units with trials that failed.
    failed: AtomicU64,
    /// What is there of units that are under way.
    pending: Vec<Mutex<Pending>>,
    /// Points that somebody is playing: read when they are first needed, forgotten afterwards.
    plans: Vec<Mutex<Option<Weak<dyn PointPlay>>>>,
}

/// The trials of a unit that have ended.
#[derive(Debug, Default)]
struct Pending {
    trials: Vec<Option<(u64, TrialOutcome)>>,
    ended: usize,
}

/// A worker that panics leaves nothing half done behind its lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops the others where a worker ends for another reason than that all is done.
struct StopOthers<'s>(&'s AtomicBool);

impl Drop for StopOthers<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Work<'_> {
    fn work(&self) -> Result<(), PlayError> {
        let _guard = StopOthers(self.job.stop);
        let all = self.ends.last().copied().unwrap_or(0);
        let mut at_hand: Option<(usize, Arc<dyn PointPlay>)> = None;
        loop {
            let trial = self.next.fetch_add(1, Ordering::Relaxed) as usize;
            if trial >= all || self.job.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let unit = self.ends.partition_point(|end| *end <= trial);
            let result = self.trial(trial, unit, &mut at_hand);
            if result.is_err() {
                self.job.stop.store(true, Ordering::Relaxed);
                return result;
            }
        }
    }

    /// Plays one trial of the unit at `index`, and writes the unit if it was its last.
    fn trial(
        &self,
        trial: usize,
        index: usize,
        at_hand: &mut Option<(usize, Arc<dyn PointPlay>)>,
    ) -> Result<(), PlayError> {
        let unit = self.job.units[index];
        let count = self.job.trials(unit);
        let within = trial + count - self.ends[index];
        let played = &self.job.plan.played;
        let (point, seeds) = (&played.points[unit.point], played.seeds_of(unit));
        let plan = match at_hand {
            Some((known, plan)) if *known == unit.point => Arc::clone(plan),
            _ => self.plan(unit.point)?,
        };
        *at_hand = Some((unit.point, Arc::clone(&plan)));
        // Policies of one seed one after the other: of a policy that is slow, seeds are dealt out.
        let (at, policy) = (within / point.policies.len(), within % point.policies.len());
        let seed = seeds[at];
        let (done, stop) = (self.job.done, self.job.stop);
        let watch = TrialWatch { done, weight: point.slot_cost, stop };
        let outcome = plan.play(policy, seed, &watch).map_err(|error| {
            let name = &point.policies[policy].name;
            PlayError::Trial(format!("{name} with seed {seed}: {error}"))
        })?;

        let trials = {
            let mut pending = lock(&self.pending[index]);
            pending.trials.resize_with(count, || None);
            pending.trials[policy * seeds.len() + at] = Some((seed, outcome));
            pending.ended += 1;
            if pending.ended < count {
                return Ok(());
            }
            std::mem::take(&mut pending.trials)
        };
        let trials = trials.into_iter().flatten().collect();
        let Some(results) = UnitResults::of(played.said(), point, trials, seeds.len()) else {
            return Ok(());
        };
        self.failed.fetch_add(results.failed().into(), Ordering::Relaxed);
        let bytes = results.to_bytes(&self.job.plan.digest, &played.unit_file(unit));
        Ok(self.job.dir.write_unit(self.job.plan, unit, &bytes)?)
    }

    fn plan(&self, point: usize) -> Result<Arc<dyn PointPlay>, PlayError> {
        let mut known = lock(&self.plans[point]);
        if let Some(plan) = known.as_ref().and_then(Weak::upgrade) {
            return Ok(plan);
        }
        let (played, text) = (&self.job.plan.played, &self.job.topologies[point]);
        let plan = played.load(point, self.job.dir.path(), text).map_err(PlayError::Point)?;
        *known = Some(Arc::downgrade(&plan));
        Ok(plan)
    }
}

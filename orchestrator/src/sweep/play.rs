//! Plays units over all cores. Workers take trial after trial from one list, so that they stay busy
//! until it is at its end; whoever ends the last trial of a unit writes its file. What a unit holds
//! does not depend on who played which trial, or when.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use fogbit_scenario::Faults;

use super::dir::SweepDir;
use super::plan::{SweepPlan, Unit};
use super::unit::UnitResults;
use crate::backend::sim::{self, Playing, Watcher};
use crate::ledger::Ledger;
use crate::plan::{Plan, TrialResult};
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
    /// A point's topology cannot be read any more.
    #[error("{0}")]
    Topology(#[from] Faults),
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
    plans: Vec<Mutex<Weak<Plan>>>,
}

/// The trials of a unit that have ended.
#[derive(Debug, Default)]
struct Pending {
    trials: Vec<Option<TrialResult>>,
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
        let mut at_hand: Option<(usize, Arc<Plan>)> = None;
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
        at_hand: &mut Option<(usize, Arc<Plan>)>,
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
        let (seed, policy) = (within / plan.policies.len(), within % plan.policies.len());
        let result = self.play_trial(&plan, policy, seeds[seed], point.slot_cost())?;

        let trials = {
            let mut pending = lock(&self.pending[index]);
            pending.trials.resize_with(count, || None);
            pending.trials[policy * seeds.len() + seed] = Some(result);
            pending.ended += 1;
            if pending.ended < count {
                return Ok(());
            }
            std::mem::take(&mut pending.trials)
        };
        let trials = trials.into_iter().flatten().collect();
        let Some(results) = UnitResults::of(&plan, trials, seeds.len()) else { return Ok(()) };
        self.failed.fetch_add(results.failed().into(), Ordering::Relaxed);
        let bytes = results.to_bytes(&self.job.plan.digest, &played.unit_file(unit));
        Ok(self.job.dir.write_unit(self.job.plan, unit, &bytes)?)
    }

    fn play_trial(
        &self,
        plan: &Plan,
        policy: usize,
        seed: u64,
        weight: u64,
    ) -> Result<TrialResult, PlayError> {
        let instance = plan.scenario.instance(seed);
        let (curve_slots, marks) = (Arc::clone(&plan.curve_slots), Arc::clone(&plan.marks));
        let failed = |error: String| {
            PlayError::Trial(format!("{} with seed {seed}: {error}", plan.policies[policy].name))
        };
        let ledger = Ledger::new(&instance, curve_slots, marks, None)
            .map_err(|error| failed(error.to_string()))?;
        let playing = Playing {
            plan,
            policy,
            instance: &instance,
            watcher: Watcher::Counter { done: self.job.done, weight },
            pace: None,
            stop: self.job.stop,
        };
        sim::play_trial(playing, ledger, None).map_err(|error| failed(error.to_string()))
    }

    fn plan(&self, point: usize) -> Result<Arc<Plan>, PlayError> {
        let mut known = lock(&self.plans[point]);
        if let Some(plan) = known.upgrade() {
            return Ok(plan);
        }
        let text = &self.job.topologies[point];
        let plan = Arc::new(self.job.plan.played.points[point].load(self.job.dir.path(), text)?);
        *known = Arc::downgrade(&plan);
        Ok(plan)
    }
}

//! Real work: threads that take tasks from one queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fogbit_neural::Classifier;
use fogbit_scenario::work::ComputeSpec;
use fogbit_transport::compute::ComputeTimes;
use tokio::sync::oneshot;

use super::clock::{nanoseconds, now};
use super::error::ComputeError;
use super::images::Labour;
use super::service::{Admitted, ComputeState, ComputeTask, Finished, Reply};

/// Threads that work.
#[derive(Debug)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    spec: ComputeSpec,
    /// What does the work, where that is to classify pictures.
    classifier: Option<Arc<Classifier>>,
    state: Mutex<State>,
    /// There is a task, or there will never be one again.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    next: u64,
    waiting: VecDeque<Job>,
    running: BTreeMap<u64, Running>,
    /// Why there are no more tasks.
    closed: Option<ComputeError>,
}

#[derive(Debug)]
struct Job {
    id: u64,
    task: ComputeTask,
    arrived: Instant,
    deadline: Option<Instant>,
    stop: Arc<Stop>,
    reply: Reply,
}

/// A task that a worker has taken.
#[derive(Debug)]
struct Running {
    stop: Arc<Stop>,
    begun: Instant,
    scheduled_ns: u64,
}

impl Pool {
    /// Idle workers, who classify pictures if there is a `classifier`.
    pub(super) fn new(
        spec: ComputeSpec,
        classifier: Option<Arc<Classifier>>,
    ) -> std::io::Result<Pool> {
        let state =
            State { next: 0, waiting: VecDeque::new(), running: BTreeMap::new(), closed: None };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let shared = Arc::new(Shared { spec, classifier, state, changed });
        let pool = Pool(Arc::clone(&shared));
        for worker in 0..spec.workers {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("work-{worker}"));
            // If there are not enough threads, dropping the pool ends those that there are.
            thread.spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// Takes a task, if there is room.
    pub(super) fn admit(&self, task: ComputeTask) -> Result<Admitted, ComputeError> {
        let spec = &self.0.spec;
        let mut state = self.0.state();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        // Idle workers are about to take what waits.
        let places = spec.workers as usize + spec.queue_limit as usize;
        if state.waiting.len() + state.running.len() >= places {
            return Err(ComputeError::QueueFull(spec.queue_limit));
        }
        if task.deadline_ns.is_some_and(|deadline| spec.service_ns(task.work.cycles) > deadline) {
            return Err(ComputeError::DeadlineMissed);
        }
        let arrived = now();
        // One so far away that no clock shows it is none.
        let deadline =
            task.deadline_ns.and_then(|ns| arrived.checked_add(Duration::from_nanos(ns)));
        let (reply, end) = oneshot::channel();
        let (id, stop) = (state.next, Arc::new(Stop::default()));
        state.next += 1;
        state.waiting.push_back(Job { id, task, arrived, deadline, stop, reply });
        self.0.changed.notify_one();
        Ok(Admitted { id, end, deadline })
    }

    /// Takes a task back: at once if it waits, and at its next question if it is under way.
    pub(super) fn cancel(&self, id: u64) {
        let mut state = self.0.state();
        if let Some(running) = state.running.get(&id) {
            running.stop.set();
        }
        state.waiting.retain(|job| job.id != id);
    }

    /// Ends everything.
    pub(super) fn close(&self, error: &ComputeError) {
        let mut state = self.0.state();
        state.closed = Some(error.clone());
        for job in state.waiting.drain(..) {
            let _ = job.reply.send(Err(error.clone()));
        }
        for running in state.running.values() {
            running.stop.set();
        }
        self.0.changed.notify_all();
    }

    /// The wait counts from what each worker should have left by its speed; first come, first
    /// served.
    pub(super) fn state(&self) -> ComputeState {
        let state = self.0.state();
        let mut left: Vec<u64> = state
            .running
            .values()
            .map(|task| task.scheduled_ns.saturating_sub(nanoseconds(task.begun.elapsed())))
            .collect();
        left.resize(self.0.spec.workers as usize, 0);
        for job in &state.waiting {
            let first = left.iter_mut().min().expect("there is a worker");
            *first = first.saturating_add(self.0.spec.service_ns(job.task.work.cycles));
        }
        let wait_ns = left.into_iter().min().unwrap_or(0);
        ComputeState { running: state.running.len(), waiting: state.waiting.len(), wait_ns }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close(&ComputeError::Cancelled);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a worker does all its life.
    fn work(&self) {
        let mut labour = Labour::new(self.classifier.as_ref());
        while let Some((job, begun, scheduled_ns)) = self.take() {
            let end = job.run(&mut labour, begun, scheduled_ns);
            self.state().running.remove(&job.id);
            let _ = job.reply.send(end);
        }
    }

    /// The next task, when it begins, and what it takes; `None` if there will be none.
    fn take(&self) -> Option<(Job, Instant, u64)> {
        let mut state = self.state();
        loop {
            if state.closed.is_some() {
                return None;
            }
            if let Some(job) = state.waiting.pop_front() {
                let (begun, scheduled_ns) = (now(), self.spec.service_ns(job.task.work.cycles));
                let stop = Arc::clone(&job.stop);
                state.running.insert(job.id, Running { stop, begun, scheduled_ns });
                return Some((job, begun, scheduled_ns));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Job {
    /// Does the work, and waits until a node of this speed would be done.
    fn run(
        &self,
        labour: &mut Labour,
        begun: Instant,
        scheduled_ns: u64,
    ) -> Result<Finished, ComputeError> {
        let scheduled_end = begun.checked_add(Duration::from_nanos(scheduled_ns));
        let too_late = |end: Option<Instant>| {
            self.deadline.is_some_and(|deadline| end.is_none_or(|end| end > deadline))
        };
        if too_late(scheduled_end) {
            return Err(ComputeError::DeadlineMissed);
        }
        let mut go_on = || !self.stop.is_set() && !too_late(Some(now()));
        let Some(output) = labour.execute(&self.task, &mut go_on)? else {
            return Err(match self.stop.is_set() {
                true => ComputeError::Cancelled,
                false => ComputeError::DeadlineMissed,
            });
        };
        let executed_ns = nanoseconds(begun.elapsed());
        if too_late(Some(now())) {
            return Err(ComputeError::DeadlineMissed);
        }
        if self.stop.is_set_by(scheduled_end) {
            return Err(ComputeError::Cancelled);
        }
        let times = ComputeTimes {
            queued_ns: nanoseconds(begun.duration_since(self.arrived)),
            served_ns: nanoseconds(begun.elapsed()),
            executed_ns,
            scheduled_ns,
        };
        Ok(Finished { output, times })
    }
}

/// Tells a worker that its task is of no use any more.
#[derive(Debug, Default)]
struct Stop {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn set(&self) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn is_set(&self) -> bool {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `end` (for ever without one), or until it is set before that.
    fn is_set_by(&self, end: Option<Instant>) -> bool {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        while !*set {
            let left = end.map(|end| end.saturating_duration_since(now()));
            set = match left {
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    let waited = self.changed.wait_timeout(set, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(set).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }
}

//! Timed work: tasks that only take their time, first come, first served. No clock and no I/O: time
//! comes from outside, in integer nanoseconds of any epoch.

use std::collections::VecDeque;

use super::ComputeSpec;

/// A node's workers with their queue.
///
/// The schedule is known as soon as a task arrives: it starts when a worker is free and nobody
/// waits before it (the recursion of Kiefer and Wolfowitz, 1955). Only a task that is cancelled
/// changes it, and then no other task starts later than it would have.
#[derive(Debug, Clone)]
pub struct TimedServer {
    spec: ComputeSpec,
    /// No time that was heard of is later.
    now: u64,
    /// The number of the next task.
    next: u64,
    /// Tasks under way, at most one a worker.
    running: Vec<Planned>,
    /// Tasks that wait, in the order of their arrival and so of their start.
    waiting: VecDeque<Planned>,
    /// Tasks that are done and were not told yet.
    done: Vec<Planned>,
    /// When each worker has done all that it was given.
    free: Vec<u64>,
}

/// A task with its place in the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Its number: 0 for the first that was accepted.
    pub id: u64,
    /// When a worker begins with it, in nanoseconds.
    pub start_ns: u64,
    /// When it is done.
    pub finish_ns: u64,
}

/// Why a task was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As many tasks wait as may.
    #[error("the queue is full")]
    QueueFull,
    /// It would not be done by its deadline.
    #[error("it would be done at {finish_ns} ns, past its deadline")]
    DeadlineTooClose {
        /// When it would have been done.
        finish_ns: u64,
    },
}

impl TimedServer {
    /// An idle node.
    ///
    /// # Panics
    /// If `spec` is out of bounds ([`ComputeSpec::check`]).
    pub fn new(spec: ComputeSpec) -> TimedServer {
        spec.check().expect("whoever makes a server has checked what it is");
        TimedServer {
            spec,
            now: 0,
            next: 0,
            running: Vec::new(),
            waiting: VecDeque::new(),
            done: Vec::new(),
            free: vec![0; spec.workers as usize],
        }
    }

    /// Changes the share of each worker that others take, for tasks to come (0 to below 1).
    pub fn set_load(&mut self, load: f64) {
        debug_assert!((0.0..1.0).contains(&load), "a load of {load}");
        self.spec.load = load;
    }

    /// Takes a task of `cycles` that arrives at `now_ns`, if there is room and it would be done by
    /// `deadline_ns`. A time earlier than one that was told before counts as that.
    ///
    /// Tasks that were done by then are forgotten: whoever wants to hear of them asks
    /// [`take_finished`](Self::take_finished) first.
    ///
    /// # Errors
    /// Why it is not taken; nothing has changed then.
    pub fn arrive(
        &mut self,
        now_ns: u64,
        cycles: u64,
        deadline_ns: Option<u64>,
    ) -> Result<Planned, Refusal> {
        self.advance(now_ns);
        self.done.clear();
        let worker = self.first_free();
        if self.free[worker] > self.now && self.waiting.len() >= self.spec.queue_limit as usize {
            return Err(Refusal::QueueFull);
        }
        let service_ns = self.spec.service_ns(cycles);
        let start_ns = self.free[worker].max(self.now);
        let finish_ns = start_ns.saturating_add(service_ns);
        if deadline_ns.is_some_and(|deadline| finish_ns > deadline) {
            return Err(Refusal::DeadlineTooClose { finish_ns });
        }
        let planned = Planned { id: self.next, start_ns, finish_ns };
        self.next += 1;
        self.free[worker] = finish_ns;
        match start_ns <= self.now {
            true => self.running.push(planned),
            false => self.waiting.push_back(planned),
        }
        Ok(planned)
    }

    /// Takes a task back at `now_ns`: one that waits leaves its place, one under way its worker, and
    /// those behind it move up. Whether there was such a task and it was not done yet.
    ///
    /// Tasks that were done by then are kept for [`take_finished`](Self::take_finished).
    pub fn cancel(&mut self, id: u64, now_ns: u64) -> bool {
        self.advance(now_ns);
        if let Some(at) = self.running.iter().position(|task| task.id == id) {
            self.running.remove(at);
        } else if let Ok(at) = self.waiting.binary_search_by_key(&id, |task| task.id) {
            self.waiting.remove(at);
        } else {
            return false;
        }
        self.plan_anew();
        true
    }

    /// The tasks that are done by `now_ns` and were not told yet, in the order in which they were.
    pub fn take_finished(&mut self, now_ns: u64) -> Vec<Planned> {
        self.advance(now_ns);
        let mut done = std::mem::take(&mut self.done);
        done.sort_unstable_by_key(|task| (task.finish_ns, task.id));
        done
    }

    /// When the next task will be done, as things stand; one that is done and not told yet counts.
    pub fn next_finish_ns(&self) -> Option<u64> {
        // No task that waits is done before every worker has done something else.
        self.done.iter().chain(&self.running).map(|task| task.finish_ns).min()
    }

    /// The place of a task that is not done yet; an earlier one than at its arrival, if another was
    /// cancelled.
    pub fn planned(&self, id: u64) -> Option<Planned> {
        let at = self.waiting.binary_search_by_key(&id, |task| task.id).ok();
        at.map(|at| self.waiting[at])
            .or_else(|| self.running.iter().find(|task| task.id == id).copied())
    }

    /// How long a task that arrived at `now_ns` would wait for a worker, in nanoseconds.
    pub fn wait_ns(&self, now_ns: u64) -> u64 {
        self.free[self.first_free()].saturating_sub(now_ns.max(self.now))
    }

    /// How many tasks are under way at `now_ns`, and how many wait.
    pub fn tasks(&mut self, now_ns: u64) -> (usize, usize) {
        self.advance(now_ns);
        (self.running.len(), self.waiting.len())
    }

    /// The worker that is free first; of several the first.
    fn first_free(&self) -> usize {
        let least = self.free.iter().enumerate().min_by_key(|&(_, free)| *free);
        least.map(|(worker, _)| worker).expect("there is a worker")
    }

    fn advance(&mut self, now_ns: u64) {
        self.now = self.now.max(now_ns);
        while let Some(task) = self.waiting.front().copied() {
            if task.start_ns > self.now {
                break;
            }
            self.waiting.pop_front();
            self.running.push(task);
        }
        let now = self.now;
        self.done.extend(self.running.extract_if(.., |task| task.finish_ns <= now));
    }

    /// Gives the tasks that wait to the workers again, in their order.
    fn plan_anew(&mut self) {
        self.free.fill(self.now);
        for (free, task) in self.free.iter_mut().zip(&self.running) {
            *free = task.finish_ns;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        for task in &mut waiting {
            let worker = self.first_free();
            let service_ns = task.finish_ns - task.start_ns;
            task.start_ns = self.free[worker];
            task.finish_ns = task.start_ns.saturating_add(service_ns);
            self.free[worker] = task.finish_ns;
        }
        self.waiting = waiting;
        // One whose worker has just become free starts now.
        self.advance(self.now);
    }
}

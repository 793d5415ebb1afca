//! Timed work: the schedule of [`TimedServer`], kept by one timer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fogbit_scenario::work::{ComputeSpec, Refusal, TimedServer};
use fogbit_transport::compute::ComputeTimes;
use fogbit_transport::timer::Timer;
use tokio::sync::{Notify, oneshot};

use super::clock::{nanoseconds, now};
use super::error::ComputeError;
use super::service::{Admitted, ComputeState, ComputeTask, Finished, Reply};

/// Workers that only let time pass.
#[derive(Debug)]
pub(super) struct Timed {
    shared: Arc<Shared>,
    keeper: tokio::task::AbortHandle,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The next task may be done at another time than the timer is set to.
    changed: Notify,
    /// Time 0 of the schedule.
    epoch: Instant,
    queue_limit: u32,
}

#[derive(Debug)]
struct State {
    server: TimedServer,
    tasks: BTreeMap<u64, Task>,
    /// Why there are no more tasks.
    closed: Option<ComputeError>,
}

#[derive(Debug)]
struct Task {
    reply: Reply,
    arrived_ns: u64,
    output_bytes: u64,
}

impl Timed {
    /// Idle workers. Must be made within a tokio runtime.
    pub(super) fn new(spec: ComputeSpec) -> std::io::Result<Timed> {
        let timer = Timer::new()?;
        let state = State { server: TimedServer::new(spec), tasks: BTreeMap::new(), closed: None };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Notify::new(),
            epoch: now(),
            queue_limit: spec.queue_limit,
        });
        let keeper = tokio::spawn(keep(Arc::clone(&shared), timer)).abort_handle();
        Ok(Timed { shared, keeper })
    }

    /// Takes a task, if it will be done in time.
    pub(super) fn admit(&self, task: &ComputeTask) -> Result<Admitted, ComputeError> {
        let shared = &self.shared;
        let mut state = shared.state();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        let now_ns = shared.now_ns();
        state.settle(now_ns);
        let deadline = task.deadline_ns.map(|deadline| now_ns.saturating_add(deadline));
        let planned =
            state.server.arrive(now_ns, task.work.cycles, deadline).map_err(
                |error| match error {
                    Refusal::QueueFull => ComputeError::QueueFull(shared.queue_limit),
                    Refusal::DeadlineTooClose { .. } => ComputeError::DeadlineMissed,
                },
            )?;
        let (reply, end) = oneshot::channel();
        let output_bytes = task.output_bytes;
        state.tasks.insert(planned.id, Task { reply, arrived_ns: now_ns, output_bytes });
        if state.server.next_finish_ns() == Some(planned.finish_ns) {
            shared.changed.notify_one();
        }
        // The schedule keeps the deadline.
        Ok(Admitted { id: planned.id, end, deadline: None })
    }

    /// Takes a task back.
    pub(super) fn cancel(&self, id: u64) {
        let mut state = self.shared.state();
        state.server.cancel(id, self.shared.now_ns());
        state.tasks.remove(&id);
        self.shared.changed.notify_one();
    }

    /// Ends everything.
    pub(super) fn close(&self, error: &ComputeError) {
        self.shared.close(error);
    }

    pub(super) fn state(&self) -> ComputeState {
        let mut state = self.shared.state();
        let now_ns = self.shared.now_ns();
        let (running, waiting) = state.server.tasks(now_ns);
        ComputeState { running, waiting, wait_ns: state.server.wait_ns(now_ns) }
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ns(&self) -> u64 {
        nanoseconds(self.epoch.elapsed())
    }

    fn close(&self, error: &ComputeError) {
        let mut state = self.state();
        let now_ns = self.now_ns();
        state.settle(now_ns);
        state.closed = Some(error.clone());
        for (id, task) in std::mem::take(&mut state.tasks) {
            state.server.cancel(id, now_ns);
            let _ = task.reply.send(Err(error.clone()));
        }
    }
}

impl State {
    /// Answers the tasks that are done.
    fn settle(&mut self, now_ns: u64) {
        for done in self.server.take_finished(now_ns) {
            let Some(task) = self.tasks.remove(&done.id) else { continue };
            let times = ComputeTimes {
                queued_ns: done.start_ns.saturating_sub(task.arrived_ns),
                served_ns: now_ns.saturating_sub(done.start_ns),
                executed_ns: 0,
                scheduled_ns: done.finish_ns - done.start_ns,
            };
            // It was within the payload limit, so it is a length.
            let output = vec![0; task.output_bytes as usize];
            let _ = task.reply.send(Ok(Finished { output, times }));
        }
    }
}

/// Answers each task when it is done.
async fn keep(shared: Arc<Shared>, mut timer: Timer) {
    loop {
        let due_ns = {
            let mut state = shared.state();
            state.settle(shared.now_ns());
            state.server.next_finish_ns()
        };
        let Some(due_ns) = due_ns else {
            shared.changed.notified().await;
            continue;
        };
        tokio::select! {
            biased;
            () = shared.changed.notified() => {}
            waited = timer.until(shared.epoch + Duration::from_nanos(due_ns)) => {
                if let Err(error) = waited {
                    return shared.close(&ComputeError::Failed(format!("no timer: {error}")));
                }
            }
        }
    }
}

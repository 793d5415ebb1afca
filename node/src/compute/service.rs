//! The service: tasks are submitted and their results awaited, whoever asks.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use fogbit_scenario::work::{ComputeSpec, Execution, Work, WorkKind};
use fogbit_transport::compute::{ComputeCode, ComputeTimes};
use tokio::sync::oneshot;

use super::calibrate::calibration;
use super::counts::ComputeCounts;
use super::error::{ComputeError, ComputeSetupError};
use super::images::ImageSpec;
use super::pool::Pool;
use super::timed::Timed;

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputeTask {
    /// Its work.
    pub work: Work,
    /// What the work is done on.
    pub input: Bytes,
    /// Bytes of result that are wanted.
    pub output_bytes: u64,
    /// After this many nanoseconds from its submission the result is of no use.
    pub deadline_ns: Option<u64>,
}

/// A task that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The result; zeros where work is timed.
    pub output: Vec<u8>,
    /// How long it took.
    pub times: ComputeTimes,
}

/// How busy a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ComputeState {
    /// Tasks under way.
    pub running: usize,
    /// Tasks that wait.
    pub waiting: usize,
    /// How long a task that came now would wait for a worker, in nanoseconds.
    pub wait_ns: u64,
}

/// Where a worker says what became of a task.
pub(super) type Reply = oneshot::Sender<Result<Finished, ComputeError>>;

/// A task that has a place.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) id: u64,
    pub(super) end: oneshot::Receiver<Result<Finished, ComputeError>>,
    /// When to give it up, if its workers do not do that by themselves.
    pub(super) deadline: Option<Instant>,
}

/// What computes on one node for one trial. Clones are the same service.
#[derive(Debug, Clone)]
pub struct ComputeService(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spec: ComputeSpec,
    /// Of one that takes images, and nothing else.
    images: Option<ImageSpec>,
    engine: Engine,
    counts: Mutex<ComputeCounts>,
}

#[derive(Debug)]
enum Engine {
    Timed(Timed),
    Real(Pool),
}

impl ComputeService {
    /// An idle node. Must be made within a tokio runtime. Its threads, or its one timer, end with
    /// its last clone.
    ///
    /// # Errors
    /// If `spec` is out of bounds, or the system gives no thread or timer.
    pub fn new(spec: ComputeSpec) -> Result<ComputeService, ComputeSetupError> {
        spec.check()?;
        let engine = match spec.execution {
            Execution::Timed => Engine::Timed(Timed::new(spec)?),
            Execution::Real => {
                // Measured now, while nothing else is done here.
                tell_slow_host(&spec);
                Engine::Real(Pool::new(spec, None)?)
            }
        };
        Ok(ComputeService::of(spec, None, engine))
    }

    /// An idle node that takes images and no other tasks; as [`new`](Self::new).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_images(images: ImageSpec) -> Result<ComputeService, ComputeSetupError> {
        let spec = images.compute();
        spec.check()?;
        let engine = match &images.classifier {
            Some(classifier) => Engine::Real(Pool::new(spec, Some(Arc::clone(classifier)))?),
            None => Engine::Timed(Timed::new(spec)?),
        };
        Ok(ComputeService::of(spec, Some(images), engine))
    }

    fn of(spec: ComputeSpec, images: Option<ImageSpec>, engine: Engine) -> ComputeService {
        ComputeService(Arc::new(Inner { spec, images, engine, counts: Mutex::default() }))
    }

    /// What it takes images for, if it does.
    pub fn images(&self) -> Option<&ImageSpec> {
        self.0.images.as_ref()
    }

    /// What it is.
    pub fn spec(&self) -> &ComputeSpec {
        &self.0.spec
    }

    /// What has become of its tasks so far.
    pub fn counts(&self) -> ComputeCounts {
        *self.0.counts()
    }

    /// How busy it is.
    pub fn state(&self) -> ComputeState {
        match &self.0.engine {
            Engine::Timed(timed) => timed.state(),
            Engine::Real(pool) => pool.state(),
        }
    }

    /// Takes a task now, in the order of these calls, and gives a future of its result. Dropping
    /// the future takes the task back.
    ///
    /// The future ends with an error if the task is refused, cancelled, or not done by its deadline.
    /// It must be awaited within a tokio runtime with timers.
    pub fn submit(
        &self,
        task: ComputeTask,
    ) -> impl Future<Output = Result<Finished, ComputeError>> + Send + use<> {
        let pending = self.admit(task);
        async move { pending?.end().await }
    }

    /// Ends the tasks that are not done, and refuses all that come, as cancelled: the trial is over.
    pub fn close(&self) {
        match &self.0.engine {
            Engine::Timed(timed) => timed.close(&ComputeError::Cancelled),
            Engine::Real(pool) => pool.close(&ComputeError::Cancelled),
        }
    }

    /// Whether an input and an output are short enough.
    ///
    /// # Errors
    /// If one is not.
    pub fn check_payload(&self, input_bytes: u64, output_bytes: u64) -> Result<(), ComputeError> {
        let limit = self.0.spec.payload_limit;
        for (what, bytes) in [("input", input_bytes), ("output", output_bytes)] {
            if bytes > limit {
                return Err(ComputeError::PayloadTooLarge { what, bytes, limit });
            }
        }
        Ok(())
    }

    /// Counts a task that was refused before it could be submitted.
    pub(super) fn note_refused(&self, code: ComputeCode) {
        self.0.counts().note_refused(code);
    }

    fn admit(&self, task: ComputeTask) -> Result<Pending, ComputeError> {
        let admitted = self.check_payload(task.input.len() as u64, task.output_bytes).and_then(
            |()| match &self.0.engine {
                Engine::Timed(timed) => timed.admit(&task),
                Engine::Real(pool) => pool.admit(task),
            },
        );
        let mut counts = self.0.counts();
        match admitted {
            Ok(admitted) => {
                counts.accepted += 1;
                Ok(Pending { service: self.clone(), admitted, over: false })
            }
            Err(error) => {
                counts.note_refused(error.code());
                Err(error)
            }
        }
    }
}

/// Says which work this host cannot do as fast as the node that it stands for.
fn tell_slow_host(spec: &ComputeSpec) {
    for kind in WorkKind::ALL {
        let (host_ghz, node_ghz) = (calibration().host_ghz(kind), spec.effective_ghz());
        if node_ghz > host_ghz {
            tracing::info!(%kind, host_ghz, node_ghz, "this host is slower than its node");
        }
    }
}

impl Inner {
    fn counts(&self) -> MutexGuard<'_, ComputeCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cancel(&self, id: u64) {
        match &self.engine {
            Engine::Timed(timed) => timed.cancel(id),
            Engine::Real(pool) => pool.cancel(id),
        }
    }
}

/// A task that somebody waits for; when nobody does any more it is taken back.
#[derive(Debug)]
struct Pending {
    service: ComputeService,
    admitted: Admitted,
    over: bool,
}

impl Pending {
    async fn end(mut self) -> Result<Finished, ComputeError> {
        let Admitted { id, end, deadline } = &mut self.admitted;
        let past = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until((*deadline).into()).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            end = end => end.unwrap_or(Err(ComputeError::Failed("the worker is gone".into()))),
            () = past => {
                self.service.0.cancel(*id);
                Err(ComputeError::DeadlineMissed)
            }
        };
        self.over = true;
        self.service.0.counts().note_end(&end);
        end
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.over {
            self.service.0.cancel(self.admitted.id);
            self.service.0.counts().note_end(&Err(ComputeError::Cancelled));
        }
    }
}

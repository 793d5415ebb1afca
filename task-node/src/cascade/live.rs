//! The camera in real time: images come at their slots and are sent over emulated links; answers
//! come when they come, and are told in the order of the images.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbit_scenario::cascade::{Arrival, Fate, ImageStep};
use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_transport::timer::Timer;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::eye::Eye;
use super::trial::CascadeFog;
use super::way::{Sent, Way};
use crate::keeper::Keeper;
use crate::live::{Punctuality, Schedule};
use crate::steer::{Steer, nanoseconds};
use crate::trial::TrialError;

/// No more images are under way; the next one that is sent waits. Streams are not to run out.
const MOST_UNDER_WAY: usize = 512;
/// No more images wait for the fate of one before them to be told.
const MOST_OPEN: usize = 1 << 16;
/// Between the opening of the session and the first slot.
const LEAD: Duration = Duration::from_millis(5);

/// A camera in real time.
#[derive(Debug)]
pub(super) struct LiveCamera {
    eye: Eye,
    way: Way,
    schedule: Schedule,
    timeout: Duration,
    timer: Timer,
    punctuality: Arc<Punctuality>,
    /// Images that are not told yet, in order.
    open: VecDeque<Open>,
    /// Those under way; nobody waits for them any more once this is gone.
    under_way: JoinSet<()>,
    places: Arc<Semaphore>,
    /// Why an image has no fate; the trial ends with it.
    failure: Option<TrialError>,
    /// Keeps session and link.
    keeper: Keeper,
}

/// An image that is not told yet.
#[derive(Debug)]
struct Open {
    step: ImageStep,
    end: End,
}

/// Whether it is known what became of an image.
#[derive(Debug)]
enum End {
    /// It is.
    Known,
    /// Not yet; it is said here.
    Waiting(oneshot::Receiver<Result<Sent, TrialError>>),
    /// It will never be.
    Lost,
}

impl LiveCamera {
    /// Probes the link and begins.
    ///
    /// # Errors
    /// If the helper node is gone, or the system gives no timer.
    pub(super) async fn begin(
        eye: Eye,
        way: Way,
        mut session: Steer,
        (slot_ns, timeout_ns): (u64, u64),
        punctuality: Arc<Punctuality>,
    ) -> Result<LiveCamera, TrialError> {
        session.begin(1).await?;
        let slot = Duration::from_nanos(slot_ns.max(1));
        let schedule = Schedule::new(Instant::now() + LEAD, slot);
        let keeper = Keeper::begin(session, schedule);
        Ok(LiveCamera {
            eye,
            way,
            schedule,
            timeout: Duration::from_nanos(timeout_ns),
            timer: Timer::new()?,
            punctuality,
            open: VecDeque::new(),
            under_way: JoinSet::new(),
            places: Arc::new(Semaphore::new(MOST_UNDER_WAY)),
            failure: None,
            keeper,
        })
    }

    /// Counts what the link did in its last state, and gives what was found of all states, in the
    /// order of their ends.
    ///
    /// # Errors
    /// If it was never known what became of an image, or the helper node is gone.
    pub(super) async fn end(self) -> Result<Vec<LinkCheck>, TrialError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.keeper.end().await
    }

    /// Waits until it is known what became of the image at `index` of those that are not told.
    async fn settle(&mut self, index: usize) {
        if let End::Waiting(end) = &mut self.open[index].end {
            let end = end.await.expect("whoever sends an image says what became of it");
            self.tell(index, end);
        }
    }

    /// Writes down what became of it.
    fn tell(&mut self, index: usize, end: Result<Sent, TrialError>) {
        let open = &mut self.open[index];
        match end {
            Ok(sent) => {
                sent.tell(&mut open.step);
                open.end = End::Known;
            }
            Err(failure) => {
                open.end = End::Lost;
                self.failure.get_or_insert(failure);
            }
        }
    }
}

impl CascadeFog for LiveCamera {
    async fn classify(&mut self, _image: u64, arrival: &Arrival) -> Result<(f32, u64), TrialError> {
        let due = self.schedule.begin(arrival.slot);
        self.timer.until(due).await?;
        self.punctuality.note(self.schedule.is_late(due, Instant::now()));
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.eye.see(arrival.rank)
    }

    async fn submit(&mut self, step: &mut ImageStep) -> Result<bool, TrialError> {
        let step = *step;
        if !step.offloaded() {
            self.open.push_back(Open { step, end: End::Known });
        } else {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let place = place.expect("places are never closed");
            let (told, end) = oneshot::channel();
            let (sending, timeout) = (self.way.send(step.image, step.rank), self.timeout);
            self.under_way.spawn(async move {
                let begun = Instant::now();
                let sent = tokio::time::timeout(timeout, sending).await;
                let in_vain = |_| Ok(Sent::in_vain(Fate::TimedOut, nanoseconds(begun)));
                // Nobody listens where the trial has failed.
                let _ = told.send(sent.unwrap_or_else(in_vain));
                drop(place);
            });
            self.open.push_back(Open { step, end: End::Waiting(end) });
        }
        while self.under_way.try_join_next().is_some() {}
        if self.open.len() > MOST_OPEN {
            self.settle(0).await;
        }
        Ok(false)
    }

    fn next_done(&mut self) -> Option<ImageStep> {
        if let End::Waiting(end) = &mut self.open.front_mut()?.end {
            let end = end.try_recv().ok()?;
            self.tell(0, end);
        }
        self.open.pop_front_if(|first| matches!(first.end, End::Known)).map(|open| open.step)
    }

    async fn finish(&mut self) -> Result<(), TrialError> {
        // What is known is told, whatever has become of those after it.
        for index in 0..self.open.len() {
            self.settle(index).await;
        }
        Ok(())
    }

    fn clock(&mut self) -> u64 {
        nanoseconds(self.schedule.first())
    }
}

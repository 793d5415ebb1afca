//! Where the steps are booked that task nodes tell.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fogbit_transport::report::Batch;
use tokio::task::spawn_blocking;

use super::ledger::{LedgerError, ProblemLedger};

/// The ledger of a trial over processes.
///
/// Where booking may take long it is done on a thread of its own: nodes would take one that hears
/// nothing for dead.
#[derive(Debug)]
pub(super) struct Booking<L> {
    ledger: Arc<Mutex<Option<L>>>,
    stop: Arc<AtomicBool>,
}

impl<L: ProblemLedger + Send + 'static> Booking<L> {
    pub(super) fn new(ledger: L) -> Booking<L> {
        Booking { ledger: Arc::new(Mutex::new(Some(ledger))), stop: Arc::default() }
    }

    /// Books the steps of `batch`, in their order.
    ///
    /// # Errors
    /// If one is none of the trial, or cannot be booked.
    pub(super) async fn book<B>(&self, batch: B) -> Result<(), LedgerError>
    where
        B: Batch<Step = L::Step> + Send + 'static,
    {
        let (ledger, stop) = (Arc::clone(&self.ledger), Arc::clone(&self.stop));
        let book = move || {
            let mut ledger = lock(&ledger);
            let Some(ledger) = ledger.as_mut() else { return Ok(()) };
            let mut steps = batch.steps().iter();
            steps.try_for_each(|step| match stop.load(Ordering::Relaxed) {
                true => Ok(()),
                false => ledger.record(step),
            })
        };
        match L::TAKES_LONG {
            true => spawn_blocking(book).await.expect("a ledger does not panic"),
            false => book(),
        }
    }

    /// Looks at the ledger between two batches.
    pub(super) fn with<T>(&self, look: impl FnOnce(&L) -> T) -> T {
        look(lock(&self.ledger).as_ref().expect("it is there until the end"))
    }

    /// The ledger, after the step that is being booked. Further ones of its batch are not.
    pub(super) async fn end(self) -> L {
        self.stop.store(true, Ordering::Relaxed);
        let ledger = Arc::clone(&self.ledger);
        let take = move || lock(&ledger).take().expect("it is taken once");
        match L::TAKES_LONG {
            true => spawn_blocking(take).await.expect("nothing panics here"),
            false => take(),
        }
    }
}

/// Whoever asks twice that a run ends drops it: the step that is being booked is the last one.
impl<L> Drop for Booking<L> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

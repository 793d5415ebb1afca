//! What this node is under the seeds that are being run, and who may open which session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fogbit_scenario::HelperSpec;
use fogbit_scenario::draw::Key;
use fogbit_transport::wire::{Player, SeedOrder, StateReport, TrialId};
use tokio::sync::{mpsc, oneshot};

use super::SessionFailure;
use crate::metrics::{HelperMetrics, SessionMetrics};

/// The seeds that are being run, by their numbers.
#[derive(Debug, Clone)]
pub(super) struct SharedSeeds {
    seeds: Arc<Mutex<HashMap<u64, Seed>>>,
    metrics: HelperMetrics,
}

/// One of them.
#[derive(Debug)]
struct Seed {
    spec: Arc<HelperSpec>,
    /// In real time: the length of a slot, and whom to tell the states.
    live: Option<(Duration, mpsc::Sender<StateReport>)>,
    /// The draws of the way back, where links are emulated.
    link_key: Option<Key>,
    seats: Vec<Seat>,
}

/// The one session of one trial.
#[derive(Debug)]
struct Seat {
    player: Player,
    /// Tells the session that another one has taken its place.
    taken: Option<oneshot::Sender<()>>,
}

/// A session that may be served.
#[derive(Debug)]
pub(super) struct Opened {
    /// What the node is.
    pub(super) spec: Arc<HelperSpec>,
    /// Where the session is counted.
    pub(super) metrics: SessionMetrics,
    /// In real time, what that needs.
    pub(super) live: Option<Live>,
    /// The draws of the way back to the task node, where links are emulated.
    pub(super) link_key: Option<Key>,
}

/// What a session in real time needs.
#[derive(Debug)]
pub(super) struct Live {
    /// The length of a slot.
    pub(super) slot: Duration,
    /// Whom to tell the states.
    pub(super) reports: mpsc::Sender<StateReport>,
    /// Completes when the task node has opened the session anew.
    pub(super) replaced: oneshot::Receiver<()>,
}

impl SharedSeeds {
    /// None yet.
    pub(super) fn new(metrics: HelperMetrics) -> SharedSeeds {
        SharedSeeds { seeds: Arc::default(), metrics }
    }

    /// Sessions of this seed can be opened from now on; in real time they tell `reports`.
    pub(super) fn begin(&self, order: SeedOrder, reports: mpsc::Sender<StateReport>) {
        let seat = |player| Seat { player, taken: None };
        let seed = Seed {
            spec: Arc::new(order.spec),
            live: order.slot_nanoseconds.map(|slot| (Duration::from_nanos(slot.max(1)), reports)),
            link_key: order.link_key,
            seats: order.players.into_iter().map(seat).collect(),
        };
        self.lock().insert(order.number, seed);
    }

    /// The seed is over.
    pub(super) fn end(&self, number: u64) {
        self.lock().remove(&number);
    }

    /// Opens the one session that `peer` has for `trial`. In real time a task node that lost its
    /// connection opens it again, which ends the former one.
    pub(super) fn open(&self, trial: TrialId, peer: &str) -> Result<Opened, SessionFailure> {
        let mut seeds = self.lock();
        let seed = seeds.get_mut(&trial.seed_number).ok_or(SessionFailure::UnknownTrial(trial))?;
        let again = seed.live.is_some();
        let seat = seed
            .seats
            .get_mut(trial.policy as usize)
            .filter(|seat| seat.player.task_node == peer && (again || seat.taken.is_none()))
            .ok_or(SessionFailure::NotYours(trial))?;
        let (taken, replaced) = oneshot::channel();
        seat.taken = Some(taken);
        let live = seed.live.clone();
        let slot_seconds = live.as_ref().map(|(slot, _)| slot.as_secs_f64());
        Ok(Opened {
            spec: Arc::clone(&seed.spec),
            metrics: self.metrics.session(&seat.player.policy, slot_seconds),
            live: live.map(|(slot, reports)| Live { slot, reports, replaced }),
            link_key: seed.link_key,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Seed>> {
        // Nothing panics while it holds the lock.
        self.seeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Sessions of the problem `placement`: this node as a computer, steered by a task node.
//!
//! A session says who may send tasks, changes the link, and answers pings. The tasks themselves come
//! on streams of their own, and only as long as the session lasts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fogbit_scenario::link::Direction;
use fogbit_scenario::work::{Planned, TimedServer};
use fogbit_transport::placement::{ComputeOrder, LinkOrder, OpenSteering, Steered, Steering};
use fogbit_transport::probe::{ProbeId, counts};
use fogbit_transport::wire::{CountsAnswer, TrialId};
use fogbit_transport::{FrameReceiver, FrameSender};

use super::{Caller, SessionFailure};
use crate::compute::ComputeService;

/// What this node computes for whom, under the seeds that are being run.
#[derive(Debug, Clone, Default)]
pub(super) struct Computers(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    orders: BTreeMap<u64, ComputeOrder>,
    services: BTreeMap<(u64, u32), ComputeService>,
}

impl Computers {
    /// Sessions of this seed can be opened from now on.
    pub(super) fn begin(&self, order: ComputeOrder) {
        self.lock().orders.insert(order.number, order);
    }

    /// The seed is over, and with it all its tasks.
    pub(super) fn end(&self, number: u64) {
        let mut open = self.lock();
        open.orders.remove(&number);
        for service in open.services.extract_if(.., |(seed, _), _| *seed == number) {
            service.1.close();
        }
    }

    /// The computer of a trial, if `peer` plays it and has a session.
    pub(super) fn service(&self, trial: TrialId, peer: &str) -> Option<ComputeService> {
        let open = self.lock();
        is_player(open.orders.get(&trial.seed_number)?, trial, peer)
            .then(|| open.services.get(&(trial.seed_number, trial.policy)).cloned())?
    }

    /// Opens the one session of a trial.
    fn open(&self, trial: TrialId, peer: &str) -> Result<ComputeOrder, SessionFailure> {
        let mut open = self.lock();
        let order = open.orders.get(&trial.seed_number);
        let order = order.ok_or(SessionFailure::UnknownTrial(trial))?.clone();
        let place = (trial.seed_number, trial.policy);
        if !is_player(&order, trial, peer) || open.services.contains_key(&place) {
            return Err(SessionFailure::NotYours(trial));
        }
        open.services.insert(place, ComputeService::new(order.computer)?);
        Ok(order)
    }

    /// The session of a trial is over, and with it its tasks.
    fn close(&self, trial: TrialId) {
        if let Some(service) = self.lock().services.remove(&(trial.seed_number, trial.policy)) {
            service.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_player(order: &ComputeOrder, trial: TrialId, peer: &str) -> bool {
    order.players.get(trial.policy as usize).is_some_and(|player| player.task_node == peer)
}

/// Serves a session to its end.
pub(super) async fn serve(
    computers: &Computers,
    from: Caller,
    OpenSteering { trial, probe }: OpenSteering,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let order = computers.open(trial, &from.name)?;
    let served = steer(order, &from, probe, send, receive).await;
    computers.close(trial);
    from.links.remove(from.address);
    served
}

async fn steer(
    order: ComputeOrder,
    from: &Caller,
    probe: ProbeId,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let mut server = TimedServer::new(order.computer);
    let _probed = order.link.as_ref().and_then(|LinkOrder { path, key }| {
        // The answer that the session is open takes this way already, unless nothing would come.
        let mut first = path.at(1).spec.down;
        if first.is_dead() {
            first = Direction::UNIMPAIRED;
        }
        from.links.set(from.address, first, *key);
        from.prober.open(probe, from.address, path)
    });
    send.send(&Steered::Opened).await?;
    while let Some(request) = receive.receive().await? {
        let answer = match request {
            Steering::Ping { number } => Steered::Pong { number },
            Steering::Link { state } => {
                let link = order.link.as_ref();
                let known = link.and_then(|link| link.path.states().nth(state as usize));
                let (_, known) = known.ok_or(SessionFailure::NoSuchState(state))?;
                from.links.change(from.address, known.spec.down);
                Steered::Linked
            }
            Steering::Counts(_) => {
                let (counts, lateness) = counts(&from.links, from.address);
                Steered::Counts(CountsAnswer { counts, lateness })
            }
            Steering::Arrive { at_ns, cycles, load } => {
                if !(0.0..1.0).contains(&load) {
                    return Err(SessionFailure::Load(load));
                }
                server.set_load(load);
                match server.arrive(at_ns, cycles, None) {
                    Ok(Planned { id, start_ns, finish_ns }) => {
                        Steered::Served { id, start_ns, finish_ns }
                    }
                    Err(_) => Steered::Full,
                }
            }
            Steering::Cancel { id, at_ns } => {
                server.cancel(id, at_ns);
                continue;
            }
        };
        send.send(&answer).await?;
    }
    Ok(())
}

//! Sessions of all problems but `one-bit`: this node as a computer, or as a classifier,
//! steered by a task node.
//!
//! A session says who may send tasks or images, changes the link, and answers pings. The tasks
//! themselves come on streams of their own, and only as long as the session lasts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fogbit_neural::{Classifier, ClassifierError, PIXELS};
use fogbit_scenario::link::Direction;
use fogbit_scenario::work::{ComputeSpec, Planned, TimedServer};
use fogbit_transport::cascade::EdgeOrder;
use fogbit_transport::placement::ComputeOrder;
use fogbit_transport::probe::{ProbeId, counts};
use fogbit_transport::steering::{OpenSteering, Steered, Steering};
use fogbit_transport::wire::{CountsAnswer, LinkEnd, Player, TrialId};
use fogbit_transport::{FrameReceiver, FrameSender};

use super::{Caller, SessionFailure};
use crate::compute::{ComputeService, ComputeSetupError, ImageSpec};

/// What this node computes for whom, under the seeds that are being run.
#[derive(Debug, Clone, Default)]
pub(super) struct Computers(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    seeds: BTreeMap<u64, Seed>,
    services: BTreeMap<(u64, u32), ComputeService>,
}

/// What this node is under one seed.
#[derive(Debug, Clone)]
struct Seed {
    players: Arc<[Player]>,
    machine: Machine,
    link: Option<LinkEnd>,
}

#[derive(Debug, Clone)]
enum Machine {
    /// It does the work of tasks.
    Computer(ComputeSpec),
    /// It classifies images.
    Edge(ImageSpec),
}

impl Machine {
    fn start(self) -> Result<ComputeService, ComputeSetupError> {
        match self {
            Machine::Computer(spec) => ComputeService::new(spec),
            Machine::Edge(images) => ComputeService::for_images(images),
        }
    }
}

impl Computers {
    /// Sessions of this seed can be opened from now on.
    pub(super) fn begin(&self, order: ComputeOrder) {
        let ComputeOrder { number, players, computer, link } = order;
        let machine = Machine::Computer(computer);
        self.lock().seeds.insert(number, Seed { players: players.into(), machine, link });
    }

    /// The same in the problem `cascade`.
    pub(super) fn begin_edge(&self, order: EdgeOrder) -> Result<(), ClassifierError> {
        let EdgeOrder { number, players, edge, link, strong } = order;
        let classifier = strong.map(|bytes| Classifier::from_bytes(&bytes)).transpose()?;
        let machine = Machine::Edge(ImageSpec {
            workers: edge.workers,
            queue_limit: edge.queue_limit,
            bytes: if classifier.is_some() { PIXELS as u64 } else { edge.image_bytes },
            service_ns: edge.service_ns,
            classifier: classifier.map(Arc::new),
        });
        self.lock().seeds.insert(number, Seed { players: players.into(), machine, link });
        Ok(())
    }

    /// The seed is over, and with it all its tasks.
    pub(super) fn end(&self, number: u64) {
        let mut open = self.lock();
        open.seeds.remove(&number);
        for service in open.services.extract_if(.., |(seed, _), _| *seed == number) {
            service.1.close();
        }
    }

    /// The computer of a trial, if `peer` plays it and has a session.
    pub(super) fn service(&self, trial: TrialId, peer: &str) -> Option<ComputeService> {
        let open = self.lock();
        is_player(open.seeds.get(&trial.seed_number)?, trial, peer)
            .then(|| open.services.get(&(trial.seed_number, trial.policy)).cloned())?
    }

    /// Opens the one session of a trial.
    fn open(&self, trial: TrialId, peer: &str) -> Result<Seed, SessionFailure> {
        let mut open = self.lock();
        let seed = open.seeds.get(&trial.seed_number);
        let seed = seed.ok_or(SessionFailure::UnknownTrial(trial))?.clone();
        let place = (trial.seed_number, trial.policy);
        if !is_player(&seed, trial, peer) || open.services.contains_key(&place) {
            return Err(SessionFailure::NotYours(trial));
        }
        open.services.insert(place, seed.machine.clone().start()?);
        Ok(seed)
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

fn is_player(seed: &Seed, trial: TrialId, peer: &str) -> bool {
    seed.players.get(trial.policy as usize).is_some_and(|player| player.task_node == peer)
}

/// Serves a session to its end.
pub(super) async fn serve(
    computers: &Computers,
    from: Caller,
    OpenSteering { trial, probe }: OpenSteering,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let seed = computers.open(trial, &from.peer.name)?;
    let served = steer(seed, &from, probe, send, receive).await;
    computers.close(trial);
    from.links.remove(from.address);
    served
}

async fn steer(
    seed: Seed,
    from: &Caller,
    probe: ProbeId,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let mut server = match seed.machine {
        Machine::Computer(spec) => Some(TimedServer::new(spec)),
        Machine::Edge(_) => None,
    };
    let _probed = seed.link.as_ref().and_then(|LinkEnd { path, key }| {
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
                let link = seed.link.as_ref();
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
                let server = server.as_mut().ok_or(SessionFailure::NoComputer)?;
                server.set_load(load);
                match server.arrive(at_ns, cycles, None) {
                    Ok(Planned { id, start_ns, finish_ns }) => {
                        Steered::Served { id, start_ns, finish_ns }
                    }
                    Err(_) => Steered::Full,
                }
            }
            Steering::Cancel { id, at_ns } => {
                let server = server.as_mut().ok_or(SessionFailure::NoComputer)?;
                server.cancel(id, at_ns);
                continue;
            }
        };
        send.send(&answer).await?;
    }
    Ok(())
}

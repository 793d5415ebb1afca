//! Sessions of the problem `pipeline`: this node as a site, steered by a task node, with ways from and
//! to other sites.
//!
//! A session says who may open ways to here: the task node itself, and the helper nodes that it names as
//! sites with smaller numbers. Nobody else, and for nothing else, is served a helper node.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fogbit_scenario::pipeline::SiteSet;
use fogbit_transport::identity::PeerName;
use fogbit_transport::pipeline::{OpenPipeline, OpenWay, Part, SiteOrder, SiteReply, SiteRequest};
use fogbit_transport::wire::{Player, TrialId};
use fogbit_transport::{FrameReceiver, FrameSender, Member, Role};
use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::{mpsc, oneshot};

use super::{Caller, SessionFailure};
use crate::pipeline::{IncomingWay, Site, SiteError, SitePlan, accept_way};

/// The seeds in which this node is a site, and the sessions that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Plans(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    seeds: BTreeMap<u64, Seed>,
    sessions: BTreeMap<(u64, u32), Session>,
}

#[derive(Debug)]
struct Seed {
    players: Vec<Player>,
    site: u32,
    real_time: bool,
}

/// What is known of an open session.
#[derive(Debug)]
struct Session {
    plan: SitePlan,
    ways: mpsc::Sender<IncomingWay>,
    /// Dropped when the seed is over.
    _seed: oneshot::Sender<()>,
}

/// A session that may be served.
struct Opened {
    plan: SitePlan,
    incoming: mpsc::Receiver<IncomingWay>,
    over: oneshot::Receiver<()>,
}

impl Plans {
    /// Sessions of this seed can be opened from now on.
    pub(super) fn begin(&self, order: SiteOrder) {
        let SiteOrder { number, players, site, real_time } = order;
        self.lock().seeds.insert(number, Seed { players, site, real_time });
    }

    /// The seed is over, and with it its sessions.
    pub(super) fn end(&self, number: u64) {
        let mut open = self.lock();
        open.seeds.remove(&number);
        open.sessions.retain(|(seed, _), _| *seed != number);
    }

    /// Whether a session is open that names this helper node as a site that may open ways to here.
    pub(super) fn names(&self, helper: &str) -> bool {
        let open = self.lock();
        let names = |session: &Session| {
            let before = &session.plan.sites[1..(session.plan.own as usize).max(1)];
            before.iter().any(|site| site.name == helper)
        };
        open.sessions.values().any(names)
    }

    /// Gives a way that `peer` has opened to its session.
    pub(super) async fn take(
        &self,
        open: OpenWay,
        from: &Caller,
        connection: &Connection,
        streams: (SendStream, RecvStream),
    ) -> Result<(), SessionFailure> {
        // A place first: who has none is not told that its way is open.
        let place = self.place_of(&open, &from.peer)?;
        let way = accept_way(open, connection.clone(), streams, from.links.clone()).await?;
        place.send(way);
        Ok(())
    }

    /// A place for a way in the session it belongs to.
    fn place_of(
        &self,
        way: &OpenWay,
        peer: &PeerName,
    ) -> Result<mpsc::OwnedPermit<IncomingWay>, SessionFailure> {
        let open = self.lock();
        let unknown = || SessionFailure::UnknownTrial(way.trial);
        let session = open.sessions.get(&place(way.trial)).ok_or_else(unknown)?;
        let role = if way.site == 0 { Role::TaskNode } else { Role::Helper };
        let named = session.plan.sites.get(way.site as usize);
        let is_named = way.site < session.plan.own
            && peer.role == role
            && named.is_some_and(|site| site.name == peer.name);
        if !is_named {
            return Err(SessionFailure::NotNamed(peer.name.clone()));
        }
        let taken = session.ways.clone().try_reserve_owned();
        taken.map_err(|_| SessionFailure::NotNamed(peer.name.clone()))
    }

    /// Opens the one session of a trial.
    fn open(&self, told: OpenPipeline, own: &str, peer: &str) -> Result<Opened, SessionFailure> {
        let OpenPipeline { trial, site, sites } = told;
        let mut open = self.lock();
        let seed = open.seeds.get(&trial.seed_number).ok_or(SessionFailure::UnknownTrial(trial))?;
        let player = seed.players.get(trial.policy as usize);
        let is_player = player.is_some_and(|player| player.task_node == peer);
        if !is_player || open.sessions.contains_key(&place(trial)) {
            return Err(SessionFailure::NotYours(trial));
        }
        let name_of = |number: u32| sites.get(number as usize).map(|site| site.name.as_str());
        if site != seed.site || name_of(site) != Some(own) || name_of(0) != Some(peer) {
            let told = format!("{own} is site {}, the task node site 0", seed.site);
            return Err(SiteError::Plan(told).into());
        }
        if sites.len() > SiteSet::MOST {
            let told = format!("{} sites: at most {}", sites.len(), SiteSet::MOST);
            return Err(SiteError::Plan(told).into());
        }
        let plan = SitePlan { trial, own: site, sites, real_time: seed.real_time };
        // Two ways from each site with a smaller number.
        let (ways, incoming) = mpsc::channel(2 * site.max(1) as usize);
        let (seed, over) = oneshot::channel();
        let session = Session { plan: plan.clone(), ways, _seed: seed };
        open.sessions.insert(place(trial), session);
        Ok(Opened { plan, incoming, over })
    }

    fn close(&self, trial: TrialId) {
        self.lock().sessions.remove(&place(trial));
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(trial: TrialId) -> (u64, u32) {
    (trial.seed_number, trial.policy)
}

/// Serves a session to its end.
pub(super) async fn serve(
    plans: &Plans,
    from: &Caller,
    open: OpenPipeline,
    send: &mut FrameSender,
    receive: &mut FrameReceiver,
) -> Result<(), SessionFailure> {
    let trial = open.trial;
    let Opened { plan, mut incoming, over } =
        plans.open(open, &from.member.name, &from.peer.name)?;
    let served = async {
        let mut site = Site::new(plan)?;
        send.send(&SiteReply::Opened).await?;
        steer(&mut site, &from.member, &mut incoming, (send, receive)).await
    };
    let served = tokio::select! {
        biased;
        // An error says that the seed is over.
        _ = over => Ok(()),
        served = served => served,
    };
    plans.close(trial);
    served
}

/// What came first: the end of what is under way, or the next request.
enum First<T> {
    Done(T),
    Told(Option<SiteRequest>),
}

/// Does something unless something else is told before it is done.
async fn unless_told<T>(
    work: impl Future<Output = Result<T, SiteError>>,
    receive: &mut FrameReceiver,
) -> Result<First<T>, SessionFailure> {
    tokio::select! {
        biased;
        done = work => Ok(First::Done(done?)),
        told = receive.receive() => match told? {
            told @ (None | Some(SiteRequest::Abandon)) => Ok(First::Told(told)),
            Some(_) => Err(SessionFailure::UnderWay),
        },
    }
}

/// Does what it is told until nothing more is said.
async fn steer(
    site: &mut Site,
    member: &Member,
    incoming: &mut mpsc::Receiver<IncomingWay>,
    (send, receive): (&mut FrameSender, &mut FrameReceiver),
) -> Result<(), SessionFailure> {
    let mut next = receive.receive().await?;
    while let Some(request) = next.take() {
        let first = match request {
            SiteRequest::Connect => {
                let connected = async {
                    site.connect(member, incoming).await?;
                    Ok(SiteReply::Connected)
                };
                unless_told(connected, receive).await?
            }
            SiteRequest::Part(part) => First::Done(prepare(site, *part)),
            SiteRequest::Begin { application } => {
                let ended = async { Ok(SiteReply::Ended(site.run(application).await?)) };
                unless_told(ended, receive).await?
            }
            SiteRequest::Abandon => {
                site.abandon();
                // Ways that came and were not taken are of no use either.
                while incoming.try_recv().is_ok() {}
                First::Done(SiteReply::Abandoned)
            }
        };
        next = match first {
            First::Told(told) => told,
            First::Done(reply) => {
                send.send(&reply).await?;
                receive.receive().await?
            }
        };
    }
    Ok(())
}

fn prepare(site: &mut Site, part: Part) -> SiteReply {
    let application = part.application;
    match site.prepare(part) {
        Ok(()) => SiteReply::Ready { application },
        Err(error) => {
            tracing::warn!(application, %error, "a part is refused");
            let code = error.code() as u32;
            SiteReply::Refused { application, code, message: error.to_string() }
        }
    }
}

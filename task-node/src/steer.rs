//! A session at one helper node, from the task node's side.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbit_scenario::draw::Key;
use fogbit_scenario::link::LinkPath;
use fogbit_scenario::link::verdict::{EndCounts, LinkCheck};
use fogbit_transport::codec::DATA_LIMIT;
use fogbit_transport::compute::Opening;
use fogbit_transport::endpoint::OUTAGE;
use fogbit_transport::probe::{Prober, new_id};
use fogbit_transport::steering::{OpenSteering, Steered, Steering};
use fogbit_transport::wire::{CountsAnswer, TrialId};
use fogbit_transport::{FrameReceiver, FrameSender, Member, WireError};
use quinn::Connection;

use crate::links::KeptLink;
use crate::trial::TrialError;

/// Where a helper node is, and what leads to it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Its name.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The link to it with the draws of its way up, if it is emulated.
    pub(crate) link: Option<(LinkPath, Key)>,
}

/// A session at one helper node.
#[derive(Debug)]
pub(crate) struct Steer {
    name: String,
    /// Tasks take streams of their own on it.
    pub(crate) connection: Connection,
    send: FrameSender,
    receive: FrameReceiver,
    link: Option<KeptLink>,
    pings: u64,
    /// Answers that were given up and may come still; they come before later ones.
    owed: u32,
}

/// What steers a link is waited for no longer: over one that loses everything nothing comes.
const PATIENCE: Duration = Duration::from_secs(3);

impl Steer {
    /// Connects and opens the session of `trial`.
    pub(crate) async fn open(
        member: &Member,
        prober: &Arc<Prober>,
        trial: TrialId,
        place: Place,
    ) -> Result<Steer, TrialError> {
        let Place { name, address, link } = place;
        let id = new_id()?;
        let link =
            link.map(|link| KeptLink::set((&member.links, prober), &name, address, link, id));
        let connection = match link {
            Some(_) => member.connect_over_link(&name, address, OUTAGE).await?,
            None => member.connect(&name, address).await?,
        };
        let opened = async {
            let (send, receive) = connection.open_bi().await?;
            let mut send = FrameSender::new(send, DATA_LIMIT);
            send.send(&Opening::Steering(OpenSteering { trial, probe: id })).await?;
            Ok((send, FrameReceiver::new(receive, DATA_LIMIT)))
        };
        let (send, receive) = opened.await.map_err(|error| helper_error(&name, error))?;
        let mut steer = Steer { name, connection, send, receive, link, pings: 0, owed: 0 };
        match steer.hear().await? {
            Steered::Opened => Ok(steer),
            other => Err(steer.unexpected(&other)),
        }
    }

    /// How long a small packet takes there and back now, in nanoseconds; none if it does not come back
    /// within `limit`.
    pub(crate) async fn ping(&mut self, limit: Duration) -> Result<Option<u64>, TrialError> {
        self.pings += 1;
        let number = self.pings;
        let begun = Instant::now();
        match self.ask_within(&Steering::Ping { number }, limit).await? {
            None => Ok(None),
            Some(Steered::Pong { number: told }) if told == number => Ok(Some(nanoseconds(begun))),
            Some(other) => Err(self.unexpected(&other)),
        }
    }

    /// Begins `slot`: if the link changes, or the trial begins, it is probed. Gives what was found of
    /// the state before, and of the new one.
    pub(crate) async fn begin(&mut self, slot: u64) -> Result<Begun, TrialError> {
        let next = self.link.as_ref().and_then(|link| link.next(slot));
        if slot > 1 && next.is_none() {
            return Ok(Begun::default());
        }
        let over = match next {
            Some(_) => self.count_state().await?,
            None => None,
        };
        if let Some(state) = next {
            self.change(state).await?;
        } else if self.link.as_ref().is_some_and(|link| !link.gets_through(0).0) {
            // The session was opened while the link did nothing.
            self.change(0).await?;
        }
        let Some(link) = &mut self.link else { return Ok(Begun::default()) };
        let found = Some(link.probe().await?.clone());
        if let (Some((asked, answer)), Some(link)) = (self.exchange().await?, &mut self.link) {
            link.begin(asked, &answer);
        }
        Ok(Begun { over, found })
    }

    /// The slots after the first in which the link becomes something else.
    pub(crate) fn changes(&self) -> Vec<u64> {
        self.link.as_ref().map_or(Vec::new(), KeptLink::changes)
    }

    /// The last probe shared the link with tasks.
    pub(crate) fn beside_tasks(&mut self) {
        if let Some(link) = &mut self.link {
            link.beside_tasks();
        }
    }

    /// Both ways of the link become those of `state`. The helper node hears of it while packets get
    /// through: before the way up changes, or after it.
    async fn change(&mut self, state: usize) -> Result<(), TrialError> {
        let through = self.link.as_ref().map(|link| link.gets_through(state));
        let first = matches!(through, Some((true, false)));
        if let (true, Some(link)) = (first, &mut self.link) {
            link.change(state);
        }
        match self.ask_within(&Steering::Link { state: state as u32 }, PATIENCE).await? {
            Some(Steered::Linked) | None => {}
            Some(other) => return Err(self.unexpected(&other)),
        }
        if let (false, Some(link)) = (first, &mut self.link) {
            link.change(state);
        }
        Ok(())
    }

    /// Counts what the present state of the link has done; gives what was found of it.
    pub(crate) async fn count_state(&mut self) -> Result<Option<LinkCheck>, TrialError> {
        if self.link.is_none() {
            return Ok(None);
        }
        let exchanged = self.exchange().await?;
        Ok(self.link.as_mut().and_then(|link| match exchanged {
            Some((asked, answer)) => link.end(asked, &answer),
            // What was found by the probe stands alone.
            None => link.give_up(),
        }))
    }

    /// Both ends count; none where the other one does not answer.
    async fn exchange(&mut self) -> Result<Option<(EndCounts, CountsAnswer)>, TrialError> {
        let Some(link) = &self.link else { return Ok(None) };
        let ask = link.ask();
        let asked = ask.counts;
        match self.ask_within(&Steering::Counts(ask), PATIENCE).await? {
            None => Ok(None),
            Some(Steered::Counts(answer)) => Ok(Some((asked, answer))),
            Some(other) => Err(self.unexpected(&other)),
        }
    }

    /// Asks, and waits for the answer for no longer than `limit`.
    async fn ask_within(
        &mut self,
        request: &Steering,
        limit: Duration,
    ) -> Result<Option<Steered>, TrialError> {
        let asked = tokio::time::timeout(limit, async {
            self.tell(request).await?;
            self.owed += 1;
            while self.owed > 1 {
                // What was given up before comes first.
                self.hear().await?;
                self.owed -= 1;
            }
            let answer = self.hear().await?;
            self.owed -= 1;
            Ok(answer)
        });
        match asked.await {
            Ok(answer) => answer.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// In virtual time: a task arrives at the helper node.
    pub(crate) async fn ask(&mut self, request: &Steering) -> Result<Steered, TrialError> {
        let sent = self.send.send(request).await;
        sent.map_err(|error| helper_error(&self.name, error))?;
        self.hear().await
    }

    /// In virtual time: what needs no answer.
    pub(crate) async fn tell(&mut self, request: &Steering) -> Result<(), TrialError> {
        let sent = self.send.send(request).await;
        sent.map_err(|error| helper_error(&self.name, error))
    }

    async fn hear(&mut self) -> Result<Steered, TrialError> {
        self.receive.expect().await.map_err(|error| helper_error(&self.name, error))
    }

    pub(crate) fn unexpected(&self, told: &Steered) -> TrialError {
        helper_error(&self.name, WireError::Malformed(format!("{told:?} was not asked for")))
    }

    /// The error of a task that broke off.
    pub(crate) fn error(&self, error: WireError) -> TrialError {
        helper_error(&self.name, error)
    }
}

/// What the beginning of a slot has found of a link.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// Of the state that is over.
    pub(crate) over: Option<LinkCheck>,
    /// Of the state that begins, by its probe.
    pub(crate) found: Option<LinkCheck>,
}

fn helper_error(name: &str, error: WireError) -> TrialError {
    TrialError::Helper { helper: name.to_owned(), error }
}

/// Nanoseconds since `begun`.
pub(crate) fn nanoseconds(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

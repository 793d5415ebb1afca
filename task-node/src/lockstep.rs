//! The fog over QUIC in lockstep: one stream to each helper node for the length of a trial.

use std::collections::VecDeque;
use std::time::Instant;

use fogbit_scenario::Contexts;
use fogbit_scenario::feedback::Outcome;
use fogbit_transport::codec::DATA_LIMIT;
use fogbit_transport::compute::Opening;
use fogbit_transport::timer::Timer;
use fogbit_transport::wire::{OpenSession, SessionReply, SessionRequest, TrialId};
use fogbit_transport::{FrameReceiver, FrameSender, WireError};
use prometheus::Histogram;
use quinn::Connection;

use crate::metrics::seconds;
use crate::pace::Pacer;
use crate::trial::{Fog, TrialError};

/// The helper nodes of a run, within one trial.
#[derive(Debug)]
pub struct QuicFog {
    helpers: Vec<HelperSession>,
    lookahead: u64,
    /// Length of the trial.
    slots: u64,
    /// Holds slots back, if there is a limit.
    pacer: Option<(Pacer, Timer)>,
    round_trip: Option<Histogram>,
}

/// One helper node: its stream, and what it has announced.
#[derive(Debug)]
struct HelperSession {
    name: String,
    send: FrameSender,
    receive: FrameReceiver,
    /// Features of a state.
    width: usize,
    /// Announced states; the first is that of the slot after `taken`.
    states: VecDeque<f64>,
    /// The last slot whose state was taken out of `states`.
    taken: u64,
    /// The last slot whose state was asked for.
    requested: u64,
}

impl QuicFog {
    /// Opens a session of `trial` on each of the connections, given with the helper nodes' names.
    /// `width` is the number of a node's own features.
    ///
    /// # Errors
    /// If a helper node does not open it.
    pub async fn open(
        connections: Vec<(String, Connection)>,
        trial: TrialId,
        width: usize,
        lookahead: u32,
        slots: u64,
    ) -> Result<QuicFog, TrialError> {
        let mut helpers = Vec::with_capacity(connections.len());
        for (name, connection) in connections {
            let opened = HelperSession::open(name.clone(), &connection, trial, width).await;
            helpers.push(opened.map_err(|error| TrialError::Helper { helper: name, error })?);
        }
        for helper in &mut helpers {
            match helper.receive().await? {
                SessionReply::Opened => {}
                other => return Err(helper.unexpected(&other)),
            }
        }
        // An announcement must fit into a message: a value takes eight bytes, the rest a few.
        let most = (DATA_LIMIT - 64) / 8 / width.max(1);
        let lookahead = u64::from(lookahead).min(most as u64).max(1);
        Ok(QuicFog { helpers, lookahead, slots, pacer: None, round_trip: None })
    }

    /// With at most `slots_per_second`.
    ///
    /// # Errors
    /// If the system gives no timer.
    pub(crate) fn paced(mut self, slots_per_second: f64) -> std::io::Result<QuicFog> {
        self.pacer = Some((Pacer::new(slots_per_second), Timer::new()?));
        Ok(self)
    }

    /// With the round trips of tasks and answers counted by `histogram`, in seconds.
    pub(crate) fn timed(mut self, histogram: Histogram) -> QuicFog {
        self.round_trip = Some(histogram);
        self
    }
}

impl HelperSession {
    async fn open(
        name: String,
        connection: &Connection,
        trial: TrialId,
        width: usize,
    ) -> Result<HelperSession, WireError> {
        let (send, receive) = connection.open_bi().await?;
        let mut send = FrameSender::new(send, DATA_LIMIT);
        send.send(&Opening::Session(OpenSession { trial })).await?;
        let receive = FrameReceiver::new(receive, DATA_LIMIT);
        let states = VecDeque::new();
        Ok(HelperSession { name, send, receive, width, states, taken: 0, requested: 0 })
    }

    fn error(&self, error: WireError) -> TrialError {
        TrialError::Helper { helper: self.name.clone(), error }
    }

    fn unexpected(&self, reply: &SessionReply) -> TrialError {
        self.error(WireError::Malformed(format!("unexpected {reply:?}")))
    }

    async fn send(&mut self, request: &SessionRequest) -> Result<(), TrialError> {
        let sent = self.send.send(request).await;
        sent.map_err(|error| self.error(error))
    }

    async fn receive(&mut self) -> Result<SessionReply, TrialError> {
        let received = self.receive.expect().await;
        received.map_err(|error| self.error(error))
    }

    /// Asks for more states while enough are left to go on with.
    async fn look_ahead(
        &mut self,
        slot: u64,
        lookahead: u64,
        slots: u64,
    ) -> Result<(), TrialError> {
        if self.requested >= (slot + lookahead / 2).min(slots) {
            return Ok(());
        }
        let through = (slot + lookahead - 1).min(slots);
        self.requested = through;
        self.send(&SessionRequest::Announce { now: slot, through }).await
    }

    fn announced(&mut self, states: &[f64]) -> Result<(), TrialError> {
        if !states.len().is_multiple_of(self.width.max(1)) || !states.iter().all(|v| v.is_finite())
        {
            return Err(self.error(WireError::Malformed("states of another shape".into())));
        }
        self.states.extend(states);
        Ok(())
    }

    /// Takes out the state of `slot`, waiting for its announcement if need be.
    async fn take(&mut self, slot: u64) -> Result<impl Iterator<Item = f64> + '_, TrialError> {
        while self.states.len() < self.width {
            match self.receive().await? {
                SessionReply::Announced { states } => self.announced(&states)?,
                other => return Err(self.unexpected(&other)),
            }
        }
        debug_assert_eq!(self.taken + 1, slot);
        self.taken = slot;
        Ok(self.states.drain(..self.width))
    }

    /// Corrects the states after `taken` that an offload has changed.
    fn correct(&mut self, changed: &[f64]) -> Result<(), TrialError> {
        if changed.len() > self.states.len() || !changed.len().is_multiple_of(self.width.max(1)) {
            return Err(self.error(WireError::Malformed("changes beyond what was told".into())));
        }
        for (known, new) in self.states.iter_mut().zip(changed) {
            *known = *new;
        }
        Ok(())
    }
}

impl Fog for QuicFog {
    async fn observe(&mut self, slot: u64, contexts: &mut Contexts) -> Result<(), TrialError> {
        if let Some((pacer, timer)) = &mut self.pacer {
            timer.until(pacer.due(slot)).await?;
        }
        for helper in &mut self.helpers {
            helper.look_ahead(slot, self.lookahead, self.slots).await?;
        }
        for (node, helper) in self.helpers.iter_mut().enumerate() {
            let first = contexts.features() - helper.width;
            for (index, value) in helper.take(slot).await?.enumerate() {
                contexts.set(node, first + index, value);
            }
        }
        Ok(())
    }

    async fn offload(
        &mut self,
        slot: u64,
        node: usize,
        task: &[f64],
    ) -> Result<Option<Outcome>, TrialError> {
        let helper = &mut self.helpers[node];
        let sent = Instant::now();
        helper.send(&SessionRequest::Offload { slot, task: task.to_vec() }).await?;
        loop {
            match helper.receive().await? {
                SessionReply::Announced { states } => helper.announced(&states)?,
                SessionReply::Answer { outcome, changed } => {
                    helper.correct(&changed)?;
                    if let Some(histogram) = &self.round_trip {
                        histogram.observe(seconds(sent.elapsed()));
                    }
                    return Ok(Some(outcome));
                }
                other @ SessionReply::Opened => return Err(helper.unexpected(&other)),
            }
        }
    }
}

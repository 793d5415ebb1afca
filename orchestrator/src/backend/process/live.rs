//! One trial in real time: the task node tells what it decided, the helper nodes what their states
//! were, and the ledger brings both together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fogbit_scenario::Instance;
use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::wire::{TaskNodeOrder, TrialAnswer, TrialOrder, TrialReport};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, WireError};
use tokio::sync::{mpsc, watch};

use super::hub::MemberHandle;
use super::seed::NodeEvent;
use crate::backend::Context;
use crate::board::Told;
use crate::ledger::{Pairing, PairingError};
use crate::plan::{Status, TrialResult};
use crate::validity::Begun;

/// A task node that has told nothing for longer has missed the slots of that time.
const SILENCE_ALLOWED: Duration = Duration::from_secs(1);
/// How often slots are booked whose states do not come any more.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// More checks of links than these are not kept: helper nodes of an endless run may come and go for ever.
const MOST_CHECKS: usize = 10_000;

/// Why a trial failed.
#[derive(Debug, thiserror::Error)]
enum TrialFailure {
    #[error("task node: {0}")]
    Wire(#[from] WireError),
    #[error("{0}")]
    Pairing(#[from] PairingError),
    #[error("{0}")]
    TaskNode(String),
    #[error("{0}")]
    Policy(String),
    #[error("the task node played {played} of {slots} slots")]
    Short { played: u64, slots: u64 },
    #[error("a report that has no place in real time")]
    OutOfPlace,
}

/// Has `order` played by `member` and keeps its ledger; `present` are the helper nodes that are
/// there at first, `events` what happens to them. Ends early when `stopped` turns true; what was
/// told until then counts.
///
/// # Errors
/// If results cannot be written.
pub(super) async fn drive(
    context: &Context,
    member: &MemberHandle,
    order: TrialOrder,
    instance: &Instance,
    present: &[bool],
    events: mpsc::UnboundedReceiver<NodeEvent>,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<TrialResult> {
    let policy = order.trial.policy as usize;
    let ledger = context.ledger(policy, instance)?;
    let mut trial = Trial {
        context,
        policy,
        last: order.slots,
        pairing: Pairing::new(instance, ledger, present),
        told: Told::nothing(instance.seed),
        events,
        begun: Instant::now(),
        slot: context.plan.scenario.wall_clock().map_or(Duration::ZERO, |clock| clock.slot.0),
        first_slot: None,
        slots_begun: 0,
        missed: 0,
        links: BTreeMap::new(),
    };
    let played = tokio::select! {
        biased;
        _ = stopped.wait_for(|stop| *stop) => None,
        played = trial.play(member, order) => Some(played),
    };
    let of_policy = matches!(played, Some(Err(TrialFailure::Policy(_))));
    let (status, failure) = match played {
        Some(Ok(())) => (Status::Complete, None),
        Some(Err(failure)) => (Status::Failed, Some(failure.to_string())),
        None => (context.plan.stopped(trial.pairing.ledger().totals().slots), None),
    };
    trial.publish();
    let seconds = trial.begun.elapsed().as_secs_f64();
    let links = trial.links.into_values().collect();
    let (seed, account) = (instance.seed, trial.pairing.into_ledger().close()?);
    Ok(TrialResult { policy, seed, status, account, seconds, failure, of_policy, links })
}

struct Trial<'c> {
    context: &'c Context,
    policy: usize,
    /// The last slot.
    last: u64,
    pairing: Pairing,
    told: Told,
    events: mpsc::UnboundedReceiver<NodeEvent>,
    begun: Instant,
    /// The length of a slot.
    slot: Duration,
    /// When the first slots were told.
    first_slot: Option<Instant>,
    /// How many slots the task node says have begun.
    slots_begun: u64,
    /// Slots counted as late that the task node has not told of yet.
    missed: u64,
    /// What is known of links, by the number under which it was told.
    links: BTreeMap<u32, LinkCheck>,
}

impl Trial<'_> {
    async fn play(&mut self, member: &MemberHandle, order: TrialOrder) -> Result<(), TrialFailure> {
        let (send, receive) = member.connection.open_bi().await.map_err(WireError::from)?;
        let mut send = FrameSender::new(send, CONTROL_LIMIT);
        let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
        let played = self.converse(&mut send, &mut receive, order).await;
        match &played {
            Ok(()) => send.finish(),
            Err(_) => {
                send.reset(CloseCode::Failed);
                receive.stop(CloseCode::Failed);
            }
        }
        played
    }

    async fn converse(
        &mut self,
        send: &mut FrameSender,
        receive: &mut FrameReceiver,
        order: TrialOrder,
    ) -> Result<(), TrialFailure> {
        send.send(&TaskNodeOrder::OneBit(Box::new(order))).await?;
        let mut done = false;
        loop {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => {
                    if let Some(answer) = self.apply(event) {
                        send.send(&answer).await?;
                    }
                }
                report = receive.expect(), if !done => done = self.hear(report?)?,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            self.pairing.book(self.begun.elapsed())?;
            if !done {
                self.look_for_missed();
            }
            self.publish();
            if done && self.pairing.is_settled() {
                let (played, slots) = (self.pairing.ledger().totals().slots, self.last);
                return if played == slots {
                    Ok(())
                } else {
                    Err(TrialFailure::Short { played, slots })
                };
            }
        }
    }

    /// Takes in what happened to a helper node; gives what the task node must know of it.
    fn apply(&mut self, event: NodeEvent) -> Option<TrialAnswer> {
        match event {
            NodeEvent::States { node, report } => {
                self.pairing.states(node, report.first, &report.states);
                None
            }
            NodeEvent::Gone { node } => {
                self.pairing.set_present(node, false);
                None
            }
            // Its states say when it is there again.
            NodeEvent::Back { node, address } => {
                Some(TrialAnswer::Helper { node: node as u32, address })
            }
        }
    }

    /// Takes in a report; says whether it was the last.
    fn hear(&mut self, report: TrialReport) -> Result<bool, TrialFailure> {
        match report {
            TrialReport::Live { steps, through, begun, late, estimates } => {
                self.pairing.tell(&steps, through, self.last, self.begun.elapsed())?;
                if !estimates.is_empty() {
                    self.pairing.ledger_mut().believe(estimates);
                }
                self.begun(Begun { slots: begun.into(), late: late.min(begun).into() });
                Ok(false)
            }
            TrialReport::Link { number, check } => {
                if self.links.len() < MOST_CHECKS || self.links.contains_key(&number) {
                    self.links.insert(number, *check);
                }
                Ok(false)
            }
            TrialReport::Done { .. } => Ok(true),
            TrialReport::Failed { message, of_policy: true } => Err(TrialFailure::Policy(message)),
            TrialReport::Failed { message, .. } => Err(TrialFailure::TaskNode(message)),
            TrialReport::Decisions { .. } | TrialReport::AskChoice => Err(TrialFailure::OutOfPlace),
        }
    }

    /// Counts slots that the task node says have begun, but for those that were missed before.
    fn begun(&mut self, mut begun: Begun) {
        self.first_slot.get_or_insert_with(Instant::now);
        self.slots_begun += begun.slots;
        let known = self.missed.min(begun.slots);
        self.missed -= known;
        begun = Begun { slots: begun.slots - known, late: begun.late.saturating_sub(known) };
        self.context.board.run().begun(self.policy, begun);
    }

    /// Counts slots as late that should have begun and did not, as far as anybody knows: a task node
    /// that hangs says nothing.
    fn look_for_missed(&mut self) {
        let Some(first) = self.first_slot else { return };
        let passed = first.elapsed().saturating_sub(SILENCE_ALLOWED).as_nanos();
        let due = u64::try_from(passed / self.slot.as_nanos().max(1)).unwrap_or(u64::MAX);
        let missing = due.min(self.last).saturating_sub(self.slots_begun + self.missed);
        if missing > 0 {
            self.missed += missing;
            self.context.board.run().begun(self.policy, Begun { slots: missing, late: missing });
        }
    }

    fn publish(&mut self) {
        let ledger = self.pairing.ledger_mut();
        self.context.board.publish(self.policy, ledger, None, &mut self.told);
    }
}

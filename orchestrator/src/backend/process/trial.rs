//! One trial on a task node, in lockstep: the order goes out, the decisions come back and are replayed.

use std::time::Instant;

use fogbit_scenario::Instance;
use fogbit_scenario::instance::asks_an_oracle;
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::wire::{TaskNodeOrder, TrialAnswer, TrialOrder, TrialReport};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, WireError};

use super::hub::MemberHandle;
use crate::backend::Context;
use crate::board::Told;
use crate::ledger::{Account, Replay, ReplayError};
use crate::plan::{Status, TrialResult};

/// Why a trial failed.
#[derive(Debug, thiserror::Error)]
enum TrialFailure {
    #[error("task node: {0}")]
    Wire(#[from] WireError),
    #[error("{0}")]
    Replay(#[from] ReplayError),
    #[error("{0}")]
    TaskNode(String),
    #[error("{0}")]
    Policy(String),
    #[error("the task node played {played} of {slots} slots")]
    Short { played: u64, slots: u64 },
    #[error("a report that has no place in lockstep")]
    OutOfPlace,
    #[error("the task node asked for a choice that is its own policy's to make")]
    Truth,
}

/// Has `order` played by `member` and keeps its ledger. Ends early when the context's stop is set
/// (`stopped` wakes it then); what was told until then counts.
///
/// # Errors
/// If results cannot be written.
pub(super) async fn drive(
    context: &Context,
    member: &MemberHandle,
    order: TrialOrder,
    instance: &Instance,
    mut stopped: tokio::sync::watch::Receiver<bool>,
) -> std::io::Result<TrialResult> {
    let policy = order.trial.policy as usize;
    let plan = &context.plan;
    let replica = plan.replica(policy, instance);
    let ledger = context.ledger(policy, instance)?;
    let log = context.context_log(policy, instance)?;
    let mut trial = Trial {
        context,
        policy,
        slots: order.slots,
        may_ask: asks_an_oracle(&plan.policies[policy].spec),
        replay: Replay::new(instance, replica, ledger).with_log(log),
        told: Told::nothing(instance.seed),
        seconds: None,
    };
    let started = Instant::now();
    let played = tokio::select! {
        biased;
        played = trial.play(member, order) => Some(played),
        _ = stopped.wait_for(|stop| *stop) => None,
    };
    let of_policy = matches!(played, Some(Err(TrialFailure::Policy(_))));
    let (status, failure) = match played {
        Some(Ok(())) => (Status::Complete, None),
        Some(Err(failure)) => (Status::Failed, Some(failure.to_string())),
        None => (plan.stopped(trial.replay.ledger().totals().slots), None),
    };
    let seconds = trial.seconds.unwrap_or_else(|| started.elapsed().as_secs_f64());
    let account: Account = trial.replay.finish().map_err(std::io::Error::other)?.close()?;
    let (seed, links) = (instance.seed, Vec::new());
    Ok(TrialResult { policy, seed, status, account, seconds, failure, of_policy, links })
}

struct Trial<'c> {
    context: &'c Context,
    policy: usize,
    slots: u64,
    may_ask: bool,
    replay: Replay,
    told: Told,
    /// How long the task node says it took.
    seconds: Option<f64>,
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
        let mut checked = 0;
        loop {
            match receive.expect().await? {
                TrialReport::Decisions { decisions, digest } => {
                    for (node, outcome) in decisions {
                        if self.replay.slot() >= self.slots {
                            return Err(ReplayError::TooMany { slots: self.slots }.into());
                        }
                        self.replay.apply(node as usize, outcome)?;
                    }
                    if let Some(digest) = digest {
                        self.replay.check(digest)?;
                        checked = self.replay.slot();
                    }
                    self.tell();
                }
                TrialReport::AskChoice => {
                    let node = self.choice()?;
                    send.send(&TrialAnswer::Choice { node }).await?;
                }
                TrialReport::Done { nanoseconds } => {
                    if checked != self.slots {
                        return Err(TrialFailure::Short { played: checked, slots: self.slots });
                    }
                    self.seconds = Some(nanoseconds as f64 * 1e-9);
                    return Ok(());
                }
                TrialReport::Failed { message, of_policy } => {
                    return Err(match of_policy {
                        true => TrialFailure::Policy(message),
                        false => TrialFailure::TaskNode(message),
                    });
                }
                TrialReport::Live { .. } | TrialReport::Link { .. } => {
                    return Err(TrialFailure::OutOfPlace);
                }
            }
        }
    }

    /// The door of the policies that know more: their choice in the slot after those told.
    fn choice(&mut self) -> Result<u32, TrialFailure> {
        if !self.may_ask {
            return Err(TrialFailure::Truth);
        }
        if self.replay.slot() >= self.slots {
            return Err(ReplayError::TooMany { slots: self.slots }.into());
        }
        let node = self.replay.next_choice()?.ok_or(TrialFailure::Truth)?;
        Ok(node as u32)
    }

    fn tell(&mut self) {
        let (ledger, policy) = self.replay.ledger_and_policy();
        self.context.board.publish(self.policy, ledger, policy, &mut self.told);
    }
}

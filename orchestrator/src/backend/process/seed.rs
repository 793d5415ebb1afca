//! One seed at the helper nodes: each is told what it is, and in real time says what its states
//! were; one that comes back is told again.

use std::net::SocketAddr;
use std::sync::Arc;

use fogbit_scenario::Instance;
use fogbit_scenario::link::LinkKeys;
use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::wire::{HelperOrder, Player, SeedOrder, SeedReady, StateReport};
use fogbit_transport::{CloseCode, FrameReceiver, FrameSender, WireError};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::hub::MemberHandle;

/// What a trial in real time hears of the helper nodes.
#[derive(Debug, Clone)]
pub(super) enum NodeEvent {
    /// States of one of them.
    States {
        /// Which.
        node: usize,
        /// What it said.
        report: StateReport,
    },
    /// It is lost.
    Gone {
        /// Which.
        node: usize,
    },
    /// It is there again, and knows of the seed.
    Back {
        /// Which.
        node: usize,
        /// Where.
        address: SocketAddr,
    },
}

/// The seed that is being run.
#[derive(Debug)]
pub(super) struct Seed {
    number: u64,
    instance: Arc<Instance>,
    players: Vec<Player>,
    slot_nanoseconds: Option<u64>,
    /// Each trial, in real time, in the order of the policies.
    trials: Vec<mpsc::UnboundedSender<NodeEvent>>,
    /// For each helper node the connection that was told, and the task that keeps its stream.
    told: Vec<Option<(usize, AbortHandle)>>,
    keepers: JoinSet<()>,
}

/// A helper node does not know of the seed.
#[derive(Debug)]
pub(super) struct Untold {
    /// Its name.
    pub(super) name: String,
    /// Why.
    pub(super) error: WireError,
}

/// The stream of a seed at one helper node. The seed lasts there as long as it is open.
type Stream = (FrameSender, FrameReceiver);

impl Seed {
    /// The seed `number`, which no helper node knows of yet. `trials` are those in real time.
    pub(super) fn new(
        number: u64,
        instance: Arc<Instance>,
        players: Vec<Player>,
        slot_nanoseconds: Option<u64>,
        trials: Vec<mpsc::UnboundedSender<NodeEvent>>,
    ) -> Seed {
        let told = instance.helpers.iter().map(|_| None).collect();
        let keepers = JoinSet::new();
        Seed { number, instance, players, slot_nanoseconds, trials, told, keepers }
    }

    /// Tells all helper nodes at once, and waits until each knows or cannot be told; gives the first
    /// of those that cannot.
    pub(super) async fn announce(
        &mut self,
        helpers: &[Option<MemberHandle>],
    ) -> Result<(), Untold> {
        let mut telling = JoinSet::new();
        for (node, helper) in helpers.iter().enumerate() {
            let Some(helper) = helper.clone() else { continue };
            let order = self.order(node);
            telling.spawn(async move {
                let told = tell(&helper, order).await;
                (node, helper, told)
            });
        }
        let mut untold = None;
        while let Some(told) = telling.join_next().await {
            // Telling does not panic.
            let Ok((node, helper, told)) = told else { continue };
            match told {
                Ok(stream) => self.keep(node, &helper, stream),
                Err(error) => untold = untold.or(Some(Untold { name: helper.name, error })),
            }
        }
        untold.map_or(Ok(()), Err)
    }

    /// In real time: tells helper nodes that have come since, while the trials go on.
    pub(super) fn welcome(&mut self, helpers: &[Option<MemberHandle>]) {
        // What is over is forgotten.
        while self.keepers.try_join_next().is_some() {}
        for (node, helper) in helpers.iter().enumerate() {
            let Some(helper) = helper else { continue };
            let id = helper.connection.stable_id();
            if self.told[node].as_ref().is_some_and(|(told, _)| *told == id) {
                continue;
            }
            let (order, trials) = (self.order(node), self.trials.clone());
            let member = helper.clone();
            let task = self.keepers.spawn(async move {
                match tell(&member, order).await {
                    Ok(stream) => {
                        if let Some(address) = member.listens {
                            let back = NodeEvent::Back { node, address };
                            trials.iter().for_each(|trial| drop(trial.send(back.clone())));
                        }
                        listen(node, stream, trials).await;
                    }
                    Err(error) => tracing::warn!(name = member.name, %error, "cannot be told"),
                }
            });
            self.told[node] = Some((id, task));
        }
    }

    /// In real time: a helper node is lost, which was there over `connection`.
    pub(super) fn lose(&mut self, node: usize, connection: usize) {
        if self.told[node].as_ref().is_some_and(|(told, _)| *told != connection) {
            // It is there again already.
            return;
        }
        if let Some((_, task)) = self.told[node].take() {
            task.abort();
        }
        self.trials.iter().for_each(|trial| drop(trial.send(NodeEvent::Gone { node })));
    }

    fn order(&self, node: usize) -> SeedOrder {
        SeedOrder {
            number: self.number,
            spec: self.instance.helpers[node].clone(),
            players: self.players.clone(),
            slot_nanoseconds: self.slot_nanoseconds,
            // In lockstep time is virtual, and nothing is emulated.
            link_key: self
                .slot_nanoseconds
                .filter(|_| self.instance.helpers[node].link.is_some())
                .map(|_| LinkKeys::derive(self.instance.seed, node).down),
        }
    }

    fn keep(&mut self, node: usize, helper: &MemberHandle, stream: Stream) {
        let task = self.keepers.spawn(listen(node, stream, self.trials.clone()));
        self.told[node] = Some((helper.connection.stable_id(), task));
    }
}

async fn tell(helper: &MemberHandle, order: SeedOrder) -> Result<Stream, WireError> {
    let number = order.number;
    let (send, receive) = helper.connection.open_bi().await?;
    let mut send = FrameSender::new(send, CONTROL_LIMIT);
    let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
    send.send(&HelperOrder::OneBit(Box::new(order))).await?;
    let ready: SeedReady = receive.expect().await?;
    if ready.number != number {
        return Err(WireError::Malformed("it speaks of another seed".into()));
    }
    Ok((send, receive))
}

/// Hands on what the helper node says, for as long as the seed lasts.
async fn listen(
    node: usize,
    (send, mut receive): Stream,
    trials: Vec<mpsc::UnboundedSender<NodeEvent>>,
) {
    loop {
        match receive.receive::<StateReport>().await {
            Ok(Some(report)) => {
                if let Some(trial) = trials.get(report.policy as usize) {
                    // The trial may be over.
                    let _ = trial.send(NodeEvent::States { node, report });
                }
            }
            Ok(None) | Err(WireError::Connection(_) | WireError::Reset(_)) => break,
            Err(error) => {
                tracing::warn!(node, %error, "what a helper node says of its states is no message");
                receive.stop(CloseCode::BadMessage);
                break;
            }
        }
    }
    // Whatever it says, the seed is not over for it.
    let _open = send;
    std::future::pending().await
}

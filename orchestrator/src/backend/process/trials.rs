//! What the problems beside `one-bit` do alike over processes: helper nodes are told of a seed, and the
//! trials of its policies are played by their task nodes.

use std::net::SocketAddr;

use fogbit_transport::codec::CONTROL_LIMIT;
use fogbit_transport::wire::{HelperOrder, Player, SeedReady};
use fogbit_transport::{FrameReceiver, FrameSender, WireError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::fleet::{Early, Fleet, failed};
use super::hub::MemberHandle;
use crate::backend::RunFailure;

/// A seed that all helper nodes have been told of; it lasts there as long as this is kept.
pub(crate) struct ToldSeed {
    /// Where each helper node listens, in the order of their numbers.
    pub(crate) addresses: Vec<SocketAddr>,
    _streams: Vec<(FrameSender, FrameReceiver)>,
}

impl Fleet {
    /// The task node that plays each of the policies, and who that is for helper nodes.
    pub(crate) fn cast<'p>(
        &self,
        policies: impl Iterator<Item = &'p str>,
    ) -> Result<(Vec<MemberHandle>, Vec<Player>), RunFailure> {
        let members = self.players()?;
        let player = |(policy, member): (&str, &MemberHandle)| Player {
            policy: policy.to_owned(),
            task_node: member.name.clone(),
        };
        let players = policies.zip(&members).map(player).collect();
        Ok((members, players))
    }

    /// Tells each helper node what it is under the seed of this number.
    ///
    /// # Errors
    /// If one is gone, or does not take it.
    pub(crate) async fn tell_seed(
        &self,
        number: u64,
        order: impl Fn(usize) -> HelperOrder,
    ) -> Result<ToldSeed, RunFailure> {
        let (mut streams, mut addresses) = (Vec::new(), Vec::new());
        for (node, helper) in self.helpers().into_iter().enumerate() {
            let helper = helper.ok_or_else(|| failed("a helper node is gone"))?;
            let listens = helper.listens;
            addresses.push(listens.ok_or_else(|| failed("a helper node does not listen"))?);
            let stream = announce(&helper, number, &order(node)).await;
            streams.push(
                stream.map_err(|error| failed(format!("helper node {}: {error}", helper.name)))?,
            );
        }
        Ok(ToldSeed { addresses, _streams: streams })
    }

    /// Plays `trials`, at most `at_once` at a time, until one has failed, a node is gone, or the run is
    /// to stop. Each trial is told when it is to end early. `failure_of` says whether one that is over
    /// has failed. Gives those that were begun, in the order of their ends.
    pub(crate) async fn play<T, F>(
        &mut self,
        at_once: usize,
        mut trials: impl Iterator<Item = impl FnOnce(watch::Receiver<bool>) -> F>,
        failure_of: impl Fn(&T) -> Option<RunFailure>,
    ) -> (Vec<T>, Option<RunFailure>)
    where
        T: Send + 'static,
        F: Future<Output = std::io::Result<T>> + Send + 'static,
    {
        let mut under_way = JoinSet::new();
        let mut done = Vec::new();
        let (stop, stopped) = watch::channel(false);
        let mut failure = None;
        loop {
            while failure.is_none()
                && !*self.stopped().borrow()
                && under_way.len() < at_once
                && let Some(trial) = trials.next()
            {
                under_way.spawn(trial(stopped.clone()));
            }
            if under_way.is_empty() {
                return (done, failure);
            }
            let mut told_to_stop = self.stopped();
            tokio::select! {
                biased;
                Some(ended) = under_way.join_next() => match ended {
                    Ok(Ok(played)) => {
                        if let Some(why) = failure_of(&played) {
                            failure.get_or_insert(why);
                        }
                        done.push(played);
                    }
                    Ok(Err(error)) => {
                        failure.get_or_insert(failed(format!("cannot write results: {error}")));
                    }
                    Err(error) => {
                        failure.get_or_insert(failed(format!("a trial panicked: {error}")));
                    }
                },
                gone = self.gone() => {
                    failure.get_or_insert(gone);
                    let _ = stop.send(true);
                }
                _ = told_to_stop.wait_for(|stop| *stop), if !*stop.borrow() => {
                    let _ = stop.send(true);
                }
            }
        }
    }

    /// How a seed ended.
    ///
    /// # Errors
    /// The cause of its `failure`, or that the run is to stop.
    pub(crate) async fn ended(&mut self, failure: Option<RunFailure>) -> Result<(), Early> {
        match failure {
            Some(failure) => Err(self.blame(failure).await.into()),
            None if *self.stopped().borrow() => Err(Early::Stopped),
            None => Ok(()),
        }
    }
}

async fn announce(
    helper: &MemberHandle,
    number: u64,
    order: &HelperOrder,
) -> Result<(FrameSender, FrameReceiver), WireError> {
    let (send, receive) = helper.connection.open_bi().await?;
    let mut send = FrameSender::new(send, CONTROL_LIMIT);
    let mut receive = FrameReceiver::new(receive, CONTROL_LIMIT);
    send.send(order).await?;
    let ready: SeedReady = receive.expect().await?;
    if ready.number != number {
        return Err(WireError::Malformed("it speaks of another seed".into()));
    }
    Ok((send, receive))
}

//! One seed: all policies side by side, from the first word to the helper nodes to the last result.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fogbit_scenario::Instance;
use fogbit_scenario::link::LinkKeys;
use fogbit_scenario::topology::{Clock, TimeSpan};
use fogbit_transport::Role;
use fogbit_transport::wire::{LinkEnd, Pace, Player, TrialId, TrialOrder};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::children::Ended;
use super::fleet::{Early, death, failed, task_node_name, what};
use super::hub::{Lost, MemberHandle};
use super::seed::{NodeEvent, Seed, Untold};
use super::{Run, live, trial};
use crate::backend::RunFailure;
use crate::exit::tell;
use crate::plan::{Collector, PlannedPolicy, Status, TrialResult};

/// After some node was stopped, this process is given so long to be stopped as well.
const STOP_NOTICE: Duration = Duration::from_secs(10);

/// In real time the helper nodes are given so long to hear of a seed before it begins.
const ANNOUNCEMENT: Duration = Duration::from_secs(2);

/// The trials of one seed while they go on.
struct Playing {
    seed: Seed,
    trials: JoinSet<std::io::Result<TrialResult>>,
    /// Turns true when they are to end.
    stop: watch::Sender<bool>,
    /// Those that have ended, in any order.
    results: Vec<TrialResult>,
    failure: Option<RunFailure>,
    /// Task nodes that died, and how.
    dead_task_nodes: BTreeMap<String, String>,
    /// Whether some node was stopped by somebody.
    left: bool,
}

impl Playing {
    /// Ends all trials.
    fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Ends all trials because of `failure`, unless there was another before.
    fn fail(&mut self, failure: RunFailure) {
        self.failure.get_or_insert(failure);
        self.stop();
    }

    /// A trial has ended.
    fn ended(&mut self, ended: Result<std::io::Result<TrialResult>, JoinError>) {
        match ended {
            Ok(Ok(result)) => self.results.push(result),
            Ok(Err(error)) => self.fail(failed(format!("cannot write results: {error}"))),
            Err(error) => self.fail(failed(format!("a trial panicked: {error}"))),
        }
    }
}

impl Run {
    /// Plays all policies under one seed, side by side.
    pub(super) async fn play_seed(
        &mut self,
        number: u64,
        instance: Arc<Instance>,
        collector: &mut Collector,
    ) -> Result<(), Early> {
        let mut playing = self.begin_seed(number, &instance).await?;
        self.watch(&mut playing).await;
        self.settle(playing, collector).await
    }

    /// Tells the helper nodes of the seed, and starts its trials.
    async fn begin_seed(
        &mut self,
        number: u64,
        instance: &Arc<Instance>,
    ) -> Result<Playing, Early> {
        let helpers = self.fleet.hub.helpers();
        if !self.real_time() && helpers.iter().any(Option::is_none) {
            return Err(failed("a helper node is gone").into());
        }
        let players = self.fleet.players()?;
        let (mut seed, events) = self.seed(number, instance, &players);
        let told = tokio::select! {
            biased;
            _ = self.fleet.stopped.wait_for(|stop| *stop) => return Err(Early::Stopped),
            ended = self.fleet.children.ended() => return Err(death(&ended).into()),
            told = seed.announce(&helpers) => told,
            // In real time whoever is slow comes later, or is missed like one that was lost.
            () = tokio::time::sleep(ANNOUNCEMENT), if self.real_time() => Ok(()),
        };
        match told {
            Err(Untold { name, error }) if !self.real_time() => {
                return Err(failed(format!("helper node {name}: {error}")).into());
            }
            Ok(()) | Err(_) => {}
        }
        if self.real_time() {
            seed.welcome(&helpers);
        }
        let stop = watch::Sender::new(false);
        let trials = self.start_trials(number, instance, &helpers, players, events, &stop);
        let (results, dead_task_nodes) = (Vec::new(), BTreeMap::new());
        Ok(Playing { seed, trials, stop, results, failure: None, dead_task_nodes, left: false })
    }

    /// Looks after the trials until the last has ended.
    async fn watch(&mut self, playing: &mut Playing) {
        let mut stopped = self.fleet.stopped.clone();
        while !playing.trials.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = playing.trials.join_next() => playing.ended(ended),
                ended = self.fleet.children.ended() => self.child_ended(&ended, playing),
                Some(lost) = self.fleet.lost.recv() => self.member_lost(lost, playing).await,
                () = self.fleet.hub.changed() => {
                    self.show_members();
                    if self.real_time() {
                        playing.seed.welcome(&self.fleet.hub.helpers());
                    }
                }
                _ = stopped.wait_for(|stop| *stop), if !*playing.stop.borrow() => playing.stop(),
            }
        }
    }

    /// A process that this one started is dead.
    fn child_ended(&self, ended: &Ended, playing: &mut Playing) {
        let death = death(ended);
        // What is known to be dead need not be waited for.
        self.fleet.hub.disconnect(ended.role, &ended.name);
        match ended.role {
            Role::Helper if self.real_time() => tell(format_args!("{}", death.message)),
            Role::Helper => playing.fail(death),
            Role::TaskNode | Role::Orchestrator => {
                // It fails its own trials; the others go on.
                tell(format_args!("{}", death.message));
                playing.dead_task_nodes.insert(ended.name.clone(), death.message.clone());
                playing.failure.get_or_insert(death);
            }
        }
    }

    /// A node is gone. In lockstep nothing can go on without a helper node; in real time it is
    /// missed.
    async fn member_lost(&mut self, lost: Lost, playing: &mut Playing) {
        self.show_members();
        playing.left |= lost.left;
        if lost.peer.role != Role::Helper {
            // Of a process that this one started it is known already how it died.
            if !playing.dead_task_nodes.contains_key(&lost.peer.name) {
                let (what, name) = (what(lost.peer.role), &lost.peer.name);
                tell(format_args!("{what} {name} is gone: {}", lost.error));
            }
            return;
        }
        if self.real_time() {
            self.miss(&lost, &mut playing.seed);
        } else if playing.failure.is_none() {
            let failure = self.fleet.explain(lost).await;
            playing.fail(failure);
        }
    }

    /// Hands on what the trials came to, in the order of the plan.
    async fn settle(&mut self, playing: Playing, collector: &mut Collector) -> Result<(), Early> {
        let Playing { seed, mut results, mut failure, dead_task_nodes, mut left, .. } = playing;
        drop(seed);
        while let Ok(lost) = self.fleet.lost.try_recv() {
            left |= lost.left;
        }
        // What a policy does to itself stops nobody else, and no later seed.
        let fails_run = |result: &TrialResult| result.status == Status::Failed && !result.of_policy;
        let failed_trials = results.iter().any(fails_run);
        if left && (failure.is_some() || failed_trials) && self.is_stopped_too().await {
            failure = None;
            results.iter_mut().for_each(|result| self.was_stopped(result));
        }
        results.sort_by_key(|result| result.policy);
        for mut result in results {
            if let Some(death) = dead_task_nodes.get(&task_node_name(result.policy)) {
                result.failure = result.failure.map(|_| death.clone());
            }
            // Whoever was interrupted as well did not fail.
            let interrupted = *self.fleet.stopped.borrow();
            if let (Some(failure), Status::Partial, false) = (&failure, result.status, interrupted)
            {
                result.status = Status::Failed;
                result.failure = Some(failure.message.clone());
            }
            if fails_run(&result) && failure.is_none() {
                let policy = self.context.plan.policies[result.policy].name.clone();
                let why = result.failure.clone().unwrap_or_default();
                failure = Some(self.fleet.explain_trial(&policy, &why).await);
            }
            let policy = &self.context.plan.policies[result.policy].name;
            self.links.add(policy, result.seed, std::mem::take(&mut result.links));
            collector.add(result);
        }
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        if *self.fleet.stopped.borrow() { Err(Early::Stopped) } else { Ok(()) }
    }

    /// Whether this process is stopped as well. Whoever stops everything may begin with the nodes:
    /// Docker Compose does.
    async fn is_stopped_too(&mut self) -> bool {
        let stopped = self.fleet.stopped.wait_for(|stop| *stop);
        tokio::time::timeout(STOP_NOTICE, stopped).await.is_ok_and(|stopped| stopped.is_ok())
    }

    /// A trial whose nodes were stopped did not fail.
    fn was_stopped(&self, result: &mut TrialResult) {
        if result.status != Status::Failed || result.of_policy {
            return;
        }
        result.status = self.context.plan.stopped(result.account.totals.slots);
        result.failure = None;
    }

    fn real_time(&self) -> bool {
        self.context.plan.scenario.wall_clock().is_some()
    }

    /// In real time a helper node that is lost is missed, and the run goes on.
    fn miss(&self, lost: &Lost, seed: &mut Seed) {
        let helpers = self.context.plan.scenario.helpers();
        let Some(node) = helpers.iter().position(|h| h.name == lost.peer.name) else { return };
        tracing::warn!(name = lost.peer.name, error = lost.error, "a helper node is lost");
        self.context.board.node_lost(&lost.peer.name);
        seed.lose(node, lost.connection);
    }

    /// The seed `number`, and for each policy what its trial hears in real time.
    fn seed(
        &self,
        number: u64,
        instance: &Arc<Instance>,
        players: &[MemberHandle],
    ) -> (Seed, Vec<mpsc::UnboundedReceiver<NodeEvent>>) {
        let plan = &self.context.plan;
        let player = |(policy, member): (&PlannedPolicy, &MemberHandle)| Player {
            policy: policy.name.clone(),
            task_node: member.name.clone(),
        };
        let players = plan.policies.iter().zip(players).map(player).collect();
        let (senders, receivers) = plan.policies.iter().map(|_| mpsc::unbounded_channel()).unzip();
        let slot = plan.scenario.wall_clock().map(|clock| nanoseconds(clock.slot));
        (Seed::new(number, Arc::clone(instance), players, slot, senders), receivers)
    }

    fn pace(&self) -> Pace {
        match self.context.plan.scenario.clock() {
            Clock::Slot(clock) => {
                Pace::Slot { lookahead: clock.lookahead, slots_per_second: self.context.pace }
            }
            Clock::Wall(clock) => Pace::Wall {
                slot_nanoseconds: nanoseconds(clock.slot),
                timeout_nanoseconds: nanoseconds(clock.timeout()),
            },
        }
    }

    fn start_trials(
        &self,
        number: u64,
        instance: &Arc<Instance>,
        helpers: &[Option<MemberHandle>],
        players: Vec<MemberHandle>,
        events: Vec<mpsc::UnboundedReceiver<NodeEvent>>,
        stop: &watch::Sender<bool>,
    ) -> JoinSet<std::io::Result<TrialResult>> {
        let plan = &self.context.plan;
        let names = instance.helpers.iter().map(|helper| helper.name.clone());
        let listening = helpers.iter().map(|helper| helper.as_ref().and_then(|h| h.listens));
        let addresses: Vec<(String, Option<SocketAddr>)> = names.zip(listening).collect();
        let present: Arc<[bool]> = helpers.iter().map(Option::is_some).collect();
        let mut set = JoinSet::new();
        let real_time = self.real_time();
        let all = plan.policies.iter().zip(players).zip(events).enumerate();
        for (index, ((policy, member), events)) in all {
            let order = TrialOrder {
                trial: TrialId { seed_number: number, policy: index as u32 },
                name: policy.name.clone(),
                policy: serde_json::to_string(&policy.spec).expect("a policy is plain data"),
                policy_key: plan.policy_key(index, instance.seed),
                helpers: addresses.clone(),
                features: instance.features as u32,
                tasks: instance.tasks.clone(),
                rules: instance.rules.clone(),
                slots: plan.scenario.last_slot(),
                pace: self.pace(),
                links: if real_time { link_ends(instance) } else { Vec::new() },
                deadline: plan.scenario.feedback().deadline().filter(|_| real_time).copied(),
            };
            let (context, instance) = (self.context.clone(), Arc::clone(instance));
            let (stopped, present) = (stop.subscribe(), Arc::clone(&present));
            set.spawn(async move {
                if real_time {
                    live::drive(&context, &member, order, &instance, &present, events, stopped)
                        .await
                } else {
                    trial::drive(&context, &member, order, &instance, stopped).await
                }
            });
        }
        set
    }
}

/// The link to each helper node as a task node emulates the way to it; empty where nothing is.
fn link_ends(instance: &Instance) -> Vec<LinkEnd> {
    let ends = instance.helpers.iter().enumerate().filter_map(|(node, helper)| {
        let key = LinkKeys::derive(instance.seed, node).up;
        helper.link.clone().map(|path| LinkEnd { path, key })
    });
    ends.collect()
}

fn nanoseconds(span: TimeSpan) -> u64 {
    u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX)
}

//! All sites in virtual time.

use fogbit_scenario::placement::{
    Channel, Execution, Fate, GIVE_UP_NS, PlacementInstance, QUEUE_FULL, RttMonitor, Site,
    SiteSight, Task, Way,
};
use fogbit_scenario::work::{Execution as Work, Planned, Refusal, TimedServer};

use std::future::Future;

use fogbit_transport::steering::{Steered, Steering};

use super::trial::PlacementFog;
use crate::steer::Steer;
use crate::trial::TrialError;

/// A helper node's computer in virtual time, wherever it is.
pub trait VirtualServer {
    /// A task arrives at `at_ns`, where other work takes the share `load`; none if there is no room.
    fn arrive(
        &mut self,
        at_ns: u64,
        cycles: u64,
        load: f64,
    ) -> impl Future<Output = Result<Option<Planned>, TrialError>>;

    /// The task of number `id` is taken back at `at_ns`.
    fn cancel(&mut self, id: u64, at_ns: u64) -> impl Future<Output = Result<(), TrialError>>;
}

impl VirtualServer for TimedServer {
    async fn arrive(
        &mut self,
        at_ns: u64,
        cycles: u64,
        load: f64,
    ) -> Result<Option<Planned>, TrialError> {
        self.set_load(load);
        match TimedServer::arrive(self, at_ns, cycles, None) {
            Ok(planned) => Ok(Some(planned)),
            Err(Refusal::QueueFull | Refusal::DeadlineTooClose { .. }) => Ok(None),
        }
    }

    async fn cancel(&mut self, id: u64, at_ns: u64) -> Result<(), TrialError> {
        TimedServer::cancel(self, id, at_ns);
        Ok(())
    }
}

/// The computer is that of a helper node, over QUIC; time is virtual all the same.
impl VirtualServer for Steer {
    async fn arrive(
        &mut self,
        at_ns: u64,
        cycles: u64,
        load: f64,
    ) -> Result<Option<Planned>, TrialError> {
        match self.ask(&Steering::Arrive { at_ns, cycles, load }).await? {
            Steered::Served { id, start_ns, finish_ns } => {
                Ok(Some(Planned { id, start_ns, finish_ns }))
            }
            Steered::Full => Ok(None),
            other => Err(self.unexpected(&other)),
        }
    }

    async fn cancel(&mut self, id: u64, at_ns: u64) -> Result<(), TrialError> {
        self.tell(&Steering::Cancel { id, at_ns }).await
    }
}

/// The task node, the helper nodes and the links between them in virtual time, in integer
/// nanoseconds from the start of the trial.
///
/// Work takes cycles over frequency, also where the topology says that it is really executed. Rates
/// and loss are seen as they are configured; round-trip times are measured: one small packet each
/// way before each decision. Where the topology draws them for each task, what was measured for the
/// task is what is seen; otherwise it is smoothed ([`RttMonitor`]).
#[derive(Debug, Clone)]
pub struct SimFog<S = TimedServer> {
    instance: PlacementInstance,
    now_ns: u64,
    local: TimedServer,
    helpers: Vec<Remote<S>>,
    timeout_ns: u64,
}

/// A helper node and the link to it.
#[derive(Debug, Clone)]
struct Remote<S> {
    server: S,
    /// Share of its CPU that other work takes in this slot.
    load: f64,
    channel: Channel,
    monitor: RttMonitor,
    /// Whether what was measured last is what is seen.
    raw: bool,
    measured_ns: u64,
}

impl SimFog {
    /// All nodes before slot 1, in this process.
    pub fn new(instance: &PlacementInstance) -> SimFog {
        let computers =
            instance.helpers.iter().map(|helper| helper.computer.compute(0.0, Work::Timed));
        SimFog::with_servers(instance, computers.map(TimedServer::new).collect())
    }
}

impl<S: VirtualServer> SimFog<S> {
    /// All nodes before slot 1, where the helper nodes' computers are `servers`.
    pub fn with_servers(instance: &PlacementInstance, servers: Vec<S>) -> SimFog<S> {
        let mut instance = instance.clone();
        let remotes = servers.into_iter().enumerate();
        let remotes = remotes.map(|(node, server)| Remote::new(&mut instance, node, server));
        let helpers = remotes.collect();
        SimFog {
            now_ns: 0,
            local: TimedServer::new(instance.task_node.computer.compute(0.0, Work::Timed)),
            helpers,
            timeout_ns: instance.task_node.timeout_ns.unwrap_or(GIVE_UP_NS),
            instance,
        }
    }

    /// The virtual time, in nanoseconds from the start of the trial.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn run_here(&mut self, task: &Task) -> Outcome {
        let planned = self.local.arrive(self.now_ns, task.cycles, None);
        let planned = planned.expect("the task node does one task after the other");
        Outcome::done(planned.finish_ns, self.now_ns, planned)
    }
}

/// What becomes of a task, by the clock of the trial.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    fate: Fate,
    end_ns: u64,
    queued_ns: u64,
    executed_ns: u64,
}

impl Outcome {
    /// Its output is there at `end_ns`; it had arrived at its site at `arrived_ns`.
    fn done(end_ns: u64, arrived_ns: u64, planned: Planned) -> Outcome {
        Outcome {
            fate: Fate::Done,
            end_ns,
            queued_ns: planned.start_ns - arrived_ns,
            executed_ns: planned.finish_ns - planned.start_ns,
        }
    }

    /// It was not done, which is known at `end_ns`.
    fn not_done(fate: Fate, end_ns: u64) -> Outcome {
        Outcome { fate, end_ns, queued_ns: 0, executed_ns: 0 }
    }
}

impl<S: VirtualServer> Remote<S> {
    fn new(instance: &mut PlacementInstance, node: usize, server: S) -> Remote<S> {
        let link = instance.link(node, 1);
        Remote {
            server,
            load: 0.0,
            channel: Channel::new(&link, &instance.link_keys[node], instance.cost().transfer),
            monitor: RttMonitor::new(),
            raw: instance.drawn_rtt_ns(node, 1).is_some(),
            measured_ns: link.round_trip_ns(),
        }
    }

    /// Measures a round trip that begins at `now_ns`; gives its end.
    fn probe(&mut self, now_ns: u64) -> u64 {
        // Of a lost probe nothing is learnt.
        let Some(round_trip_ns) = self.channel.probe(now_ns) else { return now_ns };
        self.monitor.sample(round_trip_ns);
        let smoothed = self.monitor.smoothed_ns().filter(|_| !self.raw);
        self.measured_ns = smoothed.unwrap_or(round_trip_ns);
        now_ns + round_trip_ns
    }

    /// Sends `task` at `begin_ns`, and waits for its answer until `until_ns`.
    async fn offload(
        &mut self,
        task: &Task,
        begin_ns: u64,
        until_ns: u64,
    ) -> Result<Outcome, TrialError> {
        let timed_out = Outcome::not_done(Fate::TimedOut, until_ns);
        let in_time = |end: Option<u64>| end.filter(|end| *end <= until_ns);
        let Some(arrived) = in_time(self.channel.send(Way::Up, begin_ns, task.input_bytes)) else {
            return Ok(timed_out);
        };
        Ok(match self.server.arrive(arrived, task.cycles, self.load).await? {
            Some(planned) => {
                let answer = self.channel.send(Way::Down, planned.finish_ns, task.output_bytes);
                match in_time(answer) {
                    Some(end) => Outcome::done(end, arrived, planned),
                    None => {
                        self.server.cancel(planned.id, until_ns).await?;
                        timed_out
                    }
                }
            }
            None => match in_time(self.channel.send(Way::Down, arrived, 0)) {
                Some(end) => Outcome::not_done(Fate::Refused(QUEUE_FULL), end),
                None => timed_out,
            },
        })
    }
}

impl<S: VirtualServer> PlacementFog for SimFog<S> {
    async fn begin(&mut self, slot: u64) -> Result<(), TrialError> {
        self.local.set_load(self.instance.local_load(slot));
        for (node, remote) in self.helpers.iter_mut().enumerate() {
            remote.load = self.instance.helper_load(node, slot);
            remote.channel.set(&self.instance.link(node, slot));
        }
        Ok(())
    }

    async fn observe(&mut self, slot: u64, sights: &mut [SiteSight]) -> Result<(), TrialError> {
        let mut end = self.now_ns;
        for (index, sight) in sights.iter_mut().enumerate() {
            *sight = self.instance.truth(slot, Site::at(index));
            if let Some(remote) = index.checked_sub(1).map(|node| &mut self.helpers[node]) {
                end = end.max(remote.probe(self.now_ns));
                sight.rtt_s = remote.measured_ns as f64 / 1e9;
            }
        }
        // The task comes when the answers are there.
        self.now_ns = end;
        Ok(())
    }

    async fn run(&mut self, _slot: u64, task: &Task, site: Site) -> Result<Execution, TrialError> {
        let begin = self.now_ns;
        let outcome = match site {
            Site::Local => self.run_here(task),
            Site::Helper(node) => {
                let until = begin.saturating_add(self.timeout_ns);
                self.helpers[node as usize].offload(task, begin, until).await?
            }
        };
        self.now_ns = outcome.end_ns;
        Ok(Execution {
            site,
            fate: outcome.fate,
            latency_ns: outcome.end_ns - begin,
            queued_ns: outcome.queued_ns,
            executed_ns: outcome.executed_ns,
        })
    }

    async fn rest(&mut self, _slot: u64) -> Result<(), TrialError> {
        self.now_ns = self.now_ns.saturating_add(self.instance.task_node.gap_ns);
        Ok(())
    }
}

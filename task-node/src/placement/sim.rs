//! All sites in virtual time.

use fogbit_scenario::placement::{
    Channel, Execution, Fate, GIVE_UP_NS, PlacementInstance, QUEUE_FULL, RttMonitor, Site,
    SiteSight, Task, Way,
};
use fogbit_scenario::work::{Execution as Work, Planned, Refusal, TimedServer};

use super::trial::PlacementFog;
use crate::trial::TrialError;

/// The task node, the helper nodes and the links between them in virtual time, in integer
/// nanoseconds from the start of the trial.
///
/// Work takes cycles over frequency, also where the topology says that it is really executed. Rates
/// and loss are seen as they are configured; round-trip times are measured: one small packet each
/// way before each decision. Where the topology draws them for each task, what was measured for the
/// task is what is seen; otherwise it is smoothed ([`RttMonitor`]).
#[derive(Debug, Clone)]
pub struct SimFog {
    instance: PlacementInstance,
    now_ns: u64,
    local: TimedServer,
    helpers: Vec<Remote>,
    timeout_ns: u64,
}

/// A helper node and the link to it.
#[derive(Debug, Clone)]
struct Remote {
    server: TimedServer,
    channel: Channel,
    monitor: RttMonitor,
    /// Whether what was measured last is what is seen.
    raw: bool,
    measured_ns: u64,
}

impl SimFog {
    /// All nodes before slot 1.
    pub fn new(instance: &PlacementInstance) -> SimFog {
        let mut instance = instance.clone();
        let remotes = (0..instance.helpers.len()).map(|node| Remote::new(&mut instance, node));
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

impl Remote {
    fn new(instance: &mut PlacementInstance, node: usize) -> Remote {
        let link = instance.link(node, 1);
        let computer = instance.helpers[node].computer.compute(0.0, Work::Timed);
        Remote {
            server: TimedServer::new(computer),
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
    fn offload(&mut self, task: &Task, begin_ns: u64, until_ns: u64) -> Outcome {
        let timed_out = Outcome::not_done(Fate::TimedOut, until_ns);
        let in_time = |end: Option<u64>| end.filter(|end| *end <= until_ns);
        let Some(arrived) = in_time(self.channel.send(Way::Up, begin_ns, task.input_bytes)) else {
            return timed_out;
        };
        match self.server.arrive(arrived, task.cycles, None) {
            Ok(planned) => {
                let answer = self.channel.send(Way::Down, planned.finish_ns, task.output_bytes);
                match in_time(answer) {
                    Some(end) => Outcome::done(end, arrived, planned),
                    None => {
                        self.server.cancel(planned.id, until_ns);
                        timed_out
                    }
                }
            }
            Err(Refusal::QueueFull | Refusal::DeadlineTooClose { .. }) => {
                match in_time(self.channel.send(Way::Down, arrived, 0)) {
                    Some(end) => Outcome::not_done(Fate::Refused(QUEUE_FULL), end),
                    None => timed_out,
                }
            }
        }
    }
}

impl PlacementFog for SimFog {
    async fn begin(&mut self, slot: u64) -> Result<(), TrialError> {
        self.local.set_load(self.instance.local_load(slot));
        for (node, remote) in self.helpers.iter_mut().enumerate() {
            remote.server.set_load(self.instance.helper_load(node, slot));
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
                self.helpers[node as usize].offload(task, begin, until)
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

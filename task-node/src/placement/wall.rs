//! All sites in real time: tasks really travel over QUIC and their links, and take the time that they
//! take.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fogbit_node::compute::{ComputeService, ComputeTask};
use fogbit_scenario::link::verdict::LinkCheck;
use fogbit_scenario::placement::{
    Execution, Fate, PlacementInstance, RttMonitor, Site, SiteSight, Task,
};
use fogbit_scenario::work::Work;
use fogbit_transport::compute::{ComputeRequest, OffloadError, Offloaded, offload};
use fogbit_transport::wire::TrialId;

use super::trial::PlacementFog;
use crate::steer::{Begun, Steer, nanoseconds};
use crate::trial::TrialError;

/// The task node's own computer and all helper nodes, in real time.
#[derive(Debug)]
pub(super) struct WallFog {
    instance: PlacementInstance,
    trial: TrialId,
    local: ComputeService,
    helpers: Vec<Remote>,
    timeout: Duration,
    /// What was found of states of links that are over.
    found: Vec<LinkCheck>,
    /// Each task over the wire has a number of its own; shadows are tasks too.
    sent: u64,
}

/// A round trip is waited for no longer.
const LONGEST_PING: Duration = Duration::from_secs(3);

/// A helper node.
#[derive(Debug)]
struct Remote {
    steer: Steer,
    monitor: RttMonitor,
    /// What the last probe found.
    check: Option<LinkCheck>,
}

impl WallFog {
    /// Everything before slot 1; `helpers` are sessions that are open.
    pub(super) fn new(
        instance: PlacementInstance,
        trial: TrialId,
        helpers: Vec<Steer>,
    ) -> Result<WallFog, TrialError> {
        let computer = &instance.task_node.computer;
        let local = ComputeService::new(computer.compute(0.0, instance.task_node.execution))
            .map_err(|error| TrialError::Order(error.to_string()))?;
        let timeout = instance.task_node.timeout_ns.unwrap_or(u64::MAX);
        let remote = |steer| Remote { steer, monitor: RttMonitor::new(), check: None };
        Ok(WallFog {
            trial,
            local,
            helpers: helpers.into_iter().map(remote).collect(),
            timeout: Duration::from_nanos(timeout),
            found: Vec::new(),
            sent: 0,
            instance,
        })
    }

    /// Counts what the links did in their last states, and gives what was found of all states, in the
    /// order of their ends.
    pub(super) async fn end(mut self) -> Result<Vec<LinkCheck>, TrialError> {
        for helper in &mut self.helpers {
            self.found.extend(helper.steer.count_state().await?);
        }
        Ok(self.found)
    }

    async fn run_here(&mut self, task: Task, load: f64) -> Result<Execution, TrialError> {
        let input = payload(task.input_bytes);
        let task = ComputeTask {
            work: Work { kind: self.instance.task_node.work, cycles: at_load(task.cycles, load) },
            input,
            output_bytes: task.output_bytes,
            deadline_ns: None,
        };
        let begun = Instant::now();
        let end = self.local.submit(task).await;
        let latency_ns = nanoseconds(begun);
        Ok(match end {
            Ok(finished) => Execution {
                site: Site::Local,
                fate: Fate::Done,
                latency_ns,
                queued_ns: finished.times.queued_ns,
                executed_ns: finished.times.served_ns,
            },
            Err(error) => not_done(Site::Local, Fate::Refused(error.code() as u32), latency_ns),
        })
    }

    async fn run_there(
        &mut self,
        task: Task,
        node: usize,
        load: f64,
    ) -> Result<Execution, TrialError> {
        let site = Site::Helper(node as u32);
        let input = payload(task.input_bytes);
        self.sent += 1;
        let request = ComputeRequest {
            output_bytes: task.output_bytes,
            ..ComputeRequest::new(
                self.trial,
                self.sent,
                Work { kind: self.instance.task_node.work, cycles: at_load(task.cycles, load) },
                task.input_bytes,
            )
        };
        let steer = &self.helpers[node].steer;
        let begun = Instant::now();
        let sent = tokio::time::timeout(self.timeout, offload(&steer.connection, request, &input));
        match sent.await {
            Ok(Ok(Offloaded { times, done, .. })) => Ok(Execution {
                site,
                fate: Fate::Done,
                latency_ns: u64::try_from(done.as_nanos()).unwrap_or(u64::MAX),
                queued_ns: times.queued_ns,
                executed_ns: times.served_ns,
            }),
            Ok(Err(OffloadError::Refused { code, .. })) => {
                Ok(not_done(site, Fate::Refused(code as u32), nanoseconds(begun)))
            }
            Ok(Err(OffloadError::Wire(error))) => Err(steer.error(error)),
            Ok(Err(error)) => {
                Err(steer.error(fogbit_transport::WireError::Malformed(error.to_string())))
            }
            Err(_) => Ok(not_done(site, Fate::TimedOut, nanoseconds(begun))),
        }
    }
}

impl PlacementFog for WallFog {
    async fn begin(&mut self, slot: u64) -> Result<(), TrialError> {
        for helper in &mut self.helpers {
            let Begun { over, found } = helper.steer.begin(slot).await?;
            self.found.extend(over);
            if found.is_some() {
                helper.check = found;
                // Round trips of another link say nothing about this one.
                helper.monitor = RttMonitor::new();
            }
        }
        Ok(())
    }

    async fn observe(&mut self, slot: u64, sights: &mut [SiteSight]) -> Result<(), TrialError> {
        sights[0] = self.instance.truth(slot, Site::Local);
        for (node, helper) in self.helpers.iter_mut().enumerate() {
            let limit = self.timeout.min(LONGEST_PING);
            // Over a link that loses everything it takes as long as was waited, at least.
            let lost = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
            let round_trip_ns = helper.steer.ping(limit).await?.unwrap_or(lost);
            helper.monitor.sample(round_trip_ns);
            let smoothed_ns = helper.monitor.smoothed_ns().unwrap_or(round_trip_ns);
            let stated = self.instance.truth(slot, Site::Helper(node as u32));
            let measured = helper.check.as_ref();
            let rate = |finding: fn(&LinkCheck) -> Option<f64>| {
                measured.and_then(finding).map_or(f64::INFINITY, |mbit_s| mbit_s * 1e6)
            };
            let loss = |finding: fn(&LinkCheck) -> Option<f64>| {
                measured.and_then(finding).unwrap_or_default()
            };
            sights[node + 1] = SiteSight {
                rtt_s: smoothed_ns as f64 / 1e9,
                up_bits_s: rate(|check| check.up.rate_mbit_s.measured),
                down_bits_s: rate(|check| check.down.rate_mbit_s.measured),
                loss: loss(|check| check.up.loss.measured)
                    .max(loss(|check| check.down.loss.measured)),
                ..stated
            };
        }
        Ok(())
    }

    async fn run(&mut self, slot: u64, task: &Task, site: Site) -> Result<Execution, TrialError> {
        match site {
            Site::Local => {
                let load = self.instance.local_load(slot);
                self.run_here(*task, load).await
            }
            Site::Helper(node) => {
                let load = self.instance.helper_load(node as usize, slot);
                self.run_there(*task, node as usize, load).await
            }
        }
    }

    async fn rest(&mut self, _slot: u64) -> Result<(), TrialError> {
        let gap = Duration::from_nanos(self.instance.task_node.gap_ns);
        if !gap.is_zero() {
            tokio::time::sleep(gap).await;
        }
        Ok(())
    }
}

fn not_done(site: Site, fate: Fate, latency_ns: u64) -> Execution {
    Execution { site, fate, latency_ns, queued_ns: 0, executed_ns: 0 }
}

/// The cycles that a computer without other work would do in the time that one with `load` takes for
/// `cycles`.
fn at_load(cycles: u64, load: f64) -> u64 {
    (cycles as f64 / (1.0 - load)).round() as u64
}

/// An input of so many bytes; which they are makes no difference to the time that anything takes.
fn payload(bytes: u64) -> Bytes {
    let word = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    let mut payload: Vec<u8> = (0..bytes.div_ceil(8)).flat_map(word).collect();
    payload.truncate(bytes as usize);
    Bytes::from(payload)
}

//! One part while it runs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fogbit_scenario::pipeline::Span;
use fogbit_scenario::work::{Work, WorkKind};
use fogbit_transport::CloseCode;
use fogbit_transport::pipeline::{Ended, FlowEnd, FlowHead, Part};
use fogbit_transport::timer::Timer;
use tokio::task::JoinSet;

use super::error::SiteError;
use super::progress::{Act, Progress};
use super::ways::{Heard, Ways};
use crate::compute::clock::{nanoseconds, now};
use crate::compute::{ComputeError, ComputeService, ComputeTask, Finished};

/// A part, and what computes for it; nothing in virtual time, where sub-tasks take none.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) part: Part,
    pub(super) service: Option<ComputeService>,
}

/// What a part has come to.
struct Run<'r> {
    part: &'r Part,
    service: Option<&'r ComputeService>,
    ways: &'r mut Ways,
    begun: Instant,
    progress: Progress,
    spans: Vec<Span>,
    arrived_ns: Vec<u64>,
    /// Sub-tasks that are ready while others' work goes on.
    held: Vec<usize>,
    is_busy: bool,
    working: JoinSet<(usize, Result<Finished, ComputeError>)>,
}

impl Ready {
    /// Runs the part, which begins now. Dropping the future takes its sub-tasks back.
    pub(super) async fn run(self, ways: &mut Ways) -> Result<Ended, SiteError> {
        let part = &self.part;
        let busy_ns = part.state.as_ref().map_or(0, |state| state.busy_ns);
        let run = Run {
            part,
            service: self.service.as_ref(),
            ways,
            begun: now(),
            progress: Progress::new(part),
            spans: vec![Span::default(); part.sub_tasks.len()],
            arrived_ns: vec![0; part.flows.len()],
            held: Vec::new(),
            is_busy: busy_ns > 0,
            working: JoinSet::new(),
        };
        run.finish(Duration::from_nanos(busy_ns)).await
    }
}

impl Run<'_> {
    async fn finish(mut self, busy: Duration) -> Result<Ended, SiteError> {
        let mut timer = Timer::new()?;
        let free = self.begun + busy;
        let acts = self.progress.begin(self.part);
        self.act(acts, 0);
        while !self.progress.is_over() {
            tokio::select! {
                biased;
                waited = timer.until(free), if self.is_busy => {
                    waited?;
                    self.is_busy = false;
                    for at in std::mem::take(&mut self.held) {
                        self.submit(at);
                    }
                }
                Some(done) = self.working.join_next(), if !self.working.is_empty() => {
                    // One that panicked is a sub-task that is never done.
                    let Ok((at, end)) = done else { continue };
                    self.done(at, end)?;
                }
                (site, heard) = self.ways.hear() => self.heard(site, heard).await?,
            }
        }
        let from_others = self.part.flows.iter().zip(&self.arrived_ns);
        Ok(Ended {
            application: self.part.application,
            sub_tasks: self.spans,
            arrived_ns: from_others
                .filter_map(|(flow, at)| matches!(flow.from, FlowEnd::Site(_)).then_some(*at))
                .collect(),
        })
    }

    fn since(&self, moment: Instant) -> u64 {
        nanoseconds(moment.saturating_duration_since(self.begun))
    }

    /// Does what can be done at `now_ns`, and in virtual time what can be done then.
    fn act(&mut self, acts: Vec<Act>, now_ns: u64) {
        let mut acts = VecDeque::from(acts);
        while let Some(act) = acts.pop_front() {
            match act {
                Act::Send(flow) => self.send(flow),
                Act::Ready(at) => {
                    self.spans[at].ready_ns = now_ns;
                    match (self.service, self.is_busy) {
                        (None, _) => acts.extend(self.progress.done(self.part, at)),
                        (Some(_), true) => self.held.push(at),
                        (Some(_), false) => self.submit(at),
                    }
                }
            }
        }
    }

    fn submit(&mut self, at: usize) {
        let Some(service) = self.service else { return };
        let task = ComputeTask {
            work: Work { kind: WorkKind::default(), cycles: self.part.sub_tasks[at].cycles },
            input: Bytes::new(),
            output_bytes: 0,
            deadline_ns: None,
        };
        // It has its place in the queue now, whenever somebody awaits its end.
        let submitted = service.submit(task);
        self.working.spawn(async move { (at, submitted.await) });
    }

    fn send(&mut self, at: usize) {
        let flow = &self.part.flows[at];
        if let FlowEnd::Site(site) = flow.to {
            let application = self.part.application;
            self.ways.send(site, FlowHead { application, flow: flow.flow, bytes: flow.bytes });
        }
    }

    fn done(&mut self, at: usize, end: Result<Finished, ComputeError>) -> Result<(), SiteError> {
        let sub_task = self.part.sub_tasks[at].number;
        let finished = end.map_err(|error| SiteError::SubTask { sub_task, error })?;
        let end_ns = self.since(now());
        let span = &mut self.spans[at];
        span.end_ns = end_ns.max(span.ready_ns);
        span.start_ns = end_ns.saturating_sub(finished.times.served_ns).max(span.ready_ns);
        let acts = self.progress.done(self.part, at);
        self.act(acts, end_ns);
        Ok(())
    }

    async fn heard(&mut self, site: u32, heard: Heard) -> Result<(), SiteError> {
        let (head, at) = match heard {
            Heard::Flow(head, at) => (head, at),
            // That site takes everything back, and so will this one be told.
            Heard::Lost(error) if error.code() == Some(CloseCode::Stopped) => {
                return std::future::pending().await;
            }
            Heard::Lost(error) => return Err(SiteError::Way { site, error }),
        };
        let FlowHead { application, flow, bytes } = head;
        let arrived = match application == self.part.application {
            true => self.progress.arrived(self.part, (site, flow, bytes)),
            false => None,
        };
        let (place, act) = arrived.ok_or(SiteError::Unexpected { site, application, flow })?;
        self.arrived_ns[place] = self.since(at);
        self.act(act.into_iter().collect(), self.arrived_ns[place]);
        Ok(())
    }
}

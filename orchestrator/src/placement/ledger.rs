//! What each decision of a trial lost, by the model with the links' true state.
//!
//! The ledger is told the [`Step`]s of one trial, from virtual time or from a task node that may
//! lie, and has the scenario under the trial's seed. It does not know where steps come from.

use std::io::{self, Write};
use std::sync::Arc;

use fogbit_scenario::placement::{Fate, PlacementInstance, Site, Step};

use super::metrics;
use super::pairing::{TaskPair, pairs};
use super::plan::{PlacementPlan, Segment, Window};
use super::record::{DecisionRow, header};
use super::tally::{Priced, Tally, Truth, came_back, milliseconds};
use crate::harness::{LedgerError, Metric, ProblemLedger, TrialSeries, Watch, show};
use crate::stats::Running;

/// The account of one trial while it goes on.
pub struct PlacementLedger {
    instance: PlacementInstance,
    deadline_ns: Option<u64>,
    slots: u64,
    segments: Arc<[Segment]>,
    windows: Arc<[Window]>,
    account: PlacementAccount,
    /// What each helper node was sent.
    nodes: Vec<NodeCounts>,
    /// The segment and the window of the slot.
    at: (usize, usize),
    expected_ms: Vec<f64>,
    decisions: Option<Box<dyn Write + Send>>,
    row: String,
    watch: Option<Watch<Step>>,
}

impl std::fmt::Debug for PlacementLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlacementLedger")
            .field("slots", &self.account.slots)
            .finish_non_exhaustive()
    }
}

/// What a trial came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlacementAccount {
    /// Slots played.
    pub slots: u64,
    /// Each segment, as far as the trial got.
    pub segments: Vec<Tally>,
    /// Each window, as far as the trial got.
    pub windows: Vec<WindowTally>,
}

impl PlacementAccount {
    /// All segments together.
    pub fn whole(&self) -> Tally {
        let mut whole = Tally::default();
        self.segments.iter().for_each(|segment| whole.merge(segment));
        whole
    }
}

/// The tasks that one helper node was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct NodeCounts {
    offloaded: u64,
    refused: u64,
    timed_out: u64,
}

impl NodeCounts {
    fn add(&mut self, fate: Fate) {
        self.offloaded += 1;
        match fate {
            Fate::Done => {}
            Fate::Refused(_) => self.refused += 1,
            Fate::TimedOut => self.timed_out += 1,
        }
    }
}

/// A point of a trial's curves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WindowTally {
    /// Tasks.
    pub tasks: u64,
    /// Latency of those that came back, in milliseconds.
    pub latency: Running,
    /// Expected latency of the choice minus the least, in milliseconds.
    pub regret: Running,
    /// Tasks that were offloaded.
    pub offloaded: u64,
    /// Decisions that are the best by the model.
    pub right: u64,
}

impl PlacementLedger {
    /// The ledger of the trial of `plan` that plays `instance`; decisions are written to
    /// `decisions` if there is such a file.
    ///
    /// # Errors
    /// If the head of the decision file cannot be written.
    pub fn new(
        plan: &PlacementPlan,
        instance: PlacementInstance,
        mut decisions: Option<Box<dyn Write + Send>>,
    ) -> io::Result<PlacementLedger> {
        if let Some(file) = &mut decisions {
            file.write_all(header(&plan.scenario.site_names()).as_bytes())?;
        }
        Ok(PlacementLedger {
            deadline_ns: plan.scenario.deadline_ns(),
            slots: plan.scenario.slots(),
            segments: Arc::clone(&plan.segments),
            windows: Arc::clone(&plan.windows),
            account: PlacementAccount::default(),
            nodes: vec![NodeCounts::default(); instance.sites() - 1],
            at: (0, 0),
            expected_ms: Vec::with_capacity(instance.sites()),
            instance,
            decisions,
            row: String::new(),
            watch: None,
        })
    }

    /// Has every step that is booked from now on added to `watch`.
    pub fn watched(mut self, watch: Option<Watch<Step>>) -> PlacementLedger {
        self.watch = watch;
        self
    }

    /// The account so far.
    pub fn account(&self) -> &PlacementAccount {
        &self.account
    }

    /// What is wrong with a step, if anything: the task must be that of the slot, the sites those
    /// that there are, and numbers numbers.
    fn check(&mut self, slot: u64, step: &Step) -> Result<(), String> {
        if step.slot != slot || slot > self.slots {
            return Err(format!("the task node told of slot {} of {}", step.slot, self.slots));
        }
        let task = self.instance.task(slot);
        if step.task != task {
            return Err(format!("the task node told of {:?}, the task is {task:?}", step.task));
        }
        let sites = self.instance.sites();
        if step.sights.len() != sites {
            return Err(format!("the task node saw {} sites of {sites}", step.sights.len()));
        }
        let rtt = |rtt: f64| rtt.is_finite() && rtt >= 0.0;
        if !step.sights.iter().all(|sight| rtt(sight.rtt_s)) {
            return Err("the task node told a round-trip time that is none".into());
        }
        let predictions = &step.predicted_s;
        if !predictions.is_empty() && predictions.len() != sites {
            return Err(format!("the policy predicted {} sites of {sites}", predictions.len()));
        }
        if predictions.iter().any(|value| value.is_nan()) {
            return Err("the policy predicted what is no number".into());
        }
        let mut seen = vec![false; sites];
        for execution in std::iter::once(&step.execution).chain(&step.shadows) {
            let index = execution.site.index();
            match seen.get_mut(index) {
                Some(seen) if !*seen => *seen = true,
                Some(_) => return Err(format!("two executions on site {index}")),
                None => return Err(format!("an execution on site {index} of {sites}")),
            }
        }
        Ok(())
    }

    fn book(&mut self, slot: u64, step: &Step, priced: &Priced, pairs: &[TaskPair]) {
        let PlacementAccount { slots, segments, windows } = &mut self.account;
        *slots = slot;
        let (segment, window) = &mut self.at;
        while self.segments[*segment].to < slot {
            *segment += 1;
        }
        while self.windows[*window].to < slot {
            *window += 1;
        }
        segments.resize_with(*segment + 1, Tally::default);
        windows.resize_with(*window + 1, WindowTally::default);
        let truth = Truth { pairs, deadline_ns: self.deadline_ns };
        segments[*segment].add(step, priced, &truth);
        if let Site::Helper(_) = step.execution.site {
            self.nodes[step.execution.site.index() - 1].add(step.execution.fate);
        }
        let point = &mut windows[*window];
        point.tasks += 1;
        point.regret.add(priced.regret_ms);
        point.offloaded += u64::from(step.execution.site != Site::Local);
        point.right += u64::from(priced.best == step.execution.site);
        if came_back(&step.execution) {
            point.latency.add(milliseconds(step.execution.latency_ns));
        }
    }

    fn write(&mut self, step: &Step, priced: &Priced) -> io::Result<()> {
        let Some(file) = &mut self.decisions else { return Ok(()) };
        self.row.clear();
        DecisionRow { step, priced, expected_ms: &self.expected_ms }.append_to(&mut self.row);
        file.write_all(self.row.as_bytes())
    }
}

/// The sum of what was averaged.
fn sum(running: &Running) -> f64 {
    running.mean * running.n as f64
}

impl ProblemLedger for PlacementLedger {
    type Step = Step;
    type Account = PlacementAccount;
    const COUNTED: &'static str = "slot";
    const TELL_EVERY: u64 = 1024;

    fn record(&mut self, step: &Step) -> Result<(), LedgerError> {
        let slot = self.account.slots + 1;
        self.check(slot, step).map_err(|reason| LedgerError::untrue::<Self>(slot, reason))?;
        self.instance.expected_into(slot, &step.task, &mut self.expected_ms);
        self.expected_ms.iter_mut().for_each(|seconds| *seconds *= 1e3);
        let priced = Priced::new(step.execution.site, &self.expected_ms);
        let pairs = pairs(&mut self.instance, step);
        self.book(slot, step, &priced, &pairs);
        show(self.watch.as_ref(), step);
        self.write(step, &priced).map_err(|error| LedgerError::write::<Self>(slot, error))
    }

    fn booked(&self) -> u64 {
        self.account.slots
    }

    /// Sum of the regret of all slots so far, in milliseconds.
    fn lost(&self) -> f64 {
        self.account.segments.iter().map(|segment| sum(&segment.regret)).sum()
    }

    const METRICS: &'static [Metric] = metrics::ALL;

    fn show(&self, series: &mut TrialSeries<'_>) {
        let segments = &self.account.segments;
        let count = |of: &dyn Fn(&Tally) -> u64| segments.iter().map(of).sum::<u64>() as f64;
        let seconds = |of: &dyn Fn(&Tally) -> Running| {
            segments.iter().map(|segment| sum(&of(segment))).sum::<f64>() / 1e3
        };
        series.set(&metrics::LOCAL, count(&|segment| segment.counts.local));
        for (node, counts) in self.nodes.iter().enumerate() {
            series.set_at(&metrics::OFFLOADED, node + 1, counts.offloaded as f64);
            series.set_at(&metrics::REFUSED, node + 1, counts.refused as f64);
            series.set_at(&metrics::TIMED_OUT, node + 1, counts.timed_out as f64);
        }
        let missed = count(&|segment| segment.counts.deadline_missed);
        series.set(&metrics::DONE, count(&|segment| segment.counts.done) + missed);
        series.set(&metrics::DEADLINES_MISSED, missed);
        series.set(&metrics::LATENCY, seconds(&|segment| segment.latency));
        series.set(&metrics::REGRET, seconds(&|segment| segment.regret));
        series.set(&metrics::BEST, count(&|segment| segment.right));
    }

    fn close(mut self) -> io::Result<PlacementAccount> {
        if let Some(file) = &mut self.decisions {
            file.flush()?;
        }
        Ok(self.account)
    }
}

#[cfg(test)]
mod tests;

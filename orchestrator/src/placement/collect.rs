//! Gathers trials as they end.

use fogbit_scenario::topology::PlacementMetric;

use super::ledger::{PlacementAccount, WindowTally};
use super::plan::PlacementPlan;
use super::tally::{Kpis, MeasuredBreakEven, PairTally, Tally};
use crate::harness::{self, ProblemCollector};
use crate::plan::Status;
use crate::stats::Running;

/// What one trial came to.
pub type PlacementTrial = harness::Trial<PlacementAccount>;

/// What one trial came to, without its samples.
#[derive(Debug, Clone)]
pub struct TrialFigures {
    /// The figures of the whole trial.
    pub whole: Kpis,
    /// Those of each segment that it reached.
    pub segments: Vec<Kpis>,
}

/// One trial without its samples.
pub type TrialRow = harness::TrialRow<TrialFigures>;

/// A point of a policy's curves: means over seeds of the trials' means.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WindowMeans {
    /// Mean latency in milliseconds.
    pub latency_ms: Running,
    /// Mean regret in milliseconds.
    pub regret_ms: Running,
    /// Share of the tasks that were offloaded.
    pub offloaded_share: Running,
    /// Share of the decisions that are the best.
    pub accuracy: Running,
}

impl WindowMeans {
    fn add(&mut self, window: &WindowTally) {
        if window.latency.n > 0 {
            self.latency_ms.add(window.latency.mean);
        }
        if window.tasks > 0 {
            let tasks = window.tasks as f64;
            self.regret_ms.add(window.regret.mean);
            self.offloaded_share.add(window.offloaded as f64 / tasks);
            self.accuracy.add(window.right as f64 / tasks);
        }
    }
}

/// Everything of a policy that is told over all seeds.
#[derive(Debug, Clone, Default)]
pub struct Pooled {
    /// Tasks of all complete trials, segment by segment.
    pub segments: Vec<Tally>,
    /// Curves over the slots; also of trials that are not complete, as far as they got.
    pub windows: Vec<WindowMeans>,
}

/// Gathers trials as they end: samples are pooled at once, so that memory grows with the number of
/// trials by no more than a row each.
#[derive(Debug, Clone)]
pub struct PlacementCollector {
    /// The trials, in the order in which they were added.
    pub rows: Vec<TrialRow>,
    /// Each policy over its seeds.
    pub pooled: Vec<Pooled>,
    /// Tasks that were executed on several sites, of all policies: by segment and helper node.
    pairs: Vec<Vec<PairTally>>,
}

impl PlacementCollector {
    /// For the trials of `plan`.
    pub fn new(plan: &PlacementPlan) -> PlacementCollector {
        PlacementCollector {
            rows: Vec::new(),
            pooled: plan.policies.iter().map(|_| Pooled::default()).collect(),
            pairs: Vec::new(),
        }
    }

    /// Adds one trial. The order of additions is part of the result: seed by seed, and within a seed
    /// in the order of the policies.
    pub fn add(&mut self, trial: PlacementTrial) {
        let PlacementTrial { policy, seed, status, account, seconds, failure } = trial;
        self.rows.push(TrialRow {
            policy,
            seed,
            status,
            slots: account.slots,
            seconds,
            failure,
            figures: TrialFigures {
                whole: account.whole().kpis(),
                segments: account.segments.iter().map(Tally::kpis).collect(),
            },
        });
        let pooled = &mut self.pooled[policy];
        grow(&mut pooled.windows, account.windows.len());
        for (into, window) in pooled.windows.iter_mut().zip(&account.windows) {
            into.add(window);
        }
        if status != Status::Complete {
            return;
        }
        grow(&mut pooled.segments, account.segments.len());
        grow(&mut self.pairs, account.segments.len());
        for (index, segment) in account.segments.iter().enumerate() {
            pooled.segments[index].merge(segment);
            grow(&mut self.pairs[index], segment.pairs.len());
            for (into, pair) in self.pairs[index].iter_mut().zip(&segment.pairs) {
                into.merge(pair);
            }
        }
    }

    /// The break-even round trip to a helper node in a segment, as it was measured; none where no
    /// task was executed on both sides.
    pub fn break_even(&self, segment: usize, node: usize) -> Option<MeasuredBreakEven> {
        self.pairs.get(segment)?.get(node)?.break_even()
    }
}

impl ProblemCollector for PlacementCollector {
    type Plan = PlacementPlan;
    type Metric = PlacementMetric;
    type Figures = TrialFigures;

    fn rows(&self) -> &[TrialRow] {
        &self.rows
    }

    fn rows_mut(&mut self) -> &mut Vec<TrialRow> {
        &mut self.rows
    }

    fn unplayed(_: &PlacementPlan) -> TrialFigures {
        TrialFigures { whole: Tally::default().kpis(), segments: Vec::new() }
    }

    fn compared_at(&self, plan: &PlacementPlan, _: &[usize]) -> Option<u64> {
        Some(plan.scenario.slots())
    }

    /// Over the whole trial. There is none where no task came back, or lay outside the band.
    fn value(_: &PlacementPlan, trial: &TrialRow, metric: PlacementMetric, _: u64) -> Option<f64> {
        let Kpis { mean_latency_ms, mean_regret_ms, accuracy, accuracy_outside_band, .. } =
            trial.figures.whole;
        match metric {
            PlacementMetric::MeanLatencyMs => mean_latency_ms,
            PlacementMetric::MeanRegretMs => mean_regret_ms,
            PlacementMetric::Accuracy => accuracy,
            PlacementMetric::AccuracyOutsideBand => accuracy_outside_band,
        }
    }
}

fn grow<T: Default>(list: &mut Vec<T>, length: usize) {
    list.resize_with(list.len().max(length), T::default);
}

//! Gathers trials as they end.

use fogbit_scenario::topology::PipelineMetric;

use super::metric;
use super::plan::PipelinePlan;
use super::tally::{KeptApplication, Kpis, Tally};
use crate::harness::{self, ProblemCollector};
use crate::plan::Status;

/// What one trial came to.
pub type PipelineTrial = harness::Trial<Tally>;

/// One trial, without what is told over all seeds only.
pub type TrialRow = harness::TrialRow<Kpis>;

/// Gathers trials as they end: memory grows with the number of trials by no more than a row each.
#[derive(Debug, Clone)]
pub struct PipelineCollector {
    /// The trials, in the order in which they were added.
    pub rows: Vec<TrialRow>,
    /// Each policy over its complete trials.
    pub pooled: Vec<Tally>,
    /// The first applications of each policy under the first seed, as far as its trial got.
    pub first: Vec<Vec<KeptApplication>>,
}

impl PipelineCollector {
    /// For the trials of `plan`.
    pub fn new(plan: &PipelinePlan) -> PipelineCollector {
        let policies = plan.policies.len();
        PipelineCollector {
            rows: Vec::new(),
            pooled: vec![Tally::default(); policies],
            first: vec![Vec::new(); policies],
        }
    }

    /// Adds one trial. The order of additions is part of the result: seed by seed, and within a seed
    /// in the order of the policies.
    pub fn add(&mut self, plan: &PipelinePlan, trial: PipelineTrial) {
        let PipelineTrial { policy, seed, status, account: tally, seconds, failure } = trial;
        let figures = tally.kpis(plan.scenario.sites().len());
        let slots = tally.counts.applications;
        self.rows.push(TrialRow { policy, seed, status, slots, seconds, failure, figures });
        if status == Status::Complete {
            self.pooled[policy].merge(&tally);
        }
        if plan.seeds.first() == Some(&seed) {
            self.first[policy] = tally.first;
        }
    }
}

impl ProblemCollector for PipelineCollector {
    type Plan = PipelinePlan;
    type Metric = PipelineMetric;
    type Figures = Kpis;

    fn rows(&self) -> &[TrialRow] {
        &self.rows
    }

    fn rows_mut(&mut self) -> &mut Vec<TrialRow> {
        &mut self.rows
    }

    fn unplayed(plan: &PipelinePlan) -> Kpis {
        Tally::default().kpis(plan.scenario.sites().len())
    }

    fn compared_at(&self, plan: &PipelinePlan, _policies: &[usize]) -> Option<u64> {
        // Whole trials are compared.
        Some(plan.scenario.applications())
    }

    fn value(
        _plan: &PipelinePlan,
        trial: &TrialRow,
        metric: PipelineMetric,
        _slot: u64,
    ) -> Option<f64> {
        metric::value(metric, &trial.figures)
    }
}

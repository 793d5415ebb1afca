//! Gathers trials as they end.

use fogbit_scenario::topology::CascadeMetric;

use super::metric;
use super::plan::{CascadePlan, keeps_to_bucket};
use super::tally::{Kpis, Tally};
use crate::harness::{self, ProblemCollector};
use crate::plan::Status;
use crate::validity::Begun;

/// What one trial came to.
pub type CascadeTrial = harness::Trial<Tally>;

/// One trial, without what is told over all seeds only.
pub type TrialRow = harness::TrialRow<Kpis>;

/// Gathers trials as they end: memory grows with the number of trials by no more than a row each.
#[derive(Debug, Clone)]
pub struct CascadeCollector {
    /// The trials, in the order in which they were added.
    pub rows: Vec<TrialRow>,
    /// Each policy over its complete trials.
    pub pooled: Vec<Tally>,
    /// In real time: images that came, and how many were seen late.
    pub begun: Begun,
}

impl CascadeCollector {
    /// For the trials of `plan`.
    pub fn new(plan: &CascadePlan) -> CascadeCollector {
        let pooled = plan.policies.iter().map(|_| Tally::default()).collect();
        CascadeCollector { rows: Vec::new(), pooled, begun: Begun::default() }
    }

    /// Adds one trial. The order of additions is part of the result: seed by seed, and within a seed
    /// in the order of the policies.
    pub fn add(&mut self, plan: &CascadePlan, trial: CascadeTrial) {
        let CascadeTrial { policy, seed, status, account: tally, seconds, failure } = trial;
        let figures = kpis(plan, policy, &tally);
        let slots = tally.images;
        self.rows.push(TrialRow { policy, seed, status, slots, seconds, failure, figures });
        if status == Status::Complete {
            self.pooled[policy].merge(&tally);
        }
    }
}

/// The figures of a policy's sums.
pub fn kpis(plan: &CascadePlan, policy: usize, tally: &Tally) -> Kpis {
    let pays = keeps_to_bucket(plan.policies[policy].spec.kind());
    tally.kpis(&plan.scenario.bucket(), pays)
}

impl ProblemCollector for CascadeCollector {
    type Plan = CascadePlan;
    type Metric = CascadeMetric;
    type Figures = Kpis;

    fn rows(&self) -> &[TrialRow] {
        &self.rows
    }

    fn rows_mut(&mut self) -> &mut Vec<TrialRow> {
        &mut self.rows
    }

    fn unplayed(plan: &CascadePlan) -> Kpis {
        Tally::default().kpis(&plan.scenario.bucket(), true)
    }

    fn compared_at(&self, plan: &CascadePlan, _policies: &[usize]) -> Option<u64> {
        // Whole trials are compared.
        Some(plan.scenario.images())
    }

    fn value(
        _plan: &CascadePlan,
        trial: &TrialRow,
        metric: CascadeMetric,
        _slot: u64,
    ) -> Option<f64> {
        metric::value(metric, &trial.figures)
    }
}

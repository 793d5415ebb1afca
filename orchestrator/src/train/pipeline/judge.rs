//! How good a network is: on applications that it never saw.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fogbit_policy::pipeline::{
    FixedSite, GreedyPolicy, NetPolicy, PipelineNet, PipelinePolicy, Sight,
};
use fogbit_scenario::pipeline::{Application, Conditions, CostTable, PipelineScenario, Scheduler};
use serde::Serialize;

use super::labels::{Examples, LabelError, LabelSet, Part};
use crate::stats::{Running, t_quantile};

/// How a policy does on applications that no network was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Judgement {
    /// How many applications.
    pub applications: u64,
    /// Sum of their delays over the sum of the least delays.
    pub delay_ratio: f64,
    /// Half of its 95 % confidence interval; none with one application.
    pub delay_ratio_half: Option<f64>,
    /// Share of sub-tasks that are placed as in the label.
    pub label_accuracy: f64,
    /// Share of applications of which all sub-tasks are.
    pub exact_match: f64,
}

/// Applications with their best placements, to judge by.
#[derive(Debug)]
pub struct Judge {
    all: Vec<(Application, Conditions)>,
    labels: LabelSet,
}

impl Judge {
    /// By the first `count` applications that are kept apart under `seed`.
    ///
    /// # Errors
    /// If `stop` is set.
    pub fn new(
        scenario: &PipelineScenario,
        seed: u64,
        count: u64,
        stop: &AtomicBool,
    ) -> Result<Judge, LabelError> {
        let examples = Examples::new(scenario, seed, Part::Judging);
        let labels = LabelSet::make(&examples, count, stop, |_| ())?;
        Ok(Judge { all: (1..=count).map(|number| examples.example(number)).collect(), labels })
    }

    /// Judges `net`.
    pub fn net(&self, net: &Arc<PipelineNet>) -> Judgement {
        self.policy(&mut NetPolicy::new(Arc::clone(net)))
    }

    /// Judges the earliest finish, which needs no training.
    pub fn greedy(&self) -> Judgement {
        self.policy(&mut GreedyPolicy::default())
    }

    /// Judges every sub-task at site `site`, or where it may run.
    pub fn fixed(&self, site: usize) -> Judgement {
        self.policy(&mut FixedSite::new(site))
    }

    /// Judges `policy`.
    pub fn policy(&self, policy: &mut dyn PipelinePolicy) -> Judgement {
        let (mut table, mut scheduler) = (CostTable::default(), Scheduler::default());
        let mut placement = Vec::new();
        let (mut delays, mut optima) = (Vec::new(), Vec::new());
        let (mut sub_tasks, mut right, mut exact) = (0u64, 0u64, 0u64);
        for (number, (application, conditions)) in (1..).zip(&self.all) {
            policy.place(&Sight { number, application, conditions }, &mut placement);
            table.fill(application, conditions);
            scheduler.take(application);
            delays.push(scheduler.delay_ns(&table, &placement) as f64);
            optima.push(self.labels.delay_ns(number) as f64);
            let label = self.labels.placement(number);
            let own = placement.iter().zip(label).filter(|(site, best)| site == best).count();
            sub_tasks += label.len() as u64;
            right += own as u64;
            exact += u64::from(own == label.len());
        }
        let applications = self.all.len() as u64;
        let (delay_ratio, delay_ratio_half) = ratio(&delays, &optima);
        Judgement {
            applications,
            delay_ratio,
            delay_ratio_half,
            label_accuracy: right as f64 / sub_tasks as f64,
            exact_match: exact as f64 / applications as f64,
        }
    }
}

/// The ratio r of the means of pairs, and half of its 95 % interval by the delta method: that of the
/// mean of `a - r b`, over the mean of b (Cochran, "Sampling techniques", 1977, section 6.4).
fn ratio(a: &[f64], b: &[f64]) -> (f64, Option<f64>) {
    let (sum, other) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
    let r = sum / other;
    let rests: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - r * b).collect();
    let n = a.len() as f64;
    let half = Running::of(&rests).sd().map(|sd| t_quantile(n - 1.0) * sd * n.sqrt() / other);
    (r, half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_of_means_and_its_interval() {
        // By hand: r = 12 / 10; rests 0.2, -0.6, 0.4 with a standard deviation of sqrt(0.28);
        // t(2, 0.975) = 4.302653; half = t sqrt(0.28 / 3) / (10 / 3).
        let (r, half) = ratio(&[5.0, 3.0, 4.0], &[4.0, 3.0, 3.0]);
        assert!((r - 1.2).abs() < 1e-12);
        assert!((half.unwrap() - 4.302_653 * (0.28f64 / 3.0).sqrt() / (10.0 / 3.0)).abs() < 1e-6);
        assert_eq!(ratio(&[2.0], &[1.0]), (2.0, None));
    }
}

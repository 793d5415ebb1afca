//! What policies are compared by.

use fogbit_scenario::topology::PipelineMetric;

use super::tally::Kpis;
use crate::harness::ProblemMetric;
use crate::harness::metric::Style;

impl ProblemMetric for PipelineMetric {
    const ALL: &'static [PipelineMetric] = &PipelineMetric::ALL;

    fn name(self) -> &'static str {
        PipelineMetric::name(self)
    }

    fn higher_is_better(self) -> bool {
        !matches!(self, PipelineMetric::DelayRatio | PipelineMetric::MeanDelayMs)
    }

    fn title(self) -> &'static str {
        match self {
            PipelineMetric::DelayRatio => {
                "Mean delay over the mean optimum: below 0, the policy is faster"
            }
            PipelineMetric::MeanDelayMs => "Mean delay in ms: below 0, the policy is faster",
            PipelineMetric::LabelAccuracy => {
                "Share of sub-tasks placed as in the label: above 0, the policy is nearer to it"
            }
            PipelineMetric::ExactMatch => {
                "Share of applications placed exactly as the label: above 0, the policy hits more"
            }
            PipelineMetric::OptimalShare => {
                "Share of applications with the least delay: above 0, the policy reaches more"
            }
        }
    }

    fn style(self) -> Style {
        let (phrase, unit, digits) = match self {
            PipelineMetric::DelayRatio => ("delay over the optimum", "mean over mean", 4),
            PipelineMetric::MeanDelayMs => ("mean delay", "ms", 2),
            PipelineMetric::LabelAccuracy => ("placed as in the label", "share of sub-tasks", 4),
            PipelineMetric::ExactMatch => ("exactly as the label", "share of applications", 4),
            PipelineMetric::OptimalShare => ("optimal delay reached", "share of applications", 4),
        };
        Style { phrase, unit, digits, from_zero: false }
    }
}

/// The value of a metric, where there is one.
pub fn value(metric: PipelineMetric, kpis: &Kpis) -> Option<f64> {
    match metric {
        PipelineMetric::DelayRatio => kpis.delay_ratio,
        PipelineMetric::MeanDelayMs => kpis.mean_delay_ms,
        PipelineMetric::LabelAccuracy => kpis.label_accuracy,
        PipelineMetric::ExactMatch => kpis.exact_match,
        PipelineMetric::OptimalShare => kpis.optimal_share,
    }
}

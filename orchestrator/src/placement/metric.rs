//! What policies are compared by.

use fogbit_scenario::topology::PlacementMetric;

use crate::harness::ProblemMetric;
use crate::harness::metric::Style;

impl ProblemMetric for PlacementMetric {
    const ALL: &'static [PlacementMetric] = &[
        PlacementMetric::MeanLatencyMs,
        PlacementMetric::MeanRegretMs,
        PlacementMetric::Accuracy,
        PlacementMetric::AccuracyOutsideBand,
    ];

    fn name(self) -> &'static str {
        match self {
            PlacementMetric::MeanLatencyMs => "mean_latency_ms",
            PlacementMetric::MeanRegretMs => "mean_regret_ms",
            PlacementMetric::Accuracy => "accuracy",
            PlacementMetric::AccuracyOutsideBand => "accuracy_outside_band",
        }
    }

    fn higher_is_better(self) -> bool {
        matches!(self, PlacementMetric::Accuracy | PlacementMetric::AccuracyOutsideBand)
    }

    fn title(self) -> &'static str {
        match self {
            PlacementMetric::MeanLatencyMs => "Mean latency in ms: below 0, the policy is faster",
            PlacementMetric::MeanRegretMs => "Mean regret in ms: below 0, the policy loses less",
            PlacementMetric::Accuracy => {
                "Share of decisions that are the best: above 0, the policy decides better"
            }
            PlacementMetric::AccuracyOutsideBand => "The same outside the band around break-even",
        }
    }

    fn style(self) -> Style {
        let (phrase, unit, digits) = match self {
            PlacementMetric::MeanLatencyMs => ("mean latency", "ms", 3),
            PlacementMetric::MeanRegretMs => ("mean regret", "ms", 3),
            PlacementMetric::Accuracy => ("accuracy", "share of decisions", 4),
            PlacementMetric::AccuracyOutsideBand => {
                ("accuracy outside the band", "share of decisions", 4)
            }
        };
        Style { phrase, unit, digits, from_zero: true }
    }
}

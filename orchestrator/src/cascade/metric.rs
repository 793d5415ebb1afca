//! What policies are compared by.

use fogbit_scenario::topology::CascadeMetric;

use super::tally::Kpis;
use crate::harness::ProblemMetric;
use crate::harness::metric::Style;

impl ProblemMetric for CascadeMetric {
    const ALL: &'static [CascadeMetric] = &CascadeMetric::ALL;

    fn name(self) -> &'static str {
        CascadeMetric::name(self)
    }

    fn higher_is_better(self) -> bool {
        // Whoever loses less by sending more, within the bucket, has used it better.
        self == CascadeMetric::OffloadedShare
    }

    fn title(self) -> &'static str {
        match self {
            CascadeMetric::AverageLoss => "Average loss: below 0, the policy loses less",
            CascadeMetric::OffloadedShare => {
                "Share of images sent: above 0, the policy uses more of its tokens"
            }
            CascadeMetric::WastedShare => {
                "Share of tokens that found the bucket full: below 0, the policy wastes fewer"
            }
        }
    }

    fn style(self) -> Style {
        let (phrase, unit, digits) = match self {
            CascadeMetric::AverageLoss => ("average loss", "loss an image", 5),
            CascadeMetric::OffloadedShare => ("images sent", "share of all images", 4),
            CascadeMetric::WastedShare => ("tokens wasted", "share of those that came", 4),
        };
        Style { phrase, unit, digits, from_zero: false }
    }
}

/// The value of a metric, where there is one: no token may have come, or none be needed.
pub fn value(metric: CascadeMetric, kpis: &Kpis) -> Option<f64> {
    match metric {
        CascadeMetric::AverageLoss => kpis.average_loss,
        CascadeMetric::OffloadedShare => kpis.offloaded_share,
        CascadeMetric::WastedShare => kpis.wasted_share,
    }
}

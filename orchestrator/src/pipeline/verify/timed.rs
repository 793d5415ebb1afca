//! How long decisions took: never the same, but there are times that cannot be.

use fogbit_scenario::pipeline::PipelineScenario;

use crate::pipeline::summary::{ExhaustiveTimes, PipelineSummary};
use crate::pipeline::timing::{APPLICATIONS, DecisionTimes, MOST_PLACEMENTS};
use crate::verify::Compared;

/// Holds the times of decisions against what they can be, and those of exhaustive search against the
/// number of placements that there are to try.
pub(super) fn check(
    summary: &PipelineSummary,
    scenario: &PipelineScenario,
    compared: &mut Compared,
) {
    for policy in &summary.policies {
        if policy.decision.as_ref().is_some_and(|times| !can_be(times)) {
            let place = format!("summary.json: {}, decision", policy.name);
            compared.find(place, "these cannot be times of decisions");
        }
    }
    let Some(seed) = scenario.seeds().first().copied() else { return };
    let instance = scenario.instance(seed);
    let of = |number| -> u128 {
        let application = instance.application(number);
        application.sub_tasks().iter().map(|own| own.sites.len() as u128).product()
    };
    let right = (1..=APPLICATIONS).map(of).max().unwrap_or_default();
    let (place, is_timed) = ("summary.json: exhaustive", right as f64 <= MOST_PLACEMENTS);
    match &summary.exhaustive {
        None if is_timed => compared.find(place, format!("null, with {right} placements at most")),
        None => {}
        Some(_) if !is_timed => compared.find(place, format!("{right} placements are too many")),
        Some(ExhaustiveTimes { times, placements }) => {
            if !can_be(times) {
                compared.find(place, "these cannot be times of decisions");
            }
            if u128::from(*placements) != right {
                compared.find(place, format!("placements {placements} where {right} is right"));
            }
        }
    }
}

/// All applications are placed at least once, or as many as there was time for, one at least.
fn can_be(times: &DecisionTimes) -> bool {
    let DecisionTimes { median_ns, p95_ns, applications } = *times;
    median_ns >= 0.0 && median_ns <= p95_ns && p95_ns.is_finite() && applications > 0
}

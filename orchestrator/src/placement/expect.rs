//! The expectations of a topology file, held against a run.

use fogbit_scenario::topology::{Bound, PlacementExpect};

use super::collect::PlacementCollector;
use super::pairs::{by_seed, metric_name};
use super::plan::PlacementPlan;
use crate::expect::{Judgement, Verdict};
use crate::stats::{Interval, MeanSd};

/// Holds every expectation of the topology against the run.
pub(super) fn evaluate(plan: &PlacementPlan, collector: &PlacementCollector) -> Vec<Verdict> {
    let expectations = &plan.scenario.topology().expectations;
    expectations.iter().map(|expect| verdict(plan, collector, expect)).collect()
}

fn verdict(
    plan: &PlacementPlan,
    collector: &PlacementCollector,
    expect: &PlacementExpect,
) -> Verdict {
    let (side, bound) = match (&expect.below, &expect.above) {
        (Some(bound), _) => ("below", bound),
        (None, Some(bound)) => ("above", bound),
        (None, None) => unreachable!("validation asks for one of them"),
    };
    let bound_text = match bound {
        Bound::Number(number) => number.to_string(),
        Bound::Policy(name) => format!("that of {name}"),
    };
    let (metric, policy, seeds) = (metric_name(expect.metric), &expect.policy, expect.seeds);
    let expectation =
        format!("{metric} of {policy} {side} {bound_text}, over {seeds} seeds or more");
    let (judgement, finding) = match judge(plan, collector, expect, side == "below", bound) {
        Ok((true, finding)) => (Judgement::Met, finding),
        Ok((false, finding)) => (Judgement::Failed, finding),
        Err(reason) => (Judgement::NotEvaluated, reason),
    };
    Verdict { expectation, judgement, finding }
}

/// Whether it holds and what was found, or why it cannot be told.
fn judge(
    plan: &PlacementPlan,
    collector: &PlacementCollector,
    expect: &PlacementExpect,
    below: bool,
    bound: &Bound,
) -> Result<(bool, String), String> {
    let values = |name: &str| {
        let policy = plan.policies.iter().position(|policy| policy.name == name);
        policy
            .map(|policy| by_seed(collector, policy, expect.metric))
            .ok_or_else(|| format!("{name} is not part of this run"))
    };
    let own = values(&expect.policy)?;
    let side = |value: f64, limit: f64| if below { value < limit } else { value > limit };
    match bound {
        Bound::Number(number) => {
            enough(own.len(), expect.seeds)?;
            let mean = MeanSd::of(&own.into_values().collect::<Vec<_>>()).mean;
            Ok((side(mean, *number), format!("mean {mean:.6}")))
        }
        Bound::Policy(name) => {
            let other = values(name)?;
            let (a, b): (Vec<f64>, Vec<f64>) =
                own.iter().filter_map(|(seed, a)| Some((*a, *other.get(seed)?))).unzip();
            enough(a.len(), expect.seeds)?;
            let Interval { mean, low, high } = Interval::of_differences(&a, &b);
            let Some((low, high)) = low.zip(high) else {
                return Ok((side(mean, 0.0), format!("difference {mean:.6}, with one seed")));
            };
            let end = if below { high } else { low };
            let finding = format!("paired difference {mean:.6}, interval {low:.6} to {high:.6}");
            Ok((side(end, 0.0), finding))
        }
    }
}

fn enough(seeds: usize, wanted: u64) -> Result<(), String> {
    match seeds {
        0 => Err("no complete trial that tells it".into()),
        1 if wanted > 1 => Err("1 seed is too few".into()),
        _ if (seeds as u64) < wanted => Err(format!("{seeds} seeds are too few")),
        _ => Ok(()),
    }
}

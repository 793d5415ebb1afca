//! The expectations of a topology file, held against a run.

use fogbit_scenario::topology::{Bound, CascadeExpect, Expect, PipelineExpect, PlacementExpect};
use serde::{Deserialize, Serialize};

use crate::harness::{BySeed, ProblemCollector, ProblemMetric, ProblemPlan};
use crate::stats::{Interval, MeanSd};

/// What became of an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// It holds.
    Met,
    /// It does not.
    Failed,
    /// The run is too short or has too few seeds to tell.
    NotEvaluated,
}

/// An expectation and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The expectation in words.
    pub expectation: String,
    /// What became of it.
    pub judgement: Judgement,
    /// What was found, or why nothing was.
    pub finding: String,
}

/// An expectation of any problem.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'e, M> {
    /// Name of the policy.
    pub policy: &'e str,
    /// What is compared.
    pub metric: M,
    /// The slot at which it holds, where it does not speak of whole trials.
    pub slot: Option<u64>,
    /// What it is expected to lie below or above.
    pub bound: &'e Bound,
    /// Whether below.
    pub below: bool,
    /// The least number of seeds it holds for.
    pub seeds: u64,
}

/// The bound of an expectation, and whether what is expected lies below it.
fn bound<'e>(below: Option<&'e Bound>, above: Option<&'e Bound>) -> (&'e Bound, bool) {
    match (below, above) {
        (Some(bound), _) => (bound, true),
        (None, Some(bound)) => (bound, false),
        (None, None) => unreachable!("validation asks for one of them"),
    }
}

impl<'e> From<&'e Expect> for Expected<'e, fogbit_scenario::topology::Metric> {
    fn from(expect: &'e Expect) -> Self {
        let Expect { policy, metric, slot, seeds, .. } = expect;
        let (bound, below) = bound(expect.below.as_ref(), expect.above.as_ref());
        let (metric, slot, seeds) = (*metric, Some(*slot), *seeds);
        Expected { policy, metric, slot, bound, below, seeds }
    }
}

impl<'e> From<&'e PlacementExpect> for Expected<'e, fogbit_scenario::topology::PlacementMetric> {
    fn from(expect: &'e PlacementExpect) -> Self {
        let PlacementExpect { policy, metric, seeds, .. } = expect;
        let (bound, below) = bound(expect.below.as_ref(), expect.above.as_ref());
        Expected { policy, metric: *metric, slot: None, bound, below, seeds: *seeds }
    }
}

impl<'e> From<&'e CascadeExpect> for Expected<'e, fogbit_scenario::topology::CascadeMetric> {
    fn from(expect: &'e CascadeExpect) -> Self {
        let CascadeExpect { policy, metric, seeds, .. } = expect;
        let (bound, below) = bound(expect.below.as_ref(), expect.above.as_ref());
        Expected { policy, metric: *metric, slot: None, bound, below, seeds: *seeds }
    }
}

impl<'e> From<&'e PipelineExpect> for Expected<'e, fogbit_scenario::topology::PipelineMetric> {
    fn from(expect: &'e PipelineExpect) -> Self {
        let PipelineExpect { policy, metric, seeds, .. } = expect;
        let (bound, below) = bound(expect.below.as_ref(), expect.above.as_ref());
        Expected { policy, metric: *metric, slot: None, bound, below, seeds: *seeds }
    }
}

/// Holds every expectation of the topology against the run. `reached` says of a slot that an
/// expectation speaks of why it cannot be told, where no trial is that long.
pub fn evaluate<'e, C: ProblemCollector>(
    plan: &C::Plan,
    collector: &C,
    expectations: impl IntoIterator<Item = impl Into<Expected<'e, C::Metric>>>,
    reached: impl Fn(u64) -> Result<(), String>,
) -> Vec<Verdict> {
    let values = |expected: &Expected<'_, C::Metric>, name: &str| -> Result<BySeed, String> {
        let policy = plan.policies().iter().position(|policy| policy.name == name);
        let policy = policy.ok_or_else(|| format!("{name} is not part of this run"))?;
        if let Some(slot) = expected.slot {
            reached(slot)?;
        }
        let slot = expected.slot.or_else(|| collector.compared_at(plan, &[policy]));
        let slot = slot.ok_or(NO_TRIAL)?;
        Ok(collector.by_seed(plan, policy, expected.metric, slot))
    };
    expectations
        .into_iter()
        .map(|expect| {
            let expected: Expected<'_, C::Metric> = expect.into();
            judge(&expected, |name| values(&expected, name))
        })
        .collect()
}

const NO_TRIAL: &str = "no complete trial that tells it";

/// Holds an expectation against the values of policies by seed, or the reason why there are none.
fn judge<M: ProblemMetric>(
    expected: &Expected<'_, M>,
    values: impl Fn(&str) -> Result<BySeed, String>,
) -> Verdict {
    let Expected { policy, slot, bound, below, seeds, .. } = expected;
    let bound_text = match bound {
        Bound::Number(number) => number.to_string(),
        Bound::Policy(name) => format!("that of {name}"),
    };
    let (metric, side) = (expected.metric.name(), if *below { "below" } else { "above" });
    let at = slot.map_or(String::new(), |slot| format!(" at slot {slot}"));
    let expectation =
        format!("{metric} of {policy}{at} {side} {bound_text}, over {seeds} seeds or more");
    let (judgement, finding) = match holds(expected, values) {
        Ok((true, finding)) => (Judgement::Met, finding),
        Ok((false, finding)) => (Judgement::Failed, finding),
        Err(reason) => (Judgement::NotEvaluated, reason),
    };
    Verdict { expectation, judgement, finding }
}

/// Whether it holds and what was found, or why it cannot be told.
fn holds<M>(
    Expected { policy, bound, below, seeds, .. }: &Expected<'_, M>,
    values: impl Fn(&str) -> Result<BySeed, String>,
) -> Result<(bool, String), String> {
    let own = values(policy)?;
    let side = |value: f64, limit: f64| if *below { value < limit } else { value > limit };
    match bound {
        Bound::Number(number) => {
            enough(own.len(), *seeds)?;
            let mean = MeanSd::of(&own.into_values().collect::<Vec<_>>()).mean;
            Ok((side(mean, *number), format!("mean {mean:.6}")))
        }
        Bound::Policy(name) => {
            let other = values(name)?;
            let (a, b): (Vec<f64>, Vec<f64>) =
                own.iter().filter_map(|(seed, a)| Some((*a, *other.get(seed)?))).unzip();
            enough(a.len(), *seeds)?;
            let Interval { mean, low, high } = Interval::of_differences(&a, &b);
            let Some((low, high)) = low.zip(high) else {
                return Ok((side(mean, 0.0), format!("difference {mean:.6}, with one seed")));
            };
            let end = if *below { high } else { low };
            let finding = format!("paired difference {mean:.6}, interval {low:.6} to {high:.6}");
            Ok((side(end, 0.0), finding))
        }
    }
}

fn enough(seeds: usize, wanted: u64) -> Result<(), String> {
    match seeds {
        0 => Err(NO_TRIAL.into()),
        1 if wanted > 1 => Err("1 seed is too few".into()),
        _ if (seeds as u64) < wanted => Err(format!("{seeds} seeds are too few")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::topology::Metric;

    use super::*;

    /// The verdict on `a` below or above a bound, where `a` and `b` have values under seeds from 1.
    fn verdict(bound: &Bound, below: bool, seeds: u64, a: &[f64], b: &[f64]) -> Verdict {
        let (policy, metric, slot) = ("a", Metric::Reward, Some(7));
        let expected = Expected { policy, metric, slot, bound, below, seeds };
        judge(&expected, |name| match name {
            "a" => Ok((1..).zip(a.iter().copied()).collect()),
            "b" => Ok((1..).zip(b.iter().copied()).collect()),
            other => Err(format!("{other} is not part of this run")),
        })
    }

    #[test]
    fn numbers_are_held_against_means_and_policies_against_intervals() {
        let (number, policy) = (Bound::Number(2.0), Bound::Policy("b".into()));
        let (low, high) = ([1.0, 2.0, 2.5], [3.0, 3.5, 5.0]);
        for (bound, below, a, judgement) in [
            (&number, true, low, Judgement::Met),
            (&number, false, low, Judgement::Failed),
            (&number, false, high, Judgement::Met),
            (&policy, true, low, Judgement::Met),
            (&policy, false, low, Judgement::Failed),
            // The mean difference is below 0, and its interval holds 0.
            (&policy, true, [2.9, 3.6, 4.5], Judgement::Failed),
        ] {
            let found = verdict(bound, below, 3, &a, &high);
            assert_eq!(found.judgement, judgement, "{found:?}");
        }
        let told = verdict(&policy, true, 3, &low, &high);
        assert_eq!(told.expectation, "reward of a at slot 7 below that of b, over 3 seeds or more");
    }

    #[test]
    fn it_says_why_it_cannot_tell() {
        let (number, policy) = (Bound::Number(2.0), Bound::Policy("b".into()));
        let other = Bound::Policy("c".into());
        for (bound, a, b, why) in [
            (&number, &[1.0, 1.0][..], &[][..], "2 seeds are too few"),
            (&number, &[1.0], &[], "1 seed is too few"),
            (&number, &[], &[], NO_TRIAL),
            (&policy, &[1.0, 1.0, 1.0], &[1.0], "1 seed is too few"),
            (&policy, &[1.0, 1.0, 1.0], &[], NO_TRIAL),
            (&other, &[1.0, 1.0, 1.0], &[], "c is not part of this run"),
        ] {
            let found = verdict(bound, true, 3, a, b);
            assert_eq!(found.judgement, Judgement::NotEvaluated);
            assert_eq!(found.finding, why);
        }
        // One seed has no interval: its difference counts.
        assert_eq!(verdict(&policy, true, 1, &[1.0], &[2.0]).judgement, Judgement::Met);
    }
}

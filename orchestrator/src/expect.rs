//! The expectations of a topology file, held against a run.

use fogbit_scenario::topology::{Bound, Expect};
use serde::{Deserialize, Serialize};

use crate::plan::{Collector, Plan};
use crate::results::summary::{metric_value, paired_values};
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

/// Holds every expectation of the topology against the run.
pub fn evaluate(plan: &Plan, collector: &Collector) -> Vec<Verdict> {
    let expectations = &plan.scenario.topology().expectations;
    expectations.iter().map(|expect| verdict(plan, collector, expect)).collect()
}

fn verdict(plan: &Plan, collector: &Collector, expect: &Expect) -> Verdict {
    let (side, bound) = match (&expect.below, &expect.above) {
        (Some(bound), _) => ("below", bound),
        (None, Some(bound)) => ("above", bound),
        (None, None) => unreachable!("validation asks for one of them"),
    };
    let bound_text = match bound {
        Bound::Number(number) => number.to_string(),
        Bound::Policy(name) => format!("that of {name}"),
    };
    let expectation = format!(
        "{} of {} at slot {} {side} {bound_text}, over {} seeds or more",
        expect.metric.name(),
        expect.policy,
        expect.slot,
        expect.seeds
    );
    let (judgement, finding) = match judge(plan, collector, expect, side == "below", bound) {
        Ok((true, finding)) => (Judgement::Met, finding),
        Ok((false, finding)) => (Judgement::Failed, finding),
        Err(reason) => (Judgement::NotEvaluated, reason),
    };
    Verdict { expectation, judgement, finding }
}

/// Whether it holds and what was found, or why it cannot be told.
fn judge(
    plan: &Plan,
    collector: &Collector,
    expect: &Expect,
    below: bool,
    bound: &Bound,
) -> Result<(bool, String), String> {
    let find = |name: &str| {
        plan.policies
            .iter()
            .position(|p| p.name == name)
            .ok_or_else(|| format!("{name} is not part of this run"))
    };
    let policy = find(&expect.policy)?;
    let mark = plan
        .marks
        .iter()
        .position(|slot| *slot == expect.slot)
        .ok_or_else(|| format!("trials are shorter: {}", plan.scenario.length()))?;
    let enough = |seeds: usize| {
        if (seeds as u64) < expect.seeds {
            let (noun, verb) = if seeds == 1 { ("seed", "is") } else { ("seeds", "are") };
            return Err(format!("{seeds} {noun} {verb} too few"));
        }
        Ok(())
    };
    let side = |value: f64, limit: f64| if below { value < limit } else { value > limit };
    match bound {
        Bound::Number(number) => {
            let values: Vec<f64> = collector
                .complete(policy)
                .filter_map(|row| Some(metric_value(expect.metric, row.marks.get(mark)?)))
                .collect();
            enough(values.len())?;
            if values.is_empty() {
                return Err("no complete trial".into());
            }
            let mean = MeanSd::of(&values).mean;
            Ok((side(mean, *number), format!("mean {mean:.6}")))
        }
        Bound::Policy(name) => {
            let versus = find(name)?;
            let (a, b) = paired_values(collector, expect.metric, mark, policy, versus);
            enough(a.len())?;
            if a.is_empty() {
                return Err("no seed that both completed".into());
            }
            match Interval::of_differences(&a, &b) {
                Interval { mean, low: Some(low), high: Some(high) } => {
                    let end = if below { high } else { low };
                    Ok((
                        side(end, 0.0),
                        format!("paired difference {mean:.6}, interval {low:.6} to {high:.6}"),
                    ))
                }
                Interval { mean, .. } => {
                    Ok((side(mean, 0.0), format!("difference {mean:.6}, with one seed")))
                }
            }
        }
    }
}

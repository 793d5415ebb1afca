//! What `summary.json` says of expectations, judged anew.
//!
//! Means, differences and intervals are computed again; a judgement that hangs on the last digits may
//! be either.

use std::collections::BTreeMap;

use fogbit_scenario::topology::Bound;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Compared, pairs};
use crate::expect::{Expected, Judgement, Verdict};
use crate::harness::ProblemMetric;

/// Findings are told with six digits behind the point.
const DIGIT: f64 = 1.01e-6;

/// The values of a policy by seed, or nothing where no trial is long enough.
pub(crate) type ValuesOf<'v, M> = dyn Fn(&str, M, Option<u64>) -> Option<BTreeMap<u64, f64>> + 'v;

/// What was found of an expectation.
struct Found {
    expectation: String,
    /// The judgements that are right: more than one where it hangs on the last digits, and
    /// [`Judgement::NotEvaluated`] where there is too little to go by.
    right: Vec<Judgement>,
    /// The words for it, where it was judged.
    finding: Option<String>,
}

/// Compares what is said of the expectations of the topology. Results keep those that speak of
/// policies of the run alone; the summary tells of the others that it cannot tell.
pub(crate) fn check<M: ProblemMetric>(
    told: &[Verdict],
    expected: &[Expected<'_, M>],
    policies: &[&str],
    values: &ValuesOf<'_, M>,
    compared: &mut Compared,
) {
    let is_of_others = |verdict: &&Verdict| {
        let other = verdict.finding.strip_suffix(" is not part of this run");
        verdict.judgement == Judgement::NotEvaluated
            && other.is_some_and(|name| !policies.contains(&name))
    };
    let own: Vec<&Verdict> = told.iter().filter(|verdict| !is_of_others(verdict)).collect();
    if own.len() != expected.len() {
        let difference = format!("{} where {} are due", own.len(), expected.len());
        compared.find("summary.json: expectations", difference);
    }
    for (told, expected) in own.into_iter().zip(expected) {
        let found = judge(expected, values);
        let place = format!("summary.json: expectation \"{}\"", found.expectation);
        if told.expectation != found.expectation {
            compared.find(place, format!("it is told as \"{}\"", told.expectation));
        } else if !found.right.contains(&told.judgement) {
            let right = found.right[0];
            compared.find(place, format!("{:?} where {right:?} is right", told.judgement));
        } else if found.finding.as_ref().is_some_and(|right| !alike(&told.finding, right)) {
            let right = found.finding.unwrap_or_default();
            compared.find(place, format!("found \"{}\", \"{right}\" is right", told.finding));
        }
    }
}

fn judge<M: ProblemMetric>(expected: &Expected<'_, M>, values: &ValuesOf<'_, M>) -> Found {
    let side = if expected.below { "below" } else { "above" };
    let at = expected.slot.map_or(String::new(), |slot| format!(" at slot {slot}"));
    let than = match expected.bound {
        Bound::Number(number) => number.to_string(),
        Bound::Policy(name) => format!("that of {name}"),
    };
    let (metric, policy, seeds) = (expected.metric.name(), expected.policy, expected.seeds);
    let expectation = format!("{metric} of {policy}{at} {side} {than}, over {seeds} seeds or more");
    let of = |policy: &str| values(policy, expected.metric, expected.slot).unwrap_or_default();
    let own = of(policy);
    let compared: Vec<f64> = match expected.bound {
        Bound::Number(_) => own.values().copied().collect(),
        Bound::Policy(name) => {
            let other = of(name);
            own.iter().filter_map(|(seed, a)| Some(a - other.get(seed)?)).collect()
        }
    };
    if compared.is_empty() || (compared.len() as u64) < seeds {
        return Found { expectation, right: vec![Judgement::NotEvaluated], finding: None };
    }
    let mean = compared.iter().sum::<f64>() / compared.len() as f64;
    let scale = own.values().fold(1e-3f64, |scale, value| scale.max(value.abs()));
    let (value, limit, finding) = match expected.bound {
        Bound::Number(number) => (mean, *number, format!("mean {mean:.6}")),
        Bound::Policy(_) => match half_width(&compared) {
            None => (mean, 0.0, format!("difference {mean:.6}, with one seed")),
            Some(half) => {
                let (low, high) = (mean - half, mean + half);
                let finding =
                    format!("paired difference {mean:.6}, interval {low:.6} to {high:.6}");
                (if expected.below { high } else { low }, 0.0, finding)
            }
        },
    };
    let holds = if expected.below { value < limit } else { value > limit };
    let mut right = vec![if holds { Judgement::Met } else { Judgement::Failed }];
    if (value - limit).abs() <= 1e-9 * scale {
        right.extend([Judgement::Met, Judgement::Failed]);
    }
    Found { expectation, right, finding: Some(finding) }
}

/// Half of the 95 % confidence interval of a mean; none with one value.
fn half_width(values: &[f64]) -> Option<f64> {
    let (n, sd) = (values.len() as f64, pairs::deviation(values)?);
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.975);
    Some(t * sd / n.sqrt())
}

/// Whether two findings say the same, numbers to their last digit.
fn alike(a: &str, b: &str) -> bool {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split(' ').collect(), b.split(' ').collect());
    let number = |word: &str| word.trim_end_matches(',').parse::<f64>().ok();
    a.len() == b.len()
        && a.iter().zip(&b).all(|(a, b)| match (number(a), number(b)) {
            (Some(told), Some(right)) => (told - right).abs() <= DIGIT.max(1e-9 * right.abs()),
            _ => a == b,
        })
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::topology::CascadeMetric;

    use super::*;

    fn found(bound: &Bound, told: &Verdict, a: &[f64], b: &[f64]) -> Vec<String> {
        let metric = CascadeMetric::AverageLoss;
        let expected = Expected { policy: "a", metric, slot: None, bound, below: true, seeds: 3 };
        let values = |policy: &str, _, _| {
            let values = if policy == "a" { a } else { b };
            Some((1..).zip(values.iter().copied()).collect())
        };
        let mut compared = Compared::default();
        check(std::slice::from_ref(told), &[expected], &["a", "b"], &values, &mut compared);
        compared.findings.into_iter().map(|finding| finding.difference).collect()
    }

    fn verdict(than: &str, judgement: Judgement, finding: &str) -> Verdict {
        let expectation = format!("average_loss of a below {than}, over 3 seeds or more");
        Verdict { expectation, judgement, finding: finding.into() }
    }

    /// The interval is that of `scipy.stats.t.interval(0.95, 2, -2, 1 / sqrt(3))` for the differences
    /// -3, -2, -1: -2 -+ 2.484138.
    #[test]
    fn judgements_and_findings_are_made_anew() {
        let (a, b) = ([1.0, 2.0, 3.0], [4.0, 4.0, 4.0]);
        let words = "paired difference -2.000000, interval -4.484138 to 0.484138";
        let policy = Bound::Policy("b".into());
        let failed = verdict("that of b", Judgement::Failed, words);
        assert_eq!(found(&policy, &failed, &a, &b), [""; 0]);
        let met = verdict("that of b", Judgement::Met, words);
        assert_eq!(found(&policy, &met, &a, &b), ["Met where Failed is right"]);
        let other = verdict("that of b", Judgement::Failed, &words.replace("4138", "4140"));
        assert_eq!(found(&policy, &other, &a, &b).len(), 1);

        let number = Bound::Number(2.5);
        let met = verdict("2.5", Judgement::Met, "mean 2.000000");
        assert_eq!(found(&number, &met, &a, &b), [""; 0]);
        let few = verdict("2.5", Judgement::NotEvaluated, "2 seeds are too few");
        assert_eq!(found(&number, &few, &a[..2], &b), [""; 0]);
        assert_eq!(found(&number, &few, &a, &b), ["NotEvaluated where Met is right"]);
        // The mean is the bound, but for its last digits.
        for judgement in [Judgement::Met, Judgement::Failed] {
            let even = verdict("2", judgement, "mean 2.000000");
            assert_eq!(found(&Bound::Number(2.0), &even, &a, &b), [""; 0]);
        }
    }

    #[test]
    fn only_policies_that_are_not_there_excuse() {
        let number = Bound::Number(2.5);
        let left_out = |name: &str| {
            let finding = format!("{name} is not part of this run");
            verdict("2.5", Judgement::NotEvaluated, &finding)
        };
        let (a, b) = ([1.0, 2.0, 3.0], [4.0; 3]);
        assert_eq!(found(&number, &left_out("a"), &a, &b), ["NotEvaluated where Met is right"]);
        assert_eq!(found(&number, &left_out("c"), &a, &b), ["0 where 1 are due"]);
    }
}

//! What the tasks of a state took.

use fogbit_scenario::placement::{Execution, Fate, Site, Step};

use super::design::State;
use crate::placement::tally::milliseconds;
use crate::stats::quantile;

/// Latencies of one state, in milliseconds, in the order of the tasks. A task whose output did not
/// come back took infinitely long.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// On the task node.
    pub local_ms: Vec<f64>,
    /// On the helper node.
    pub offloaded_ms: Vec<f64>,
    /// Round trips of small packets that the task node measured.
    pub rtt_ms: Vec<f64>,
}

/// The steps of a state.
pub fn steps_of<'s>(steps: &'s [Step], state: &State) -> impl Iterator<Item = &'s Step> {
    let slots = state.from..=state.to;
    steps.iter().filter(move |step| slots.contains(&step.slot))
}

/// The execution of a step's task at `site`, if there was one.
pub fn execution(step: &Step, site: Site) -> Option<&Execution> {
    std::iter::once(&step.execution).chain(&step.shadows).find(|e| e.site == site)
}

/// What it took.
pub fn latency_ms(execution: &Execution) -> f64 {
    match execution.fate {
        Fate::Done => milliseconds(execution.latency_ns),
        Fate::TimedOut | Fate::Refused(_) => f64::INFINITY,
    }
}

impl Observed {
    /// What the steps of a state took.
    pub fn of<'s>(steps: impl Iterator<Item = &'s Step>) -> Observed {
        let mut observed = Observed::default();
        for step in steps {
            let took = |site| execution(step, site).map(latency_ms);
            observed.local_ms.extend(took(Site::Local));
            observed.offloaded_ms.extend(took(Site::Helper(0)));
            observed.rtt_ms.extend(step.sights.get(1).map(|sight| sight.rtt_s * 1e3));
        }
        observed
    }
}

/// The quantile `p`; none where it is no number: too few tasks came back.
pub fn quantile_of(values: &[f64], p: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let found = (!sorted.is_empty()).then(|| quantile(&sorted, p));
    found.filter(|value| value.is_finite())
}

/// The median of those that came back and those that did not.
pub fn median_of(values: &[f64]) -> Option<f64> {
    quantile_of(values, 0.5)
}

/// A straight line through points, by least squares; none where there is no one.
pub fn line_through(points: &[(f64, f64)]) -> Option<Straight> {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / n, y / n);
    let (squares, products) = points.iter().fold((0.0, 0.0), |(squares, products), point| {
        let d = point.0 - x;
        (squares + d * d, products + d * (point.1 - y))
    });
    let slope = products / squares;
    (points.len() >= 2 && slope.is_finite()).then_some(Straight { start: y - slope * x, slope })
}

/// `y = start + slope x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Straight {
    /// Its value at 0.
    pub start: f64,
    /// How it rises.
    pub slope: f64,
}

impl Straight {
    /// Where it reaches `y` while rising.
    pub fn reaches(&self, y: f64) -> Option<f64> {
        (self.slope > 0.0).then(|| (y - self.start) / self.slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy.polyfit([1, 2, 4], [3, 4.5, 9], 1) = [2.03571429, 0.75]
    #[test]
    fn lines_are_those_of_least_squares() {
        let line = line_through(&[(1.0, 3.0), (2.0, 4.5), (4.0, 9.0)]).unwrap();
        assert!((line.slope - 2.035_714_285_714_286).abs() < 1e-12, "{line:?}");
        assert!((line.start - 0.75).abs() < 1e-12, "{line:?}");
        assert!((line.reaches(5.0).unwrap() - 2.087_719_298_245_614).abs() < 1e-12);
        assert_eq!(line_through(&[(1.0, 3.0), (1.0, 4.0)]), None);
        assert_eq!(line_through(&[(1.0, 3.0)]), None);
        assert_eq!(Straight { start: 1.0, slope: -1.0 }.reaches(0.0), None);
    }

    #[test]
    fn tasks_that_are_lost_took_longest() {
        let infinite = f64::INFINITY;
        assert_eq!(median_of(&[3.0, infinite, 1.0]), Some(3.0));
        assert_eq!(median_of(&[3.0, infinite, infinite]), None);
        assert_eq!(median_of(&[]), None);
    }
}

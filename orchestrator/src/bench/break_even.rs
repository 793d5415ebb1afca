//! The round trip at which it does not matter where a task runs, found by changing the round trip.

use serde::{Deserialize, Serialize};

use super::design::Experiment;
use super::observe::{Observed, Straight, line_through, median_of, quantile_of, steps_of};
use crate::stats::bootstrap::Resampler;
use fogbit_scenario::placement::Step;

/// Resamples for an interval.
const RESAMPLES: usize = 2000;

/// The break-even of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakEvenRow {
    /// Name of the profile.
    pub profile: String,
    /// By the formula, in milliseconds; below 0 the rates alone forbid offloading.
    pub formula_ms: f64,
    /// By the formula without its term for loss, in milliseconds: the break-even of a task of which no
    /// packet is lost.
    pub lossless_ms: Option<f64>,
    /// Where the line through the medians of offloaded latency crosses the median of local latency,
    /// in milliseconds. Null where it does not, or nothing was measured.
    pub measured_ms: Option<f64>,
    /// Lower end of its 95 % interval: the bootstrap's, in which the tasks of each round-trip time,
    /// and the local ones, are drawn anew.
    pub low_ms: Option<f64>,
    /// Upper end.
    pub high_ms: Option<f64>,
    /// `measured / formula - 1`.
    pub relative: Option<f64>,
    /// The line's value at a round trip of 0, in milliseconds.
    pub start_ms: Option<f64>,
    /// How it rises: round trips that a task takes.
    pub slope: Option<f64>,
    /// Median of local latency, in milliseconds.
    pub local_ms: Option<f64>,
    /// What was measured at each round-trip time.
    pub points: Vec<BreakEvenPoint>,
}

/// One round-trip time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BreakEvenPoint {
    /// As configured, in milliseconds.
    pub rtt_ms: f64,
    /// Median of what the task node measured, in milliseconds.
    pub measured_rtt_ms: Option<f64>,
    /// Tasks that were offloaded.
    pub tasks: u64,
    /// Median of their latency, in milliseconds.
    pub offloaded_ms: Option<f64>,
    /// A quarter of them took less.
    pub p25_ms: Option<f64>,
    /// A quarter of them took more.
    pub p75_ms: Option<f64>,
}

impl BreakEvenRow {
    /// Of a profile whose rates alone forbid offloading.
    pub fn none(profile: &str, formula_ms: f64) -> BreakEvenRow {
        BreakEvenRow {
            profile: profile.to_owned(),
            formula_ms,
            lossless_ms: None,
            measured_ms: None,
            low_ms: None,
            high_ms: None,
            relative: None,
            start_ms: None,
            slope: None,
            local_ms: None,
            points: Vec::new(),
        }
    }

    /// What was measured in `experiment`.
    pub fn of(experiment: &Experiment, steps: &[Step]) -> BreakEvenRow {
        let observed: Vec<Observed> =
            experiment.states.iter().map(|s| Observed::of(steps_of(steps, s))).collect();
        let local: Vec<f64> = observed.iter().flat_map(|o| o.local_ms.iter().copied()).collect();
        let rtts: Vec<f64> = experiment.states.iter().map(|state| state.rtt_ms).collect();
        let away: Vec<&[f64]> = observed.iter().map(|o| &o.offloaded_ms[..]).collect();
        let formula_ms = experiment.break_even_ms[0];
        let found = crossing(&rtts, &away, &local);
        let ends = found.as_ref().and_then(|_| interval(&rtts, &away, &local));
        let measured_ms = found.as_ref().map(|(_, crossing)| *crossing);
        let points = rtts.iter().zip(&observed).map(|(rtt_ms, observed)| BreakEvenPoint {
            rtt_ms: *rtt_ms,
            measured_rtt_ms: median_of(&observed.rtt_ms),
            tasks: observed.offloaded_ms.len() as u64,
            offloaded_ms: median_of(&observed.offloaded_ms),
            p25_ms: quantile_of(&observed.offloaded_ms, 0.25),
            p75_ms: quantile_of(&observed.offloaded_ms, 0.75),
        });
        BreakEvenRow {
            profile: experiment.base.clone(),
            formula_ms,
            lossless_ms: Some(experiment.lossless_ms),
            measured_ms,
            low_ms: ends.map(|(low, _)| low),
            high_ms: ends.map(|(_, high)| high),
            relative: measured_ms.map(|measured| measured / formula_ms - 1.0),
            start_ms: found.as_ref().map(|(line, _)| line.start),
            slope: found.as_ref().map(|(line, _)| line.slope),
            local_ms: median_of(&local),
            points: points.collect(),
        }
    }
}

/// The line through the medians of `away`, and where it crosses the median of `local`.
fn crossing(rtts: &[f64], away: &[impl AsRef<[f64]>], local: &[f64]) -> Option<(Straight, f64)> {
    let points: Vec<(f64, f64)> = rtts
        .iter()
        .zip(away)
        .filter_map(|(rtt, values)| Some((*rtt, median_of(values.as_ref())?)))
        .collect();
    let line = line_through(&points)?;
    Some((line, line.reaches(median_of(local)?)?))
}

/// The 95 % percentile interval of the crossing, with tasks drawn anew.
fn interval(rtts: &[f64], away: &[&[f64]], local: &[f64]) -> Option<(f64, f64)> {
    let mut resampler = Resampler::default();
    let mut drawn: Vec<Vec<f64>> = vec![Vec::new(); away.len()];
    let mut here = Vec::new();
    let mut crossings = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        for (values, drawn) in away.iter().zip(&mut drawn) {
            resampler.draw(values, drawn);
        }
        resampler.draw(local, &mut here);
        crossings.extend(crossing(rtts, &drawn, &here).map(|(_, at)| at));
    }
    // Where some resamples have no crossing the interval has no end.
    let all = crossings.len() == RESAMPLES;
    all.then_some(()).and(quantile_of(&crossings, 0.025).zip(quantile_of(&crossings, 0.975)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: medians 120, 170, 220 at 50, 100, 150 are 70 + RTT; 200 is reached at 130.
    #[test]
    fn lines_cross_where_they_should() {
        let away = [vec![119.0, 120.0, 500.0], vec![170.0], vec![220.0, 219.0, f64::INFINITY]];
        let (line, at) = crossing(&[50.0, 100.0, 150.0], &away, &[200.0, 199.0, 201.0]).unwrap();
        assert!((line.slope - 1.0).abs() < 1e-12 && (line.start - 70.0).abs() < 1e-9);
        assert!((at - 130.0).abs() < 1e-9);
        assert!(crossing(&[50.0, 100.0], &[vec![5.0], vec![4.0]], &[9.0]).is_none());
    }

    /// Values without spread leave no doubt; with spread the interval holds the crossing.
    #[test]
    fn intervals_follow_the_spread() {
        let rtts = [50.0, 100.0];
        let still: [&[f64]; 2] = [&[120.0, 120.0], &[170.0, 170.0]];
        let (low, high) = interval(&rtts, &still, &[200.0]).unwrap();
        assert!((low - 130.0).abs() < 1e-9 && (high - 130.0).abs() < 1e-9);
        let moved: [&[f64]; 2] = [&[110.0, 120.0, 130.0], &[160.0, 170.0, 180.0]];
        let (low, high) = interval(&rtts, &moved, &[200.0]).unwrap();
        assert!(low < 129.0 && high > 131.0 && low > 90.0 && high < 200.0, "{low} {high}");
    }
}

//! How delays of each policy are spread: the share of the applications below each delay.

use super::{Data, not_drawn};
use crate::pipeline::files::{DISTRIBUTIONS_FILE, Spread};
use crate::report::axis::{Axis, Scale, round_up};
use crate::report::figures::frame;
use crate::report::markup::escape;
use crate::report::panel::legend;
use crate::report::plot::{Line, Plot, Point};

/// Delays over the optimum, and delays.
pub(super) fn figures(data: &Data) -> String {
    let ratio = "Delay over the optimum";
    let about_ratio = "Share of the applications whose modelled delay is at most so many times \
                       the least possible one. Where a line begins at 1 is the share that is \
                       placed as well as possible";
    let delay = "Delay by policy";
    let about_delay = "Share of the applications whose modelled delay is at most so long";
    figure(data, Spread::Ratio, ("spread-ratio", ratio, "delay over the optimum"), about_ratio)
        + &figure(data, Spread::Delay, ("spread-delay", delay, "delay (ms)"), about_delay)
}

fn figure(
    data: &Data,
    spread: Spread,
    (id, title, name): (&str, &str, &str),
    about: &str,
) -> String {
    let lines = lines(data, spread);
    if lines.is_empty() {
        return not_drawn(title, "no trial is complete");
    }
    let x = scale(&lines, spread, name);
    let entries: Vec<(String, String)> =
        lines.iter().map(|line| (format!("line {}", line.class), escape(&line.title))).collect();
    let entries: Vec<(&str, String)> =
        entries.iter().map(|(class, name)| (class.as_str(), name.clone())).collect();
    let legend = legend(&entries);
    let plot = Plot {
        description: format!("{title}: distribution by policy"),
        lines: lines.into_iter().map(|line| clipped(line, &x)).collect(),
        x,
        y: Axis {
            title: "share of applications".into(),
            scale: Scale::Linear,
            low: 0.0,
            high: 1.0,
            percent: true,
        },
    };
    let caption = format!(
        "{about}. All applications of all complete trials; the slowest hundredth of each policy may \
         lie beyond the right edge. Logarithmic. Drawn from \
         <a href='{DISTRIBUTIONS_FILE}'><code>{DISTRIBUTIONS_FILE}</code></a>."
    );
    frame(id, title, &legend, &plot.svg(&[]), &caption)
}

/// A line for each policy that has a complete trial.
fn lines(data: &Data, spread: Spread) -> Vec<Line> {
    let policies = data.summary.policies.iter().zip(data.policies.looks());
    policies
        .map(|(policy, look)| {
            let own = (data.distributions.iter())
                .filter(|row| row.policy == policy.name && row.kind == spread.name());
            Line {
                class: look.clone(),
                guide: false,
                // Lines end all at one height: names beside them would hide each other.
                label: String::new(),
                title: policy.name.clone(),
                points: own.map(|row| Point { x: row.value, y: row.quantile, sd: None }).collect(),
            }
        })
        .filter(|line| !line.points.is_empty())
        .collect()
}

/// From the least to the largest of the policies' quantiles of 99 %, ratios from 1.
fn scale(lines: &[Line], spread: Spread, name: &str) -> Axis {
    let points = || lines.iter().flat_map(|line| &line.points);
    let least = points().map(|p| p.x).filter(|x| *x > 0.0).fold(f64::INFINITY, f64::min);
    let reached = points().filter(|p| p.y <= 0.99).map(|p| p.x).fold(0.0, f64::max);
    let low = match spread {
        Spread::Ratio => 1.0,
        Spread::Delay => least.min(1e9),
    };
    let high = round_up((reached * 1.02).max(low * 1.2));
    Axis { title: name.into(), scale: Scale::Log, low, high, percent: false }
}

/// The part of a line within an axis, up to where it leaves it.
fn clipped(line: Line, axis: &Axis) -> Line {
    let mut points: Vec<Point> = Vec::new();
    for next in line.points {
        let next = Point { x: next.x.max(axis.low), ..next };
        if next.x <= axis.high {
            points.push(next);
            continue;
        }
        if let Some(last) = points.last().copied() {
            let (from, to, end) = (axis.place(last.x), axis.place(next.x), 1.0);
            let share = (end - from) / (to - from);
            points.push(Point { x: axis.high, y: last.y + share * (next.y - last.y), sd: None });
        }
        break;
    }
    Line { points, ..line }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From (1, 0.5) to (100, 0.9) on a logarithmic axis up to 10: it leaves halfway.
    #[test]
    fn lines_end_where_they_leave() {
        let axis =
            Axis { title: String::new(), scale: Scale::Log, low: 1.0, high: 10.0, percent: false };
        let point = |x, y| Point { x, y, sd: None };
        let line = |points| Line {
            class: String::new(),
            guide: false,
            label: String::new(),
            title: String::new(),
            points,
        };
        let found = clipped(line(vec![point(0.5, 0.0), point(1.0, 0.5), point(100.0, 0.9)]), &axis);
        assert_eq!(found.points[..2], [point(1.0, 0.0), point(1.0, 0.5)]);
        assert_eq!(found.points[2].x, 10.0);
        assert!((found.points[2].y - 0.7).abs() < 1e-12);
        assert!(clipped(line(vec![point(20.0, 0.0)]), &axis).points.is_empty());
    }
}

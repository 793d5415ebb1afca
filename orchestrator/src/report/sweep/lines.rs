//! Lines: what is ranked by over one key, and average regret over slots at chosen points.

use super::Data;
use super::grid::Varying;
use super::title_of;
use crate::report::axis::{Axis, Scale, round_up};
use crate::report::figures::{frame, from_zero, highest, last_slot, lowest, slots};
use crate::report::markup::{escape, put};
use crate::report::plot::{Line, Plot, Point};
use crate::sweep::summary::{PointSummary, short_key};

/// Keys that are drawn.
const MOST_KEYS: usize = 6;
/// Points whose curves are drawn.
const MOST_POINTS: usize = 4;
/// Points drawn in one figure of a policy: as many as there are colours.
const MOST_LINES: usize = 6;
/// Policies whose points are drawn.
const MOST_POLICIES: usize = 8;
/// Averages over fewer slots are left out where there are plenty.
const FIRST_SHOWN: u64 = 10;

/// One figure for each key with numbers: the other keys are those of the best point.
pub(super) fn over_axes(data: &Data) -> String {
    let numeric = data.varying.iter().filter(|key| key.numbers.is_some());
    let figures: Vec<String> = numeric.take(MOST_KEYS).filter_map(|key| over(data, key)).collect();
    if figures.is_empty() {
        return String::new();
    }
    format!("<h2>Over one parameter</h2>\n{}", figures.concat())
}

fn over(data: &Data, key: &Varying) -> Option<String> {
    let best = data.best_points();
    let best = best.first()?;
    let others = || data.varying.iter().filter(|other| other.key != key.key);
    let slice: Vec<&PointSummary> = data
        .summary
        .points
        .iter()
        .filter(|point| {
            others().all(|o| point.settings.get(&o.key) == best.settings.get(&o.key))
                && point.settings.contains_key(&key.key)
        })
        .collect();
    let numbers = key.numbers.as_ref()?;
    let metric = data.metric();
    let line = |(name, look): &(String, String)| {
        let mut points: Vec<Point> = slice
            .iter()
            .filter_map(|point| {
                let own = point.policies.iter().find(|own| own.name == *name)?;
                let value = own.metric(metric)?;
                Some(Point { x: numbers[key.place(point)?], y: value.mean, sd: value.sd })
            })
            .collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let (class, label) = (look.clone(), name.clone());
        Line { class, guide: false, label, title: name.clone(), points }
    };
    let mut lines: Vec<Line> = data.policies.iter().map(line).collect();
    lines.retain(|line| line.points.len() > 1);
    if lines.is_empty() {
        return None;
    }
    let xs = || lines.iter().flat_map(|line| &line.points).map(|point| point.x);
    let (low, high) = (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max));
    let name = short_key(&key.key);
    let log = low > 0.0 && high / low >= 8.0;
    let (scale, title) =
        if log { (Scale::Log, format!("{name} (logarithmic)")) } else { (Scale::Linear, name) };
    let fixed: Vec<String> = others()
        .map(|other| {
            let value = best.settings.get(&other.key).map_or("–", String::as_str);
            format!("{} = {value}", short_key(&other.key))
        })
        .collect();
    let with = match fixed.is_empty() {
        true => String::new(),
        false => format!(
            " The other keys are those of the best point, {}: {}.",
            escape(&best.point),
            escape(&fixed.join(", "))
        ),
    };
    let caption = format!(
        "Mean {} of each policy over <code>{}</code>; bands are one standard deviation between \
         seeds on either side.{with} Drawn from <a href='points.csv'><code>points.csv</code></a>.",
        title_of(metric),
        escape(&key.key)
    );
    let plot = Plot {
        description: format!("{} over {}", title_of(metric), key.key),
        x: Axis { title, scale, low, high, percent: false },
        y: upright(title_of(metric), &lines),
        lines,
    };
    let legend = legend(data.policies.iter().map(|(name, look)| (look.as_str(), name.clone())));
    let id = format!("over-{}", escape(&key.key));
    Some(frame(&id, &format!("Over {}", short_key(&key.key)), &legend, &plot.svg(&[]), &caption))
}

/// An axis that holds all lines with their bands, and 0.
fn upright(title: &str, lines: &[Line]) -> Axis {
    let low = lowest(lines).min(0.0);
    let low = if low < 0.0 { -round_up(-low) } else { 0.0 };
    Axis { low, ..from_zero(title, highest(lines)) }
}

fn legend(entries: impl Iterator<Item = (impl AsRef<str>, String)>) -> String {
    let mut out = String::from("<ul class='legend'>");
    for (look, text) in entries {
        put!(
            out,
            "<li><svg viewBox='0 0 30 10' aria-hidden='true'><path class='line {}' \
             d='M1 5H29'/></svg>{}</li>",
            look.as_ref(),
            escape(&text)
        );
    }
    out.push_str("</ul>\n");
    out
}

/// Average regret over slots: all policies at chosen points, and each policy at chosen points.
pub(super) fn over_slots(data: &Data) -> String {
    let chosen = spread(data.best_points(), MOST_POINTS);
    let mut figures: String = chosen.iter().filter_map(|point| policies_at(data, point)).collect();
    if data.summary.points.len() > 1 {
        let points = spread(data.best_points(), MOST_LINES);
        let names = data.policies.iter().take(MOST_POLICIES);
        figures.extend(names.filter_map(|(name, _)| points_of(data, name, &points)));
    }
    if figures.is_empty() { figures } else { format!("<h2>Over slots</h2>\n{figures}") }
}

/// At most `most` points: all, or the first, the last and some evenly between, in their order.
fn spread(points: Vec<&PointSummary>, most: usize) -> Vec<&PointSummary> {
    let count = points.len();
    if count <= most {
        return points;
    }
    (0..most).map(|index| points[index * (count - 1) / (most - 1)]).collect()
}

fn line(data: &Data, point: &str, policy: &str, class: String, label: String) -> Option<Line> {
    let rows = data.curves.get(&(point.to_owned(), policy.to_owned()))?;
    let last = rows.last()?.slot;
    let first = if last >= 100 { FIRST_SHOWN } else { 1 };
    let points = rows.iter().filter(|row| row.slot >= first);
    let points = points.map(|row| Point { x: row.slot as f64, y: row.mean, sd: row.sd }).collect();
    Some(Line { class, guide: false, title: label.clone(), label, points })
}

fn figure(id: &str, title: &str, legend: &str, lines: Vec<Line>, caption: &str) -> Option<String> {
    let first = lines.iter().flat_map(|line| line.points.first()).map(|point| point.x);
    let first = first.fold(f64::INFINITY, f64::min);
    if lines.is_empty() || !first.is_finite() {
        return None;
    }
    let plot = Plot {
        description: format!("Average regret over slots: {title}"),
        x: slots(Scale::Log, first, last_slot(&lines)),
        y: from_zero("average regret (linear units a slot)", highest(&lines)),
        lines,
    };
    Some(frame(id, title, legend, &plot.svg(&[]), caption))
}

const DRAWN_FROM: &str = "Means over the seeds with bands of one standard deviation on either \
                          side. Drawn from <a href='curves.csv'><code>curves.csv</code></a>.";

fn policies_at(data: &Data, point: &PointSummary) -> Option<String> {
    let names = data.policies.iter();
    let lines: Vec<Line> = names
        .filter_map(|(name, look)| line(data, &point.point, name, look.clone(), name.clone()))
        .collect();
    let label = data.label(point);
    let title = if label.is_empty() {
        "All policies".to_owned()
    } else {
        format!("All policies at point {}: {label}", point.point)
    };
    let legend = legend(data.policies.iter().map(|(name, look)| (look.as_str(), name.clone())));
    let caption = format!("Regret of the slots so far divided by their number. {DRAWN_FROM}");
    figure(&format!("at-{}", escape(&point.point)), &title, &legend, lines, &caption)
}

fn points_of(data: &Data, policy: &str, points: &[&PointSummary]) -> Option<String> {
    let class = |index: usize| format!("c{index} d0");
    let lines: Vec<Line> = points
        .iter()
        .enumerate()
        .filter_map(|(index, point)| {
            line(data, &point.point, policy, class(index), point.point.clone())
        })
        .collect();
    let same = |a: &Line, b: &Line| a.points == b.points;
    // A policy that the points do not touch would be one line, many times over.
    if lines.len() < 2 || lines.windows(2).all(|two| same(&two[0], &two[1])) {
        return None;
    }
    let entries = points.iter().enumerate();
    let legend =
        legend(entries.map(|(index, point)| {
            (class(index), format!("{}: {}", point.point, data.label(point)))
        }));
    let caption = match points.len() < data.summary.points.len() {
        true => format!("Points spread evenly over the ranking, the best first. {DRAWN_FROM}"),
        false => DRAWN_FROM.to_owned(),
    };
    figure(
        &format!("of-{}", escape(policy)),
        &format!("{policy} at several points"),
        &legend,
        lines,
        &caption,
    )
}

//! Lines of what is ranked by, over one key.

use super::Data;
use super::grid::{Varying, groups};
use crate::harness::metric::Known;
use crate::report::axis::{Axis, Scale, round_up};
use crate::report::figures::{frame, from_zero, highest, lowest};
use crate::report::markup::{escape, grouped, put};
use crate::report::plot::{Line, Plot, Point};
use crate::stats::{MeanSd, t_quantile};
use crate::sweep::environment::{is_of_policies, touches};
use crate::sweep::summary::{PointSummary, short_key};

/// Keys that are drawn.
const MOST_KEYS: usize = 6;
/// Figures of one key: environments, or values of the other keys of environments.
const MOST_FACETS: usize = 3;

/// Figures for each key with numbers.
pub(super) fn over_axes(data: &Data) -> String {
    let mut numeric: Vec<&Varying> =
        data.varying.iter().filter(|key| key.numbers.is_some()).collect();
    if !data.has_curves() {
        // The figure that a sweep was made for is over the key with the most values.
        numeric.sort_by_key(|key| std::cmp::Reverse(key.values.len()));
    }
    let figures: String = numeric.into_iter().take(MOST_KEYS).map(|key| over(data, key)).collect();
    if figures.is_empty() {
        return figures;
    }
    format!("<h2>Over one parameter</h2>\n{figures}")
}

/// Over a setting of policies, a figure for each environment; over a key of environments, one for
/// the values of the other keys of environments. Some of them where there are many.
fn over(data: &Data, key: &Varying) -> String {
    let held: Vec<&Varying> = data
        .varying
        .iter()
        .filter(|other| !is_of_policies(&other.key) && other.key != key.key)
        .collect();
    let mut facets = groups(&data.summary.points, &held);
    // Those that have most of the values: of grids that only cross, the others have a few.
    let places = |points: &Vec<&PointSummary>| {
        (0..key.values.len())
            .filter(|place| points.iter().any(|point| key.place(point) == Some(*place)))
            .count()
    };
    let most = facets.iter().map(places).max().unwrap_or(0);
    facets.retain(|points| 2 * places(points) > most);
    let count = facets.len();
    let shown = spread(facets, MOST_FACETS);
    let several = shown.len() > 1;
    let drawn = shown.iter().enumerate().filter_map(|(index, points)| {
        let suffix = if several { format!("-{}", index + 1) } else { String::new() };
        over_in(data, key, &held, points, &suffix)
    });
    let mut out: String = drawn.collect();
    if count > shown.len() && !out.is_empty() {
        put!(
            out,
            "<p class='small'>{} more environments are not drawn over <code>{}</code>.</p>\n",
            grouped((count - shown.len()) as u64),
            escape(&key.key)
        );
    }
    out
}

/// A policy over `key`, at its best setting: of each value of a key of environments, and else of
/// all `points`, but for the key itself.
fn over_key(data: &Data, key: &Varying, points: &[&PointSummary], policy: &str) -> Vec<Point> {
    let Some(numbers) = &key.numbers else { return Vec::new() };
    let own_keys = || data.varying.iter().filter(|k| touches(&k.key, policy) && k.key != key.key);
    let best = data.best_of(points, policy);
    let mut drawn: Vec<Point> = Vec::new();
    for (place, x) in numbers.iter().enumerate() {
        let here: Vec<&PointSummary> =
            points.iter().filter(|point| key.place(point) == Some(place)).copied().collect();
        let point = if is_of_policies(&key.key) {
            here.into_iter().find(|point| {
                own_keys().all(|own| {
                    best.is_some_and(|best| {
                        best.settings.get(&own.key) == point.settings.get(&own.key)
                    })
                })
            })
        } else {
            data.best_of(&here, policy)
        };
        let own = point.and_then(|point| point.policies.iter().find(|own| own.name == policy));
        if let Some(value) = own.and_then(|own| own.metric(data.metric())) {
            let seeds = own.map_or(0, |own| own.seeds);
            let sd = if data.has_curves() { value.sd } else { half_interval(value, seeds) };
            drawn.push(Point { x: *x, y: value.mean, sd });
        }
    }
    drawn
}

fn over_in(
    data: &Data,
    key: &Varying,
    held: &[&Varying],
    points: &[&PointSummary],
    suffix: &str,
) -> Option<String> {
    let metric = data.metric();
    let line = |(name, look): &(String, String)| Line {
        class: look.clone(),
        guide: dashed(data, name),
        label: name.clone(),
        title: name.clone(),
        points: over_key(data, key, points, name),
    };
    let mut lines: Vec<Line> = data.policies.iter().map(line).collect();
    lines.retain(|line| line.points.len() > 1);
    if lines.is_empty() {
        return None;
    }
    let xs = || lines.iter().flat_map(|line| &line.points).map(|point| point.x);
    let (low, high) = (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max));
    let name = short_key(&key.key);
    let log = low > 0.0 && high / low >= 8.0 && is_geometric(key);
    let (scale, x_title) = if log {
        (Scale::Log, format!("{name} (logarithmic)"))
    } else {
        (Scale::Linear, name.clone())
    };
    let environment = held_label(held, points.first()?);
    let title = match environment.is_empty() {
        true => format!("Over {name}"),
        false => format!("Over {name}, with {environment}"),
    };
    let caption = format!(
        "Mean {} of each policy over <code>{}</code>; bands are {}.{} Drawn from <a href='points.csv'><code>points.csv</code></a>.",
        metric.style.title(),
        escape(&key.key),
        match data.has_curves() {
            true => "one standard deviation between seeds on either side",
            false => {
                "95 % confidence intervals of the mean (what policies differ by is paired, and known \
                 better than that), and lines of policies that are told more than a task node can \
                 see are dashed"
            }
        },
        about_settings(data, key)
    );
    let plot = Plot {
        description: format!("{} over {}", metric.style.title(), key.key),
        x: Axis { title: x_title, scale, low, high, percent: false },
        y: upright(metric, &lines),
        lines,
    };
    let legend = legend_with(data.policies.iter().map(|(name, look)| {
        let kind = if dashed(data, name) { "guide" } else { "line" };
        (format!("{kind} {look}"), name.clone())
    }));
    let id = format!("over-{}{suffix}", escape(&key.key));
    Some(frame(&id, &title, &legend, &plot.svg(&[]), &caption))
}

/// What the other settings of policies are.
fn about_settings(data: &Data, key: &Varying) -> &'static str {
    let mut others = data.varying.iter().filter(|k| is_of_policies(&k.key) && k.key != key.key);
    match (others.next().is_some(), is_of_policies(&key.key)) {
        (false, _) => "",
        (true, true) => {
            " The other settings of each policy are those with which it did best in this \
             environment."
        }
        (true, false) => " At each value, each policy has the setting that did best there.",
    }
}

/// What `point` sets of `held`, in a line.
fn held_label(held: &[&Varying], point: &PointSummary) -> String {
    let value = |key: &Varying| point.settings.get(&key.key).map_or("–", String::as_str);
    let parts: Vec<String> =
        held.iter().map(|key| format!("{} = {}", short_key(&key.key), value(key))).collect();
    parts.join(", ")
}

/// Whether the line of a policy is dashed: where colours do not tell that it knows more.
fn dashed(data: &Data, policy: &str) -> bool {
    !data.has_curves() && data.told_more(policy)
}

/// Half the width of Student's 95 % interval of a mean over `seeds`.
fn half_interval(value: MeanSd, seeds: u64) -> Option<f64> {
    let sd = value.sd.filter(|_| seeds > 1)?;
    Some(t_quantile(seeds as f64 - 1.0) * sd / (seeds as f64).sqrt())
}

/// Whether the ratios of a key's values are more even than their differences.
fn is_geometric(key: &Varying) -> bool {
    let mut numbers = key.numbers.clone().unwrap_or_default();
    numbers.dedup();
    let uneven = |step: fn(f64, f64) -> f64| {
        let steps = || numbers.windows(2).map(|two| step(two[0], two[1]));
        steps().fold(0.0, f64::max) / steps().fold(f64::INFINITY, f64::min)
    };
    // Of two values nothing can be told.
    numbers.len() < 3 || uneven(|a, b| libm::log(b / a)) <= uneven(|a, b| b - a) + 1e-9
}

/// An axis that holds all lines with their bands, and 0 where it says something.
fn upright(metric: Known, lines: &[Line]) -> Axis {
    let (low, high, title) = (lowest(lines), highest(lines), metric.style.title());
    if !metric.style.from_zero && high > low {
        let margin = 0.04 * (high - low);
        let low = if low >= 0.0 { (low - margin).max(0.0) } else { low - margin };
        return Axis { low, high: high + margin, ..from_zero(&title, high) };
    }
    let low = low.min(0.0);
    let low = if low < 0.0 { -round_up(-low) } else { 0.0 };
    Axis { low, ..from_zero(&title, high) }
}

pub(super) fn legend(entries: impl Iterator<Item = (impl AsRef<str>, String)>) -> String {
    legend_with(entries.map(|(look, text)| (format!("line {}", look.as_ref()), text)))
}

/// The same, with all classes of a line.
fn legend_with(entries: impl Iterator<Item = (String, String)>) -> String {
    let mut out = String::from("<ul class='legend'>");
    for (class, text) in entries {
        put!(
            out,
            "<li><svg viewBox='0 0 30 10' aria-hidden='true'><path class='{class}' \
             d='M1 5H29'/></svg>{}</li>",
            escape(&text)
        );
    }
    out.push_str("</ul>\n");
    out
}

/// At most `most` of them: all, or the first, the last and some evenly between, in their order.
pub(super) fn spread<T: Clone>(all: Vec<T>, most: usize) -> Vec<T> {
    let count = all.len();
    if count <= most {
        return all;
    }
    (0..most).map(|index| all[index * (count - 1) / (most - 1)].clone()).collect()
}

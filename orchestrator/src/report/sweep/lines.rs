//! Lines of what is ranked by, over one key.

use super::Data;
use super::grid::{Varying, groups};
use super::title_of;
use crate::report::axis::{Axis, Scale, round_up};
use crate::report::figures::{frame, from_zero, highest, lowest};
use crate::report::markup::{escape, grouped, put};
use crate::report::plot::{Line, Plot, Point};
use crate::sweep::environment::{is_of_policies, touches};
use crate::sweep::summary::{PointSummary, short_key};

/// Keys that are drawn.
const MOST_KEYS: usize = 6;
/// Figures of one key: environments, or values of the other keys of environments.
const MOST_FACETS: usize = 3;

/// Figures for each key with numbers.
pub(super) fn over_axes(data: &Data) -> String {
    let numeric = data.varying.iter().filter(|key| key.numbers.is_some());
    let figures: String = numeric.take(MOST_KEYS).map(|key| over(data, key)).collect();
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
    let facets = groups(&data.summary.points, &held);
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
            drawn.push(Point { x: *x, y: value.mean, sd: value.sd });
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
        guide: false,
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
    let log = low > 0.0 && high / low >= 8.0;
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
        "Mean {} of each policy over <code>{}</code>; bands are one standard deviation between \
         seeds on either side.{} Drawn from <a href='points.csv'><code>points.csv</code></a>.",
        title_of(metric),
        escape(&key.key),
        about_settings(data, key)
    );
    let plot = Plot {
        description: format!("{} over {}", title_of(metric), key.key),
        x: Axis { title: x_title, scale, low, high, percent: false },
        y: upright(title_of(metric), &lines),
        lines,
    };
    let legend = legend(data.policies.iter().map(|(name, look)| (look.as_str(), name.clone())));
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

/// An axis that holds all lines with their bands, and 0.
fn upright(title: &str, lines: &[Line]) -> Axis {
    let low = lowest(lines).min(0.0);
    let low = if low < 0.0 { -round_up(-low) } else { 0.0 };
    Axis { low, ..from_zero(title, highest(lines)) }
}

pub(super) fn legend(entries: impl Iterator<Item = (impl AsRef<str>, String)>) -> String {
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

/// At most `most` of them: all, or the first, the last and some evenly between, in their order.
pub(super) fn spread<T: Clone>(all: Vec<T>, most: usize) -> Vec<T> {
    let count = all.len();
    if count <= most {
        return all;
    }
    (0..most).map(|index| all[index * (count - 1) / (most - 1)].clone()).collect()
}

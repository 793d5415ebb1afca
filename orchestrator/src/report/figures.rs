//! The figures drawn from the curves.

use super::axis::{Axis, Scale, round_up};
use super::choices;
use super::markup::{escape, parameters, put};
use super::plot::{Line, Plot, Point};
use super::{Data, choices::CHOICES_TITLE};
use crate::plan::Curve;
use crate::results::curve_file;

/// Averages over fewer slots are left out where there are plenty.
const FIRST_SHOWN: u64 = 10;

/// All figures in their order.
pub(super) fn all(data: &Data) -> String {
    let figures: [(&str, Option<String>, &str); 6] = [
        ("Average regret", average_regret(data), "no trial has played a slot"),
        ("Cumulative reward", reward(data), "no trial has played a slot"),
        (CHOICES_TITLE, choices::figure(data), "no trial is complete"),
        ("Error of the estimates", weight_error(data), "no policy of this run estimates weights"),
        (
            "The bound (19) and what was measured",
            bound(data),
            "no policy of this run has a confidence region",
        ),
        (
            "How often the confidence region held",
            covered(data),
            "no policy of this run has a confidence region",
        ),
    ];
    figures
        .into_iter()
        .map(|(title, figure, reason)| {
            figure.unwrap_or_else(|| {
                format!("<p class='small'><b>{}</b> is not drawn: {reason}.</p>\n", escape(title))
            })
        })
        .collect()
}

/// One figure: heading, legend, drawing, caption.
pub(crate) fn frame(id: &str, title: &str, legend: &str, svg: &str, caption: &str) -> String {
    format!(
        "<figure id='{id}'>\n<h3>{title}</h3>\n{legend}<div class='wide'>\n{svg}</div>\n\
         <figcaption>{caption}</figcaption>\n</figure>\n",
        title = escape(title)
    )
}

/// A link to the file that a figure was drawn from.
fn drawn_from(curves: &[Curve]) -> String {
    let links: Vec<String> = curves
        .iter()
        .map(|curve| {
            let file = curve_file(*curve);
            format!("<a href='{file}'><code>{file}</code></a>")
        })
        .collect();
    format!("Drawn from {}.", links.join(" and "))
}

/// The policies that `wanted` picks, with their colours and parameters, and further entries as
/// (classes, text).
fn legend(data: &Data, wanted: impl Fn(&str) -> bool, further: &[(&str, &str)]) -> String {
    let swatch = |class: &str| {
        format!(
            "<svg viewBox='0 0 30 10' aria-hidden='true'><path class='{class}' \
             d='M1 5H29'/></svg>"
        )
    };
    let mut out = String::from("<ul class='legend'>");
    for (index, policy) in data.summary.policies.iter().enumerate() {
        if wanted(&policy.name) {
            let swatch = swatch(&format!("line {}", data.policies.look(index)));
            let parameters = match parameters(&policy.parameters) {
                text if text.is_empty() => text,
                text => format!(" <span class='sub'>{}</span>", escape(&text)),
            };
            let name = escape(&policy.name);
            put!(out, "<li>{swatch}{name}{parameters}</li>");
        }
    }
    for (class, text) in further {
        let swatch = swatch(class);
        put!(out, "<li>{swatch}{}</li>", escape(text));
    }
    out.push_str("</ul>\n");
    out
}

/// The lines of a curve, one for each policy that has it, from slot `first` on.
fn lines(data: &Data, curve: Curve, first: u64) -> Vec<Line> {
    let points = data.curve(curve);
    let policies = data.summary.policies.iter().enumerate();
    policies
        .map(|(index, policy)| Line {
            class: data.policies.look(index).to_owned(),
            guide: false,
            label: data.short_label(index),
            title: data.long_label(index),
            points: points
                .iter()
                .filter(|p| p.policy == policy.name && p.slot >= first)
                .map(|p| Point {
                    x: p.slot as f64,
                    y: p.mean,
                    sd: p.sd.filter(|_| has_band(data, &policy.name)),
                })
                .collect(),
        })
        .filter(|line| !line.points.is_empty())
        .collect()
}

pub(crate) fn last_slot(lines: &[Line]) -> f64 {
    lines.iter().filter_map(|l| l.points.last()).map(|p| p.x).fold(2.0, f64::max)
}

/// The largest value with its band.
pub(crate) fn highest(lines: &[Line]) -> f64 {
    let points = lines.iter().flat_map(|line| &line.points);
    points.map(|p| p.y + p.sd.unwrap_or(0.0)).fold(0.0, f64::max)
}

pub(crate) fn lowest(lines: &[Line]) -> f64 {
    let points = lines.iter().flat_map(|line| &line.points);
    points.map(|p| p.y - p.sd.unwrap_or(0.0)).fold(f64::INFINITY, f64::min)
}

pub(super) fn slots(scale: Scale, low: f64, high: f64) -> Axis {
    let title = match scale {
        Scale::Linear => "slot",
        Scale::Log => "slot (logarithmic)",
    };
    Axis { title: title.into(), scale, low, high: high.max(low * 1.01), percent: false }
}

pub(super) fn from_zero(title: &str, high: f64) -> Axis {
    let high = if high > 0.0 { round_up(high) } else { 1.0 };
    Axis { title: title.into(), scale: Scale::Linear, low: 0.0, high, percent: false }
}

/// With more policies, bands lie on each other and become a grey in which nothing can be told.
const MOST_BANDS: usize = 5;

/// The policy that alone has a band: where there are many, the one that all are compared with.
fn alone_with_band(data: &Data) -> Option<&str> {
    let many = data.summary.policies.len() > MOST_BANDS;
    let versus = data.summary.pairs.first().map(|pair| pair.versus.as_str());
    let first = data.summary.policies.first().map(|policy| policy.name.as_str());
    versus.or(first).filter(|_| many)
}

fn has_band(data: &Data, policy: &str) -> bool {
    alone_with_band(data).is_none_or(|alone| alone == policy)
}

/// What lines and bands are where several seeds are behind them.
fn about_bands(data: &Data, curve: Curve) -> String {
    let counts = || data.curve(curve).iter().map(|point| point.n);
    let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    if most < 2 {
        return String::new();
    }
    let up_to = if least < most { "up to " } else { "" };
    let bands = match alone_with_band(data) {
        None => "bands one standard deviation on either side".to_owned(),
        Some(alone) => format!(
            "the band is one standard deviation on either side of {}; those of the others are left \
             out, as there are too many",
            escape(alone)
        ),
    };
    format!(" Lines are means over {up_to}{most} seeds, {bands}.")
}

fn average_regret(data: &Data) -> Option<String> {
    let all = lines(data, Curve::AverageRegret, 1);
    let reached = last_slot(&all);
    let first = if reached >= 100.0 { FIRST_SHOWN } else { 1 };
    let lines = lines(data, Curve::AverageRegret, first);
    if lines.is_empty() {
        return None;
    }
    let caption = format!(
        "Regret of the slots so far divided by their number, equations (17) and (18): the paper’s \
         Fig. 2. A policy that learns falls towards 0, one that does not stays level.{} {}",
        about_bands(data, Curve::AverageRegret),
        drawn_from(&[Curve::AverageRegret])
    );
    let plot = Plot {
        description: "Average regret of each policy over slots".into(),
        x: slots(Scale::Log, first as f64, reached),
        y: from_zero("average regret (x*·w* − x·w, linear units a slot)", highest(&lines)),
        lines,
    };
    let legend = legend(data, |name| data.has(Curve::AverageRegret, name), &[]);
    Some(frame("average-regret", "Average regret", &legend, &plot.svg(&data.marks), &caption))
}

fn reward(data: &Data) -> Option<String> {
    let mut drawn = lines(data, Curve::Reward, 1);
    if drawn.is_empty() {
        return None;
    }
    let mut optimal: Vec<Line> = lines(data, Curve::OptimalReward, 1)
        .into_iter()
        .map(|line| Line {
            guide: true,
            label: String::new(),
            title: format!("{}: expected reward of the best choices", line.title),
            // Their spread is that of the draws, not of the policy.
            points: line.points.into_iter().map(|p| Point { sd: None, ..p }).collect(),
            ..line
        })
        .collect();
    let one_for_all = optimal.windows(2).all(|pair| same(&pair[0], &pair[1]));
    let (entry, sentence) = if one_for_all {
        optimal.truncate(1);
        for line in &mut optimal {
            line.class = "best".into();
            line.title = "expected reward of the best choices".into();
        }
        (
            ("guide best", "best choices, expected"),
            "the dashed line is the expected reward of the \
          best choices, the sum of 2P* − 1",
        )
    } else {
        (
            ("guide best", "best choices on that policy’s path, expected"),
            "the dashed line of the \
          same colour is the expected reward of the best choices on that policy’s own path, the \
          sum of 2P* − 1",
        )
    };
    let caption = format!(
        "Reward so far, +1 for a happy bit and −1 for anything else: the paper’s Fig. 3; \
         {sentence}. The steeper a line, the happier the chosen nodes.{} {}",
        about_bands(data, Curve::Reward),
        drawn_from(&[Curve::Reward, Curve::OptimalReward])
    );
    drawn.extend(optimal);
    let low = lowest(&drawn).min(0.0);
    let y = Axis {
        low,
        ..from_zero("cumulative reward (happy bits − all other tasks)", highest(&drawn))
    };
    let plot = Plot {
        description: "Cumulative reward of each policy over slots".into(),
        x: slots(Scale::Linear, 0.0, last_slot(&drawn)),
        y,
        lines: drawn,
    };
    let legend = legend(data, |name| data.has(Curve::Reward, name), &[entry]);
    Some(frame("reward", "Cumulative reward", &legend, &plot.svg(&data.marks), &caption))
}

/// Whether two lines are the same but for rounding.
fn same(a: &Line, b: &Line) -> bool {
    a.points.len() == b.points.len()
        && a.points.iter().zip(&b.points).all(|(a, b)| {
            a.x == b.x && (a.y - b.y).abs() <= 1e-9 * a.y.abs().max(b.y.abs()).max(1.0)
        })
}

fn weight_error(data: &Data) -> Option<String> {
    let lines = lines(data, Curve::WeightError, 1);
    if lines.is_empty() {
        return None;
    }
    let caption = format!(
        "Distance between estimated and true weights, ‖ŵ − w‖, as a mean over all nodes: it starts \
         near the length of the true weights, rises where guesses are wrong, and falls slowly, as \
         one bit a task tells little. Nodes that are seldom chosen stay unknown, which costs little \
         where they are seldom best.{} {}",
        about_bands(data, Curve::WeightError),
        drawn_from(&[Curve::WeightError])
    );
    let plot = Plot {
        description: "Mean error of the estimated weights of each policy over slots".into(),
        x: slots(Scale::Log, 1.0, last_slot(&lines)),
        y: from_zero("‖ŵ − w‖, mean over nodes (no unit; ‖w‖ ≤ 1)", highest(&lines)),
        lines,
    };
    let legend = legend(data, |name| data.has(Curve::WeightError, name), &[]);
    Some(frame("weight-error", "Error of the estimates", &legend, &plot.svg(&data.marks), &caption))
}

fn bound(data: &Data) -> Option<String> {
    let positive = |line: Line| Line {
        points: line
            .points
            .into_iter()
            .filter(|p| p.y > 0.0)
            .map(|p| Point { sd: None, ..p })
            .collect(),
        ..line
    };
    let bounds: Vec<Line> = lines(data, Curve::Bound, 1)
        .into_iter()
        .map(|line| Line { guide: true, label: format!("(19) {}", line.label), ..positive(line) })
        .collect();
    if bounds.is_empty() {
        return None;
    }
    let measured = lines(data, Curve::AverageRegret, 1).into_iter().map(positive);
    let mut drawn: Vec<Line> =
        measured.filter(|line| bounds.iter().any(|b| b.class == line.class)).collect();
    drawn.extend(bounds);
    drawn.retain(|line| !line.points.is_empty());
    let caption = format!(
        "Right side of (19) with each policy’s own radius γ (dashed) and its measured average \
         regret, both logarithmic; equal slopes mean equal order. Only the radius of equation (15) \
         makes (19) a promise; with a tuned radius it is a yardstick.{} {}",
        if data.summary.run.seeds > 1 { " Means over the seeds." } else { "" },
        drawn_from(&[Curve::Bound, Curve::AverageRegret])
    );
    let plot = Plot {
        description: "The bound (19) and the measured average regret over slots".into(),
        x: slots(Scale::Log, 1.0, last_slot(&drawn)),
        y: Axis {
            title: "average regret (linear units a slot, logarithmic)".into(),
            scale: Scale::Log,
            low: lowest(&drawn) * 0.8,
            high: highest(&drawn) * 1.25,
            percent: false,
        },
        lines: drawn,
    };
    let further = [("guide best", "right side of (19), in the policy’s colour")];
    let legend = legend(data, |name| data.has(Curve::Bound, name), &further);
    let title = "The bound (19) and what was measured";
    Some(frame("bound", title, &legend, &plot.svg(&data.marks), &caption))
}

fn covered(data: &Data) -> Option<String> {
    let lines = lines(data, Curve::Covered, 1);
    if lines.is_empty() {
        return None;
    }
    let caption = format!(
        "Share of the helper nodes and slots so far for which (14), ‖ŵ − w‖² ≤ γ in the norm of \
         Z, held. The radius of equation (15) promises all slots with probability 1 − δ; a \
         tuned radius trades that promise for less exploration.{} {}",
        about_bands(data, Curve::Covered),
        drawn_from(&[Curve::Covered])
    );
    let plot = Plot {
        description: "Share of slots in which the confidence region held, over slots".into(),
        x: slots(Scale::Log, 1.0, last_slot(&lines)),
        y: Axis {
            percent: true,
            ..from_zero("share of nodes and slots so far for which (14) held", 1.0)
        },
        lines,
    };
    let legend = legend(data, |name| data.has(Curve::Covered, name), &[]);
    let title = "How often the confidence region held";
    Some(frame("covered", title, &legend, &plot.svg(&data.marks), &caption))
}

//! The figures over slots.

use super::Data;
use crate::placement::files::Curve;
use crate::report::axis::{Axis, Scale, round_up};
use crate::report::figures::{frame, highest, last_slot};
use crate::report::markup::{escape, put};
use crate::report::plot::{Line, Plot, Point};
use crate::results::read::CurvePoint;

/// More policies than these have no bands around their lines.
const MOST_BANDS: usize = 6;

/// All figures in their order.
pub(super) fn all(data: &Data) -> String {
    let latency = "Mean latency of the tasks whose output came back";
    let regret = "Expected latency of the choice minus the least, by the model with the link’s true \
                  state";
    let offloaded = "Share of the tasks that went to a helper node";
    let accuracy = "Share of the decisions with the least expected latency by the model. A policy \
                    that learns is back some tasks after an event";
    [
        (Curve::Latency, "latency", "Latency over slots", "mean latency (ms)", latency),
        (Curve::Regret, "regret", "Regret over slots", "mean regret (ms)", regret),
        (Curve::Offloaded, "offloaded", "Share offloaded", "share of tasks", offloaded),
        (Curve::Accuracy, "accuracy", "Accuracy over slots", "share of decisions", accuracy),
    ]
    .into_iter()
    .map(|(curve, id, title, axis, caption)| {
        figure(data, curve, (id, title, axis), caption).unwrap_or_else(|| {
            let title = escape(title);
            format!(
                "<p class='small'><b>{title}</b> is not drawn: no trial has played a slot.</p>\n"
            )
        })
    })
    .collect()
}

fn figure(
    data: &Data,
    curve: Curve,
    (id, title, axis): (&str, &str, &str),
    caption: &str,
) -> Option<String> {
    let lines = lines(data, curve);
    if lines.is_empty() {
        return None;
    }
    let share = matches!(curve, Curve::Offloaded | Curve::Accuracy);
    let high = if share { 1.0 } else { round_up(highest(&lines).max(1e-6) * 1.02) };
    let plot = Plot {
        description: format!("{title}, by policy"),
        x: Axis {
            title: "slot".into(),
            scale: Scale::Linear,
            low: 0.0,
            high: last_slot(&lines),
            percent: false,
        },
        y: Axis { title: axis.into(), scale: Scale::Linear, low: 0.0, high, percent: share },
        lines,
    };
    let bands = if has_bands(data) && !share {
        " Bands are one standard deviation over seeds."
    } else {
        ""
    };
    let over = if data.summary.run.seeds > 1 { ", means over the seeds" } else { "" };
    let file = curve.file();
    let caption = format!(
        "{caption}. Each step is over slots that no event parts{over}.{bands} Drawn from \
         <a href='{file}'><code>{file}</code></a>."
    );
    Some(frame(id, title, &legend(data), &plot.svg(&data.marks), &caption))
}

fn has_bands(data: &Data) -> bool {
    data.summary.run.seeds > 1 && data.summary.policies.len() <= MOST_BANDS
}

/// The two ends of a window: a line between the middles of two would change before the event that
/// parts them.
fn level(point: &CurvePoint, band: bool) -> [Point; 2] {
    let sd = point.sd.filter(|_| band);
    [point.from.unwrap_or(point.slot) as f64 - 0.5, point.slot as f64 + 0.5].map(|x| Point {
        x,
        y: point.mean,
        sd,
    })
}

/// A line for each policy.
fn lines(data: &Data, curve: Curve) -> Vec<Line> {
    let (points, share) = (data.curve(curve), matches!(curve, Curve::Offloaded | Curve::Accuracy));
    let policies = data.summary.policies.iter().enumerate();
    policies
        .map(|(index, policy)| {
            let own = points.iter().filter(|p| p.policy == policy.name);
            Line {
                class: data.policies.look(index).to_owned(),
                guide: false,
                label: policy.name.clone(),
                title: policy.name.clone(),
                points: own.flat_map(|p| level(p, has_bands(data) && !share)).collect(),
            }
        })
        .filter(|line| !line.points.is_empty())
        .collect()
}

fn legend(data: &Data) -> String {
    let mut out = String::from("<ul class='legend'>");
    for (index, policy) in data.summary.policies.iter().enumerate() {
        let (look, name) = (data.policies.look(index), escape(&policy.name));
        let details = match data.details(index) {
            text if text.is_empty() => text,
            text => format!(" <span class='sub'>{}</span>", escape(&text)),
        };
        put!(out, "<li><svg viewBox='0 0 30 10' aria-hidden='true'>");
        put!(out, "<path class='line {look}' d='M1 5H29'/></svg>{name}{details}</li>");
    }
    out.push_str("</ul>\n");
    out
}

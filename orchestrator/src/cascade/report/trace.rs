//! Metrics, tokens and decisions over time, and below them the stages' times (Fig. 4 of the paper).

use super::{Data, not_drawn};
use crate::cascade::read::{Decision, ToldFate};
use crate::report::axis::round_up;
use crate::report::figures::frame;
use crate::report::markup::{escape, grouped, put};
use crate::report::panel::{Panel, axis, legend, open, range};
use crate::report::plot::WIDTH;

/// So many images, as in the paper.
const IMAGES: usize = 100;
const LEFT: f64 = 52.0;
const RIGHT: f64 = WIDTH - 24.0;
const STAGES: [&str; 5] =
    ["weak classifier", "decision", "transmission", "queue", "strong classifier"];

/// The first images of one trial of the policy whose decisions say most.
pub(super) fn figure(data: &Data<'_>) -> String {
    const TITLE: &str = "Metrics, tokens and decisions";
    let Some((policy, seed, rows)) = first_trial(data) else {
        return not_drawn(TITLE, "no decisions were kept");
    };
    let timed = rows.iter().any(|row| row.stages_ms.is_some());
    let name = &data.summary.policies[policy].name;
    let title = format!("{TITLE} of {name}");
    let measured = if timed { " Below, where the time of each image went." } else { "" };
    let caption = format!(
        "The first {} images of the trial with seed {seed}. Large: sent; small and grey: kept; a cross is an \
         image that the policy wanted to send without a token.{measured} Drawn from \
         <a href='decisions/{file}'><code>decisions/{file}</code></a>.",
        grouped(rows.len() as u64),
        file = escape(&crate::results::decision_file(name, seed)),
    );
    let sent = format!("points {}", data.policies.look(policy));
    let mut entries = vec![
        (sent.as_str(), "sent".to_owned()),
        ("points small best", "kept".to_owned()),
        ("line best", "wanted, no token".to_owned()),
        ("line both", "tokens".to_owned()),
    ];
    if timed {
        const LOOKS: [&str; 5] = ["line s0", "line s1", "line s2", "line s3", "line s4"];
        entries.extend(LOOKS.into_iter().zip(STAGES.map(str::to_owned)));
    }
    frame("trace", &title, &legend(&entries), &svg(data, policy, &rows, timed), &caption)
}

fn first_trial(data: &Data<'_>) -> Option<(usize, u64, Vec<Decision>)> {
    data.by_interest().into_iter().find_map(|policy| {
        let seed = data.common_seed(&[policy])?;
        let rows = data.decisions(policy, seed, IMAGES);
        (!rows.is_empty()).then_some((policy, seed, rows))
    })
}

fn svg(data: &Data<'_>, policy: usize, rows: &[Decision], timed: bool) -> String {
    let (first, last) = (rows[0].slot as f64, rows[rows.len() - 1].slot as f64);
    let x = axis("slot", first - 1.0, last + 1.0);
    let (low, high) = range(rows.iter().map(|row| f64::from(row.metric)));
    let panel = |y, top, bottom| Panel { x: x.clone(), y, left: LEFT, right: RIGHT, top, bottom };
    let metrics = panel(axis("offloading metric", low, high), 26.0, 196.0);
    let tokens = panel(axis("tokens", 0.0, data.summary.run.bucket.depth), 232.0, 322.0);
    let times = panel(axis("time (ms)", 0.0, highest(rows)), 358.0, 478.0);
    let end = if timed { times.bottom } else { tokens.bottom };
    let mut svg = open(WIDTH, end + 44.0, "Metrics, tokens and decisions over slots");
    let out = &mut svg;
    metrics.frame(out, false);
    let of = |wanted: &'static dyn Fn(&Decision) -> bool| {
        let own = rows.iter().filter(move |row| wanted(row));
        own.map(|row| (row.slot as f64, f64::from(row.metric)))
    };
    metrics.points(out, "small best", of(&|row| !row.offloaded() && !row.wanted));
    metrics.points(out, data.policies.look(policy), of(&Decision::offloaded));
    for (x, y) in of(&|row| row.wanted && !row.offloaded()) {
        let (x, y) = (metrics.at_x(x), metrics.at_y(y));
        put!(out, "<path class='line best' d='M{:.1} {:.1}l6 6m0 -6l-6 6'/>", x - 3.0, y - 3.0);
    }
    tokens.frame(out, !timed);
    let steps = rows.iter().enumerate().flat_map(|(index, row)| {
        let next = rows.get(index + 1).map_or(last + 1.0, |next| next.slot as f64);
        [(row.slot as f64, row.tokens), (next, row.tokens)]
    });
    tokens.line(out, "line both", steps);
    if timed {
        times.frame(out, true);
        bars(out, &times, rows);
    }
    svg.push_str("</svg>\n");
    svg
}

fn highest(rows: &[Decision]) -> f64 {
    let sums = rows.iter().filter_map(told).map(|ms| ms.iter().sum::<f64>());
    round_up(sums.fold(1e-3, f64::max))
}

/// The times of an image that did not wait in vain.
fn told(row: &Decision) -> Option<[f64; 5]> {
    row.stages_ms.filter(|_| matches!(row.fate, ToldFate::Kept | ToldFate::Answered))
}

/// A bar for each image, its stages one above the other.
fn bars(out: &mut String, panel: &Panel, rows: &[Decision]) {
    let step = (panel.at_x(1.0) - panel.at_x(0.0)).abs();
    let width = (0.7 * step).clamp(1.0, 12.0);
    for (stage, look) in ["s0", "s1", "s2", "s3", "s4"].into_iter().enumerate() {
        let mut path = String::new();
        for row in rows {
            let Some(ms) = told(row) else { continue };
            let below: f64 = ms[..stage].iter().sum();
            let (x, y) = (panel.at_x(row.slot as f64) - width / 2.0, panel.at_y(below));
            let height = panel.at_y(below + ms[stage]) - y;
            if height < -0.05 {
                put!(path, "M{x:.1} {y:.2}h{width:.1}v{height:.2}h-{width:.1}z");
            }
        }
        if !path.is_empty() {
            put!(
                out,
                "<path class='area {look}' d='{path}'><title>{}</title></path>\n",
                STAGES[stage]
            );
        }
    }
}

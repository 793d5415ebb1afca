//! How full the bucket was when images came.

use super::{Data, not_drawn};
use crate::cascade::plan::keeps_to_bucket;
use crate::report::axis::{Axis, Scale, round_up};
use crate::report::figures::frame;
use crate::report::markup::escape;
use crate::report::panel::{legend, range};
use crate::report::plot::{Line, Plot, Point};

const TITLE: &str = "Tokens in the bucket";
/// More steps than these nobody can tell apart.
const MOST_STEPS: usize = 160;

/// A line for each policy that keeps to the bucket.
pub(super) fn figure(data: &Data<'_>) -> String {
    let lines: Vec<Line> = (0..data.summary.policies.len())
        .filter(|index| keeps_to_bucket(&data.summary.policies[*index].kind))
        .filter_map(|index| line(data, index))
        .collect();
    if lines.is_empty() {
        return not_drawn(TITLE, "no trial is complete");
    }
    let (_, highest) = range(lines.iter().flat_map(|line| &line.points).map(|p| p.y));
    let entries: Vec<(String, String)> =
        lines.iter().map(|line| (format!("line {}", line.class), escape(&line.label))).collect();
    let entries: Vec<(&str, String)> =
        entries.iter().map(|(class, name)| (class.as_str(), name.clone())).collect();
    let legend = legend(&entries);
    let axis = |title: &str, high: f64, percent: bool| Axis {
        title: title.into(),
        scale: Scale::Linear,
        low: 0.0,
        high,
        percent,
    };
    let plot = Plot {
        description: "Share of images over the tokens in the bucket, by policy".into(),
        x: axis("tokens when the image came", data.summary.run.bucket.depth, false),
        y: axis("share of images", round_up(highest.max(1e-6)), true),
        lines,
    };
    let caption = "Share of the images of all complete trials that found so many tokens, in steps: up \
                   to the next level. Images at less than one token cannot be sent; a full bucket lets tokens go to waste. Drawn \
                   from <a href='levels.csv'><code>levels.csv</code></a>.";
    frame("levels", TITLE, &legend, &plot.svg(&[]), caption)
}

fn line(data: &Data<'_>, index: usize) -> Option<Line> {
    let policy = &data.summary.policies[index];
    let own: Vec<_> = data.levels.iter().filter(|row| row.policy == policy.name).collect();
    let all: u64 = own.iter().map(|row| row.images).sum();
    if all == 0 {
        return None;
    }
    let steps: Vec<_> = own.chunks(own.len().div_ceil(MOST_STEPS)).collect();
    let end = own[own.len() - 1].tokens;
    let points = steps.iter().enumerate().flat_map(|(index, step)| {
        let images: u64 = step.iter().map(|row| row.images).sum();
        let y = images as f64 / all as f64;
        let next = steps.get(index + 1).map_or(end, |next| next[0].tokens);
        [step[0].tokens, next].map(|x| Point { x, y, sd: None })
    });
    Some(Line {
        class: data.policies.look(index).to_owned(),
        guide: false,
        label: policy.name.clone(),
        title: policy.name.clone(),
        points: points.collect(),
    })
}

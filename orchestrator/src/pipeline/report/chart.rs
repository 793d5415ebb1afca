//! What charts of dots share: frames, whiskers, and names that do not hide each other.

use crate::report::markup::put;
use crate::report::panel::Panel;
use crate::report::plot::{CHARACTER, label};

/// Height of a line of text.
const LINE: f64 = 14.0;

/// A dot of a drawing and what is written beside it, in the units of the drawing.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
}

/// A rectangle: left, top, right, bottom.
pub(super) type Box4 = [f64; 4];

fn overlap(a: Box4, b: Box4) -> f64 {
    let width = a[2].min(b[2]) - a[0].max(b[0]);
    let height = a[3].min(b[3]) - a[1].max(b[1]);
    if width > 0.0 && height > 0.0 { width * height } else { 0.0 }
}

/// Writes the texts beside their dots, each where it hides least of the dots, of the `lines` and of
/// those before it, and lies within `within` as far as possible.
pub(super) fn names(out: &mut String, dots: &[Named], lines: &[Box4], within: Box4) {
    let of_dot = |dot: &Named| [dot.x - 6.0, dot.y - 6.0, dot.x + 6.0, dot.y + 6.0];
    let marks: Vec<Box4> = dots.iter().map(of_dot).chain(lines.iter().copied()).collect();
    let mut texts: Vec<Box4> = Vec::new();
    for dot in dots {
        let width = CHARACTER * dot.text.chars().count() as f64;
        let at = |x: f64, y: f64| [x, y - LINE / 2.0, x + width, y + LINE / 2.0];
        let places = [1.0, 2.0, 3.0].into_iter().flat_map(|step| {
            let (right, left, middle) = (dot.x + 9.0, dot.x - 9.0 - width, dot.x - width / 2.0);
            let off = LINE * (step - 1.0);
            [
                at(right, dot.y + off),
                at(right, dot.y - off),
                at(left, dot.y + off),
                at(left, dot.y - off),
                at(middle, dot.y - LINE * step),
                at(middle, dot.y + LINE * step),
            ]
        });
        let cost = |own: &Box4| {
            let hidden = |by: &[Box4]| by.iter().map(|other| overlap(*own, *other)).sum::<f64>();
            let outside = width * LINE - overlap(*own, within);
            4.0 * hidden(&marks) + 2.0 * hidden(&texts) + 4.0 * outside
        };
        let best = places.min_by(|a, b| cost(a).total_cmp(&cost(b))).expect("there are places");
        texts.push(best);
        label(out, "end", best[0], (best[1] + best[3]) / 2.0 + 4.0, "start", &dot.text);
    }
}

/// A panel whose horizontal axis has ticks of its own: where they are, and what they say.
pub(super) fn frame(out: &mut String, panel: &Panel, ticks: &[(f64, String)], labelled: bool) {
    let Panel { left, right, top, bottom, .. } = *panel;
    for (value, text) in panel.y.ticks() {
        let y = panel.at_y(value);
        put!(out, "<path class='grid' d='M{left:.1} {y:.1}H{right:.1}'/>");
        label(out, "tick", left - 7.0, y + 4.0, "end", &text);
    }
    let mut end = f64::NEG_INFINITY;
    for (value, text) in ticks {
        let x = panel.at_x(*value);
        put!(out, "<path class='grid' d='M{x:.1} {top:.1}V{bottom:.1}'/>");
        put!(out, "<path class='axis' d='M{x:.1} {bottom:.1}v5'/>");
        let half = 3.6 * text.chars().count() as f64;
        if x - half > end + 6.0 {
            label(out, "tick", x, bottom + 18.0, "middle", text);
            end = x + half;
        }
    }
    put!(out, "<path class='axis' d='M{left:.1} {bottom:.1}H{right:.1}'/>");
    label(out, "name", 4.0, top - 12.0, "start", &panel.y.title);
    if labelled {
        label(out, "name", (left + right) / 2.0, bottom + 36.0, "middle", &panel.x.title);
    }
}

/// A vertical line from `low` to `high` with a stroke across each end.
pub(super) fn upright(out: &mut String, look: &str, x: f64, (low, high): (f64, f64)) {
    let (left, right) = (x - 4.0, x + 4.0);
    put!(out, "<path class='whisker {look}' d='M{x:.1} {low:.1}V{high:.1}");
    put!(out, "M{left:.1} {low:.1}H{right:.1}M{left:.1} {high:.1}H{right:.1}'/>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_hide_each_other() {
        let dot = |x, y, text: &str| Named { x, y, text: text.into() };
        let dots = [dot(100.0, 100.0, "distilled"), dot(102.0, 101.0, "student")];
        let mut out = String::new();
        names(&mut out, &dots, &[], [0.0, 0.0, 400.0, 200.0]);
        let places: Vec<(f64, f64)> = out
            .split("<text")
            .skip(1)
            .map(|text| {
                let number = |key: &str| {
                    let from = text.find(key).unwrap() + key.len();
                    text[from..].split('\'').next().unwrap().parse().unwrap()
                };
                (number(" x='"), number(" y='"))
            })
            .collect();
        let [(x1, y1), (x2, y2)] = places[..] else { panic!("{out}") };
        let apart = (y1 - y2).abs() >= LINE - 0.2
            || x1 + 9.0 * CHARACTER <= x2 + 0.2
            || x2 + 7.0 * CHARACTER <= x1 + 0.2;
        assert!(apart, "{places:?}");
    }

    /// At the right edge a name stands at the left of its dot.
    #[test]
    fn names_stay_inside() {
        let mut out = String::new();
        let dot = Named { x: 395.0, y: 100.0, text: "exhaustive".into() };
        names(&mut out, &[dot], &[], [0.0, 0.0, 400.0, 200.0]);
        assert!(out.contains(&format!("x='{:.1}'", 395.0 - 9.0 - 10.0 * CHARACTER)), "{out}");
    }
}

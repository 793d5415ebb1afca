//! Line plots as SVG.
//!
//! Written by hand rather than with a plotting crate because colours must come from the page's
//! style sheet (one drawing for light, dark and paper) and coordinates must not be rounded to
//! whole pixels, which shows as steps in flat curves.

use super::axis::{Axis, Scale};
use super::beyond::Mark;
use super::markup::{escape, grouped, put, shortened};

/// Width of every figure.
pub(crate) const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 400.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;
/// Room for one character of a label.
pub(crate) const CHARACTER: f64 = 6.9;
/// Distance of the labels at the ends of lines.
const LABEL_STEP: f64 = 14.0;
const LONGEST_LABEL: usize = 24;

/// A point of a line, with the half-width of the band around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) sd: Option<f64>,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Classes that give it colour and dashes.
    pub(crate) class: String,
    /// A dashed guide line rather than a measured one.
    pub(crate) guide: bool,
    /// Written at its end, unless empty.
    pub(crate) label: String,
    /// Shown when pointed at.
    pub(crate) title: String,
    pub(crate) points: Vec<Point>,
}

/// A single point that stands out.
#[derive(Debug, Clone)]
pub(crate) struct Dot {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Class that gives it colour.
    pub(crate) class: String,
    /// Only its rim is drawn.
    pub(crate) hollow: bool,
    /// Shown when pointed at.
    pub(crate) title: String,
}

/// A plot.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    /// Says what it shows to those who cannot see it.
    pub(crate) description: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
}

/// Writes a label; `text` is escaped here.
pub(crate) fn label(out: &mut String, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escape(text);
    put!(out, "<text class='{class}' x='{x:.1}' y='{y:.1}' text-anchor='{anchor}'>{text}</text>\n");
}

impl Plot {
    /// The drawing, with a vertical line at each slot of `marks` that lies within it.
    pub(crate) fn svg(&self, marks: &[Mark]) -> String {
        self.svg_with(marks, &[])
    }

    /// The same with single points, each with a dotted line down to the axis.
    pub(crate) fn svg_with(&self, marks: &[Mark], dots: &[Dot]) -> String {
        let y_ticks = self.y.ticks();
        let widest = y_ticks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(1);
        let longest = self.lines.iter().map(|l| shown(&l.label).chars().count()).max().unwrap_or(0);
        let left = 16.0 + CHARACTER * widest as f64;
        let right = WIDTH - 24.0 - CHARACTER * longest as f64;
        let bottom = HEIGHT - BOTTOM;
        let at_x = |x: f64| left + self.x.place(x) * (right - left);
        let at_y = |y: f64| bottom - self.y.place(y) * (bottom - TOP);

        let description = escape(&self.description);
        let mut svg =
            format!("<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{description}'>\n");
        let out = &mut svg;
        for (value, text) in &y_ticks {
            let y = at_y(*value);
            put!(out, "<path class='grid' d='M{left:.1} {y:.1}H{right:.1}'/>");
            label(out, "tick", left - 7.0, y + 4.0, "end", text);
        }
        for (value, text) in self.x.ticks() {
            let x = at_x(value);
            put!(out, "<path class='grid' d='M{x:.1} {TOP}V{bottom:.1}'/>");
            put!(out, "<path class='axis' d='M{x:.1} {bottom:.1}v5'/>");
            label(out, "tick", x, bottom + 18.0, "middle", &text);
        }
        put!(out, "<path class='axis' d='M{left:.1} {bottom:.1}H{right:.1}'/>");
        label(out, "name", (left + right) / 2.0, HEIGHT - 6.0, "middle", &self.x.title);
        label(out, "name", 4.0, 14.0, "start", &self.y.title);
        if self.y.low < 0.0 && self.y.scale == Scale::Linear {
            put!(out, "<path class='zero' d='M{left:.1} {:.1}H{right:.1}'/>\n", at_y(0.0));
        }
        self.marks(out, marks, right, bottom, &at_x);
        for line in &self.lines {
            self.band(out, line, &at_x, &at_y);
        }
        // The first policy of the file is drawn last, on top.
        for line in self.lines.iter().rev() {
            let class = if line.guide { "guide" } else { "line" };
            let path = path(line.points.iter().map(|p| (at_x(p.x), at_y(p.y))));
            let (own, title) = (&line.class, escape(&line.title));
            put!(out, "<path class='{class} {own}' d='{path}'><title>{title}</title></path>\n");
        }
        for dot in dots {
            let (x, y, own) = (at_x(dot.x), at_y(dot.y), &dot.class);
            let (hollow, title) = (if dot.hollow { " hollow" } else { "" }, escape(&dot.title));
            put!(out, "<path class='mark' d='M{x:.1} {y:.1}V{bottom:.1}'/>");
            put!(out, "<circle class='dot{hollow} {own}' cx='{x:.1}' cy='{y:.1}' r='4.5'>");
            put!(out, "<title>{title}</title></circle>\n");
        }
        self.labels(out, right, bottom, &at_x, &at_y);
        out.push_str("</svg>\n");
        svg
    }

    /// A vertical line at each mark within the plot, with what happens above it where there is room.
    fn marks(
        &self,
        out: &mut String,
        marks: &[Mark],
        right: f64,
        bottom: f64,
        at_x: &impl Fn(f64) -> f64,
    ) {
        let within = |mark: &&Mark| (self.x.low..=self.x.high).contains(&(mark.slot as f64));
        let marks: Vec<(&Mark, f64)> =
            marks.iter().filter(within).map(|mark| (mark, at_x(mark.slot as f64))).collect();
        for (index, (mark, x)) in marks.iter().enumerate() {
            let title = escape(&format!("slot {}: {}", grouped(mark.slot), mark.what));
            put!(out, "<path class='mark' d='M{x:.1} {TOP}V{bottom:.1}'>");
            put!(out, "<title>{title}</title></path>\n");
            let text = shown(&mark.what);
            let end = x + CHARACTER * text.chars().count() as f64;
            let room = marks.get(index + 1).map_or(right.max(WIDTH - 24.0), |(_, next)| *next);
            if end < room {
                label(out, "tick", *x, TOP - 3.0, "start", &text);
            }
        }
    }

    /// The band of one standard deviation on either side, kept within the plot.
    fn band(
        &self,
        out: &mut String,
        line: &Line,
        at_x: &impl Fn(f64) -> f64,
        at_y: &impl Fn(f64) -> f64,
    ) {
        let edge = |side: f64| {
            line.points
                .iter()
                .filter_map(move |p| Some((p, p.y + side * p.sd?)))
                .map(move |(p, y)| (at_x(p.x), at_y(y.clamp(self.y.low, self.y.high))))
        };
        let upper = path(edge(1.0));
        if upper.is_empty() {
            return;
        }
        let lower = path(edge(-1.0).collect::<Vec<_>>().into_iter().rev());
        let (own, rest) = (&line.class, lower.replacen('M', "L", 1));
        put!(out, "<path class='band {own}' d='{upper}{rest}Z'/>\n");
    }

    /// The names at the ends of the lines, moved apart where they would overlap.
    fn labels(
        &self,
        out: &mut String,
        right: f64,
        bottom: f64,
        at_x: &impl Fn(f64) -> f64,
        at_y: &impl Fn(f64) -> f64,
    ) {
        let mut labels: Vec<(f64, f64, &Line)> = self
            .lines
            .iter()
            .filter(|line| !line.label.is_empty())
            .filter_map(|line| line.points.last().map(|p| (at_y(p.y), at_x(p.x), line)))
            .collect();
        if labels.len() as f64 * LABEL_STEP > bottom - TOP + LABEL_STEP {
            return;
        }
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted: Vec<f64> = labels.iter().map(|l| l.0).collect();
        for ((end, from, line), y) in labels.into_iter().zip(apart(&wanted, TOP, bottom)) {
            let (own, a, b, c) = (&line.class, from + 2.0, right + 4.0, right + 14.0);
            put!(out, "<path class='leader {own}' d='M{a:.1} {end:.1}H{b:.1}L{c:.1} {y:.1}'/>");
            label(out, "end", right + 17.0, y + 4.0, "start", &shown(&line.label));
        }
    }
}

fn shown(label: &str) -> String {
    shortened(label, LONGEST_LABEL)
}

/// The places `wanted` (ascending) with at least [`LABEL_STEP`] between them, moved no further than
/// needed and kept between `top` and `bottom`.
fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    // Groups of labels that touch, each as (sum of wanted places less their offsets, count).
    let mut groups: Vec<(f64, usize)> = Vec::new();
    let first = |(sum, count): (f64, usize)| {
        let room = bottom - (count as f64 - 1.0) * LABEL_STEP;
        (sum / count as f64).min(room).max(top)
    };
    for place in wanted {
        let mut group = (*place, 1);
        while let Some(above) = groups.last().copied() {
            if first(above) + above.1 as f64 * LABEL_STEP <= first(group) {
                break;
            }
            groups.pop();
            let offset = above.1 as f64 * LABEL_STEP * group.1 as f64;
            group = (above.0 + group.0 - offset, above.1 + group.1);
        }
        groups.push(group);
    }
    groups
        .into_iter()
        .flat_map(|group| (0..group.1).map(move |i| first(group) + i as f64 * LABEL_STEP))
        .collect()
}

/// A path through points; those that would not move it by a third of a pixel are left out.
fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut out = String::new();
    let (mut kept, mut skipped) = (None::<(f64, f64)>, None);
    for (x, y) in points {
        match kept {
            Some((a, b)) if (x - a).abs() < 0.35 && (y - b).abs() < 0.35 => skipped = Some((x, y)),
            _ => {
                let command = if kept.is_some() { 'L' } else { 'M' };
                put!(out, "{command}{x:.1} {y:.1}");
                kept = Some((x, y));
                skipped = None;
            }
        }
    }
    if let Some((x, y)) = skipped {
        put!(out, "L{x:.1} {y:.1}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_move_apart_and_stay_inside() {
        let places = apart(&[50.0, 51.0, 52.0, 200.0, 353.0, 354.0], 30.0, 354.0);
        assert!(places.windows(2).all(|p| p[1] - p[0] >= LABEL_STEP - 1e-9), "{places:?}");
        assert_eq!(places[1], 51.0);
        assert_eq!(places[3], 200.0);
        assert!(places[0] >= 30.0 && places[5] <= 354.0);
        assert_eq!(apart(&[0.0, 400.0], 30.0, 354.0), [30.0, 354.0]);
    }

    #[test]
    fn crowded_points_are_left_out_but_never_the_last() {
        assert_eq!(path([(0.0, 0.0), (0.1, 0.0), (0.2, 0.1)].into_iter()), "M0.0 0.0L0.2 0.1");
        assert_eq!(path([(0.0, 0.0), (9.0, 0.0)].into_iter()), "M0.0 0.0L9.0 0.0");
        assert_eq!(path(std::iter::empty()), "");
    }

    #[test]
    fn marks_have_words_where_there_is_room() {
        let axis = |low, high| Axis {
            title: String::new(),
            scale: Scale::Linear,
            low,
            high,
            percent: false,
        };
        let plot = Plot {
            description: String::new(),
            x: axis(0.0, 1000.0),
            y: axis(0.0, 1.0),
            lines: vec![],
        };
        let mark = |slot, what: &str| Mark { slot, what: what.into() };
        let marks = [mark(100, "h1 leaves"), mark(105, "h1 joins"), mark(2000, "h2 joins")];
        let svg = plot.svg(&marks);
        assert_eq!(svg.matches("class='mark'").count(), 2, "those within");
        assert!(svg.contains("<title>slot 100: h1 leaves</title>"));
        assert!(!svg.contains(">h1 leaves</text>") && svg.contains(">h1 joins</text>"));
    }
}

//! A rectangle of a drawing with axes of its own; several of them may stand one below the other.

use crate::report::axis::{Axis, Scale};
use crate::report::markup::put;
use crate::report::plot::label;

/// The rectangle, in the units of the drawing.
pub(crate) struct Panel {
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

impl Panel {
    pub(crate) fn at_x(&self, x: f64) -> f64 {
        self.left + self.x.place(x) * (self.right - self.left)
    }

    pub(crate) fn at_y(&self, y: f64) -> f64 {
        self.bottom - self.y.place(y) * (self.bottom - self.top)
    }

    /// Grid, axes and what they measure; the numbers along the horizontal one only if `labelled`.
    pub(crate) fn frame(&self, out: &mut String, labelled: bool) {
        let Panel { left, right, top, bottom, .. } = *self;
        for (value, text) in self.y.ticks() {
            let y = self.at_y(value);
            put!(out, "<path class='grid' d='M{left:.1} {y:.1}H{right:.1}'/>");
            label(out, "tick", left - 7.0, y + 4.0, "end", &text);
        }
        for (value, text) in self.x.ticks() {
            let x = self.at_x(value);
            put!(out, "<path class='grid' d='M{x:.1} {top:.1}V{bottom:.1}'/>");
            if labelled {
                put!(out, "<path class='axis' d='M{x:.1} {bottom:.1}v5'/>");
                label(out, "tick", x, bottom + 18.0, "middle", &text);
            }
        }
        put!(out, "<path class='axis' d='M{left:.1} {bottom:.1}H{right:.1}'/>");
        label(out, "name", 4.0, top - 12.0, "start", &self.y.title);
        if labelled {
            label(out, "name", (left + right) / 2.0, bottom + 36.0, "middle", &self.x.title);
        }
    }

    /// Points in one path; nothing where there are none.
    pub(crate) fn points(
        &self,
        out: &mut String,
        class: &str,
        points: impl Iterator<Item = (f64, f64)>,
    ) {
        let mut path = String::new();
        for (x, y) in points {
            put!(path, "M{:.1} {:.1}h0", self.at_x(x), self.at_y(y));
        }
        if !path.is_empty() {
            put!(out, "<path class='points {class}' d='{path}'/>\n");
        }
    }

    /// A line through points.
    pub(crate) fn line(
        &self,
        out: &mut String,
        class: &str,
        points: impl Iterator<Item = (f64, f64)>,
    ) {
        let mut path = String::new();
        for (x, y) in points {
            let command = if path.is_empty() { 'M' } else { 'L' };
            put!(path, "{command}{:.1} {:.1}", self.at_x(x), self.at_y(y));
        }
        if !path.is_empty() {
            put!(out, "<path class='{class}' d='{path}'/>\n");
        }
    }
}

/// A linear axis.
pub(crate) fn axis(title: &str, low: f64, high: f64) -> Axis {
    let high = if high > low { high } else { low + 1.0 };
    Axis { title: title.into(), scale: Scale::Linear, low, high, percent: false }
}

/// The lowest and the highest of some values with a little room around them; 0 to 1 where there are
/// none.
pub(crate) fn range(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low { 0.05 * (high - low) } else { 0.5 * high.abs().max(1.0) };
    (low - room, high + room)
}

/// The beginning of a drawing.
pub(crate) fn open(width: f64, height: f64, description: &str) -> String {
    let description = crate::report::markup::escape(description);
    format!("<svg viewBox='0 0 {width} {height:.0}' role='img' aria-label='{description}'>\n")
}

/// A legend of points and lines: classes of the sign, and what it stands for as HTML.
pub(crate) fn legend(entries: &[(&str, String)]) -> String {
    let mut out = String::from("<ul class='legend'>");
    for (class, text) in entries {
        let sign = if class.starts_with("points") { "M15 5h0" } else { "M1 5H29" };
        put!(out, "<li><svg viewBox='0 0 30 10' aria-hidden='true'>");
        put!(out, "<path class='{class}' d='{sign}'/></svg>{text}</li>");
    }
    out.push_str("</ul>\n");
    out
}

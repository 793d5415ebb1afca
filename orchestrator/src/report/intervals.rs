//! Differences with their intervals, drawn to one scale in the cells of a table.

use super::axis::{Axis, Scale};
use super::markup::{digits_for, put};

/// As high as the style sheet makes the rows, so that the line at 0 is one line.
const ROW: f64 = 34.0;

/// The scale of a column of drawings.
pub(crate) struct Intervals {
    pub(super) axis: Axis,
    /// How many digits tell the differences apart.
    pub(super) digits: usize,
    width: f64,
}

impl Intervals {
    /// A scale that holds `values`, for drawings of this width, which the style sheet knows too.
    pub(super) fn new(width: f64, values: impl Iterator<Item = f64> + Clone) -> Intervals {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let span = if high > low { high - low } else { 1.0 };
        let axis = Axis {
            title: String::new(),
            scale: Scale::Linear,
            low: low - 0.04 * span,
            high: high + 0.04 * span,
            percent: false,
        };
        Intervals { axis, digits: digits_for(low.abs().max(high.abs())), width }
    }

    /// Where a value stands.
    pub(super) fn at(&self, value: f64) -> f64 {
        8.0 + self.axis.place(value) * (self.width - 16.0)
    }

    /// The drawing of one difference: a filled dot where the question is decided.
    pub(super) fn drawn(
        &self,
        mean: f64,
        ends: Option<(f64, f64)>,
        look: &str,
        decided: bool,
    ) -> String {
        let mut out = self.open_svg();
        put!(out, "<path class='zero' d='M{:.1} 0V{ROW}'/>", self.at(0.0));
        let middle = ROW / 2.0;
        if let Some((low, high)) = ends {
            let (low, high) = (self.at(low), self.at(high));
            let (up, down) = (middle - 4.0, middle + 4.0);
            put!(out, "<path class='line {look}' d='M{low:.1} {middle}H{high:.1}");
            put!(out, "M{low:.1} {up}V{down}M{high:.1} {up}V{down}'/>");
        }
        let hollow = if decided { "" } else { " hollow" };
        let mean = self.at(mean);
        put!(out, "<circle class='dot{hollow} {look}' cx='{mean:.1}' cy='{middle}' r='4'/></svg>");
        out
    }

    /// The beginning of the drawing below the last row: the line of the axis. Ticks and the end of
    /// the drawing are to follow.
    pub(super) fn open_axis(&self) -> String {
        let mut out = self.open_svg();
        put!(out, "<path class='axis' d='M8 1H{}'/>", self.width - 8.0);
        out
    }

    fn open_svg(&self) -> String {
        format!("<svg viewBox='0 0 {} {ROW}' aria-hidden='true'>", self.width)
    }
}

//! Axes: from numbers to places, and ticks that people like to read.

use super::markup::fixed;

/// How an axis maps numbers to places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Log,
}

/// One axis.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// What it measures, with the unit.
    pub(crate) title: String,
    pub(crate) scale: Scale,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Ticks are per cent.
    pub(crate) percent: bool,
}

impl Axis {
    /// Where a value lies between `low` (0) and `high` (1).
    pub(crate) fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => {
                let low = libm::log10(self.low);
                (libm::log10(value) - low) / (libm::log10(self.high) - low)
            }
        }
    }

    /// Where there are ticks, and what they say.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => self.linear_ticks(),
            Scale::Log => self.log_ticks(),
        }
    }

    fn linear_ticks(&self) -> Vec<(f64, String)> {
        let span = self.high - self.low;
        let power = libm::pow(10.0, libm::floor(libm::log10(span / 5.0)));
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| span / step <= 6.5)
            .unwrap_or(10.0 * power);
        let first = libm::ceil(self.low / step - 1e-9) as i64;
        let last = libm::floor(self.high / step + 1e-9) as i64;
        (first..=last)
            .map(|index| {
                let value = index as f64 * step;
                let text = match self.percent {
                    true => format!("{} %", plain(value * 100.0, step * 100.0)),
                    false => short(value, step, self.high.abs().max(self.low.abs())),
                };
                (value, text)
            })
            .collect()
    }

    fn log_ticks(&self) -> Vec<(f64, String)> {
        let (low, high) = (libm::log10(self.low), libm::log10(self.high));
        let steps: &[f64] = if high - low < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = libm::ceil((high - low) / 8.0).max(1.0) as i32;
        let decades = libm::floor(low - 1e-9) as i32..=libm::ceil(high + 1e-9) as i32;
        decades
            .filter(|decade| decade.rem_euclid(every) == 0)
            .flat_map(|decade| steps.iter().map(move |s| s * libm::pow(10.0, f64::from(decade))))
            .filter(|v| *v >= self.low * (1.0 - 1e-9) && *v <= self.high * (1.0 + 1e-9))
            .map(|value| (value, short(value, value, value * 10.0)))
            .collect()
    }
}

/// A tick's number on an axis up to `size`: `10k` for thousands, `2M` for millions.
fn short(value: f64, step: f64, size: f64) -> String {
    let (unit, letter) = match size * (1.0 + 1e-9) {
        s if s >= 1e10 => (1e9, "G"),
        s if s >= 1e7 => (1e6, "M"),
        s if s >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    if value == 0.0 { "0".into() } else { format!("{}{letter}", plain(value / unit, step / unit)) }
}

/// A number with the digits that multiples of `step` need.
fn plain(value: f64, step: f64) -> String {
    let digits = (0..9)
        .find(|digits| {
            let scaled = step * libm::pow(10.0, f64::from(*digits));
            (scaled - libm::round(scaled)).abs() < 1e-6 * scaled
        })
        .unwrap_or(9);
    fixed(value, digits as usize)
}

/// The least 1, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten that is at least `value`.
pub(crate) fn round_up(value: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(value)));
    let factors = [1.0, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    factors.into_iter().map(|f| f * power).find(|v| *v >= value * (1.0 - 1e-9)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale, low: f64, high: f64) -> Axis {
        Axis { title: "slot".into(), scale, low, high, percent: false }
    }

    fn texts(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(texts(&axis(Scale::Log, 1.0, 10_000.0)), ["1", "10", "100", "1k", "10k"]);
        assert_eq!(texts(&axis(Scale::Log, 0.05, 2.0)), ["0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(
            texts(&axis(Scale::Linear, 0.0, 10_000.0)),
            ["0", "2k", "4k", "6k", "8k", "10k"]
        );
        assert_eq!(
            texts(&axis(Scale::Linear, 0.0, 0.25)),
            ["0", "0.05", "0.10", "0.15", "0.20", "0.25"]
        );
        assert_eq!(texts(&axis(Scale::Linear, 0.0, 1500.0)), ["0", "500", "1,000", "1,500"]);
        let share = Axis { percent: true, ..axis(Scale::Linear, 0.0, 1.0) };
        assert_eq!(texts(&share), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
    }
}

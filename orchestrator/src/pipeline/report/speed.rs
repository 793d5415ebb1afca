//! How long a decision takes, and how good it is.

use super::chart::{Box4, Named, frame as chart_frame, names, upright};
use super::{Data, not_drawn};
use crate::pipeline::summary::{PolicySummary, duration_text};
use crate::report::axis::{Axis, Scale};
use crate::report::figures::frame;
use crate::report::markup::{escape, fixed, put};
use crate::report::panel::{Panel, open};
use crate::report::plot::{CHARACTER, WIDTH};

const TITLE: &str = "Decision time and delay";

/// A dot of the figure.
struct Dot<'d> {
    name: String,
    look: &'d str,
    median_ns: f64,
    p95_ns: f64,
    ratio: f64,
    ends: Option<(f64, f64)>,
}

/// A dot for each policy, and one for exhaustive search.
pub(super) fn figure(data: &Data) -> String {
    let dots = dots(data);
    if dots.is_empty() {
        return not_drawn(TITLE, "no decision was timed");
    }
    let (svg, beyond) = svg(&dots, highest(data));
    let beyond = match beyond {
        true => " Hollow dots at the upper edge lie beyond it, at the number beside them.",
        false => "",
    };
    let caption = format!(
        "Median time of a decision on one core; the line goes on to the quantile of 95 %. Upright \
         lines are 95 % confidence intervals of the mean over seeds.{beyond} Down and left is \
         better. Drawn from <a href='summary.json'><code>summary.json</code></a> (<code>policies\
         </code>, <code>exhaustive</code>)."
    );
    frame("speed", TITLE, "", &svg, &caption)
}

fn dots(data: &Data) -> Vec<Dot<'_>> {
    let policies = data.summary.policies.iter().zip(data.policies.looks());
    let timed = policies.filter_map(|(policy, look)| {
        let times = policy.decision?;
        Some(Dot {
            name: policy.name.clone(),
            look,
            median_ns: times.median_ns.max(1.0),
            p95_ns: times.p95_ns.max(1.0),
            ratio: policy.delay_ratio?.mean,
            ends: policy.delay_ratio_interval.and_then(|own| own.low.zip(own.high)),
        })
    });
    let mut dots: Vec<Dot<'_>> = timed.collect();
    if let Some(exhaustive) = data.summary.exhaustive.filter(|_| !dots.is_empty()) {
        dots.push(Dot {
            name: "exhaustive search".into(),
            look: "best",
            median_ns: exhaustive.times.median_ns.max(1.0),
            p95_ns: exhaustive.times.p95_ns.max(1.0),
            ratio: 1.0,
            ends: None,
        });
    }
    dots
}

/// The upper end of what is drawn to scale: room for all policies but those that do not look at the
/// application, which may be many times as slow.
fn highest(data: &Data) -> f64 {
    let looks = |policy: &&PolicySummary| !matches!(policy.kind.as_str(), "fixed" | "random");
    let ratios = |wanted: &dyn Fn(&&PolicySummary) -> bool| {
        let own = data.summary.policies.iter().filter(wanted);
        own.filter_map(|policy| Some(policy.delay_ratio?.mean)).fold(1.0, f64::max)
    };
    let (of_looking, of_all) = (ratios(&looks), ratios(&|_| true));
    if of_looking > 1.0 { of_looking } else { of_all }
}

/// The drawing, and whether there are dots beyond its upper edge.
fn svg(dots: &[Dot<'_>], highest: f64) -> (String, bool) {
    let times = || dots.iter().flat_map(|dot| [dot.median_ns, dot.p95_ns]);
    let (fast, slow) = (times().fold(f64::INFINITY, f64::min), times().fold(1.0, f64::max));
    let (low, high) =
        (1.0 - 0.06 * (highest - 1.0).max(0.01), 1.0 + 1.15 * (highest - 1.0).max(0.01));
    let panel = Panel {
        x: Axis {
            title: "time of a decision".into(),
            scale: Scale::Log,
            low: fast / 1.6,
            high: slow * 1.6,
            percent: false,
        },
        y: Axis {
            title: "mean delay over the optimum".into(),
            scale: Scale::Linear,
            low,
            high,
            percent: false,
        },
        left: 60.0,
        right: WIDTH - 24.0,
        top: 34.0,
        bottom: 354.0,
    };
    let mut svg = open(WIDTH, 398.0, "Mean delay over the optimum against the time of a decision");
    let out = &mut svg;
    let ticks = panel.x.ticks();
    let ticks: Vec<(f64, String)> =
        ticks.into_iter().map(|(ns, _)| (ns, round_duration(ns))).collect();
    chart_frame(out, &panel, &ticks, true);
    // What the upright axis measures stands above it.
    let title = CHARACTER * panel.y.title.len() as f64;
    let mut lines: Vec<Box4> = vec![[0.0, panel.top - 26.0, title, panel.top - 6.0]];
    let mut named = Vec::new();
    for dot in dots {
        let (x, y) = (panel.at_x(dot.median_ns), panel.at_y(dot.ratio.min(high)));
        let beyond = dot.ratio > high;
        let end = panel.at_x(dot.p95_ns);
        put!(out, "<path class='whisker {}' d='M{x:.1} {y:.1}H{end:.1}'/>", dot.look);
        lines.push([x, y - 1.0, end, y + 1.0]);
        if let Some((from, to)) = dot.ends.filter(|_| !beyond) {
            let at = |value: f64| panel.at_y(value.clamp(low, high));
            upright(out, dot.look, x, (at(to), at(from)));
            lines.push([x - 4.0, at(to), x + 4.0, at(from)]);
        }
        let (hollow, look) = (if beyond { " hollow" } else { "" }, dot.look);
        let title = format!(
            "{}: {} over the optimum, {}",
            escape(&dot.name),
            fixed(dot.ratio, 4),
            duration_text(dot.median_ns)
        );
        put!(out, "<circle class='dot{hollow} {look}' cx='{x:.1}' cy='{y:.1}' r='4.5'>");
        put!(out, "<title>{title}</title></circle>\n");
        let text = match beyond {
            true => format!("{} ({})", dot.name, fixed(dot.ratio, 2)),
            false => dot.name.clone(),
        };
        named.push(Named { x, y, text });
    }
    names(out, &named, &lines, [panel.left, 4.0, WIDTH, panel.bottom - 2.0]);
    svg.push_str("</svg>\n");
    (svg, dots.iter().any(|dot| dot.ratio > high))
}

/// A tick's time without the digits that it does not have: `10 us`.
fn round_duration(ns: f64) -> String {
    let (value, unit) = match ns * (1.0 + 1e-9) {
        s if s >= 1e9 => (ns / 1e9, "s"),
        s if s >= 1e6 => (ns / 1e6, "ms"),
        s if s >= 1e3 => (ns / 1e3, "us"),
        _ => (ns, "ns"),
    };
    format!("{} {unit}", libm::round(value * 1e3) / 1e3)
}

#[cfg(test)]
mod tests {
    use super::round_duration;

    #[test]
    fn ticks_have_a_unit() {
        for (ns, text) in
            [(10.0, "10 ns"), (1e3, "1 us"), (2e5, "200 us"), (5e6, "5 ms"), (1e9, "1 s")]
        {
            assert_eq!(round_duration(ns), text);
        }
    }
}

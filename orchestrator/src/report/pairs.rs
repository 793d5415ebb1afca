//! Paired differences to the reference policy, with their intervals drawn.

use super::intervals::Intervals;
use super::markup::{escape, fixed, grouped, put};
use super::plot::label;
use super::{policy_name, words};
use crate::harness::metric::known;
use crate::results::summary::{Pair, Reading};

const NONE: &str = "–";
/// Width of the drawn intervals; the style sheet knows it too.
const WIDTH: f64 = 190.0;

/// A policy in a drawing: its colour, and its name as HTML.
pub(crate) struct Named {
    pub(crate) look: String,
    pub(crate) name: String,
}

impl Named {
    /// A policy of the page with the classes of its colour, or one that is not there.
    pub(crate) fn of(look: Option<&str>, name: &str) -> Named {
        match look {
            Some(look) => Named { look: look.to_owned(), name: policy_name(look, name) },
            None => Named { look: "best".into(), name: escape(name) },
        }
    }
}

/// What the section needs of a page.
pub(crate) struct Section<'s, N> {
    pub(crate) pairs: &'s [Pair],
    /// By what, in this order.
    pub(crate) metrics: &'s [&'s str],
    /// What the policy is called that the others are compared with.
    pub(crate) versus: &'s str,
    /// Whether trials have no end.
    pub(crate) endless: bool,
    /// How policies look.
    pub(crate) named: N,
    /// What there is to say besides, as HTML.
    pub(crate) note: &'s str,
}

/// The section; empty where there is nothing to compare.
pub(crate) fn section<N: Fn(&str) -> Named>(of: &Section<'_, N>) -> String {
    let Section { pairs, metrics, versus, endless, named, note } = of;
    if pairs.is_empty() {
        return String::new();
    }
    let mut out = format!("<h2>Paired differences to {}</h2>\n", escape(versus));
    let single = pairs.iter().all(|pair| pair.low.is_none());
    if *endless {
        put!(
            out,
            "<p>Policy minus reference, over the first {} slots. An endless run has one seed, so \
             nothing here tells skill from luck.</p>\n",
            grouped(pairs.iter().map(|pair| pair.slot).max().unwrap_or(0))
        );
    }
    out.push_str(match single {
        _ if *endless => "",
        true => {
            "<p>Policy minus reference, over the whole run. With one seed there is no interval, \
             so nothing here tells skill from luck: run it with \
             <code class='word'>--seeds 20</code>.</p>\n"
        }
        false => {
            "<p>Policy minus reference, over the whole run, seed by seed: all policies meet the \
             same draws. Intervals are 95 % confidence intervals of the \
             mean (Student; beside it one by the bootstrap, BCa, which does not ask for normal \
             values); a filled dot has one without 0, a hollow one leaves the question open. How \
             many seeds would decide it supposes that mean and deviation stay what they are: with \
             so many, chances are about even.</p>\n"
        }
    });
    out.push_str(HEAD);
    for metric in *metrics {
        let rows: Vec<&Pair> = pairs.iter().filter(|pair| pair.metric == *metric).collect();
        forest(&mut out, &rows, named);
    }
    put!(
        out,
        "</table></div>\n<p class='small'>{note}Drawn from \
         <a href='summary.json'><code>summary.json</code></a> (<code>pairs</code>).</p>\n"
    );
    out
}

/// How the table of differences begins.
pub(crate) const HEAD: &str = "<div class='wide'><table class='pairs'><thead><tr><th>policy</th>\
    <th>difference</th><th>95 % interval</th><th>bootstrap</th><th></th><th>seeds</th>\
    <th class='left'>reading</th></tr></thead>\n";

/// The rows of one metric, drawn to one scale; nothing where there are none.
pub(crate) fn forest(out: &mut String, rows: &[&Pair], named: &impl Fn(&str) -> Named) {
    let Some(first) = rows.first() else { return };
    let values = rows.iter().flat_map(|p| [p.low, p.high, Some(p.mean), Some(0.0)]).flatten();
    let drawing = Intervals::new(WIDTH, values);

    let title = known(&first.metric).map_or(escape(&first.metric), |metric| metric.title.into());
    put!(out, "<tbody><tr><th class='left' colspan='7'>{title}</th></tr>\n");
    for pair in rows {
        row(out, pair, &named(&pair.policy), &drawing);
    }
    put!(out, "<tr><td></td><td></td><td></td><td></td><td class='drawn'>{}", drawing.open_axis());
    let at = |value: f64| drawing.at(value);
    for (value, text) in labelled(drawing.axis.ticks(), &at) {
        let x = at(value);
        put!(out, "<path class='axis' d='M{x:.1} 1V5'/>");
        label(out, "tick", x, 18.0, "middle", &text);
    }
    out.push_str("</svg></td><td></td><td></td></tr></tbody>\n");
}

fn row(out: &mut String, pair: &Pair, Named { look, name }: &Named, drawing: &Intervals) {
    let digits = drawing.digits;
    let ends = pair.low.zip(pair.high);
    let (reading, more) = (pair.reading(), words::seeds_wanted(pair));
    let more =
        more.map_or(String::new(), |n| format!(": {n}<span class='sub'>seeds would decide</span>"));
    let interval = |ends: Option<(f64, f64)>| {
        ends.map_or(NONE.into(), |(low, high)| {
            format!("{} to {}", fixed(low, digits), fixed(high, digits))
        })
    };
    let bootstrap = interval(pair.bootstrap_low.zip(pair.bootstrap_high));
    let interval = interval(ends);
    let difference = fixed(pair.mean, digits);
    put!(out, "<tr><td>{name}</td><td>{difference}</td><td>{interval}</td>");
    put!(out, "<td>{bootstrap}</td><td class='drawn'>");
    let decided = matches!(reading, Reading::Better | Reading::Worse);
    out.push_str(&drawing.drawn(pair.mean, ends, look, decided));
    let seeds = pair.seeds;
    put!(
        out,
        "</td><td>{seeds}</td><td class='left'>{}{more}</td></tr>\n",
        words::reading(reading)
    );
}

/// As many ticks, evenly around 0, as have room for what they say.
fn labelled(ticks: Vec<(f64, String)>, at: &impl Fn(f64) -> f64) -> Vec<(f64, String)> {
    let half = |text: &str| 3.5 * text.chars().count() as f64;
    let widest = ticks.iter().map(|(_, text)| half(text)).fold(0.0, f64::max);
    let step = ticks.get(..2).map_or(WIDTH, |two| at(two[1].0) - at(two[0].0));
    let every = ((2.0 * widest + 8.0) / step).ceil().max(1.0) as usize;
    let zero = ticks.iter().position(|(value, _)| value.abs() < 1e-12).unwrap_or(0);
    let inside = |(value, text): &(f64, String)| {
        let (x, half) = (at(*value), half(text));
        x - half >= 0.0 && x + half <= WIDTH
    };
    let kept = ticks.into_iter().enumerate().filter(|(i, _)| i.abs_diff(zero) % every == 0);
    kept.map(|(_, tick)| tick).filter(inside).collect()
}

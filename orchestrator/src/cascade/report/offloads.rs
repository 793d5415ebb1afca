//! Which images two policies send, over the hidden state of the stream (Figs. 7, 10 and 11 of the
//! paper).

use super::{Data, not_drawn};
use crate::cascade::read::Decision;
use crate::report::figures::frame;
use crate::report::markup::{escape, grouped, put};
use crate::report::panel::{Panel, axis, legend, open, range};
use crate::report::plot::{WIDTH, label};

/// So many images are drawn.
const IMAGES: usize = 1000;
const TITLE: &str = "Who sends which image";

/// A figure for each pair of policies that is worth one.
pub(super) fn figures(data: &Data<'_>) -> String {
    let pairs = pairs(data);
    if pairs.is_empty() {
        return not_drawn(TITLE, "it takes two policies");
    }
    let drawn = pairs.into_iter().enumerate().map(|(number, (a, b))| {
        figure(data, number, a, b).unwrap_or_else(|| not_drawn(TITLE, "no decisions were kept"))
    });
    drawn.collect()
}

/// The policy whose decisions say most against the first `mdp`, or else the next; and two networks
/// against each other.
fn pairs(data: &Data<'_>) -> Vec<(usize, usize)> {
    let order = data.by_interest();
    let kind = |policy: usize| data.summary.policies[policy].kind.as_str();
    let Some((first, others)) = order.split_first() else { return Vec::new() };
    let mdp = others.iter().find(|policy| kind(**policy) == "mdp");
    let mut pairs: Vec<(usize, usize)> =
        mdp.or(others.first()).map(|other| (*first, *other)).into_iter().collect();
    let second = others.first().filter(|other| kind(*first) == "dqn" && kind(**other) == "dqn");
    pairs.extend(second.map(|second| (*first, *second)));
    pairs
}

fn figure(data: &Data<'_>, number: usize, a: usize, b: usize) -> Option<String> {
    let seed = data.common_seed(&[a, b])?;
    let (rows_a, rows_b) = (data.decisions(a, seed, IMAGES), data.decisions(b, seed, IMAGES));
    let rows: Vec<(&Decision, &Decision)> = rows_a.iter().zip(&rows_b).collect();
    if rows.is_empty() {
        return None;
    }
    let names = [a, b].map(|policy| escape(&data.summary.policies[policy].name));
    let [name_a, name_b] = &names;
    let [look_a, look_b] = [a, b].map(|policy| format!("points {}", data.policies.look(policy)));
    let entries = [
        ("points both", "both".to_owned()),
        (look_a.as_str(), format!("only {name_a}")),
        (look_b.as_str(), format!("only {name_b}")),
        ("points small best", "neither".to_owned()),
    ];
    let (windows, states) = (windows(data, &rows), data.summary.run.arrivals.kind() == "markov");
    let mut hidden = String::new();
    if !windows.is_empty() {
        hidden += " Grey: the window that images come from, which no task node is told.";
    }
    if states {
        hidden += " Dotted: changes of the arrivals.";
    }
    let caption = format!(
        "The first {} images of the trials with seed {seed}: each dot is an image, coloured by who \
         sent it.{hidden} Drawn from <code>decisions/</code>.",
        grouped(rows.len() as u64)
    );
    let svg = svg(data, [a, b], &rows, &windows, states);
    let title = format!("{TITLE}: {} and {}", unescaped(data, a), unescaped(data, b));
    Some(frame(&format!("offloads-{number}"), &title, &legend(&entries), &svg, &caption))
}

fn unescaped<'d>(data: &'d Data<'_>, policy: usize) -> &'d str {
    &data.summary.policies[policy].name
}

/// Images from and to that come from one window, and the lowest and the highest metric of it; a
/// window that reaches around the ring is two.
type Window = (f64, f64, f64, f64);

fn windows(data: &Data<'_>, rows: &[(&Decision, &Decision)]) -> Vec<Window> {
    let Some(scenario) = &data.scenario else { return Vec::new() };
    let walk = scenario.instance(0).walk;
    if walk.is_independent() {
        return Vec::new();
    }
    let table = scenario.test().rows();
    let metric = |rank: usize| table.get(rank).map_or(f64::NAN, |row| f64::from(row.metric));
    let mut all = Vec::new();
    for stretch in rows.chunk_by(|(a, _), (b, _)| a.place == b.place) {
        let (from, to) =
            (stretch[0].0.image as f64, stretch[stretch.len() - 1].0.image as f64 + 1.0);
        let place = stretch[0].0.place as usize;
        let (end, last) = (place + walk.width as usize, table.len() - 1);
        all.push((from, to, metric(place), metric(end.min(last))));
        if end > last {
            all.push((from, to, metric(0), metric(end - last - 1)));
        }
    }
    all
}

fn svg(
    data: &Data<'_>,
    [a, b]: [usize; 2],
    rows: &[(&Decision, &Decision)],
    windows: &[Window],
    states: bool,
) -> String {
    let metric = |row: &Decision| f64::from(row.metric);
    let ends = windows.iter().flat_map(|w| [w.2, w.3]);
    let (low, high) = range(rows.iter().map(|(a, _)| metric(a)).chain(ends));
    let last = rows[rows.len() - 1].0.image as f64;
    let panel = Panel {
        x: axis("image", 0.0, last + 1.0),
        y: axis("offloading metric", low, high),
        left: 52.0,
        // Half of the last tick's number stands beyond.
        right: WIDTH - 24.0,
        top: 32.0,
        bottom: 352.0,
    };
    let mut svg = open(WIDTH, 396.0, "Metrics of images, coloured by who sent them");
    let out = &mut svg;
    panel.frame(out, true);
    for (from, to, low, high) in windows {
        let (x, y) = (panel.at_x(*from), panel.at_y(*high));
        let (width, height) = (panel.at_x(*to) - x, (panel.at_y(*low) - y).max(0.5));
        put!(out, "<rect class='window' x='{x:.1}' y='{y:.1}' ");
        put!(out, "width='{width:.1}' height='{height:.1}'/>\n");
    }
    if states {
        changes(out, data, &panel, rows);
    }
    let of = |by_a: bool, by_b: bool| {
        let own = rows.iter().filter(move |(a, b)| (a.offloaded(), b.offloaded()) == (by_a, by_b));
        own.map(|(a, _)| (a.image as f64, metric(a)))
    };
    panel.points(out, "small best", of(false, false));
    panel.points(out, "both", of(true, true));
    panel.points(out, data.policies.look(a), of(true, false));
    panel.points(out, data.policies.look(b), of(false, true));
    svg.push_str("</svg>\n");
    svg
}

/// A dotted line wherever the state of the arrivals changes, and what it changes to.
fn changes(out: &mut String, data: &Data<'_>, panel: &Panel, rows: &[(&Decision, &Decision)]) {
    let fogbit_scenario::topology::Arrivals::Markov(markov) = &data.summary.run.arrivals else {
        return;
    };
    let mut end = f64::NEG_INFINITY;
    let starts = rows.chunk_by(|(a, _), (b, _)| a.state == b.state).map(|stretch| stretch[0].0);
    for row in starts {
        let x = panel.at_x(row.image as f64);
        let (top, bottom) = (panel.top, panel.bottom);
        put!(out, "<path class='mark' d='M{x:.1} {top:.1}V{bottom:.1}'/>");
        let gap = markov.gaps.get(usize::from(row.state)).copied().unwrap_or(0);
        let text = format!("every {gap}");
        // Where states change quickly there is no room for each.
        if x > end {
            label(out, "tick", x + 3.0, top - 3.0, "start", &text);
            end = x + 70.0;
        }
    }
}

//! Heat maps over two keys, one for each policy and for each value of the other keys.

use super::Data;
use super::grid::{Varying, groups};
use crate::report::figures::frame;
use crate::report::markup::{escape, fixed, put, shortened};
use crate::report::plot::{CHARACTER, label};
use crate::sweep::summary::{PointSummary, PolicyAtPoint, short_key};

const ROW: f64 = 34.0;
const WIDEST: f64 = 88.0;
/// Cells are no narrower than this where two maps side by side have room for it.
const ROOMY: f64 = 66.0;
/// A map of at most this width leaves room for another one beside it.
const HALF: f64 = 460.0;
const NARROWEST: f64 = 9.0;
/// Cells narrower than this have no number in them.
const NUMBERED: f64 = 52.0;
const LONGEST_VALUE: usize = 14;
/// A map is at most this wide.
const WIDTH: f64 = 900.0;
/// Maps for values of other keys that are drawn of one policy.
const MOST_MAPS: usize = 12;
/// Keys with more values than this have no map.
const MOST_VALUES: usize = 60;

/// What a cell holds.
struct Cell {
    value: f64,
    /// What is written in it.
    text: String,
    /// Whether it is told from 0, where that is a question.
    decided: bool,
    title: String,
}

/// Makes the cell of a policy at a point.
type CellOf<'c> = dyn Fn(&PointSummary, &PolicyAtPoint) -> Option<Cell> + 'c;

/// What is drawn, and to which scale.
#[derive(Clone, Copy)]
enum Scale {
    /// From the least to the largest.
    Heat { low: f64, high: f64 },
    /// Around 0; `credit` is the sign of a difference to the policy's credit.
    Diverging { most: f64, credit: f64 },
}

/// The section; empty where no two keys vary, or points lie too thin on them.
pub(super) fn section(data: &Data) -> String {
    let Some((x, y, others)) = axes(data) else { return String::new() };
    let facets = groups(&data.summary.points, &others);
    let (across, down) = (short_key(&x.key), short_key(&y.key));
    let mut out = format!("<h2>Over {} and {}</h2>\n", escape(&across), escape(&down));
    let metric = data.metric();
    let values = || {
        data.summary.points.iter().enumerate().flat_map(|(index, point)| {
            let policies = point.policies.iter();
            policies
                .filter(move |policy| data.ranked(index, &policy.name))
                .filter_map(|policy| Some(policy.metric(metric)?.mean))
        })
    };
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    let heat = Scale::Heat { low, high };
    let most = data
        .summary
        .points
        .iter()
        .enumerate()
        .flat_map(|(index, point)| {
            let policies = point.policies.iter();
            policies
                .filter(move |policy| data.ranked(index, &policy.name))
                .filter_map(move |policy| Some(difference(data, point, policy)?.value.abs()))
        })
        .fold(0.0, f64::max);
    let credit = if metric.higher_is_better { 1.0 } else { -1.0 };
    let apart = Scale::Diverging { most, credit };
    let versus = data.summary.sweep.versus.as_deref().unwrap_or_default();
    let shown = facets.iter().take(MOST_MAPS);
    for (name, _) in &data.policies {
        let mut svg = String::new();
        let mut maps = |cell: &CellOf<'_>, scale, what: &str| {
            let drawn: String = shown
                .clone()
                .filter_map(|facet| {
                    let title = facet_title(&others, facet[0]);
                    map(facet, x, y, name, cell, scale, &format!("{what}{title}"))
                })
                .collect();
            svg.push_str(&drawn);
        };
        maps(&|_, policy| mean(data, policy), heat, "mean");
        if name != versus && most > 0.0 {
            maps(
                &|point, policy| apart_cell(data, point, policy),
                apart,
                &format!("difference to {versus}"),
            );
        }
        if !svg.is_empty() {
            let svg = format!("<div class='maps'>\n{svg}</div>\n");
            out.push_str(&frame(
                &format!("heat-{}", escape(name)),
                name,
                "",
                &svg,
                &caption(data, name),
            ));
        }
    }
    if facets.len() > MOST_MAPS {
        put!(
            out,
            "<p class='small'>Maps for {} more values of the other keys are not drawn.</p>\n",
            facets.len() - MOST_MAPS
        );
    }
    out
}

/// The two keys with the most values, and the others.
fn axes(data: &Data) -> Option<(&Varying, &Varying, Vec<&Varying>)> {
    let mut keys: Vec<&Varying> = data.varying.iter().collect();
    keys.retain(|key| (2..=MOST_VALUES).contains(&key.values.len()));
    keys.sort_by_key(|key| std::cmp::Reverse(key.values.len()));
    let [x, y, ..] = keys.as_slice() else { return None };
    let others: Vec<&Varying> =
        data.varying.iter().filter(|key| key.key != x.key && key.key != y.key).collect();
    let cells = x.values.len() * y.values.len() * groups(&data.summary.points, &others).len();
    (data.summary.points.len() * 2 >= cells).then_some((x, y, others))
}

fn facet_title(others: &[&Varying], point: &PointSummary) -> String {
    let parts: Vec<String> = others
        .iter()
        .map(|key| {
            let value = point.settings.get(&key.key).map_or("–", String::as_str);
            format!("{} = {value}", short_key(&key.key))
        })
        .collect();
    if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
}

fn mean(data: &Data, policy: &PolicyAtPoint) -> Option<Cell> {
    let value = policy.metric(data.metric())?;
    let digits = data.metric().style.digits;
    let sd = value.sd.map_or(String::new(), |sd| format!(" ± {}", fixed(sd, digits)));
    let title = format!("{}{sd}, {} seeds", fixed(value.mean, digits), policy.seeds);
    Some(Cell { value: value.mean, text: number(value.mean, digits), decided: true, title })
}

/// A paired difference in what the sweep ranks by.
struct Apart {
    value: f64,
    ends: Option<(f64, f64)>,
    seeds: u64,
}

fn difference(data: &Data, point: &PointSummary, policy: &PolicyAtPoint) -> Option<Apart> {
    let difference = policy.difference.as_ref()?;
    let pair = difference.of(data.metric())?;
    // Average regret is regret divided by the number of slots, which is the same for both.
    let per_slot = data.metric().per_slot_of.is_some();
    let scale = if per_slot { 1.0 / point.slots as f64 } else { 1.0 };
    let ends = pair.t.low.zip(pair.t.high).map(|(low, high)| (low * scale, high * scale));
    Some(Apart { value: pair.mean * scale, ends, seeds: pair.seeds })
}

fn apart_cell(data: &Data, point: &PointSummary, policy: &PolicyAtPoint) -> Option<Cell> {
    let digits = data.metric().style.digits;
    let Apart { value, ends, seeds } = difference(data, point, policy)?;
    let interval = ends.map_or(String::new(), |(low, high)| {
        format!(", 95 % interval {} to {}", fixed(low, digits), fixed(high, digits))
    });
    Some(Cell {
        value,
        text: number(value, digits),
        decided: ends.is_some_and(|(low, high)| low > 0.0 || high < 0.0),
        title: format!("{}{interval}, {seeds} seeds", fixed(value, digits)),
    })
}

fn caption(data: &Data, name: &str) -> String {
    let versus = data.summary.sweep.versus.as_deref();
    let compared = versus.filter(|versus| *versus != name).map_or(String::new(), |versus| {
        format!(
            " Differences are {} minus {}, paired by seed: green where it does better, orange \
             where worse, and without colour where Student’s 95 % interval holds 0.",
            escape(name),
            escape(versus)
        )
    });
    format!(
        "Mean {} over the seeds; the scale is the same for all policies, and darker is more.\
         {compared} Drawn from <a href='points.csv'><code>points.csv</code></a>.",
        data.metric().style.title()
    )
}

/// One map; none where the policy is at none of the points.
fn map(
    points: &[&PointSummary],
    x: &Varying,
    y: &Varying,
    policy: &str,
    cell: &CellOf<'_>,
    scale: Scale,
    title: &str,
) -> Option<String> {
    let cells: Vec<(usize, usize, Cell)> = points
        .iter()
        .filter_map(|point| {
            let own = point.policies.iter().find(|own| own.name == policy)?;
            Some((x.place(point)?, y.place(point)?, cell(point, own)?))
        })
        .collect();
    if cells.is_empty() {
        return None;
    }
    let longest = |key: &Varying| {
        key.values.iter().map(|v| v.chars().count().min(LONGEST_VALUE)).max().unwrap_or(1) as f64
    };
    let left = 12.0 + CHARACTER * longest(y).max(4.0);
    let columns = x.values.len() as f64;
    let roomy = ROOMY.min((HALF - left) / columns);
    let wanted =
        (CHARACTER * longest(x) + 10.0).max(NUMBERED).max(roomy).min(WIDEST.max(longest(x) * 7.5));
    let width = wanted.min((WIDTH - left) / columns).max(NARROWEST);
    let top = 56.0;
    let all = left + width * columns;
    let (title, x_name) = (shortened(title, 60), short_key(&x.key));
    let right = (all + 8.0)
        .max(CHARACTER * title.chars().count() as f64)
        .max(left + CHARACTER * (x_name.chars().count() as f64 + 2.0));
    let bottom = top + ROW * y.values.len() as f64 + 24.0;
    let mut out = format!(
        "<svg viewBox='0 0 {right:.0} {bottom:.0}' style='width:{right:.0}px' role='img' \
         aria-label='{}'>\n",
        escape(&format!("{policy}: {title}"))
    );
    label(&mut out, "name", 0.0, 13.0, "start", &title);
    label(&mut out, "tick", left, 31.0, "start", &format!("{x_name} →"));
    let every = (CHARACTER * longest(x) / width).ceil().max(1.0) as usize;
    for (place, value) in x.values.iter().enumerate().step_by(every) {
        let middle = left + width * (place as f64 + 0.5);
        label(&mut out, "tick", middle, top - 6.0, "middle", &shortened(value, LONGEST_VALUE));
    }
    for (place, value) in y.values.iter().enumerate() {
        let middle = top + ROW * (place as f64 + 0.5) + 4.0;
        label(&mut out, "tick", left - 7.0, middle, "end", &shortened(value, LONGEST_VALUE));
    }
    label(&mut out, "tick", 0.0, bottom - 6.0, "start", &format!("↓ {}", short_key(&y.key)));
    for (column, row, cell) in cells {
        let (at_x, at_y) = (left + width * column as f64, top + ROW * row as f64);
        square(&mut out, &cell, scale, at_x, at_y, width);
    }
    let (w, h) = (width * columns, ROW * y.values.len() as f64);
    put!(out, "<rect class='frame' x='{left:.1}' y='{top:.1}' width='{w:.1}' height='{h:.1}'/>\n");
    out.push_str("</svg>\n");
    Some(out)
}

fn square(out: &mut String, cell: &Cell, scale: Scale, x: f64, y: f64, width: f64) {
    let (class, depth) = match scale {
        Scale::Heat { low, high } => {
            let span = if high > low { high - low } else { 1.0 };
            ("cell", (0.06 + 0.94 * (cell.value - low) / span).clamp(0.0, 1.0))
        }
        Scale::Diverging { most, credit } => {
            let depth = if cell.decided { 0.15 + 0.85 * cell.value.abs() / most } else { 0.0 };
            (if cell.value * credit > 0.0 { "better" } else { "worse" }, depth.clamp(0.0, 1.0))
        }
    };
    let (w, h, title) = (width - 1.0, ROW - 1.0, escape(&cell.title));
    put!(out, "<rect class='{class}' x='{x:.1}' y='{y:.1}' width='{w:.1}' height='{h:.1}' ");
    put!(out, "fill-opacity='{depth:.3}'><title>{title}</title></rect>");
    if width >= NUMBERED - 0.5 {
        let ink = if depth > 0.55 { "on" } else { "name" };
        let (middle, base) = (x + w / 2.0, y + ROW / 2.0 + 4.0);
        label(out, ink, middle, base, "middle", &cell.text);
    }
}

/// Three significant digits or so; one less than `most` behind the point where that is more.
fn number(value: f64, most: usize) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        0.0 => 0,
        _ => most.saturating_sub(1).max(3),
    };
    fixed(value, digits)
}

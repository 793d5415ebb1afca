//! How often each node was chosen: a heat map that also holds a hundred nodes.

use super::Data;
use super::figures::frame;
use super::markup::{escape, fixed, percent, put, shortened};

pub(super) const CHOICES_TITLE: &str = "Which nodes were chosen";

const WIDTH: f64 = 960.0;
const ROW: f64 = 30.0;
const CHARACTER: f64 = 6.9;
const LONGEST_NAME: usize = 26;
/// The widest cell, so that three nodes do not fill the page.
const WIDEST_CELL: f64 = 110.0;
/// Cells narrower than this have no number in them.
const NUMBERED_CELL: f64 = 27.0;
/// With more nodes than this, those that were chosen most are also listed.
const MANY: usize = 24;

/// The figure; none if no trial is complete.
pub(super) fn figure(data: &Data) -> Option<String> {
    let rows: Vec<usize> = (0..data.summary.policies.len())
        .filter(|index| data.summary.policies[*index].seeds > 0)
        .collect();
    let nodes = data.summary.run.nodes.len();
    if rows.is_empty() || nodes == 0 {
        return None;
    }
    let seeds = if data.summary.run.seeds > 1 {
        " Over several seeds this is a mean: where weights are drawn anew for each seed, no node \
         is liked best in all of them."
    } else {
        ""
    };
    let caption = format!(
        "Share of each policy's tasks that went to each node, in per cent; equal shares would be \
         {} each. A policy that has learnt what the nodes like has rows like those of the best \
         choices.{seeds} Drawn from <a href='summary.json'><code>summary.json</code></a> \
         (<code>chosen_share</code>).",
        percent(1.0 / nodes as f64)
    );
    let list = if nodes > MANY { most_chosen(data, &rows) } else { String::new() };
    Some(frame("choices", CHOICES_TITLE, "", &heat_map(data, &rows), &caption) + &list)
}

fn heat_map(data: &Data, rows: &[usize]) -> String {
    let names = &data.summary.run.nodes;
    let nodes = names.len();
    let labels: Vec<String> =
        rows.iter().map(|row| shortened(&data.short_label(*row), LONGEST_NAME)).collect();
    let longest = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let left = 12.0 + CHARACTER * longest as f64;
    let cell = ((WIDTH - left - 4.0) / names.len() as f64).min(WIDEST_CELL);
    let top = 22.0 + head_room(names, cell);
    let shares = rows.iter().flat_map(|row| &data.summary.policies[*row].chosen_share);
    let most = shares.fold(0.0_f64, |most, share| most.max(*share)).max(f64::MIN_POSITIVE);
    let height = top + ROW * rows.len() as f64 + 44.0;

    let mut svg = String::new();
    let out = &mut svg;
    put!(
        out,
        "<svg viewBox='0 0 {WIDTH} {height:.1}' role='img' aria-label='Share of tasks by policy and node'>\n"
    );
    put!(out, "<text x='{left:.1}' y='13'>helper node</text>\n");
    node_names(out, names, left, cell, top);
    for (line, row) in rows.iter().enumerate() {
        let policy = &data.summary.policies[*row];
        let y = top + ROW * line as f64;
        let (x, middle, name) = (left - 8.0, y + ROW / 2.0 + 4.0, escape(&labels[line]));
        put!(out, "<text x='{x:.1}' y='{middle:.1}' text-anchor='end'>{name}</text>\n");
        let gap = if cell > 12.0 { 1.0 } else { 0.3 };
        for (node, share) in policy.chosen_share.iter().enumerate() {
            let x = left + cell * node as f64;
            let title = escape(&format!(
                "{} to {}: {}",
                policy.name,
                names.get(node).map_or("", String::as_str),
                percent(*share)
            ));
            let (w, h) = (cell - gap, ROW - 1.0);
            let depth = if nodes > MANY { libm::sqrt(share / most) } else { share / most };
            put!(
                out,
                "<rect class='cell' x='{x:.2}' y='{y:.1}' width='{w:.2}' height='{h:.1}' fill-opacity='{depth:.3}'><title>{title}</title></rect>"
            );
            if cell >= NUMBERED_CELL {
                let class = if depth > 0.55 { " class='on'" } else { "" };
                let (x, text) = (x + w / 2.0, in_cell(*share, cell));
                put!(
                    out,
                    "<text{class} x='{x:.1}' y='{middle:.1}' text-anchor='middle'>{text}</text>"
                );
            }
        }
        let (w, h) = (cell * names.len() as f64, ROW - 1.0);
        put!(
            out,
            "<rect class='frame' x='{left:.1}' y='{y:.1}' width='{w:.1}' height='{h:.1}'/>\n"
        );
    }
    // The square root keeps small shares apart where one large share would pale them all.
    let (middle, scale) = if nodes > MANY { (0.25, " (square-root scale)") } else { (0.5, "") };
    colour_key(out, left, height - 30.0, [0.0, most * middle, most], scale);
    out.push_str("</svg>\n");
    svg
}

fn in_cell(share: f64, cell: f64) -> String {
    let digits = usize::from(cell >= 40.0);
    if share > 0.0 && share < 0.0005 {
        "<0.1".replace('<', "&lt;")
    } else {
        fixed(share * 100.0, digits)
    }
}

/// Whether names stand upright above their columns, and how many characters of them.
fn upright(names: &[String], cell: f64) -> Option<usize> {
    let longest = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
    let fits = CHARACTER * longest as f64 + 4.0 <= cell;
    (!fits && cell >= 14.0).then(|| longest.min(16))
}

fn head_room(names: &[String], cell: f64) -> f64 {
    upright(names, cell).map_or(16.0, |characters| 8.0 + CHARACTER * characters as f64)
}

/// The names above the columns: all of them if they fit, flat or upright, else every so many.
fn node_names(out: &mut String, names: &[String], left: f64, cell: f64, top: f64) {
    let longest = names.iter().map(|n| n.chars().count()).max().unwrap_or(0) as f64;
    let upright = upright(names, cell);
    let every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
        .into_iter()
        .find(|every| upright.is_some() || *every as f64 * cell >= CHARACTER * longest + 6.0)
        .unwrap_or(names.len().max(1));
    for (node, name) in names.iter().enumerate().step_by(every) {
        let (x, y) = (left + cell * (node as f64 + 0.5), top - 6.0);
        let full = escape(name);
        match upright {
            Some(characters) => {
                let (x, name) = (x + 4.0, escape(&shortened(name, characters)));
                put!(
                    out,
                    "<text class='tick' transform='translate({x:.1} {y:.1}) rotate(-90)'>{name}<title>{full}</title></text>"
                );
            }
            None => {
                if every > 1 {
                    put!(out, "<path class='axis' d='M{x:.1} {:.1}V{top:.1}'/>", top - 4.0);
                }
                put!(
                    out,
                    "<text class='tick' x='{x:.1}' y='{y:.1}' text-anchor='middle'>{full}</text>"
                );
            }
        }
    }
    out.push('\n');
}

/// What the depth of the colour means.
fn colour_key(out: &mut String, left: f64, y: f64, shares: [f64; 3], scale: &str) {
    const LENGTH: f64 = 190.0;
    let (end, low) = (left + LENGTH, y + 24.0);
    put!(
        out,
        "<linearGradient id='heat'><stop offset='0' stop-opacity='0'/><stop offset='1'/>\
         </linearGradient><rect class='frame' style='fill:url(#heat)' x='{left:.1}' \
         y='{y:.1}' width='{LENGTH}' height='10'/>"
    );
    for (index, share) in shares.into_iter().enumerate() {
        let x = left + LENGTH * index as f64 / 2.0;
        let anchor = ["start", "middle", "end"][index];
        let text = percent(share);
        put!(
            out,
            "<text class='tick' x='{x:.1}' y='{low:.1}' text-anchor='{anchor}'>{text}</text>"
        );
    }
    let (x, y) = (end + 12.0, y + 9.0);
    put!(
        out,
        "<text class='tick' x='{x:.1}' y='{y:.1}'>share of the policy’s tasks{scale}</text>\n"
    );
}

/// For each policy the nodes with the most tasks.
fn most_chosen(data: &Data, rows: &[usize]) -> String {
    let names = &data.summary.run.nodes;
    let mut out = String::from(
        "<div class='wide'><table><thead><tr><th>policy</th><th class='left'>chosen most</th>\
         <th>nodes that got half of the tasks</th></tr></thead><tbody>\n",
    );
    for row in rows {
        let policy = &data.summary.policies[*row];
        let mut order: Vec<usize> = (0..policy.chosen_share.len().min(names.len())).collect();
        order.sort_by(|a, b| policy.chosen_share[*b].total_cmp(&policy.chosen_share[*a]));
        let first: Vec<String> = order
            .iter()
            .take(5)
            .map(|node| {
                format!("{} {}", escape(&names[*node]), percent(policy.chosen_share[*node]))
            })
            .collect();
        let mut sum = 0.0;
        let half = order.iter().take_while(|node| {
            let before = sum;
            sum += policy.chosen_share[**node];
            before < 0.5
        });
        let half = half.count();
        put!(
            out,
            "<tr><td>{}</td><td class='left'>{}</td><td>{half}</td></tr>\n",
            data.policy_name(*row),
            first.join(" · ")
        );
    }
    out.push_str("</tbody></table></div>\n");
    out
}

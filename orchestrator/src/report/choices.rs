//! How often each node was chosen: a heat map that also holds a hundred nodes.

use super::Data;
use super::figures::frame;
use super::markup::{escape, fixed, percent, put, shortened};
use super::plot::{CHARACTER, WIDTH, label};

pub(super) const CHOICES_TITLE: &str = "Which nodes were chosen";

const ROW: f64 = 30.0;
const LONGEST_NAME: usize = 26;
/// The widest cell, so that three nodes do not fill the page.
const WIDEST_CELL: f64 = 110.0;
/// Cells narrower than this have no number in them.
const NUMBERED_CELL: f64 = 27.0;
/// Columns narrower than this have no room for a name, not even upright.
const NAMED_CELL: f64 = 14.0;
/// With more nodes than this, depth of colour is the square root of the share, which keeps small
/// shares apart beside a large one; and the nodes that were chosen most are listed.
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
        "Share of each policy’s tasks that went to each node, in per cent; equal shares would be \
         {} each. A policy that has learnt what the nodes like has a row like that of the best \
         choices.{seeds} Drawn from <a href='summary.json'><code>summary.json</code></a> \
         (<code>chosen_share</code>).",
        percent(1.0 / nodes as f64)
    );
    let list = if nodes > MANY { most_chosen(data, &rows) } else { String::new() };
    let svg = HeatMap::new(data, &rows).svg(&rows);
    Some(frame("choices", CHOICES_TITLE, "", &svg, &caption) + &list)
}

/// Where everything is.
struct HeatMap<'d> {
    data: &'d Data,
    nodes: &'d [String],
    labels: Vec<String>,
    /// Left edge of the cells.
    left: f64,
    /// Upper edge of the cells.
    top: f64,
    /// Width of a column.
    cell: f64,
    /// How many characters of the nodes' names stand upright above the columns, if they do.
    upright: Option<usize>,
    /// The largest share.
    most: f64,
}

fn longest<'t>(texts: impl IntoIterator<Item = &'t String>) -> usize {
    texts.into_iter().map(|text| text.chars().count()).max().unwrap_or(0)
}

impl HeatMap<'_> {
    fn new<'d>(data: &'d Data, rows: &[usize]) -> HeatMap<'d> {
        let nodes = data.summary.run.nodes.as_slice();
        let labels: Vec<String> =
            rows.iter().map(|row| shortened(&data.short_label(*row), LONGEST_NAME)).collect();
        let left = 12.0 + CHARACTER * longest(&labels) as f64;
        let cell = ((WIDTH - left - 4.0) / nodes.len() as f64).min(WIDEST_CELL);
        let flat = CHARACTER * longest(nodes) as f64 + 4.0 <= cell;
        let upright = (!flat && cell >= NAMED_CELL).then(|| longest(nodes).min(16));
        let top = upright.map_or(38.0, |characters| 30.0 + CHARACTER * characters as f64);
        let shares = rows.iter().flat_map(|row| &data.summary.policies[*row].chosen_share);
        let most = shares.fold(f64::MIN_POSITIVE, |most, share| most.max(*share));
        HeatMap { data, nodes, labels, left, top, cell, upright, most }
    }

    fn svg(&self, rows: &[usize]) -> String {
        let height = self.top + ROW * rows.len() as f64 + 44.0;
        let mut svg = format!(
            "<svg viewBox='0 0 {WIDTH} {height:.1}' role='img' \
             aria-label='Share of tasks by policy and node'>\n"
        );
        label(&mut svg, "name", self.left, 13.0, "start", "helper node");
        self.names(&mut svg);
        for (line, row) in rows.iter().enumerate() {
            self.row(&mut svg, *row, &self.labels[line], self.top + ROW * line as f64);
        }
        self.key(&mut svg, height - 30.0);
        svg.push_str("</svg>\n");
        svg
    }

    /// The names above the columns: all of them if they fit, flat or upright, else every so many.
    fn names(&self, out: &mut String) {
        let (width, y) = (CHARACTER * longest(self.nodes) as f64, self.top - 6.0);
        let every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
            .into_iter()
            .find(|n| self.upright.is_some() || *n as f64 * self.cell >= width + 6.0)
            .unwrap_or(self.nodes.len());
        for (node, name) in self.nodes.iter().enumerate().step_by(every) {
            let x = self.left + self.cell * (node as f64 + 0.5);
            if let Some(characters) = self.upright {
                let (x, full, name) = (x + 4.0, escape(name), escape(&shortened(name, characters)));
                put!(out, "<text class='tick' transform='translate({x:.1} {y:.1}) rotate(-90)'>");
                put!(out, "{name}<title>{full}</title></text>");
                continue;
            }
            if every > 1 {
                put!(out, "<path class='axis' d='M{x:.1} {:.1}v-4'/>", self.top);
            }
            label(out, "tick", x.min(WIDTH - width / 2.0), y, "middle", name);
        }
    }

    fn row(&self, out: &mut String, row: usize, name: &str, y: f64) {
        let policy = &self.data.summary.policies[row];
        let middle = y + ROW / 2.0 + 4.0;
        label(out, "name", self.left - 8.0, middle, "end", name);
        let gap = if self.cell > 12.0 { 1.0 } else { 0.3 };
        let (w, h) = (self.cell - gap, ROW - 1.0);
        for (node, (share, name)) in policy.chosen_share.iter().zip(self.nodes).enumerate() {
            let x = self.left + self.cell * node as f64;
            let part = share / self.most;
            let depth = if self.nodes.len() > MANY { libm::sqrt(part) } else { part };
            put!(out, "<rect class='cell' x='{x:.2}' y='{y:.1}' width='{w:.2}' height='{h:.1}' ");
            let title = escape(&format!("{} to {name}: {}", policy.name, percent(*share)));
            put!(out, "fill-opacity='{depth:.3}'><title>{title}</title></rect>");
            if self.cell >= NUMBERED_CELL {
                let class = if depth > 0.55 { "on" } else { "name" };
                label(out, class, x + w / 2.0, middle, "middle", &self.number(*share));
            }
        }
        let (x, w) = (self.left, self.cell * self.nodes.len() as f64);
        put!(out, "<rect class='frame' x='{x:.1}' y='{y:.1}' width='{w:.1}' height='{h:.1}'/>\n");
    }

    /// A share as it stands in a cell.
    fn number(&self, share: f64) -> String {
        match share {
            s if s > 0.0 && s < 0.0005 => "<0.1".into(),
            s => fixed(s * 100.0, usize::from(self.cell >= 40.0)),
        }
    }

    /// What the depth of the colour means.
    fn key(&self, out: &mut String, y: f64) {
        const LENGTH: f64 = 190.0;
        let x = self.left;
        out.push_str(
            "<linearGradient id='heat'><stop offset='0' stop-opacity='0'/><stop offset='1'/>\
             </linearGradient>",
        );
        put!(out, "<rect class='frame' style='fill:url(#heat)' x='{x:.1}' y='{y:.1}' ");
        put!(out, "width='{LENGTH}' height='10'/>");
        let many = self.nodes.len() > MANY;
        let middle = self.most * if many { 0.25 } else { 0.5 };
        let ends = [("start", 0.0, 0.0), ("middle", 0.5, middle), ("end", 1.0, self.most)];
        for (anchor, part, share) in ends {
            label(out, "tick", x + LENGTH * part, y + 24.0, anchor, &percent(share));
        }
        let scale = if many { " (square-root scale)" } else { "" };
        let text = format!("share of the policy’s tasks{scale}");
        label(out, "tick", x + LENGTH + 12.0, y + 9.0, "start", &text);
    }
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
            data.policies.name(*row),
            first.join(" · ")
        );
    }
    out.push_str("</tbody></table></div>\n");
    out
}

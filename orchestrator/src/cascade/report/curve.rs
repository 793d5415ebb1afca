//! The offloading metric over the entropy of the weak classifier (Fig. 3 of the paper).

use std::collections::BTreeMap;

use fogbit_scenario::cascade::read_trace;

use super::{Data, not_drawn};
use crate::report::figures::frame;
use crate::report::panel::{Panel, axis, legend, open, range};
use crate::report::plot::WIDTH;

const TITLE: &str = "From entropy to metric";
/// More points than these only cover each other.
const MOST_POINTS: usize = 1500;

/// The curve, and the rewards that it was fitted to.
pub(super) fn figure(data: &Data<'_>) -> String {
    let Some(scenario) = &data.scenario else {
        return not_drawn(TITLE, "topology.toml or its trace cannot be read");
    };
    let rows = read_trace(&scenario.trace_file()).unwrap_or_default();
    let metrics: BTreeMap<u32, f32> =
        scenario.setting().images.rows().iter().map(|row| (row.id, row.metric)).collect();
    let mut known: Vec<(f64, f64, f64)> = rows
        .iter()
        .filter(|row| row.train)
        .filter_map(|row| Some((row.entropy?, f64::from(*metrics.get(&row.id)?), row.reward)))
        .collect();
    if known.is_empty() {
        return not_drawn(TITLE, "the trace has no entropies");
    }
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let thin = |most: usize| known.iter().step_by(known.len().div_ceil(most));
    let values = known.iter().flat_map(|(_, metric, reward)| [*metric, *reward]);
    let ((left, right), (low, high)) = (range(known.iter().map(|row| row.0)), range(values));
    let panel = Panel {
        x: axis("entropy of the weak classifier (nats)", left.max(0.0), right),
        y: axis("metric, reward", low, high),
        left: 52.0,
        right: WIDTH - 24.0,
        top: 28.0,
        bottom: 352.0,
    };
    let mut svg = open(WIDTH, 396.0, "Rewards and the metric over the entropy");
    panel.frame(&mut svg, true);
    panel.points(&mut svg, "small c5", thin(MOST_POINTS).map(|row| (row.0, row.2)));
    panel.line(&mut svg, "line c1", thin(2 * MOST_POINTS).map(|row| (row.0, row.1)));
    svg.push_str("</svg>\n");
    let entries =
        [("points small c5", "reward of an image".to_owned()), ("line c1", "metric".to_owned())];
    let kept = scenario.kept_trace();
    let caption = format!(
        "Reward: loss of the weak classifier minus loss of the strong one. The metric is what is to be \
         expected of it by the entropy alone; it need not rise with it. Images to learn from, in \
         <a href='{kept}'><code>{kept}</code></a>."
    );
    frame("metric", TITLE, &legend(&entries), &svg, &caption)
}

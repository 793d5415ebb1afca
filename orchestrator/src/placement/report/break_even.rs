//! The break-even round trip: by formula, measured, and drawn.

use fogbit_scenario::placement::cost::expected_latency_s;
use fogbit_scenario::placement::{PlacementScenario, SiteSight};

use super::Data;
use crate::placement::summary::{BreakEven, mean_local, mean_remote, mean_task};
use crate::report::axis::{Axis, Scale, round_up};
use crate::report::figures::frame;
use crate::report::markup::{escape, fixed, grouped, put};
use crate::report::plot::{Dot, Line, Plot, Point};

const NONE: &str = "–";
/// So many links are drawn.
const MOST_LINES: usize = 8;
/// Points of a line: where loss limits a rate it bends.
const POINTS: usize = 200;

/// Table and chart.
pub(super) fn section(data: &Data) -> String {
    let chart = data.scenario.as_ref().map_or(String::new(), |scenario| chart(data, scenario));
    table(data) + &chart
}

fn table(data: &Data) -> String {
    let mut out = String::from(
        "<h2>Break-even round trip</h2>\n<div class='wide'><table class='full'><thead><tr>\
         <th rowspan='2'>profile</th><th class='left' rowspan='2'>helper node</th>\
         <th class='group' colspan='4'>the mean task, by formula, ms</th>\
         <th class='group' colspan='4'>tasks that ran on both sides, ms</th></tr><tr>\
         <th class='number'>round trip</th><th class='number'>local</th>\
         <th class='number'>offloaded</th><th class='number'>break-even</th>\
         <th class='number'>measured</th><th class='number'>95 % interval</th>\
         <th class='number'>formula</th><th class='number'>tasks</th></tr></thead><tbody>\n",
    );
    for row in &data.summary.break_even {
        let (profile, node) = (escape(&row.profile), escape(&row.node));
        put!(out, "<tr><td>{profile}</td><td class='left'>{node}</td>");
        for value in [row.rtt_ms, row.local_ms, row.offloaded_ms, row.formula_ms] {
            put!(out, "<td>{}</td>", fixed(value, 1));
        }
        let measured = row.measured.as_ref();
        let number = |value: Option<f64>| value.map_or(NONE.into(), |value| fixed(value, 1));
        let ends = measured.and_then(|m| m.low_ms.zip(m.high_ms));
        let interval = ends
            .map_or(NONE.into(), |(low, high)| format!("{} to {}", fixed(low, 1), fixed(high, 1)));
        let pairs = measured.map_or(NONE.into(), |m| grouped(m.pairs));
        put!(
            out,
            "<td>{}</td><td>{interval}</td><td>{}</td><td>{pairs}</td></tr>\n",
            number(measured.map(|m| m.measured_ms)),
            number(measured.map(|m| m.formula_ms))
        );
    }
    out.push_str(
        "</tbody></table></div>\n<p class='small'>With a shorter round trip than this, offloading \
         is faster; below 0 the rates alone forbid it. Measured: the mean, over tasks that were \
         executed on both sides (<code>oracle</code> with <code>shadow = true</code>), of the \
         measured round trip plus local latency minus offloaded latency, carried to the break-even \
         along the model where loss limits the rate; beside it the formula’s \
         mean over the same tasks. Drawn from <a href='summary.json'><code>summary.json</code></a> \
         (<code>break_even</code>).</p>\n",
    );
    out
}

/// A link whose line is drawn.
struct Drawn<'d> {
    row: &'d BreakEven,
    sight: SiteSight,
}

/// Those that differ, in the order of the segments.
fn drawn<'d>(data: &'d Data, scenario: &PlacementScenario) -> Vec<Drawn<'d>> {
    let mut all: Vec<Drawn<'d>> = Vec::new();
    for row in &data.summary.break_even {
        let node = data.summary.run.nodes.iter().position(|name| *name == row.node);
        let Some((node, segment)) = node.zip(data.summary.run.segments.get(row.segment)) else {
            continue;
        };
        let sight = mean_remote(scenario, node, segment.from);
        if all.iter().all(|other| other.sight != sight) {
            all.push(Drawn { row, sight });
        }
    }
    all.truncate(MOST_LINES);
    all
}

fn chart(data: &Data, scenario: &PlacementScenario) -> String {
    let lines = drawn(data, scenario);
    let (task, local, cost) = (mean_task(scenario), mean_local(scenario), scenario.cost_model());
    let local_ms = expected_latency_s(&task, &local, &cost) * 1e3;
    let reach = lines.iter().map(|line| line.row.rtt_ms.max(line.row.formula_ms));
    let most = round_up(1.15 * reach.fold(1.0, f64::max));
    let several = data.summary.run.nodes.len() > 1;
    let mut drawn = vec![Line {
        class: "best".into(),
        guide: true,
        label: "local".into(),
        title: format!("on the task node: {} ms", fixed(local_ms, 1)),
        points: vec![
            Point { x: 0.0, y: local_ms, sd: None },
            Point { x: most, y: local_ms, sd: None },
        ],
    }];
    let mut dots = Vec::new();
    for (index, Drawn { row, sight }) in lines.iter().enumerate() {
        let (class, name) = (format!("c{} d{}", index % 6, index / 6), &row.profile);
        let name = if several { format!("{name}: {}", row.node) } else { name.clone() };
        let at = |rtt_ms: f64| {
            let sight = SiteSight { rtt_s: rtt_ms / 1e3, ..*sight };
            expected_latency_s(&task, &sight, &cost) * 1e3
        };
        let points = (0..=POINTS).map(|i| most * i as f64 / POINTS as f64);
        drawn.push(Line {
            class: class.clone(),
            guide: false,
            label: name.clone(),
            title: format!("{name}: offloaded"),
            points: points.map(|x| Point { x, y: at(x), sd: None }).collect(),
        });
        let own = format!("{name}: round trip {} ms", fixed(row.rtt_ms, 1));
        let (x, y) = (row.rtt_ms, at(row.rtt_ms));
        dots.push(Dot { x, y, class: class.clone(), hollow: false, title: own });
        if row.formula_ms > 0.0 {
            let title = format!("{name}: break-even {} ms", fixed(row.formula_ms, 1));
            dots.push(Dot { x: row.formula_ms, y: local_ms, class, hollow: true, title });
        }
    }
    let highest = drawn.iter().flat_map(|line| &line.points).map(|p| p.y).fold(1.0, f64::max);
    let axis = |title: &str, high: f64| Axis {
        title: title.into(),
        scale: Scale::Linear,
        low: 0.0,
        high,
        percent: false,
    };
    let plot = Plot {
        description: "Expected latency of the mean task over the round-trip time".into(),
        x: axis("round-trip time (ms)", most),
        y: axis("expected latency of the mean task (ms)", round_up(highest)),
        lines: drawn,
    };
    let caption = format!(
        "The mean task: {} cycles, {} KB in, {} KB out. A filled dot is the round trip that the \
         profile has, a hollow one its break-even: left of it offloading is faster. A line that is \
         above the local one from the start has none.",
        grouped(task.cycles),
        fixed(task.input_bytes as f64 / 1e3, 1),
        fixed(task.output_bytes as f64 / 1e3, 1)
    );
    let title = "Latency against the round-trip time";
    frame("break-even", title, "", &plot.svg_with(&[], &dots), &caption)
}

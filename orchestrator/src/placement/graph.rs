//! A topology of the problem `placement` as a picture: nodes and links.

use fogbit_scenario::link::{LinkPath, LinkState};
use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::Range;

use crate::graph::{dot_quoted, mermaid_escape};
use crate::report::markup::put;

/// The topology as a Mermaid flow chart.
pub fn mermaid(scenario: &PlacementScenario) -> String {
    let label = |lines: &[String]| {
        let lines: Vec<String> = lines.iter().map(|line| mermaid_escape(line)).collect();
        lines.join("<br/>")
    };
    let mut out = String::from("flowchart LR\n");
    put!(out, "  task([\"{}\"])\n", label(&local_lines(scenario)));
    for node in 0..scenario.helpers().len() {
        put!(out, "  n{node}[\"{}\"]\n", label(&helper_lines(scenario, node)));
    }
    let policies: Vec<String> = scenario.policies().map(|(name, _)| name.to_owned()).collect();
    let lines = [vec!["policies".to_owned()], policies].concat();
    put!(out, "  policies[\"{}\"]\n  policies -.- task\n", label(&lines));
    for node in 0..scenario.helpers().len() {
        put!(out, "  task ---|\"{}\"| n{node}\n", label(&link_lines(scenario, node)));
    }
    out
}

/// The topology as a graph in the DOT language.
pub fn dot(scenario: &PlacementScenario) -> String {
    let label = |lines: &[String]| dot_quoted(&lines.join("\n"));
    let task = dot_quoted(&scenario.task_node().name);
    let mut out = format!("graph {} {{\n  graph [rankdir=LR]\n", dot_quoted(&scenario.name()));
    out.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"]\n");
    out.push_str("  edge [fontname=\"sans-serif\"]\n");
    put!(out, "  {task} [label={}, shape=ellipse]\n", label(&local_lines(scenario)));
    for (node, helper) in scenario.helpers().iter().enumerate() {
        let name = dot_quoted(&helper.name);
        put!(out, "  {name} [label={}]\n", label(&helper_lines(scenario, node)));
        put!(out, "  {task} -- {name} [label={}]\n", label(&link_lines(scenario, node)));
    }
    out.push_str("}\n");
    out
}

fn local_lines(scenario: &PlacementScenario) -> Vec<String> {
    let node = scenario.task_node();
    vec![node.name.clone(), "task node".into(), computer(node.frequency_hz, node.load)]
}

fn helper_lines(scenario: &PlacementScenario, node: usize) -> Vec<String> {
    let helper = &scenario.helpers()[node];
    let workers = match helper.workers {
        1 => "1 worker".into(),
        workers => format!("{workers} workers"),
    };
    vec![helper.name.clone(), computer(helper.frequency_hz, helper.load), workers]
}

fn computer(frequency_hz: f64, load: Range) -> String {
    let busy = match (load.min, load.max) {
        (0.0, 0.0) => String::new(),
        (min, max) if min == max => format!(", {:.0} % busy", 100.0 * min),
        (min, max) => format!(", {:.0}–{:.0} % busy", 100.0 * min, 100.0 * max),
    };
    format!("CPU {} GHz{busy}", frequency_hz / 1e9)
}

/// What a link is, state after state.
fn link_lines(scenario: &PlacementScenario, node: usize) -> Vec<String> {
    let mut lines: Vec<String> = scenario.links().get(node).map_or(Vec::new(), states);
    if let Some(Range { min, max }) = scenario.topology().links.drawn_rtt_ms {
        lines.push(format!("RTT {min}–{max} ms, drawn"));
    }
    if lines.is_empty() {
        lines.push("nothing emulated".into());
    }
    lines
}

fn states(path: &LinkPath) -> Vec<String> {
    let text = |(from, state): (u64, &LinkState)| {
        let rtt = state.spec.round_trip_ns() as f64 / 1e6;
        let since = if from > 1 { format!("from slot {from}: ") } else { String::new() };
        format!("{since}{} {rtt} ms", state.profile)
    };
    path.states().map(text).collect()
}

//! A topology of the problem `cascade` as a picture: camera, link, edge node and policies.

use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::link::LinkState;

use super::{dot_quoted, mermaid_escape};
use crate::report::markup::put;

/// The topology as a Mermaid flow chart.
pub fn mermaid(scenario: &CascadeScenario) -> String {
    let label = |lines: &[String]| {
        let lines: Vec<String> = lines.iter().map(|line| mermaid_escape(line)).collect();
        lines.join("<br/>")
    };
    let mut out = String::from("flowchart LR\n");
    put!(out, "  task([\"{}\"])\n", label(&task_lines(scenario)));
    put!(out, "  edge[\"{}\"]\n", label(&edge_lines(scenario)));
    let policies = scenario.policies().map(|(name, _)| name.to_owned());
    let lines: Vec<String> = std::iter::once("policies".to_owned()).chain(policies).collect();
    put!(out, "  policies[\"{}\"]\n  policies -.- task\n", label(&lines));
    put!(out, "  task ---|\"{}\"| edge\n", label(&link_lines(scenario)));
    out
}

/// The topology as a graph in the DOT language.
pub fn dot(scenario: &CascadeScenario) -> String {
    let label = |lines: &[String]| dot_quoted(&lines.join("\n"));
    let task = dot_quoted(&scenario.topology().task_node.name);
    let edge = dot_quoted(&scenario.edge().name);
    let mut out = format!("graph {} {{\n  graph [rankdir=LR]\n", dot_quoted(&scenario.name()));
    out.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"]\n");
    out.push_str("  edge [fontname=\"sans-serif\"]\n");
    put!(out, "  {task} [label={}, shape=ellipse]\n", label(&task_lines(scenario)));
    put!(out, "  {edge} [label={}]\n", label(&edge_lines(scenario)));
    put!(out, "  {task} -- {edge} [label={}]\n}}\n", label(&link_lines(scenario)));
    out
}

fn task_lines(scenario: &CascadeScenario) -> Vec<String> {
    let arrivals = scenario.arrivals();
    let images = if arrivals.is_constant() {
        match arrivals.gaps[0] {
            1 => "an image every slot".into(),
            gap => format!("an image every {gap} slots"),
        }
    } else {
        format!("an image every {:.2} slots on average", arrivals.mean_gap())
    };
    let loss = format!("weak classifier, loss {:.4}", scenario.test().weak_loss());
    vec![scenario.topology().task_node.name.clone(), "task node".into(), loss, images]
}

fn edge_lines(scenario: &CascadeScenario) -> Vec<String> {
    let edge = scenario.edge();
    let workers = match edge.workers {
        1 => "1 worker".into(),
        workers => format!("{workers} workers"),
    };
    let loss = format!("strong classifier, loss {:.4}", scenario.test().strong_loss());
    vec![edge.name.clone(), loss, workers]
}

/// The bucket, and what the link is, state after state.
fn link_lines(scenario: &CascadeScenario) -> Vec<String> {
    let bucket = &scenario.topology().bucket;
    let first = format!("{} tokens a slot, {} at most", bucket.rate, bucket.depth);
    let text = |(from, state): (u64, &LinkState)| {
        let rtt = state.spec.round_trip_ns() as f64 / 1e6;
        let since = if from > 1 { format!("from slot {from}: ") } else { String::new() };
        format!("{since}{} {rtt} ms", state.profile)
    };
    let states = scenario.link().map(|path| path.states().map(text).collect::<Vec<_>>());
    let states = states.unwrap_or_else(|| vec!["nothing emulated".into()]);
    std::iter::once(first).chain(states).collect()
}

//! A topology as a picture: Mermaid for Markdown pages, DOT for Graphviz, SVG to look at.

pub mod cascade;
pub mod pipeline;
mod svg;

use fogbit_scenario::Scenario;
use fogbit_scenario::topology::{Cqi, Features, Queue, Range};

use crate::report::markup::{parameters, put};

pub use svg::svg;

/// Up to this many helper nodes each is described; of more only the names are shown.
const DESCRIBED: usize = 16;

/// The topology as a Mermaid flow chart.
pub fn mermaid(scenario: &Scenario) -> String {
    let label = |lines: &[String]| {
        let lines: Vec<String> = lines.iter().map(|line| mermaid_escape(line)).collect();
        lines.join("<br/>")
    };
    let task = scenario.topology().task_node_name().to_owned();
    let mut out = String::from("flowchart LR\n");
    put!(out, "  task([\"{}\"])\n", label(&[task, "task node".into()]));
    for node in 0..scenario.nodes() {
        put!(out, "  n{node}[\"{}\"]\n", label(&node_lines(scenario, node)));
    }
    let policies: Vec<String> =
        std::iter::once("policies".to_owned()).chain(policy_lines(scenario)).collect();
    put!(out, "  policies[\"{}\"]\n", label(&policies));
    out.push_str("  policies -.- task\n");
    for node in 0..scenario.nodes() {
        put!(out, "  task --- n{node}\n");
    }
    out
}

/// The topology as a graph in the DOT language, laid out as a star by `twopi`.
pub fn dot(scenario: &Scenario) -> String {
    let label = |lines: &[String]| dot_quoted(&lines.join("\n"));
    let task = dot_quoted(scenario.topology().task_node_name());
    let many = scenario.nodes() > DESCRIBED;
    let (ranksep, font) = if many { (6, 16) } else { (3, 11) };
    // `\l` ends a line that is set flush left.
    let policies = dot_quoted(&format!("policies\n{}\n", policy_lines(scenario).join("\n")));
    let policies = policies.replace("\\n", "\\l");
    let mut out = format!("graph {} {{\n", dot_quoted(&scenario.name()));
    put!(out, "  graph [layout=twopi, root={task}, ranksep={ranksep}, overlap=scale]\n");
    put!(
        out,
        "  graph [label={policies}, labeljust=l, fontname=\"sans-serif\", fontsize={font}]\n"
    );
    put!(out, "  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize={font}, ");
    out.push_str("width=0, height=0, margin=\"0.1,0.05\"]\n");
    let lines = [scenario.topology().task_node_name().to_owned(), "task node".into()];
    put!(out, "  {task} [label={}, shape=ellipse, penwidth=2]\n", label(&lines));
    for node in 0..scenario.nodes() {
        let name = dot_quoted(&scenario.helpers()[node].name);
        put!(out, "  {name} [label={}]\n", label(&node_lines(scenario, node)));
    }
    for helper in scenario.helpers() {
        put!(out, "  {task} -- {}\n", dot_quoted(&helper.name));
    }
    out.push_str("}\n");
    out
}

/// What is written into a node: its name and, with few nodes, what it is like.
fn node_lines(scenario: &Scenario, node: usize) -> Vec<String> {
    let mut lines = vec![scenario.helpers()[node].name.clone()];
    if scenario.nodes() <= DESCRIBED {
        lines.extend(description(scenario, node));
    }
    lines
}

/// CPU, channel and queue of a node.
fn description(scenario: &Scenario, node: usize) -> Vec<String> {
    if let Features::Trace(_) = scenario.topology().features {
        return vec!["features from a trace".into()];
    }
    let helper = &scenario.helpers()[node];
    let cqi = match &helper.cqi {
        Cqi::Iid(cqi) => format!("CQI {}", range(cqi.min, cqi.max)),
        Cqi::Autoregressive(cqi) => {
            format!("CQI {}, AR(1) {}", range(cqi.min, cqi.max), cqi.correlation)
        }
        Cqi::Link(cqi) => format!("CQI of its link over {} MHz", cqi.bandwidth_mhz),
    };
    let queue = match &helper.queue {
        Queue::Drawn(queue) => {
            format!("queue {} %, drawn", range(queue.min * 100.0, queue.max * 100.0))
        }
        Queue::Fifo(queue) => format!(
            "queue {}, serves {}, own {}",
            queue.capacity, queue.service_rate, queue.own_rate
        ),
    };
    let Range { min, max } = helper.cpu_frequency_ghz;
    vec![format!("CPU {} GHz", range(min, max)), cqi, queue]
}

fn range(min: f64, max: f64) -> String {
    if min == max { min.to_string() } else { format!("{min}–{max}") }
}

/// Each policy with kind and parameters.
fn policy_lines(scenario: &Scenario) -> Vec<String> {
    let policies = scenario.policies().map(|(name, spec)| {
        let value = serde_json::to_value(spec).expect("a policy is plain data");
        let parameters = parameters(&value);
        if parameters == name { name.to_owned() } else { format!("{name}: {parameters}") }
    });
    policies.collect()
}

/// Mermaid's own entities: what would end a quoted label or be taken for markup.
pub(crate) fn mermaid_escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '&' => out.push_str("#amp;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A quoted string of the DOT language.
pub(crate) fn dot_quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fogbit_scenario::TopologyFile;

    use super::*;

    pub(super) fn scenario(nodes: &str) -> Scenario {
        let text = format!(
            "slots = 100\n[nodes]\nweights = {{ kind = \"sphere\" }}\n{nodes}\n\
             [policies.toof]\nkind = \"toof\"\n[policies.turns]\nkind = \"round-robin\"\n"
        );
        let file = TopologyFile::from_text(Path::new("a \"<b>&.toml"), text);
        Scenario::from_file(&file).expect("a valid topology")
    }

    #[test]
    fn dot_and_mermaid_name_every_node_once() {
        let few = scenario(
            "[[node]]\nname = \"policies\"\ncpu_frequency_ghz = 2\n\
             queue = { kind = \"fifo\", capacity = 4, service_rate = 0.5, own_rate = 0.1 }\n\
             [[node]]\nname = \"bert\"\n\
             cqi = { kind = \"ar1\", min = 1, max = 14, correlation = 0.9 }\n",
        );
        let dot = dot(&few);
        assert!(dot.starts_with("graph \"a \\\"<b>&\" {\n"), "{dot}");
        assert_eq!(dot.matches('{').count(), dot.matches('}').count());
        for name in ["task", "policies", "bert"] {
            assert_eq!(dot.matches(&format!("\n  \"{name}\" [label=")).count(), 1, "{dot}");
        }
        assert_eq!(dot.matches("\n  \"task\" -- ").count(), 2, "{dot}");
        let first = "label=\"policies\\nCPU 2 GHz\\nCQI 0–15\\nqueue 4, serves 0.5, own 0.1\"";
        assert!(dot.contains(first), "{dot}");
        assert!(dot.contains("label=\"bert\\nCPU 0–4 GHz\\nCQI 1–14, AR(1) 0.9\\n"), "{dot}");

        let chart = mermaid(&few);
        assert!(chart.starts_with("flowchart LR\n"), "{chart}");
        for line in ["  n0[\"policies<br/>CPU 2 GHz", "  n1[\"bert<br/>", "  task([\"task<br/>"] {
            assert_eq!(chart.matches(line).count(), 1, "{chart}");
        }
        assert_eq!(chart.matches("  task --- n").count(), 2, "{chart}");
        assert_eq!(mermaid_escape("a\"<b>#&\n"), "a#quot;#lt;b#gt;#35;#amp; ");
    }

    #[test]
    fn of_many_nodes_only_names_are_shown() {
        let many = scenario("count = 40");
        assert!(dot(&many).contains("\n  \"h39\" [label=\"h39\"]\n"));
        assert!(mermaid(&many).contains("\n  n39[\"h39\"]\n"));
        let svg = svg(&many);
        assert!(svg.contains("40 × CPU 0–4 GHz · CQI 0–15 · queue 0–100 %, drawn"), "{svg}");
    }
}

//! A topology of the problem `pipeline` as a picture: sites, the links between them, policies, and the
//! given applications.

use fogbit_scenario::pipeline::{Application, ApplicationSource, PipelineScenario};
use fogbit_scenario::topology::{PipelineSite, Range, SiteLink};

use super::{dot_quoted, mermaid_escape};
use crate::report::markup::put;

/// The topology as a Mermaid flow chart.
pub fn mermaid(scenario: &PipelineScenario) -> String {
    let label = |lines: &[String]| {
        let lines: Vec<String> = lines.iter().map(|line| mermaid_escape(line)).collect();
        lines.join("<br/>")
    };
    let mut out = String::from("flowchart LR\n");
    for (number, site) in sites(scenario).enumerate() {
        let text = label(&site_lines(site, number == 0));
        match number {
            0 => put!(out, "  s0([\"{text}\"])\n"),
            _ => put!(out, "  s{number}[\"{text}\"]\n"),
        }
    }
    for link in &scenario.topology().links {
        let [one, other] = ends(scenario, link);
        put!(out, "  s{one} ---|\"{}\"| s{other}\n", label(&link_lines(link)));
    }
    let policies = scenario.policies().map(|(name, _)| name.to_owned());
    let lines: Vec<String> = std::iter::once("policies".to_owned()).chain(policies).collect();
    put!(out, "  policies[\"{}\"]\n  policies -.- s0\n", label(&lines));
    for (number, (name, sub_tasks, application)) in given(scenario).enumerate() {
        put!(out, "  subgraph g{number}[\"{}\"]\n", mermaid_escape(name));
        for (own, name) in sub_tasks.iter().enumerate() {
            put!(out, "    g{number}t{own}[\"{}\"]\n", mermaid_escape(name));
        }
        for (from, to, bytes) in within(application) {
            put!(out, "    g{number}t{from} -->|\"{}\"| g{number}t{to}\n", kilobytes(bytes));
        }
        out.push_str("  end\n");
    }
    out
}

/// The topology as a graph in the DOT language.
pub fn dot(scenario: &PipelineScenario) -> String {
    let label = |lines: &[String]| dot_quoted(&lines.join("\n"));
    let mut out = format!("digraph {} {{\n  graph [rankdir=LR]\n", dot_quoted(&scenario.name()));
    out.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"]\n");
    out.push_str("  edge [fontname=\"sans-serif\"]\n");
    for (number, site) in sites(scenario).enumerate() {
        let shape = if number == 0 { ", shape=ellipse" } else { "" };
        put!(out, "  s{number} [label={}{shape}]\n", label(&site_lines(site, number == 0)));
    }
    for link in &scenario.topology().links {
        let [one, other] = ends(scenario, link);
        put!(out, "  s{one} -> s{other} [dir=none, label={}]\n", label(&link_lines(link)));
    }
    for (number, (name, sub_tasks, application)) in given(scenario).enumerate() {
        put!(out, "  subgraph cluster{number} {{\n    label={}\n", dot_quoted(name));
        for (own, name) in sub_tasks.iter().enumerate() {
            put!(out, "    g{number}t{own} [label={}]\n", dot_quoted(name));
        }
        for (from, to, bytes) in within(application) {
            let told = dot_quoted(&kilobytes(bytes));
            put!(out, "    g{number}t{from} -> g{number}t{to} [label={told}]\n");
        }
        out.push_str("  }\n");
    }
    out.push_str("}\n");
    out
}

fn sites(scenario: &PipelineScenario) -> impl Iterator<Item = &PipelineSite> {
    let topology = scenario.topology();
    std::iter::once(&topology.task_node).chain(&topology.nodes)
}

/// The numbers of the two sites of a link.
fn ends(scenario: &PipelineScenario, link: &SiteLink) -> [usize; 2] {
    let number = |index: usize| {
        let name = link.between.get(index);
        scenario.sites().iter().position(|site| Some(site) == name).unwrap_or(0)
    };
    [number(0), number(1)]
}

/// Given applications: name, names of the sub-tasks, and the graph.
fn given(scenario: &PipelineScenario) -> impl Iterator<Item = (&str, &[String], &Application)> {
    let all = match scenario.source() {
        ApplicationSource::Given(all) => all.as_slice(),
        ApplicationSource::Drawn(_) => &[],
    };
    all.iter().zip(1..).filter_map(|(application, number)| {
        let (name, sub_tasks) = scenario.names_of(number)?;
        Some((name, sub_tasks, application))
    })
}

/// Flows from sub-task to sub-task: from, to, bytes.
fn within(application: &Application) -> impl Iterator<Item = (u32, u32, u64)> {
    application.flows().iter().filter_map(|flow| Some((flow.from?, flow.to?, flow.bytes)))
}

fn kilobytes(bytes: u64) -> String {
    format!("{} KB", bytes as f64 / 1e3)
}

fn site_lines(site: &PipelineSite, is_device: bool) -> Vec<String> {
    let what = if is_device { "task node" } else { "helper node" };
    let mut lines =
        vec![site.name.clone(), what.to_owned(), format!("{} GHz", site.cpu_frequency_ghz)];
    if site.load.max > 0.0 {
        lines.push(format!("load {}", range(site.load)));
    }
    if site.busy_ms.max > 0.0 {
        lines.push(format!("busy {} ms", range(site.busy_ms)));
    }
    lines
}

fn link_lines(link: &SiteLink) -> Vec<String> {
    vec![format!("{} Mbit/s", range(link.mbit_s)), format!("RTT {} ms", range(link.rtt_ms))]
}

fn range(range: Range) -> String {
    match range.min == range.max {
        true => range.min.to_string(),
        false => format!("{} to {}", range.min, range.max),
    }
}

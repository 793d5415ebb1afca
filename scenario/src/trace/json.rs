//! Traces of JSON lines.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::line::bad_line;
use super::{Part, Row, Trace};
use crate::fault::Fault;

/// First line, if it has a key `kind`. It may have more keys: what else is told about a trace.
#[derive(Debug, Deserialize)]
struct Header {
    #[serde(rename = "N")]
    nodes: Option<usize>,
    w_true: Option<Vec<Vec<f64>>>,
    /// How many of the last features say nothing.
    #[serde(default)]
    noise: usize,
}

/// One further line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotLine {
    t: u64,
    #[serde(default)]
    u: Option<Draws>,
    #[serde(default)]
    task: Vec<f64>,
    node: Vec<Vec<f64>>,
    /// What each node would have told, for readers of the trace.
    #[serde(default)]
    bits: Option<Vec<i64>>,
}

/// The draws of a slot: one for all nodes, or one for each.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number, or a list of numbers")]
enum Draws {
    Shared(f64),
    Each(Vec<f64>),
}

pub(super) fn read(reader: impl BufRead, name: &str) -> Result<Trace, Fault> {
    let mut header: Option<(Header, String)> = None;
    let mut trace: Option<Trace> = None;
    for (index, line) in reader.lines().enumerate() {
        let number = index + 1;
        let line =
            line.map_err(|e| bad_line(name, number, "", 0..0, format!("cannot be read: {e}")))?;
        let bad = |span, message: String| bad_line(name, number, &line, span, message);
        let refused = |error: serde_json::Error| {
            let (span, message) = explained(&line, &error);
            bad(span, message)
        };
        if line.trim().is_empty() {
            continue;
        }
        if index == 0 && line.contains("\"kind\"") {
            let parsed = serde_json::from_str(&line).map_err(refused)?;
            header = Some((parsed, line));
            continue;
        }
        let slot: SlotLine = serde_json::from_str(&line).map_err(refused)?;
        let row = Row {
            task: slot.task,
            node: slot.node,
            draws: slot.u.map(|u| match u {
                Draws::Shared(u) => vec![u],
                Draws::Each(us) => us,
            }),
            bits: slot.bits,
        };
        let trace = trace.get_or_insert_with(|| Trace::like(&row, None));
        if slot.t != trace.slots + 1 {
            let message = format!("t = {} where {} is due", slot.t, trace.slots + 1);
            return Err(bad(field(&line, "t"), message));
        }
        trace.push(row).map_err(|(part, message)| bad(part_of(&line, part), message))?;
    }
    let trace = trace.ok_or_else(|| Fault::new(format!("the trace {name} has no slots")))?;
    match header {
        Some((header, line)) => with_header(trace, header, &line, name),
        None => Ok(trace),
    }
}

/// Adds what the header tells, if it fits the slots.
fn with_header(mut trace: Trace, header: Header, line: &str, name: &str) -> Result<Trace, Fault> {
    let bad = |span, message| Err(bad_line(name, 1, line, span, message));
    if let Some(said) = header.nodes.filter(|n| *n != trace.nodes) {
        let message = format!("N = {said}, but the slots have {} nodes", trace.nodes);
        return bad(field(line, "N"), message);
    }
    if header.noise > trace.node_width() {
        let (noise, own) = (header.noise, trace.node_width());
        let message = format!("noise = {noise}, but a node has {own} features of its own");
        return bad(field(line, "noise"), message);
    }
    trace.noise = header.noise;
    let weights = header.w_true.unwrap_or_default();
    if weights.is_empty() {
        return Ok(trace);
    }
    let place = field(line, "w_true");
    if weights.len() != trace.nodes {
        let message = format!("w_true of {} nodes, but there are {}", weights.len(), trace.nodes);
        return bad(place, message);
    }
    if let Some(node) = weights.iter().position(|w| w.len() != trace.features()) {
        let (got, d) = (weights[node].len(), trace.features());
        let message = format!("w_true of node {node} has {got} weights for {d} features");
        return bad(element(line, place, node), message);
    }
    let weighted = trace.features() - trace.noise;
    if let Some(node) = weights.iter().position(|w| w[weighted..].iter().any(|w| *w != 0.0)) {
        let message = format!("w_true of node {node} weighs features that say nothing (noise)");
        return bad(element(line, place, node), message);
    }
    trace.weights = Some(weights);
    Ok(trace)
}

/// Where a part of a slot stands in its line.
fn part_of(line: &str, part: Part) -> Range<usize> {
    match part {
        Part::Task => field(line, "task"),
        Part::Nodes => field(line, "node"),
        Part::Node(index) => element(line, field(line, "node"), index),
        Part::Draws => field(line, "u"),
        Part::Draw(index) => element(line, field(line, "u"), index),
        Part::Bits => field(line, "bits"),
        Part::Bit(index) => element(line, field(line, "bits"), index),
    }
}

/// Where the value of `key` stands in an object; the whole object where it has no such key.
fn field(line: &str, key: &str) -> Range<usize> {
    let fields: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(line).ok();
    fields.as_ref().and_then(|f| f.get(key)).map_or(0..line.len(), |raw| within(line, raw))
}

/// Where element `index` of the list at `list` stands; the whole of it where it is no list.
fn element(line: &str, list: Range<usize>, index: usize) -> Range<usize> {
    let items: Option<Vec<&RawValue>> = serde_json::from_str(&line[list.clone()]).ok();
    items.as_ref().and_then(|items| items.get(index)).map_or(list, |raw| within(line, raw))
}

fn within(line: &str, raw: &RawValue) -> Range<usize> {
    let start = raw.get().as_ptr() as usize - line.as_ptr() as usize;
    start..start + raw.get().len()
}

/// The place and the words of an error of the JSON reader.
fn explained(line: &str, error: &serde_json::Error) -> (Range<usize>, String) {
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    let end = line.floor_char_boundary(error.column());
    let one = line.floor_char_boundary(end.saturating_sub(1));
    let before = &line[..one];
    // The column is where the reader stopped: at a letter, or after a word that it refuses.
    let start = match line[one..end].chars().next() {
        Some('"') if error.is_data() => before.rfind('"'),
        Some(letter) if letter.is_ascii_alphanumeric() => {
            before.rfind([',', ':', '[', '{', ' ', '"']).map(|at| at + 1)
        }
        _ => None,
    };
    (start.unwrap_or(one)..end, words.to_owned())
}

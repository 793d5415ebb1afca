//! Features from a file; `docs/topology.md` describes the two formats.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::problem::{Problem, Source};

/// How far a norm may lie above 1: what rounding does to a vector scaled to 1, and no more.
pub(crate) const NORM_TOLERANCE: f64 = 1e-12;

/// The features of every node in every slot, and what else the file tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    nodes: usize,
    task_width: usize,
    node_width: usize,
    slots: u64,
    /// Slot after slot.
    task: Vec<f64>,
    /// Slot after slot, node after node.
    node: Vec<f64>,
    draws: Option<Vec<f64>>,
    /// Draws a slot: 1 (shared by all nodes) or one for each node.
    draws_width: usize,
    weights: Option<Vec<Vec<f64>>>,
}

/// One slot of a trace.
struct Row {
    task: Vec<f64>,
    node: Vec<Vec<f64>>,
    draws: Option<Vec<f64>>,
}

impl Trace {
    /// Reads a trace; the ending of its name says the format.
    ///
    /// # Errors
    /// The first thing that is wrong, with the line.
    pub fn read(path: &Path) -> Result<Trace, Problem> {
        let name = path.display().to_string();
        let unreadable = |error: std::io::Error| {
            Problem::new(format!("cannot read the trace {name}: {error}"))
                .help("the path of a trace is relative to its topology file")
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(Problem::new(format!("the trace {name} is a folder")));
        }
        let lower = name.to_lowercase();
        let (reader, plain): (Box<dyn Read>, _) = match lower.strip_suffix(".gz") {
            Some(plain) => (Box::new(flate2::read::MultiGzDecoder::new(file)), plain.to_owned()),
            None => (Box::new(file), lower),
        };
        let reader = BufReader::new(reader);
        if plain.ends_with(".jsonl") {
            read_json_lines(reader, &name)
        } else if plain.ends_with(".csv") {
            read_csv(reader, &name)
        } else {
            Err(Problem::new(format!("the trace {name} has an unknown format"))
                .help("name it .csv, .jsonl, .csv.gz or .jsonl.gz"))
        }
    }

    /// Number of helper nodes.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Number of slots.
    pub fn slots(&self) -> u64 {
        self.slots
    }

    /// Number of features that belong to the task.
    pub fn task_width(&self) -> usize {
        self.task_width
    }

    /// Number of features that belong to a node.
    pub fn node_width(&self) -> usize {
        self.node_width
    }

    /// Number of features d.
    pub fn features(&self) -> usize {
        self.task_width + self.node_width
    }

    /// Features of the tasks of the first `slots` slots.
    pub fn task_values(&self, slots: u64) -> Arc<[f64]> {
        self.task[..slots as usize * self.task_width].into()
    }

    /// Features of one node in the first `slots` slots.
    pub fn node_values(&self, node: usize, slots: u64) -> Arc<[f64]> {
        let width = self.node_width;
        (0..slots as usize)
            .flat_map(|slot| {
                let first = (slot * self.nodes + node) * width;
                self.node[first..first + width].iter().copied()
            })
            .collect()
    }

    /// The draws behind one node's bits in the first `slots` slots, if the trace has any.
    pub fn draws(&self, node: usize, slots: u64) -> Option<Arc<[f64]>> {
        let draws = self.draws.as_ref()?;
        let at = if self.draws_width == 1 { 0 } else { node };
        Some((0..slots as usize).map(|slot| draws[slot * self.draws_width + at]).collect())
    }

    /// The true weights of one node, if the trace has any.
    pub fn weights(&self, node: usize) -> Option<&[f64]> {
        Some(self.weights.as_ref()?.get(node)?.as_slice())
    }

    /// An empty trace of the shape of its first row.
    fn like(row: &Row, weights: Option<Vec<Vec<f64>>>) -> Trace {
        Trace {
            nodes: row.node.len(),
            task_width: row.task.len(),
            node_width: row.node.first().map_or(0, Vec::len),
            slots: 0,
            task: Vec::new(),
            node: Vec::new(),
            draws: row.draws.as_ref().map(|_| Vec::new()),
            draws_width: row.draws.as_ref().map_or(1, Vec::len),
            weights,
        }
    }

    /// Adds a slot, or says what is wrong with it.
    fn push(&mut self, row: Row) -> Result<(), String> {
        let d = self.features();
        if row.node.is_empty() || d == 0 {
            return Err("a slot without nodes or without features".into());
        }
        if row.task.len() != self.task_width {
            return Err(format!(
                "{} task features where the first slot has {}",
                row.task.len(),
                self.task_width
            ));
        }
        if row.node.len() != self.nodes {
            return Err(format!(
                "{} nodes where the first slot has {}",
                row.node.len(),
                self.nodes
            ));
        }
        let task_square: f64 = row.task.iter().map(|v| v * v).sum();
        for (node, state) in row.node.iter().enumerate() {
            if state.len() != self.node_width {
                return Err(format!(
                    "{} features of node {node} where the first node has {}",
                    state.len(),
                    self.node_width
                ));
            }
            let norm = (task_square + state.iter().map(|v| v * v).sum::<f64>()).sqrt();
            if !norm.is_finite() {
                return Err(format!("a feature of node {node} is not a finite number"));
            }
            if norm > 1.0 + NORM_TOLERANCE {
                return Err(format!("||x|| = {norm:.6} of node {node} is above 1"));
            }
        }
        match (&mut self.draws, row.draws) {
            (None, None) => {}
            (Some(draws), Some(new)) if new.len() == self.draws_width => {
                if let Some(bad) = new.iter().find(|u| !(0.0..1.0).contains(*u)) {
                    return Err(format!("the draw u = {bad} is not in [0, 1)"));
                }
                draws.extend(new);
            }
            _ => return Err("`u` must be given in every slot alike, or in none".into()),
        }
        self.task.extend(row.task);
        self.node.extend(row.node.into_iter().flatten());
        self.slots += 1;
        Ok(())
    }
}

/// A problem in line `number` of a trace.
fn bad_line(name: &str, number: usize, line: &str, message: String) -> Problem {
    // A line of a large trace can be very long; its beginning is enough to recognise it.
    let shown: String = line.chars().take(160).collect();
    let end = shown.len();
    let source = Source { name: name.into(), text: shown.into(), first_line: number };
    Problem::new(format!("line {number} of the trace {name}: {message}")).at(&source, 0..end)
}

/// First line of a trace of JSON lines.
#[derive(Debug, Deserialize)]
struct Header {
    #[serde(rename = "N")]
    nodes: Option<usize>,
    w_true: Option<Vec<Vec<f64>>>,
}

/// One further line of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotLine {
    t: u64,
    #[serde(default)]
    u: Option<Draws>,
    #[serde(default)]
    task: Vec<f64>,
    node: Vec<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Draws {
    Shared(f64),
    Each(Vec<f64>),
}

fn read_json_lines(reader: impl BufRead, name: &str) -> Result<Trace, Problem> {
    let mut header: Option<Header> = None;
    let mut trace: Option<Trace> = None;
    for (index, line) in reader.lines().enumerate() {
        let number = index + 1;
        let line = line.map_err(|e| bad_line(name, number, "", format!("cannot be read: {e}")))?;
        let bad = |message: String| bad_line(name, number, &line, message);
        if line.trim().is_empty() {
            continue;
        }
        if index == 0 && line.contains("\"kind\"") {
            let parsed = serde_json::from_str(&line).map_err(|e| bad(e.to_string()))?;
            header = Some(parsed);
            continue;
        }
        let slot: SlotLine = serde_json::from_str(&line).map_err(|e| bad(e.to_string()))?;
        let row = Row {
            task: slot.task,
            node: slot.node,
            draws: slot.u.map(|u| match u {
                Draws::Shared(u) => vec![u],
                Draws::Each(us) => us,
            }),
        };
        let weights = header.as_mut().and_then(|h| h.w_true.take());
        let trace = trace.get_or_insert_with(|| Trace::like(&row, weights));
        if slot.t != trace.slots + 1 {
            return Err(bad(format!("t = {} where {} is due", slot.t, trace.slots + 1)));
        }
        trace.push(row).map_err(bad)?;
    }
    let trace = trace.ok_or_else(|| Problem::new(format!("the trace {name} has no slots")))?;
    let said = header.and_then(|h| h.nodes);
    let weights = trace.weights.as_ref();
    if said.is_some_and(|n| n != trace.nodes) || weights.is_some_and(|w| w.len() != trace.nodes) {
        let message = format!("the header speaks of another number of nodes than {}", trace.nodes);
        return Err(bad_line(name, 1, "", message));
    }
    if let Some(w) = weights.and_then(|w| w.iter().find(|w| w.len() != trace.features())) {
        let message = format!("w_true has {} weights for {} features", w.len(), trace.features());
        return Err(bad_line(name, 1, "", message));
    }
    Ok(trace)
}

/// Which column of a CSV trace is what.
struct Columns {
    slot: usize,
    node: usize,
    draw: Option<usize>,
    task: Vec<usize>,
    state: Vec<usize>,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Columns, String> {
        let position = |name: &str| header.iter().position(|column| column == name);
        let need = |name: &str| position(name).ok_or(format!("no column `{name}`"));
        let (slot, node, draw) = (need("slot")?, need("node")?, position("u"));
        let rest = (0..header.len()).filter(|i| *i != slot && *i != node && Some(*i) != draw);
        let (task, state) = rest.partition(|i| header[*i].starts_with("task_"));
        Ok(Columns { slot, node, draw, task, state })
    }
}

fn read_csv(reader: impl BufRead, name: &str) -> Result<Trace, Problem> {
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
    let bad_csv = |error: csv::Error| {
        let number = error.position().map_or(1, |p| p.line() as usize);
        bad_line(name, number, "", error.to_string())
    };
    let header = csv.headers().map_err(bad_csv)?.clone();
    let shown = header.iter().collect::<Vec<_>>().join(",");
    let columns = Columns::of(&header).map_err(|message| {
        bad_line(name, 1, &shown, message)
            .help("columns: slot, node, u (optional), task_... (the task's), others (the node's)")
    })?;
    let mut trace: Option<Trace> = None;
    let mut pending: Option<(u64, Row)> = None;
    let mut last = (2, String::new());
    for record in csv.records() {
        let record = record.map_err(bad_csv)?;
        let number = record.position().map_or(0, |p| p.line() as usize);
        let line = record.iter().collect::<Vec<_>>().join(",");
        let bad = |message: String| bad_line(name, number, &line, message);
        let integer = |column: usize| {
            record[column].parse::<u64>().map_err(|_| {
                bad(format!("`{}` = `{}` is no whole number", &header[column], &record[column]))
            })
        };
        let value = |column: &usize| {
            record[*column].parse::<f64>().map_err(|_| {
                bad(format!("`{}` = `{}` is no number", &header[*column], &record[*column]))
            })
        };
        let (slot, node) = (integer(columns.slot)?, integer(columns.node)?);
        let task = columns.task.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let state = columns.state.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let draw = columns.draw.as_ref().map(value).transpose()?;
        let new_slot = pending.as_ref().is_none_or(|(current, _)| *current != slot);
        if new_slot {
            if let Some((_, row)) = pending.take() {
                push_csv(&mut trace, row).map_err(|m| bad_line(name, last.0, &last.1, m))?;
            }
            let due = trace.as_ref().map_or(1, |t| t.slots + 1);
            if slot != due {
                return Err(bad(format!("slot {slot} where {due} is due")));
            }
            let row = Row { task: task.clone(), node: vec![], draws: draw.map(|_| vec![]) };
            pending = Some((slot, row));
        }
        let (_, row) = pending.as_mut().expect("just made");
        if node != row.node.len() as u64 {
            return Err(bad(format!("node {node} where {} is due", row.node.len())));
        }
        if task != row.task {
            return Err(bad("the task_ columns differ between the nodes of a slot".into()));
        }
        row.node.push(state);
        if let (Some(draws), Some(draw)) = (&mut row.draws, draw) {
            draws.push(draw);
        }
        last = (number, line);
    }
    if let Some((_, row)) = pending {
        push_csv(&mut trace, row).map_err(|m| bad_line(name, last.0, &last.1, m))?;
    }
    trace.ok_or_else(|| Problem::new(format!("the trace {name} has no slots")))
}

fn push_csv(trace: &mut Option<Trace>, row: Row) -> Result<(), String> {
    trace.get_or_insert_with(|| Trace::like(&row, None)).push(row)
}

//! Features from a file; `docs/topology.md` describes the two formats.

mod comma;
mod json;
pub(crate) mod line;

use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use crate::fault::Fault;

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
    /// How many of the features say nothing; they are the last.
    noise: usize,
}

/// One slot of a trace.
struct Row {
    task: Vec<f64>,
    node: Vec<Vec<f64>>,
    draws: Option<Vec<f64>>,
    bits: Option<Vec<i64>>,
}

impl Trace {
    /// Reads a trace; the ending of its name says the format.
    ///
    /// # Errors
    /// The first thing that is wrong, with the line.
    pub fn read(path: &Path) -> Result<Trace, Fault> {
        let name = path.display().to_string();
        let (reader, plain) = open(path)?;
        if plain.ends_with(".jsonl") {
            json::read(reader, &name)
        } else if plain.ends_with(".csv") {
            comma::read(reader, &name)
        } else {
            Err(Fault::new(format!("the trace {name} has an unknown format"))
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

    /// How many of the features say nothing: they are the last, and their weights are 0.
    pub fn noise(&self) -> usize {
        self.noise
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
            noise: 0,
        }
    }

    /// Adds a slot, or says what is wrong with it and where.
    fn push(&mut self, row: Row) -> Result<(), (Part, String)> {
        let d = self.features();
        if row.node.is_empty() || d == 0 {
            return Err((Part::Nodes, "a slot without nodes or without features".into()));
        }
        if row.task.len() != self.task_width {
            let (got, first) = (row.task.len(), self.task_width);
            let message = format!("{got} task features where the first slot has {first}");
            return Err((Part::Task, message));
        }
        if row.node.len() != self.nodes {
            let message =
                format!("{} nodes where the first slot has {}", row.node.len(), self.nodes);
            return Err((Part::Nodes, message));
        }
        let task_square: f64 = row.task.iter().map(|v| v * v).sum();
        for (node, state) in row.node.iter().enumerate() {
            let bad = |message| Err((Part::Node(node), message));
            if state.len() != self.node_width {
                let (got, first) = (state.len(), self.node_width);
                return bad(format!(
                    "{got} features of node {node} where the first node has {first}"
                ));
            }
            let norm = (task_square + state.iter().map(|v| v * v).sum::<f64>()).sqrt();
            if norm.is_nan() || norm > 1.0 + NORM_TOLERANCE {
                return bad(format!("||x|| = {norm:.6} of node {node} is above 1"));
            }
        }
        check_bits(row.bits.as_deref().unwrap_or_default(), self.nodes)?;
        match (&mut self.draws, row.draws) {
            (None, None) => {}
            (Some(_), Some(new)) if new.len() != 1 && new.len() != self.nodes => {
                let message =
                    format!("{} draws u for {} nodes: one, or one each", new.len(), self.nodes);
                return Err((Part::Draw(0), message));
            }
            (Some(draws), Some(new)) if new.len() == self.draws_width => {
                if let Some(index) = new.iter().position(|u| !(0.0..1.0).contains(u)) {
                    let message = format!("the draw u = {} is not in [0, 1)", new[index]);
                    return Err((Part::Draw(index), message));
                }
                draws.extend(new);
            }
            _ => {
                let message = "`u` must be given in every slot alike, or in none".into();
                return Err((Part::Draws, message));
            }
        }
        self.task.extend(row.task);
        self.node.extend(row.node.into_iter().flatten());
        self.slots += 1;
        Ok(())
    }
}

/// Opens a trace, and decompresses it if its name says so; gives its name in lower case, without the
/// ending of compression.
///
/// # Errors
/// If there is no such file, or it is a folder.
pub(crate) fn open(path: &Path) -> Result<(BufReader<Box<dyn Read>>, String), Fault> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        Fault::new(format!("cannot read the trace {name}: {error}"))
            .help("the path of a trace is relative to its topology file")
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(Fault::new(format!("the trace {name} is a folder")));
    }
    let lower = name.to_lowercase();
    let (reader, plain): (Box<dyn Read>, _) = match lower.strip_suffix(".gz") {
        Some(plain) => (Box::new(flate2::read::MultiGzDecoder::new(file)), plain.to_owned()),
        None => (Box::new(file), lower),
    };
    Ok((BufReader::new(reader), plain))
}

/// Bits are for readers of the trace: each node's own comes from its draw. They have to make sense.
fn check_bits(bits: &[i64], nodes: usize) -> Result<(), (Part, String)> {
    if !bits.is_empty() && bits.len() != nodes {
        return Err((Part::Bits, format!("{} bits for {nodes} nodes: one each", bits.len())));
    }
    match bits.iter().position(|bit| bit.abs() != 1) {
        Some(index) => {
            Err((Part::Bit(index), format!("the bit {} is neither 1 nor -1", bits[index])))
        }
        None => Ok(()),
    }
}

/// The part of a slot that something is wrong with.
#[derive(Debug, Clone, Copy)]
enum Part {
    Task,
    Nodes,
    Node(usize),
    Draws,
    Draw(usize),
    Bits,
    Bit(usize),
}

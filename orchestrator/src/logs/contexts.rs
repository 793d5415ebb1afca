//! Every decision of a trial with all contexts, scores and propensities.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use fogbit_scenario::Contexts;
use fogbit_scenario::feedback::Outcome;
use fogbit_task_node::Thought;

/// Rows are handed to the compressor in pieces of this size, whoever writes them: so that the same
/// rows make the same bytes.
const PIECE: usize = 1 << 16;

/// The log of one trial: comma-separated values, compressed; a row for each slot and node.
#[derive(Debug)]
pub struct ContextLog {
    out: BufWriter<GzEncoder<BufWriter<File>>>,
    /// What was decided in slots that are not recorded yet.
    decided: VecDeque<Decided>,
    rows: Vec<u8>,
}

/// What a policy thought when it decided.
#[derive(Debug)]
struct Decided {
    slot: u64,
    /// Empty where there is no policy to ask.
    scores: Vec<f64>,
    /// Node after node.
    propensities: Vec<Option<f64>>,
}

impl ContextLog {
    /// Makes the file, which must not exist, with a column for each of `features`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: &Path, features: &[String]) -> io::Result<ContextLog> {
        let file = BufWriter::new(File::create_new(path)?);
        // The header of the stream holds neither a time nor a name.
        let encoder = GzEncoder::new(file, Compression::fast());
        let mut out = BufWriter::with_capacity(PIECE, encoder);
        writeln!(out, "slot,node,present,chosen,score,propensity,bit,{}", features.join(","))?;
        Ok(ContextLog { out, decided: VecDeque::new(), rows: Vec::new() })
    }

    /// Takes note of what was thought right after the decision of `slot`, in which `chosen` was
    /// chosen: later it may be otherwise.
    pub fn decided(&mut self, slot: u64, contexts: &Contexts, chosen: usize, thought: Thought<'_>) {
        let scores = thought.scores().to_vec();
        let propensity = |node: usize| {
            let propensity = thought.propensity(node, chosen)?;
            Some(if contexts.is_present(node) { propensity } else { 0.0 })
        };
        let propensities = (0..contexts.nodes()).map(propensity).collect();
        self.decided.push_back(Decided { slot, scores, propensities });
    }

    /// Writes the rows of a slot that was decided: `contexts` are those of its decision. Slots come
    /// in order.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn record(
        &mut self,
        slot: u64,
        contexts: &Contexts,
        chosen: usize,
        outcome: Outcome,
    ) -> io::Result<()> {
        let decided = self.decided.pop_front_if(|decided| decided.slot == slot);
        let decided = decided.expect("a slot is decided before it is recorded");
        self.rows.clear();
        for node in 0..contexts.nodes() {
            let present = contexts.is_present(node);
            let rows = &mut self.rows;
            write!(rows, "{slot},{node},{},{},", u8::from(present), u8::from(node == chosen))?;
            if let Some(score) = decided.scores.get(node).filter(|score| present && !score.is_nan())
            {
                write!(rows, "{score:?}")?;
            }
            rows.push(b',');
            if let Some(propensity) = decided.propensities[node] {
                write!(rows, "{propensity:?}")?;
            }
            rows.push(b',');
            if let Some(bit) = outcome.column().filter(|_| node == chosen) {
                write!(rows, "{bit}")?;
            }
            for value in contexts.node(node) {
                write!(rows, ",{value:?}")?;
            }
            rows.push(b'\n');
        }
        self.out.write_all(&self.rows)
    }

    /// Ends the file; it is complete when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn close(self) -> io::Result<()> {
        let encoder = self.out.into_inner().map_err(IntoInnerError::into_error)?;
        encoder.finish()?.flush()
    }
}

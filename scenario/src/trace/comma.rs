//! Traces of comma-separated values.

use std::io::BufRead;

use csv::StringRecord;

use super::line::{Line, unreadable};
use super::{Part, Row, Trace};
use crate::fault::Fault;

/// Which column is what.
struct Columns {
    slot: usize,
    node: usize,
    draw: Option<usize>,
    task: Vec<usize>,
    state: Vec<usize>,
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Columns, String> {
        for (index, name) in header.iter().enumerate() {
            if name.is_empty() {
                return Err(format!("column {} has no name", index + 1));
            }
            if header.iter().take(index).any(|before| before == name) {
                return Err(format!("two columns are called `{name}`"));
            }
        }
        let position = |name: &str| header.iter().position(|column| column == name);
        let need = |name: &str| position(name).ok_or(format!("no column `{name}`"));
        let (slot, node, draw) = (need("slot")?, need("node")?, position("u"));
        let rest = (0..header.len()).filter(|i| *i != slot && *i != node && Some(*i) != draw);
        let (task, state) = rest.partition(|i| header[*i].starts_with("task_"));
        Ok(Columns { slot, node, draw, task, state })
    }
}

/// The lines of one slot, which become a row of the trace.
struct Pending<'n> {
    slot: u64,
    row: Row,
    lines: Vec<Line<'n>>,
}

pub(super) fn read(reader: impl BufRead, name: &str) -> Result<Trace, Fault> {
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(reader);
    let unreadable = |error: csv::Error| unreadable(name, &error);
    let header = csv.headers().map_err(unreadable)?.clone();
    let columns = Columns::of(&header).map_err(|message| {
        Line { name, number: 1, record: header.clone() }
            .bad_all(message)
            .help("columns: slot, node, u (optional), task_... (the task's), others (the node's)")
    })?;
    let mut trace: Option<Trace> = None;
    let mut pending: Option<Pending<'_>> = None;
    for record in csv.records() {
        let record = record.map_err(unreadable)?;
        let number = record.position().map_or(0, |p| p.line() as usize);
        let line = Line { name, number, record };
        if line.record.len() != header.len() {
            let (got, columns) = (line.record.len(), header.len());
            return Err(line.bad_all(format!("{got} values for {columns} columns")));
        }
        let value = |column: &usize| line.number(&header, *column);
        let (slot, node) =
            (line.integer(&header, columns.slot)?, line.integer(&header, columns.node)?);
        let task = columns.task.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let state = columns.state.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let draw = columns.draw.as_ref().map(value).transpose()?;
        if pending.as_ref().is_some_and(|current| current.slot != slot) {
            push(&mut trace, pending.take(), &columns)?;
        }
        if pending.is_none() {
            let due = trace.as_ref().map_or(1, |t| t.slots + 1);
            if slot != due {
                let message = format!("slot {slot} where {due} is due");
                return Err(line.bad_value(columns.slot, message));
            }
        }
        let current = pending.get_or_insert_with(|| {
            let row =
                Row { task: task.clone(), node: vec![], draws: draw.map(|_| vec![]), bits: None };
            Pending { slot, row, lines: vec![] }
        });
        let due = current.row.node.len();
        if node != due as u64 {
            let message = format!("node {node} where {due} is due");
            return Err(line.bad_value(columns.node, message));
        }
        if let Some(at) = (0..task.len()).find(|i| task[*i] != current.row.task[*i]) {
            let message = "the task_ columns differ between the nodes of a slot".into();
            return Err(line.bad_value(columns.task[at], message));
        }
        current.row.node.push(state);
        if let (Some(draws), Some(draw)) = (&mut current.row.draws, draw) {
            draws.push(draw);
        }
        current.lines.push(line);
    }
    push(&mut trace, pending, &columns)?;
    trace.ok_or_else(|| Fault::new(format!("the trace {name} has no slots")))
}

fn push(
    trace: &mut Option<Trace>,
    pending: Option<Pending<'_>>,
    columns: &Columns,
) -> Result<(), Fault> {
    let Some(Pending { row, lines, .. }) = pending else { return Ok(()) };
    let trace = trace.get_or_insert_with(|| Trace::like(&row, None));
    trace.push(row).map_err(|(part, message)| match (part, columns.draw) {
        (Part::Draw(node), Some(column)) => lines[node].bad_value(column, message),
        (Part::Node(node), _) => lines[node].bad_all(message),
        _ => lines.last().expect("a slot has a line").bad_all(message),
    })
}

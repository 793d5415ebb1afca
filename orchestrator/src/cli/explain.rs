//! `explain`: why a policy chose as it did.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Table};
use serde::Serialize;

use super::print;
use super::results::only_one_bit;
use super::run::Format;
use crate::exit::{Exit, Failure};
use crate::explain::{self, Explanation, NodeView};

/// Show why a policy chose as it did in one slot of a run
///
/// Plays the trial again up to that slot, from topology.toml alone, and compares every slot with the
/// decision file, if it was kept; a difference ends with exit code 1. Then it shows of each node what
/// the policy saw and believed, and beside it the hidden truth. Runs in real time cannot be played
/// again.
#[derive(Debug, Args)]
#[command(after_help = "Columns, where the policy has them:\n  \
    score       of this decision: the chosen node has the largest\n  \
    x.w^        features times what the policy estimates the weights to be\n  \
    bonus       score less x.w^: what is added for what is not known yet, or by a draw\n  \
    propensity  probability with which the node was to be chosen\n  \
    x.w         features times hidden weights: the best node has the largest (with a deadline P)\n  \
    P           probability that the node is happy with the task\n  \
    would tell  the bit that it would have told, had it been asked: 1 or -1\n\n\
    Examples:\n  \
    fogbit explain results/paper-20240131-120000 --policy toof --slot 812\n  \
    fogbit explain results/paper-20240131-120000 --policy toof --slot 812 --seed 7 --format json")]
pub(crate) struct ExplainArgs {
    /// The results directory
    dir: PathBuf,

    /// Name of the policy
    #[arg(long, value_name = "NAME", env = "FOGBIT_POLICY")]
    policy: String,

    /// The slot, from 1
    #[arg(long, value_name = "T", env = "FOGBIT_SLOT")]
    slot: u64,

    /// The seed [default: the first of the run]
    #[arg(long, value_name = "S", env = "FOGBIT_SEED")]
    seed: Option<u64>,

    /// What goes to standard output
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,
}

pub(crate) fn explain(args: ExplainArgs) -> Result<Exit, Failure> {
    only_one_bit(&args.dir, "explain")?;
    let found = explain::explain(&args.dir, &args.policy, args.slot, args.seed)?;
    match args.format {
        Format::Table => print(&render(&found))?,
        Format::Json => print(&json(&found)?)?,
    }
    Ok(Exit::Well)
}

/// What `--format json` prints: the words too.
#[derive(Serialize)]
struct Told<'e> {
    words: String,
    #[serde(flatten)]
    explanation: &'e Explanation,
}

fn json(explanation: &Explanation) -> Result<String, Failure> {
    let told = Told { words: explain::words(explanation), explanation };
    let json = serde_json::to_string_pretty(&told);
    json.map(|json| json + "\n").map_err(|error| Failure::new(Exit::Internal, error))
}

fn render(found: &Explanation) -> String {
    let mut text = String::new();
    let checked = if found.checked { "as in its decision file" } else { "no decision file kept" };
    let _ = writeln!(
        text,
        "{} ({}), seed {}, slot {}: played again, {checked}",
        found.policy, found.kind, found.seed, found.slot
    );
    let _ = writeln!(text, "{}", explain::words(found));
    let _ = writeln!(text, "{}", nodes(found));
    if found.nodes.iter().any(|node| node.estimate.is_some()) {
        let truth = found.nodes.iter().any(|node| !node.weights.is_empty());
        let true_weight = if truth { " / true weight" } else { "" };
        let _ = writeln!(text, "\nestimated weight{true_weight}");
        let _ = writeln!(text, "{}", weights(found));
    }
    let name = &found.nodes[found.chosen].name;
    let _ = writeln!(text, "\n{name} {}", outcome(found.bit));
    let _ = writeln!(
        text,
        "regret of the slot: {:.4} linear, {:.4} in happiness; average linear regret so far: {:.4}",
        found.regret_linear, found.regret_happiness, found.average_regret
    );
    match &found.learnt {
        Some(learnt) => {
            let late = match found.delay_slots {
                0 => String::new(),
                delay => format!(", {delay} slots late"),
            };
            let _ =
                writeln!(text, "what the bit taught of {name}{late}:\n{}", taught(found, learnt));
        }
        None if found.bit == Some(0) => {
            let _ = writeln!(text, "nothing was learnt: no bit came");
        }
        None => {}
    }
    text
}

fn outcome(bit: Option<i8>) -> &'static str {
    match bit {
        Some(1) => "was happy: bit 1",
        Some(0) => "refused: its queue was full",
        Some(_) => "was unhappy: bit -1",
        None => "did not answer in time",
    }
}

fn table<'t>(header: impl IntoIterator<Item = &'t str>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(row(header.into_iter().map(str::to_owned)));
    table
}

/// Text to the left in the first column, numbers to the right.
fn row(cells: impl IntoIterator<Item = String>) -> Vec<Cell> {
    let cell = |(column, text)| {
        let right = if column == 0 { CellAlignment::Left } else { CellAlignment::Right };
        Cell::new(text).set_alignment(right)
    };
    cells.into_iter().enumerate().map(cell).collect()
}

/// A column of the table of nodes: its name, and what a node has in it.
type Column = (&'static str, fn(&NodeView) -> Option<String>);

const COLUMNS: [Column; 7] = [
    ("score", |node| node.score.map(number)),
    ("x.w^", |node| node.estimated_product.map(number)),
    ("bonus", |node| node.bonus.map(number)),
    ("propensity", |node| node.propensity.map(number)),
    ("x.w", |node| (!node.weights.is_empty()).then(|| number(node.product))),
    ("P", |node| Some(number(node.happiness))),
    ("would tell", |node| Some(node.potential_bit.to_string())),
];

/// What the policy saw and believed of each node, and the truth; columns without content are left
/// out.
fn nodes(found: &Explanation) -> Table {
    let has = |(_, cell): &&Column| found.nodes.iter().any(|node| cell(node).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(has).collect();
    let header = ["node", ""].into_iter().chain(columns.iter().map(|(name, _)| *name));
    let mut table = table(header.chain(found.features.iter().map(String::as_str)));
    for (index, node) in found.nodes.iter().enumerate() {
        let mark = match (index == found.chosen, index == found.best, node.present) {
            (true, true, _) => "chosen, best",
            (true, false, _) => "chosen",
            (false, true, _) => "best",
            (false, false, false) => "absent",
            (false, false, true) => "",
        };
        let cells = columns.iter().map(|(_, cell)| cell(node).unwrap_or("-".into()));
        let features = node.features.iter().copied().map(number);
        let names = [node.name.clone(), mark.to_owned()];
        table.add_row(row(names.into_iter().chain(cells).chain(features)));
    }
    table
}

/// Estimates beside the truth, where nodes have weights.
fn weights(found: &Explanation) -> Table {
    let header = ["node"].into_iter().chain(found.features.iter().map(String::as_str));
    let mut table = table(header);
    for node in &found.nodes {
        let Some(estimate) = &node.estimate else { continue };
        let cells = estimate.iter().enumerate().map(|(index, estimate)| {
            let truth = node.weights.get(index).map(|w| format!(" / {w:.3}"));
            format!("{estimate:.3}{}", truth.unwrap_or_default())
        });
        table.add_row(row([node.name.clone()].into_iter().chain(cells)));
    }
    table
}

fn taught(found: &Explanation, learnt: &explain::Learnt) -> Table {
    let header = ["estimate"].into_iter().chain(found.features.iter().map(String::as_str));
    let mut table = table(header);
    let truth = &found.nodes[found.chosen].weights;
    let rows = [("before", &learnt.before), ("after", &learnt.after), ("truth", truth)];
    for (name, values) in rows.into_iter().filter(|(_, values)| !values.is_empty()) {
        let cells = values.iter().copied().map(number);
        table.add_row(row([name.to_owned()].into_iter().chain(cells)));
    }
    table
}

fn number(value: f64) -> String {
    format!("{value:.4}")
}

//! `compare`: runs made apart.

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fogbit_scenario::topology::Metric;

use super::print;
use super::ranking::{digits, interval, reading, signed};
use super::results::only_one_bit;
use super::run::Format;
use super::table::{Rows, new_table, percent, right};
use crate::compare::{self, CompareError, Comparison};
use crate::exit::{Exit, Failure};
use crate::results;
use crate::results::summary::{Pair, Reading};

/// Compare the policies of runs made apart
///
/// Runs that played the same scenario are compared seed by seed: their topologies may differ in
/// policies, seeds, expectations and what is said of them, and in nothing else. Of runs that did not,
/// means stand side by side, and a note says what differs. A policy that several runs have is called
/// NAME@RUN, with the last part of the directory's path.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit compare results/mine results/theirs\n  \
    fogbit compare results/a results/b --versus toof@a --metric reward\n  \
    fogbit compare results/a results/b --format json | jq .pairs")]
pub(crate) struct CompareArgs {
    /// Results directories
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,

    /// Policy that the others are compared with [default: toof, or else the first]
    #[arg(long, value_name = "NAME", env = "FOGBIT_VERSUS")]
    versus: Option<String>,

    /// What is compared
    #[arg(long, value_enum, default_value_t = MetricName::RegretLinear, env = "FOGBIT_METRIC")]
    metric: MetricName,

    /// What goes to standard output
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,

    /// Write the comparison to this file as a page, too; it must not exist
    #[arg(long, value_name = "report.html", env = "FOGBIT_COMPARE_OUT")]
    out: Option<PathBuf>,
}

/// A metric on the command line; the names are those of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum MetricName {
    /// Linear regret
    RegretLinear,
    /// Regret as lost happiness
    RegretHappiness,
    /// Reward
    Reward,
    /// Linear regret a slot
    AverageRegret,
}

impl From<MetricName> for Metric {
    fn from(name: MetricName) -> Metric {
        match name {
            MetricName::RegretLinear => Metric::RegretLinear,
            MetricName::RegretHappiness => Metric::RegretHappiness,
            MetricName::Reward => Metric::Reward,
            MetricName::AverageRegret => Metric::AverageRegret,
        }
    }
}

pub(crate) fn compare(args: CompareArgs) -> Result<Exit, Failure> {
    if let Some(path) = args.out.as_ref().filter(|path| path.exists()) {
        return Err(Failure::usage(format!("{} exists already", path.display()))
            .help("nothing is overwritten: choose another --out"));
    }
    for dir in &args.dirs {
        only_one_bit(dir, "compare")?;
    }
    let found = compare::compare(&args.dirs, args.versus.as_deref(), args.metric.into());
    let comparison = found.map_err(|error| usage(&error))?;
    if let Some(path) = &args.out {
        let html = compare::render(&comparison);
        results::write_whole(path, html.as_bytes()).map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
        })?;
    }
    match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&comparison);
            print(&(json.expect("a comparison is plain data") + "\n"))?;
        }
        Format::Table => {
            let mut text = render(&comparison);
            if let Some(path) = &args.out {
                let _ = writeln!(text, "report: {}", path.display());
            }
            print(&text)?;
        }
    }
    Ok(Exit::Well)
}

fn usage(error: &CompareError) -> Failure {
    let failure = Failure::usage(error);
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// The comparison for people.
fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    for note in &comparison.notes {
        let _ = writeln!(text, "{}{note}", if note.starts_with("NOT") { "" } else { "note: " });
    }
    let mut policies = new_table(Rows::Close);
    policies.set_header(right([
        &comparison.metric,
        "seeds",
        "mean",
        "sd",
        "median",
        "mean rank",
        "best in",
    ]));
    for policy in &comparison.policies {
        let number = |value: Option<f64>| {
            value.map_or("-".into(), |v| format!("{v:.0$}", plain_digits(comparison)))
        };
        let rank = comparison.ranks.iter().find(|rank| rank.policy == policy.name);
        policies.add_row(right([
            policy.name.clone(),
            policy.seeds.to_string(),
            number(policy.value.map(|value| value.mean)),
            number(policy.value.and_then(|value| value.sd)),
            number(policy.value.and_then(|value| value.median)),
            rank.map_or("-".into(), |rank| format!("{:.2}", rank.mean_rank)),
            percent(rank.map(|rank| rank.best_share)),
        ]));
    }
    let _ = writeln!(text, "{policies}");
    let _ = writeln!(text, "{} is in {}", comparison.metric, unit(&comparison.metric));
    if let Some(rank) = comparison.ranks.first() {
        let _ = writeln!(
            text,
            "ranks are over {} seeds that all ranked policies completed",
            rank.seeds
        );
    }
    let Some(versus) = &comparison.versus else { return text };
    let pairs: Vec<&Pair> = comparison.pairs.iter().collect();
    let digits = digits(&pairs);
    let mut differences = new_table(Rows::Close);
    differences.set_header(right([
        &format!("minus {versus}"),
        "mean",
        "95 % interval",
        "bootstrap",
        "seeds",
        "reading",
    ]));
    let open = pairs.iter().any(|pair| pair.reading() == Reading::Open);
    for pair in pairs {
        differences.add_row(right([
            pair.policy.clone(),
            signed(pair.mean, digits),
            interval(pair.low, pair.high, digits),
            interval(pair.bootstrap_low, pair.bootstrap_high, digits),
            pair.seeds.to_string(),
            reading(pair),
        ]));
    }
    let _ = writeln!(text, "\n{differences}");
    if open {
        let _ = writeln!(
            text,
            "open: the 95 % interval holds 0; so many seeds would decide it, all else being equal"
        );
    }
    text
}

/// The unit of the metric called `name`.
fn unit(name: &str) -> &'static str {
    match name {
        "average_regret" => "linear units a slot",
        "regret_happiness" => "expected happy bits",
        "reward" => "happy bits minus all other tasks",
        _ => "linear units",
    }
}

/// As many digits after the point as show the largest mean well.
fn plain_digits(comparison: &Comparison) -> usize {
    let means = comparison.policies.iter().filter_map(|policy| policy.value);
    let largest = means.map(|value| value.mean.abs()).fold(0.0, f64::max);
    if largest >= 10.0 { 1 } else { 4 }
}

//! `report`, `verify` and `diff`: what can be done with results directories.

use std::path::{Path, PathBuf};

use clap::Args;
use fogbit_scenario::topology::Problem;

use super::print;
use crate::exit::{Exit, Failure};
use crate::placement;
use crate::sweep::dir::PLAN_FILE;
use crate::verify::{self, Finding};
use crate::{report, results};

/// Fails for results of another problem than `one-bit`, which `command` knows alone so far.
pub(super) fn only_one_bit(dir: &Path, command: &str) -> Result<(), Failure> {
    match placement::read::problem(dir) {
        Problem::OneBit => Ok(()),
        other => Err(Failure::usage(format!(
            "{}: a run of the problem `{}`, and `{command}` is for `one-bit` so far",
            dir.display(),
            other.name()
        ))),
    }
}

/// Make report.html of a results directory, or of a sweep, anew
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit report results/paper-20240131-120000")]
pub(crate) struct ReportArgs {
    /// The results directory
    dir: PathBuf,
}

pub(crate) fn report(args: ReportArgs) -> Result<Exit, Failure> {
    let sweep = args.dir.join(PLAN_FILE).exists();
    let html = match placement::read::problem(&args.dir) {
        _ if sweep => report::sweep::render(&args.dir),
        Problem::OneBit => report::render(&args.dir),
        Problem::Placement => placement::report::render(&args.dir),
        Problem::Cascade => return Err(unknown_results(&args.dir)),
    };
    let html = html.map_err(Failure::usage)?;
    let path = args.dir.join("report.html");
    results::write_whole(&path, html.as_bytes()).map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
    })?;
    print(&format!("{}\n", path.display()))?;
    Ok(Exit::Well)
}

/// Results of a problem that this command does not read.
fn unknown_results(dir: &Path) -> Failure {
    Failure::usage(format!("{} is a run of the problem `cascade`", dir.display()))
}

/// Recompute a results directory by a separate path and compare
///
/// Of the problem `placement` it is the figures of summary.json that are computed anew, from the
/// decision files; what follows is said of `one-bit`.
///
/// Every row of decisions/*.csv is computed anew from topology.toml, by code that shares nothing
/// with the ledger: the choice (by running the policy), the bit, and both kinds of regret, which
/// must agree exactly; the sums, means, deviations, medians, shares, paired differences and ranks of
/// summary.json and the means of curves.csv must agree to 1e-9 relative. Any difference is shown, and
/// ends with exit code 1. Not recomputed are the deviations of curves, the other curves, times, and
/// what is said in words.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit verify results/paper-20240131-120000")]
pub(crate) struct VerifyArgs {
    /// The results directory
    dir: PathBuf,
}

pub(crate) fn verify(args: VerifyArgs) -> Result<Exit, Failure> {
    let verified = match placement::read::problem(&args.dir) {
        Problem::OneBit => verify::verify(&args.dir)?,
        Problem::Placement => placement::verify::verify(&args.dir)?,
        Problem::Cascade => return Err(unknown_results(&args.dir)),
    };
    for Finding { place, difference } in &verified.findings {
        print(&format!("{place}: {difference}\n"))?;
    }
    if verified.findings.is_empty() {
        print(&format!(
            "verified: {} trials, {} slots, no difference\n",
            verified.trials, verified.slots
        ))?;
        return Ok(Exit::Well);
    }
    print(&format!("{} difference(s)\n", verified.findings.len()))?;
    Ok(Exit::Difference)
}

/// Name the first slot in which two runs part
///
/// Compares the decisions of every trial that is in either run. Exit code 1 if any differs.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit diff results/small-sim results/small-process")]
pub(crate) struct DiffArgs {
    /// A results directory
    a: PathBuf,
    /// Another one
    b: PathBuf,
}

pub(crate) fn diff(args: DiffArgs) -> Result<Exit, Failure> {
    let problems = [&args.a, &args.b].map(|dir| placement::read::problem(dir));
    let compared = match problems {
        [Problem::OneBit, Problem::OneBit] => verify::diff(&args.a, &args.b)?,
        [Problem::Placement, Problem::Placement] => placement::verify::diff(&args.a, &args.b)?,
        [a, b] => {
            let message = format!("one run is of `{}`, the other of `{}`", a.name(), b.name());
            return Err(Failure::usage(message).help("only runs of one problem can be compared"));
        }
    };
    for Finding { place, difference } in &compared.findings {
        print(&format!("{place}: {difference}\n"))?;
    }
    if compared.findings.is_empty() {
        print(&format!("the same: {} trials, {} slots\n", compared.trials, compared.slots))?;
        return Ok(Exit::Well);
    }
    Ok(Exit::Difference)
}

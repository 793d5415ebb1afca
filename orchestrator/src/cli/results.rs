//! `report`, `verify` and `diff`: what can be done with results directories.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use fogbit_scenario::topology::Problem;

use super::print;
use crate::cascade;
use crate::exit::{Exit, Failure};
use crate::pipeline;
use crate::placement;
use crate::results::{EXPERIMENTS, Manifest, ResultsDir, ResultsError, RunStatus, file_time};
use crate::sweep::dir::PLAN_FILE;
use crate::verify::{self, Compared, Finding};
use crate::{report, results};

/// Makes the new results directory `out`, or one in `results/` by the name of what is played.
pub(super) fn results_dir(out: Option<&Path>, name: &str) -> Result<ResultsDir, Failure> {
    let made = match out {
        Some(path) => ResultsDir::create(path),
        None => ResultsDir::create_unique(Path::new("results"), name, &file_time()),
    };
    made.map_err(|error| {
        let failure = Failure::usage(&error);
        match error {
            ResultsError::Exists(_) => {
                failure.help("results are never overwritten: choose another --out")
            }
            ResultsError::Write { error, .. } if error.kind() == ErrorKind::PermissionDenied => {
                failure.help(
                    "the folder has to belong to the user that this process runs as; in Docker \
                     Compose that is FOGBIT_USER (docs/deploy.md)",
                )
            }
            ResultsError::Write { .. } => failure,
        }
    })
}

/// Results that cannot be written.
pub(super) fn unwritten(error: ResultsError) -> Failure {
    Failure::new(Exit::Failed, error)
        .help("what was written before lies there still; manifest.json says how far it got")
}

/// Results that cannot be written before the first trial: nobody is to wait for the run.
pub(super) fn never_begun(
    dir: &ResultsDir,
    mut manifest: Manifest,
    error: ResultsError,
) -> Failure {
    let reason = "the results could not be written".to_owned();
    manifest.end(RunStatus::Failed, Some(reason), true);
    dir.overwrite("manifest.json", &manifest.to_json());
    unwritten(error)
}

/// What problem the results in `dir` are about.
fn problem(dir: &Path) -> Result<Problem, Failure> {
    results::read::problem(dir).map_err(|error| {
        let help = if dir.join(EXPERIMENTS).is_dir() {
            format!("for example: fogbit verify {}/{EXPERIMENTS}/NAME", dir.display())
        } else if dir.join("topology.toml").exists() {
            "the topology that the run was made with belongs there".into()
        } else {
            "give the directory that `fogbit run --out` has written".into()
        };
        Failure::usage(error).help(help)
    })
}

/// Fails for results of another problem than `one-bit`, which `command` knows alone so far.
pub(super) fn only_one_bit(dir: &Path, command: &str) -> Result<(), Failure> {
    match problem(dir)? {
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
    let html = match sweep {
        true => report::sweep::render(&args.dir),
        false => match problem(&args.dir)? {
            Problem::OneBit => report::render(&args.dir),
            Problem::Placement => placement::report::render(&args.dir),
            Problem::Cascade => cascade::report::render(&args.dir),
            Problem::Pipeline => pipeline::report::render(&args.dir),
        },
    };
    let html = html.map_err(Failure::usage)?;
    let path = args.dir.join("report.html");
    results::write_whole(&path, html.as_bytes()).map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
    })?;
    print(&format!("{}\n", path.display()))?;
    Ok(Exit::Well)
}

/// What trials of a problem are counted in.
fn counted(problem: Problem) -> &'static str {
    match problem {
        Problem::OneBit | Problem::Placement => "slots",
        Problem::Cascade => "images",
        Problem::Pipeline => "applications",
    }
}

/// Recompute a results directory by a separate path and compare
///
/// Whatever the problem, names, kinds and parameters of policies, seeds, how the run and its trials
/// ended, and what became of the expectations have to follow from topology.toml and the decision
/// files, in which nothing but the files of the trials may lie. Any difference is shown, and ends with
/// exit code 1.
///
/// Of `placement`, which decides about tasks, it is the figures of summary.json, pairs and ranks among
/// them, of segments.csv and of the curves that are computed anew, from the decision files. Of `cascade`,
/// which decides about images, every image is, with bucket, decision and loss, and every figure. Of
/// `pipeline`, which places sub-tasks, every decision is asked of its policy again, every delay and every best
/// placement computed, and every figure; how long decisions took is taken as it stands.
///
/// Of `one-bit`, which decides in slots, every row of decisions/*.csv is computed anew, by code that
/// shares nothing with the ledger: the choice (by running the policy), the bit, and both kinds of regret, which
/// must agree exactly; the sums, means, deviations, medians, shares, paired differences and ranks of
/// summary.json and the means of curves.csv must agree to 1e-9 relative. Not recomputed are the deviations of curves, the other curves, times, and
/// what is said in words.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit verify results/paper-20240131-120000")]
pub(crate) struct VerifyArgs {
    /// The results directory
    dir: PathBuf,
}

pub(crate) fn verify(args: VerifyArgs) -> Result<Exit, Failure> {
    let problem = problem(&args.dir)?;
    let verified = match problem {
        Problem::OneBit => verify::verify(&args.dir)?,
        Problem::Placement => placement::verify::verify(&args.dir)?,
        Problem::Cascade => cascade::verify::verify(&args.dir)?,
        Problem::Pipeline => pipeline::verify::verify(&args.dir)?,
    };
    for Finding { place, difference } in &verified.findings {
        print(&format!("{place}: {difference}\n"))?;
    }
    if verified.findings.is_empty() {
        print(&format!(
            "verified: {} trials, {} {}, no difference\n",
            verified.trials,
            verified.slots,
            counted(problem)
        ))?;
        return Ok(Exit::Well);
    }
    print(&format!("{} difference(s)\n", verified.findings.len()))?;
    Ok(Exit::Difference)
}

/// Name the first decision in which two runs part: a slot, a task, an image or an application
///
/// Compares the decisions of every trial that is in either run, which have to be of one problem. Exit
/// code 1 if any differs.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  fogbit diff results/small-sim results/small-process")]
pub(crate) struct DiffArgs {
    /// A results directory
    a: PathBuf,
    /// Another one
    b: PathBuf,
}

pub(crate) fn diff(args: DiffArgs) -> Result<Exit, Failure> {
    let problems = [problem(&args.a)?, problem(&args.b)?];
    let compared = match problems {
        [Problem::OneBit, Problem::OneBit] => verify::diff(&args.a, &args.b)?,
        [Problem::Placement, Problem::Placement] => placement::verify::diff(&args.a, &args.b)?,
        [Problem::Cascade, Problem::Cascade] => cascade::verify::diff(&args.a, &args.b)?,
        [Problem::Pipeline, Problem::Pipeline] => pipeline::verify::diff(&args.a, &args.b)?,
        [a, b] => {
            let message = format!("one run is of `{}`, the other of `{}`", a.name(), b.name());
            return Err(Failure::usage(message).help("only runs of one problem can be compared"));
        }
    };
    for Finding { place, difference } in &compared.findings {
        print(&format!("{place}: {difference}\n"))?;
    }
    if compared.findings.is_empty() {
        let Compared { trials, slots, .. } = compared;
        print(&format!("the same: {trials} trials, {slots} {}\n", counted(problems[0])))?;
        return Ok(Exit::Well);
    }
    Ok(Exit::Difference)
}

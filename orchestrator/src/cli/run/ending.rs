//! What is made of the outcome of a run, whatever the problem.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::watch;

use super::play::{OutcomeOf, ProblemRun};
use super::{BackendKind, Format, RunArgs};
use crate::cli::print;
use crate::cli::results::unwritten;
use crate::exit::{Exit, Failure, tell};
use crate::expect::Judgement;
use crate::harness::{ProblemCollector, ProblemSummary, RunFacts, RunFailure, failed_trials};
use crate::progress::Display;
use crate::results::{Manifest, ResultsDir, RunStatus};

/// A run that goes on, and what its end needs.
pub(super) struct Ending {
    display: Display,
    started: Instant,
    dir: ResultsDir,
    manifest: Manifest,
    backend: BackendKind,
    format: Format,
    linger: bool,
    /// Where metrics are served.
    metrics: Option<SocketAddr>,
}

impl Ending {
    /// From the moment in which the first trial begins.
    pub(super) fn new(
        args: &RunArgs,
        (dir, manifest): (ResultsDir, Manifest),
        display: Display,
    ) -> Ending {
        let (backend, format) = (args.backend, args.format);
        let (started, linger, metrics) = (Instant::now(), false, None);
        Ending { display, started, dir, manifest, backend, format, linger, metrics }
    }

    /// Stays after the run if `linger` says so, while metrics are served at an address.
    pub(super) fn staying(self, linger: bool, metrics: Option<SocketAddr>) -> Ending {
        Ending { linger, metrics, ..self }
    }

    /// Where the results go.
    pub(super) fn dir(&self) -> &ResultsDir {
        &self.dir
    }

    /// Writes and shows the results; with `--linger` it stays until `stopped` turns true.
    pub(super) async fn end<R: ProblemRun>(
        mut self,
        run: &R,
        mut outcome: OutcomeOf<R>,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<Exit, Failure> {
        drop(self.display);
        let plan = run.plan();
        outcome.collector.add_unplayed(plan);
        let status = outcome.status(plan);
        if status == RunStatus::Failed {
            let why = || failed_trials(&outcome.collector, plan);
            outcome.failure = outcome.failure.take().or_else(why);
        }
        let stop = run.stop().load(Ordering::Relaxed);
        // An endless run has no other end.
        let interrupted = stop && status == RunStatus::Partial;
        let facts = RunFacts {
            backend: self.backend.name(),
            status,
            links: outcome.links.summary(),
            seconds: self.started.elapsed().as_secs_f64(),
        };
        let summary = run.summary(&outcome.collector, facts);
        let valid = summary.head().valid;
        run.judged(valid);
        let reason = outcome.failure.as_ref().map(|failure| failure.message.clone());
        self.manifest.end(status, reason, valid);
        if let Err(failure) = write(run, &self.dir, &outcome, &summary, &self.manifest) {
            // It must not look as if the run were still going on; a full disk may have room for this.
            let reason = "the results could not be written".to_owned();
            self.manifest.end(RunStatus::Failed, Some(reason), valid);
            self.dir.overwrite("manifest.json", &self.manifest.to_json());
            // What could not be written first is what there is to say.
            let first = outcome.failure.map(|first| Failure::new(Exit::Failed, first.message));
            return Err(first.unwrap_or(failure));
        }
        match self.format {
            Format::Json => print(&summary.to_json())?,
            Format::Table => print(&R::table(&summary, self.dir.path()))?,
        }
        if self.linger && outcome.failure.is_none() && !stop {
            let metrics =
                self.metrics.map_or(String::new(), |a| format!(", metrics at http://{a}"));
            tell(format_args!("the run is over; lingering until it is stopped{metrics}"));
            let _ = stopped.wait_for(|stop| *stop).await;
        }
        exit(&self.dir, outcome.failure, &summary, interrupted)
    }
}

/// Writes the results; the manifest last, because it says that the others are there.
fn write<R: ProblemRun>(
    run: &R,
    dir: &ResultsDir,
    outcome: &OutcomeOf<R>,
    summary: &R::Summary,
    manifest: &Manifest,
) -> Result<(), Failure> {
    run.write(&outcome.collector, dir).map_err(unwritten)?;
    outcome.links.write(dir).map_err(unwritten)?;
    dir.write("summary.json", summary.to_json().as_bytes()).map_err(unwritten)?;
    let html = R::report(dir.path(), manifest.clone())
        .map_err(|error| Failure::new(Exit::Internal, error))?;
    dir.write("report.html", html.as_bytes()).map_err(unwritten)?;
    dir.write("manifest.json", &manifest.to_json()).map_err(unwritten)
}

/// How the command ends.
fn exit(
    dir: &ResultsDir,
    failure: Option<RunFailure>,
    summary: &impl ProblemSummary,
    interrupted: bool,
) -> Result<Exit, Failure> {
    if let Some(RunFailure { message, help }) = failure {
        let logs = format!("logs: {}", dir.logs().display());
        let help = help.map_or(logs.clone(), |help| format!("{help}\n{logs}"));
        return Err(Failure::new(Exit::Failed, message).help(help));
    }
    if interrupted {
        tell(format_args!("interrupted: the results in {} are partial", dir.path().display()));
        return Ok(Exit::Interrupted);
    }
    if !summary.head().valid {
        return Ok(Exit::Invalid);
    }
    let failed = summary.expectations().iter().any(|v| v.judgement == Judgement::Failed);
    Ok(if failed { Exit::Difference } else { Exit::Well })
}

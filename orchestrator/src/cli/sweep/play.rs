//! Playing a sweep to its end, or to a signal, and showing what it comes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::begin::{Begun, unwritten};
use super::table;
use crate::cli::print;
use crate::cli::run::Format;
use crate::cli::stopping::work_until_stopped;
use crate::exit::{Exit, Failure, tell};
use crate::report;
use crate::results::RunStatus;
use crate::sweep::dir::{SweepDir, SweepManifest};
use crate::sweep::plan::{Shard, SweepPlan};
use crate::sweep::play::{Job, PlayError};
use crate::sweep::progress;
use crate::sweep::results::{FinishError, finish};
use crate::sweep::summary::SweepSummary;

impl Begun {
    /// Plays what is left, and writes and shows the results; a signal stops it, and a second one
    /// ends the process.
    pub(super) fn play(
        mut self,
        jobs: usize,
        format: Format,
        quiet: bool,
    ) -> Result<Exit, Failure> {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let asked = AtomicBool::new(false);
        let work = || self.work(jobs, format, quiet, &stop, &asked, &done);
        let end = || {
            asked.store(true, Ordering::Relaxed);
            stop.store(true, Ordering::Relaxed);
        };
        work_until_stopped(work, end, None)?
    }

    /// `asked` tells a stop that the user wants from one because of an error.
    fn work(
        &mut self,
        jobs: usize,
        format: Format,
        quiet: bool,
        stop: &Arc<AtomicBool>,
        asked: &AtomicBool,
        done: &Arc<AtomicU64>,
    ) -> Result<Exit, Failure> {
        let job = Job {
            plan: &self.plan,
            topologies: &self.topologies,
            dir: &self.dir,
            units: &self.units,
            jobs,
            done,
            stop,
        };
        let display = progress::show(self.describe(), Arc::clone(done), job.cost(), quiet);
        let result = job.play();
        drop(display);
        let path = self.dir.path().display().to_string();
        let failed_units = match result {
            Ok(failed_units) => failed_units,
            Err(error) => {
                self.dir.end(&mut self.manifest, RunStatus::Failed, Some(error.to_string()));
                return Err(not_played(error, &path));
            }
        };
        if asked.load(Ordering::Relaxed) {
            self.dir.end(&mut self.manifest, RunStatus::Partial, Some("interrupted".into()));
            tell(format_args!("interrupted: `fogbit sweep --resume {path}` goes on"));
            return Ok(Exit::Interrupted);
        }
        if self.shard == Shard::WHOLE {
            return finish_and_show(&self.dir, &self.plan, &mut self.manifest, jobs, format);
        }
        let status = if failed_units > 0 { RunStatus::Failed } else { RunStatus::Complete };
        self.dir.end(&mut self.manifest, status, None);
        tell(format_args!(
            "shard {} is complete: {path}; `fogbit merge --out DIR {path} ...` puts all of them \
             together",
            self.shard
        ));
        Ok(if failed_units > 0 { Exit::Failed } else { Exit::Well })
    }

    /// What is played, in a line.
    fn describe(&self) -> String {
        let played = &self.plan.played;
        let trials: usize = self
            .units
            .iter()
            .map(|u| played.points[u.point].policies.len() * played.seeds_of(*u).len())
            .sum();
        let all = played.trials();
        let of = if trials == all { String::new() } else { format!(" of {all}") };
        let (points, seeds) = (played.points.len(), played.seeds.len());
        format!("{points} points, {seeds} seeds, {trials}{of} trials")
    }
}

fn not_played(error: PlayError, path: &str) -> Failure {
    match error {
        PlayError::Point(failure) => failure,
        PlayError::Write(_) | PlayError::Trial(_) => Failure::new(Exit::Failed, error)
            .help(format!("what was played is kept; `fogbit sweep --resume {path}` goes on")),
    }
}

/// Writes and shows what a sweep whose units are all there comes to.
pub(in crate::cli) fn finish_and_show(
    dir: &SweepDir,
    plan: &SweepPlan,
    manifest: &mut SweepManifest,
    jobs: usize,
    format: Format,
) -> Result<Exit, Failure> {
    let summary = match write_results(dir, plan, jobs) {
        Ok(summary) => summary,
        Err(failure) => {
            let reason = "the results could not be written".to_owned();
            dir.end(manifest, RunStatus::Failed, Some(reason));
            return Err(failure);
        }
    };
    let failed = summary.sweep.failed > 0;
    let status = if failed { RunStatus::Failed } else { RunStatus::Complete };
    dir.end(manifest, status, failed.then(|| "some trials failed".into()));
    match format {
        Format::Json => print(&summary.to_json())?,
        Format::Table => print(&table::render(&summary, dir.path()))?,
    }
    if failed { Err(failures(&summary)) } else { Ok(Exit::Well) }
}

fn write_results(dir: &SweepDir, plan: &SweepPlan, jobs: usize) -> Result<SweepSummary, Failure> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let threads = threads.map_err(|error| Failure::new(Exit::Internal, error))?;
    let path = dir.path().display();
    let again = format!("what was played is kept; `fogbit sweep --resume {path}` goes on");
    let summary = threads.install(|| finish(dir.path(), plan)).map_err(|error| match error {
        FinishError::Unit(_) | FinishError::Write(_) => {
            Failure::new(Exit::Failed, error).help(again.as_str())
        }
    })?;
    let html =
        report::sweep::render(dir.path()).map_err(|error| Failure::new(Exit::Internal, error))?;
    dir.write("report.html", html.as_bytes())
        .map_err(|error| unwritten(error).help(again.as_str()))?;
    Ok(summary)
}

/// Says that trials failed, and why the first of them did.
fn failures(summary: &SweepSummary) -> Failure {
    let all = summary.points.iter().flat_map(|point| {
        point.policies.iter().flat_map(move |policy| {
            policy.failures.iter().map(move |failure| (&point.point, &policy.name, failure))
        })
    });
    let first = all.map(|(point, policy, failure)| {
        format!("{policy} at point {point} with seed {}: {}", failure.seed, failure.reason)
    });
    let first = first.take(1).collect::<String>();
    Failure::new(
        Exit::Failed,
        format!(
            "{} of {} trials failed; the first: {first}",
            summary.sweep.failed, summary.sweep.trials
        ),
    )
    .help("they are left out of all figures; --resume plays their units anew")
}
